/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The processor's time stamp counter, and what CLOCK_MONOTONIC was at a reading of it. */
#ifndef GSCOPE_INLINE_TSC_H
#define GSCOPE_INLINE_TSC_H

#include <stdbool.h>
#include <stdint.h>

#include "user/base/error.h"

struct tsc_pair {
	uint64_t tsc, ns;
};

/* Pairs taken again and again; between two of them the line through both is the clock. */
struct tsc_clock {
	struct tsc_pair from, to; /* the line is through these, */
	struct tsc_pair next; /* and this becomes `from` */
	double ns_per_tick;
	uint64_t bracket_ns; /* widest bracket around a pair */
	uint64_t error_ns; /* worst that a pair was off the line through the two before it */
	uint64_t pairs;
};

/*
 * Whether the counter runs at one rate whatever the processor does, the same on all of them, and
 * the kernel itself keeps time by it: 0, or -ENOTSUP with the reason.
 */
int tsc_usable(struct error *e);

/* The first two pairs, 2 ms apart. */
void tsc_begin(struct tsc_clock *c);

/* Another one. Times before it are from now on told by the line up to it. */
void tsc_sample(struct tsc_clock *c);

/* CLOCK_MONOTONIC at a reading near `from` and `to`. */
uint64_t tsc_ns(const struct tsc_clock *c, uint64_t tsc);

/* Half the widest bracket and the worst error: what a time may be off. */
uint64_t tsc_bound_ns(const struct tsc_clock *c);

#endif
