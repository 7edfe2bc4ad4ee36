/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Long random histories that keep the rules of the model. */
#ifndef GSCOPE_TESTS_UNIT_EXPORT_RANDOM_H
#define GSCOPE_TESTS_UNIT_EXPORT_RANDOM_H

#include "tests/unit/export/world.h"

#define THREADS 40
#define PROCS 8
#define GOROUTINES 300
#define STACKS 100

struct random {
	struct world w;
	uint64_t seed;
	uint64_t goid;
	bool coroutines;
	unsigned int steps;
};

uint64_t rnd(struct random *r, uint64_t n);
struct thread *any_thread(struct random *r);
struct goroutine *any_g(struct random *r, enum g_state state); /* or NULL */

/* Of the garbage collector: makes no system calls. */
bool is_worker(const struct goroutine *g);

/* A change of state that keeps the rules, or a loss; not every attempt is one. */
void random_step(struct random *r);

/* Anything else, fitting or not. */
void random_besides(struct random *r);

/*
 * So many steps from time `start` on. The Go trace, with the header of Go 1.minor, is checked as far
 * as the wire goes and left in build/random/NAME.trace.
 */
void random_history(const char *name, uint64_t seed, bool coroutines, unsigned int minor,
		    uint64_t start, unsigned int steps);

#endif
