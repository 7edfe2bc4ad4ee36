// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/bell.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

int bell_open(struct bell *b, int fd)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *heard, *rung;

	*b = (struct bell){.fd = fd};
	heard = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (heard == MAP_FAILED)
		return -errno;
	b->heard = heard;
	rung = mmap(NULL, page, PROT_READ, MAP_SHARED, fd, (off_t)page);
	if (rung == MAP_FAILED)
		return -errno;
	b->rung = rung;
	return 0;
}

void bell_close(struct bell *b)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (b->heard)
		munmap(b->heard, page);
	if (b->rung)
		munmap((void *)b->rung, page);
	*b = (struct bell){0};
}

void bell_hear(const struct bell *b)
{
	__atomic_store_n(b->heard, __atomic_load_n(b->rung, __ATOMIC_ACQUIRE), __ATOMIC_RELEASE);
}
