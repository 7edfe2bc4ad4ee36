// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/ring.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/bpf.h>

#define BATCH (64U << 10) /* bytes, at most, that are taken and not given back yet */

/* The kernel's own, in front of every record: its length with BPF_RINGBUF_*_BIT, and an offset. */
struct ring_header {
	uint32_t len;
	uint32_t page;
};
_Static_assert(sizeof(struct ring_header) == BPF_RINGBUF_HDR_SZ, "ring_header");

int ring_map(struct ring *r, int fd, size_t size)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *consumer, *producer;

	consumer = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (consumer == MAP_FAILED)
		return -errno;
	producer = mmap(NULL, page + 2 * size, PROT_READ, MAP_SHARED, fd, (off_t)page);
	if (producer == MAP_FAILED) {
		int err = -errno;

		munmap(consumer, page);
		return err;
	}
	*r = (struct ring){size, consumer, producer, (const char *)producer + page};
	return 0;
}

void ring_unmap(struct ring *r)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (!r->consumer)
		return;
	munmap(r->consumer, page);
	munmap((void *)r->producer, page + 2 * r->size);
	*r = (struct ring){0};
}

unsigned long ring_end(const struct ring *r)
{
	return __atomic_load_n(r->producer, __ATOMIC_ACQUIRE);
}

int ring_take(struct ring *r, unsigned long end, ring_fn take, void *ctx, bool *empty)
{
	unsigned long at = *r->consumer, given = at;
	int err = 0;

	/* nothing but a difference means anything where unsigned long has 32 bits */
	while (!err && (long)(end - at) > 0) {
		const char *p = r->data + (at & (r->size - 1));
		const struct ring_header *h = (const void *)p;
		uint32_t len = __atomic_load_n(&h->len, __ATOMIC_ACQUIRE);
		uint32_t size = len & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);

		if (len & BPF_RINGBUF_BUSY_BIT)
			break;
		if (!(len & BPF_RINGBUF_DISCARD_BIT))
			err = take(ctx, p + sizeof(*h), size);
		at += (sizeof(*h) + size + 7) & ~7UL;
		if (at - given < BATCH)
			continue;
		__atomic_store_n(r->consumer, at, __ATOMIC_RELEASE);
		given = at;
	}
	if (at != given)
		__atomic_store_n(r->consumer, at, __ATOMIC_RELEASE);
	*empty = (long)(end - at) <= 0;
	return err;
}
