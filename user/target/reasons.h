/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the runtime calls the reasons goroutines wait for. */
#ifndef GSCOPE_TARGET_REASONS_H
#define GSCOPE_TARGET_REASONS_H

#include <stddef.h>

#include "user/base/error.h"
#include "user/target/target.h"

/* v[number]; nothing (n is 0) if the names are not known. */
struct target_strings {
	char **v;
	size_t n;
};

/*
 * Names of g.waitreason, from the target ("reason 37" if they are not found there), and of
 * m.waitTraceBlockReason, as Go's tracer writes
 * them, from the target where it has them. Free with target_strings_free().
 */
int target_wait_reasons(const struct target *t, struct target_strings *out, struct error *e);
int target_block_reasons(const struct target *t, struct target_strings *out, struct error *e);
void target_strings_free(struct target_strings *s);

#endif
