/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What tracing costs its targets from moment to moment: hits of probes and runs of tracepoint
 * programs, each with what one takes, against the CPU time the targets use.
 *
 * How long programs run the kernel tells only while it is asked to, which costs every BPF program of
 * the system some 20 ns a run: it is asked for one in METER_COUNTED looks, and after a change that
 * makes programs take another time.
 */
#ifndef GSCOPE_CAPTURE_METER_H
#define GSCOPE_CAPTURE_METER_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "user/capture/cost.h"
#include "user/capture/guard.h"

#define METER_COUNTED 20

struct meter {
	const struct programs *p;
	struct guardian *guardian; /* who has run times counted; NULL: this process */
	uint64_t *per_cpu; /* room for one value of each CPU */
	uint64_t trap_ns;
	uint64_t filter_ns;
	int count_fd; /* run times are counted while it is open */
	unsigned int uncounted; /* looks since they were */
	struct run_times before; /* when counting began, */
	uint64_t before_events; /* and runs for targets by then */
	uint64_t probe_run_ns, trace_run_ns; /* the last known; 0: not yet */
	uint64_t time_ns; /* of the last look */
};

/* One target's. */
struct meter_target {
	clockid_t clock; /* -1: it has none */
	uint64_t used; /* what that has shown last */
	/* at the last look */
	uint64_t time_ns, hits, events, cpu_ns;
	/* sums of all looks */
	uint64_t probe_runs_ns, trace_runs_ns, all_hits, all_events, all_cpu_ns;
};

/* What of it is counted elsewhere: its sites, which may have become more, and runs for it so far. */
struct meter_counts {
	uint32_t first_site, sites;
	uint64_t events;
};

/*
 * Begin; counts at once. `trap_ns`: cost_of_trap(). `filter_ns`: what a tracepoint program takes for a
 * task of others. `events`: runs for all targets so far, here and below. 0 or -ENOMEM; free with
 * meter_close() in both cases.
 */
int meter_open(struct meter *m, const struct programs *p, uint64_t events);
void meter_close(struct meter *m);

/* Look how long programs take, at regular times, GUARD_TICK_NS apart. */
void meter_look(struct meter *m, uint64_t now, uint64_t events);

/* The same of a target. What there was since the last look. */
void meter_target_open(struct meter *m, struct meter_target *t, pid_t pid,
		       const struct meter_counts *c);
void meter_target_look(struct meter *m, struct meter_target *t, uint64_t now,
		       const struct meter_counts *c, struct guard_sample *out);

/* Programs do something else from here on: count their run times until the next look. */
void meter_recount(struct meter *m, uint64_t events);

#endif
