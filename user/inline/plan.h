/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Which of a target's probe sites take a stub. */
#ifndef GSCOPE_INLINE_PLAN_H
#define GSCOPE_INLINE_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "user/base/error.h"
#include "user/inline/shared.h"
#include "user/inline/stub.h"
#include "user/target/target.h"

struct inline_plan {
	struct stub_site *stub; /* with the operand of the same index */
	struct inline_operand *operand; /* .planted is not known yet */
	size_t n;
	uint64_t lo, hi; /* the code that has the calls and what they call */
	struct inline_geometry geometry;
	uint64_t stack_limit; /* at the beginning: bpf/control.h */
	bool off; /* at the beginning: stubs do nothing */
};

/*
 * A site whose bytes in the process are not those of a plain call, or not those of its file, is
 * left out. `bytes` are for all rings together, 0: a default; there are fewer where the process may
 * not have that much, of which `taken` bytes are planned for others already. -ENOTSUP: there is nothing
 * to plant on; -ENOSPC: it may not have enough; with the reason. Free with inline_plan_free().
 */
int inline_plan(struct inline_plan *out, const struct target *t, uint64_t bytes, uint64_t taken,
		struct error *e);

/* Make rings smaller until all of them take no more than `most` bytes; false: there are too many. */
bool inline_fit(struct inline_geometry *g, uint64_t most);

void inline_plan_free(struct inline_plan *p);

#endif
