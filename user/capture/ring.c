// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/ring.h"

#include <errno.h>
#include <sys/mman.h>

#define BATCH (64U << 10) /* bytes, at most, that are taken and not given back yet */

int ring_map(struct ring *r, int fd, size_t chunks, struct ring_taken *taken)
{
	void *map = mmap(NULL, chunks * sizeof(struct ring_chunk), PROT_READ, MAP_SHARED, fd, 0);

	if (map == MAP_FAILED)
		return -errno;
	*r = (struct ring){map, chunks, taken};
	return 0;
}

void ring_unmap(struct ring *r)
{
	if (r->chunks)
		munmap((void *)r->chunks, r->n * sizeof(*r->chunks));
	*r = (struct ring){0};
}

/* NULL: the record at `at` is not complete. */
static const struct ring_header *complete(const struct ring *r, uint64_t at)
{
	const char *p = r->chunks[at / RING_CHUNK & (r->n - 1)].bytes + at % RING_CHUNK;
	uint64_t header = __atomic_load_n((const uint64_t *)(const void *)p, __ATOMIC_ACQUIRE);

	/* as is one from the last time round */
	return (header ^ ring_mark(at)) - 1 < UINT32_MAX ? (const void *)p : NULL;
}

int ring_take(struct ring *r, uint64_t end, ring_fn take, void *ctx, bool *empty)
{
	uint64_t at = r->taken->at, given = at;
	int err = 0;

	while (!err && at < end) {
		const struct ring_header *h = complete(r, at);

		if (!h)
			break;
		if (h->len > RING_RECORD_MAX || h->len % 8)
			return -EBADMSG;
		err = take(ctx, h + 1, h->len);
		at = ring_next(at, h->len);
		if (at - given < BATCH)
			continue;
		__atomic_store_n(&r->taken->at, at, __ATOMIC_RELEASE);
		given = at;
	}
	if (at != given)
		__atomic_store_n(&r->taken->at, at, __ATOMIC_RELEASE);
	*empty = at >= end;
	return err;
}
