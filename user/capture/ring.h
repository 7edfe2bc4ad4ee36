/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The reading end of a CPU's ring of records, which bpf/control.h describes and bpf/ring.bpf.h fills.
 * Room is given back a batch at a time, and not record by record: the CPU that writes looks at our
 * position when it seems to have none left.
 */
#ifndef GSCOPE_CAPTURE_RING_H
#define GSCOPE_CAPTURE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/control.h"

struct ring {
	const struct ring_chunk *chunks;
	size_t n; /* a power of two */
	struct ring_taken *taken; /* up to where we have read, as the programs are told */
};

/*
 * Map the ring of `chunks` chunks that BPF array `fd` has. `taken`: where to tell the programs; it
 * stays the caller's. Returns 0 or a negative errno.
 */
int ring_map(struct ring *r, int fd, size_t chunks, struct ring_taken *taken);
void ring_unmap(struct ring *r);

/* One record; returns 0 or a negative errno, with which ring_take() ends. */
typedef int (*ring_fn)(void *ctx, const void *data, size_t size);

/*
 * Hand over the records up to position `end`, cpu_state.begun as it was at some time. *empty: all of
 * them were taken, none is still being written. Returns 0 or what `take` returned; its record is gone
 * then.
 */
int ring_take(struct ring *r, uint64_t end, ring_fn take, void *ctx, bool *empty);

#endif
