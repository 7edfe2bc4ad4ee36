/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What tracing costs, measured on this machine and in this run. */
#ifndef GSCOPE_CAPTURE_COST_H
#define GSCOPE_CAPTURE_COST_H

#include <stdint.h>

#include "user/capture/load.h"

struct guardian;

/*
 * Nanoseconds one hit of a uprobe with an empty program takes at an instruction the kernel
 * emulates: hits it in our own process for some 10 ms. `g`: guardian_attach(). 0 if it cannot be measured.
 */
uint64_t cost_of_trap(const struct programs *p, struct guardian *g);

/* Sums over programs, as the kernel counts them while it is told to. */
struct run_time {
	uint64_t ns;
	uint64_t runs;
};

struct run_times {
	struct run_time probes; /* uprobe programs */
	struct run_time trace; /* tracepoint programs */
};

/*
 * Mean run time for traced tasks of programs that ran for those `mine` times: what others took is
 * what filtering takes. 0: not known.
 */
uint64_t cost_of_traced(const struct run_time *before, const struct run_time *after, uint64_t mine,
			uint64_t filter_ns);

/* What was counted since the programs were loaded. */
void cost_counted(const struct programs *p, struct run_times *out);

#endif
