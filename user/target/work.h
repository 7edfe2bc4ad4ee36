/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * How much a Go process does, from what its runtime and the kernel count anyway: nothing is attached
 * to it for that. Two readings some time apart tell a rate.
 */
#ifndef GSCOPE_TARGET_WORK_H
#define GSCOPE_TARGET_WORK_H

#include <stdbool.h>
#include <stdint.h>

#include "user/target/elf.h"
#include "user/target/layout.h"
#include "user/target/pclntab.h"

struct target;

/* Where the runtime counts. What its own code does not prove is left out. */
struct work_places {
	/*
	 * sched.timeToRun.counts, []u64 of `nwaits`: how long goroutines were runnable, of one start in
	 * WORK_TRACKED (gTrackingPeriod in runtime/runtime2.go of Go 1.19 to 1.27). 0: not known.
	 */
	uint64_t waits;
	uint32_t nwaits;
	int32_t schedtick, syscalltick; /* of a p, u32; -1: not known */
};

#define WORK_TRACKED 8

/* Since the process began. Only differences mean something, those of ticks modulo 2^32. */
struct work {
	uint64_t time_ns; /* CLOCK_MONOTONIC */
	uint64_t cpu_ns; /* of the process */
	uint64_t starts; /* of goroutines, in steps of WORK_TRACKED */
	uint32_t ticks; /* of all Ps: starts, without those that inherit a time slice */
	uint32_t syscalls; /* that Go makes for goroutines */
	uint64_t switches; /* times that threads got a CPU, of those there are, */
	uint64_t delay_ns; /* and for how long they waited for it */
};

/* Find the places in Go 1.`go_minor`; never fails, but may find nothing. */
void work_find(struct work_places *w, const struct layout *l, unsigned int go_minor,
	       struct elf_file *f, const struct pclntab *pcln, uint64_t bias);

/* Read it as it is now: 0 or a negative errno. */
int work_read(const struct target *t, struct work *out);

#endif
