/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What tracing would cost, before anything is attached: from what the targets do by themselves, and
 * what a hit takes on this machine. Figures in, figures out; user/target/work.h reads the targets.
 */
#ifndef GSCOPE_CAPTURE_PREDICT_H
#define GSCOPE_CAPTURE_PREDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "user/target/work.h"

#define PREDICT_NS 100000000U /* to look at targets, at least */

/* What targets did in that time. */
struct predict_load {
	double span_ns; /* of time */
	double cpu_ns; /* they used */
	double starts; /* of goroutines */
	double syscalls;
	double switches; /* of threads, */
	double delay_ns; /* and for how long they waited for a CPU */
};

/*
 * Add what a target did between two readings. No more is believed than its CPU time allows: the
 * counters are the target's own.
 */
void predict_add(struct predict_load *sum, const struct work *before, const struct work *after);

enum predict_engine { PREDICT_UPROBE, PREDICT_INLINE, PREDICT_ENGINES };

/* Nanoseconds. What programs and stubs do is in proportion to a trap: both are a matter of the CPU. */
struct prediction {
	double hits; /* of probes, or stubs, in the time of the load */
	double events; /* runs of tracepoint programs */
	double hit_ns[PREDICT_ENGINES]; /* one takes, with a stack */
	double bare_ns[PREDICT_ENGINES]; /* and without */
	double event_ns;
};

/* `trap_ns`: cost_of_trap(). `kernel`: tracepoints are attached, too. */
struct prediction predict(const struct predict_load *load, uint64_t trap_ns, bool kernel);

/* What would be added in the time of the load, ns. */
double predict_added(const struct prediction *p, enum predict_engine engine, bool stacks);

#endif
