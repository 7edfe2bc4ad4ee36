/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the tests of plans of probe sites share. */
#ifndef GSCOPE_TESTS_UNIT_TARGET_PLANS_H
#define GSCOPE_TESTS_UNIT_TARGET_PLANS_H

#include "tests/unit/target/progs.h"
#include "user/target/sites.h"

/* The first site of a kind in the code of `func`: NULL if there is none. */
const struct site *plan_find(const struct sites *s, enum site_kind kind, const char *func);

/* Open a copy of an open program with `n` bytes at `off` of the file replaced. */
bool plan_open_patched(struct prog_file *copy, const struct prog_file *f, uint64_t off,
		       const void *bytes, size_t n);

#endif
