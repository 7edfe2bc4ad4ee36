/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A Go trace of a world with a few symbols and stacks, and its comparison with those in tests/golden,
 * which say in comments why they are right. A trace that differs is left in build/golden.
 */
#ifndef GSCOPE_TESTS_UNIT_EXPORT_GOLDEN_H
#define GSCOPE_TESTS_UNIT_EXPORT_GOLDEN_H

#include "tests/unit/export/world.h"
#include "user/export/gotrace.h"

#define FIXTURE_BEGIN 1000000

struct fixture {
	struct world w;
	struct gotrace *t;
	int fd;
};

/* The trace goes to fd, or to one in memory, with the header of Go 1.minor, or 1.22. */
void fixture_setup_fd(struct fixture *f, int fd, unsigned int minor);
void fixture_setup_minor(struct fixture *f, unsigned int minor);
void fixture_setup(struct fixture *f);
void fixture_teardown(struct fixture *f);

/* The world has ended: its trace is that of tests/golden/gotrace_NAME.txt. */
void golden_check(struct fixture *f, const char *name);

/* A handle as short as histories want it; `w` is the world. */
#define GO(cause, g, m, ...) world_go(w, cause, g, m, &(const struct with){__VA_ARGS__})

#endif
