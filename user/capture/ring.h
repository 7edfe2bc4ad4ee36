/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The reading end of a BPF ring buffer. Room is given back a batch at a time, and not record by
 * record: the CPU that writes looks at our position for every record of its own.
 */
#ifndef GSCOPE_CAPTURE_RING_H
#define GSCOPE_CAPTURE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring {
	size_t size; /* of the data: a power of two */
	unsigned long *consumer; /* a page of its own: up to where we have read */
	const unsigned long *producer; /* likewise: up to where records were begun */
	const char *data; /* twice in a row, so that every record is in one piece */
};

/* Map the ring buffer `fd` of `size` bytes. Returns 0 or a negative errno. */
int ring_map(struct ring *r, int fd, size_t size);
void ring_unmap(struct ring *r);

/* Where the next record will begin. */
unsigned long ring_end(const struct ring *r);

/* One record; returns 0 or a negative errno, with which ring_take() ends. */
typedef int (*ring_fn)(void *ctx, const void *data, size_t size);

/*
 * Hand over the records up to position `end`, of ring_end(). *empty: all of them were taken, none
 * is still being written. Returns 0 or what `take` returned; its record is gone then.
 */
int ring_take(struct ring *r, unsigned long end, ring_fn take, void *ctx, bool *empty);

#endif
