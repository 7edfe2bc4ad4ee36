/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What a stub takes. */
#ifndef GSCOPE_INLINE_COST_H
#define GSCOPE_INLINE_COST_H

#include <stdint.h>

#include "user/inline/plan.h"
#include "user/inline/stub.h"

struct inline_cost {
	uint64_t hit_ns; /* one pass through a stub */
	uint64_t wait_ns; /* and what waiting for the reader adds to it: INLINE_PAUSES */
};

/*
 * Measured with the stub of a goroutine that parks, with a stack of 12 frames if `o` asks for stacks,
 * written for this process, which has a g, an m and a P of its own making, and run there. 0: it could
 * not be measured.
 */
void inline_cost(struct inline_cost *out, const struct inline_plan *plan,
		 const struct stub_options *o);

#endif
