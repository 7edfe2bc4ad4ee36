/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The budget guard: what is to be left out so that tracing costs its targets no more than they may
 * be charged. It decides from figures alone; user/capture/session_guard.c measures and acts.
 *
 * Detail is shed a level at a time (enum shed_level), and taken back a level at a time once what
 * that would cost fits with room to spare. While probes come and go, they come back when the time
 * without them has paid for the time with them: so a whole cycle is within the budget, whatever it
 * costs to have them. Where that takes longer than a cycle may last there is nothing left to pay
 * for, and they stay away.
 */
#ifndef GSCOPE_CAPTURE_GUARD_H
#define GSCOPE_CAPTURE_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/event.h"

#define GUARD_TICK_NS 100000000U /* how often guard_tick() wants to be called */

/* What happened since the last tick. Costs per hit and run are the present ones. */
struct guard_sample {
	uint64_t span_ns; /* of time */
	uint64_t cpu_ns; /* all targets used, what tracing added included */
	uint64_t hits; /* of probes */
	uint64_t hit_ns; /* one costs */
	uint64_t events; /* runs of tracepoint programs for the targets */
	uint64_t event_ns;
};

/*
 * What is expected of a while, from a look at targets to which nothing is attached; `full` and
 * `bare`: with stacks and without, which is all that changes with the level.
 */
struct guard_forecast {
	double span_ns, cpu_ns; /* of time, and used by the targets */
	double hits, events;
	double hit_full, hit_bare, event_ns; /* ns of one */
	double cpus; /* they can use, whatever is added */
};

/* Sums over samples, the older ones fading. */
struct guard_sum {
	double span, cpu, hits, events;
	double probe_ns, trace_ns; /* what they cost */
	unsigned int n; /* samples */
};

struct guard {
	double budget; /* of what targets use without tracing; 0: no limit */
	enum shed_level last; /* no more is shed than that */
	enum shed_level level;
	bool probes; /* are there */
	uint64_t now; /* ns since the beginning */
	uint64_t since; /* when the level was taken, */
	uint64_t phase; /* and when probes came or went last */
	double overhead; /* as measured when it was last decided, before that */
	uint64_t calm_since; /* the next level up would fit from then on; 0: it does not */
	uint64_t raised; /* when a level was last taken back; 0: never */
	uint64_t hold[SHED_LEVELS]; /* a level is kept so long at least */
	struct guard_sum recent; /* at this level, with probes or without */
	struct guard_sum window; /* since probes came, without the coming; does not fade */
	struct guard_sum on; /* while probes were there, since stacks were shed or taken back */
	struct guard_sum cycle; /* since probes came last; does not fade, as the next one */
	struct guard_sum all; /* at this level */
	struct guard_sum debt; /* what made it shed the last time */
	uint64_t window_ns; /* for how long probes are to be there, at SHED_WINDOWS */
	double hit_full, event_full; /* what they cost with stacks, when those were shed */
	bool acting; /* the next sample is of the time it took to do as decided */
	unsigned int calm_windows; /* in a row, that would fit without a pause */
};

/*
 * `budget`: 0.25 is 25 %; 0: nothing is ever shed. `last` is SHED_KERNEL, or SHED_WINDOWS where nothing
 * would be left without probes: then pauses take as long as it takes to pay for a window.
 */
void guard_init(struct guard *g, double budget, enum shed_level last);

/*
 * Begin at the level that is expected to fit, before anything is attached. Windows come when they are
 * paid for, then. The next sample is to be that of the time in which it is attached.
 */
void guard_foresee(struct guard *g, const struct guard_forecast *f);

/* What is added at `level` by that forecast, while probes are there, as a share of what targets use. */
double guard_foreseen(const struct guard_forecast *f, enum shed_level level);

/* How soon guard_tick() wants to be called. */
uint64_t guard_patience(const struct guard *g);

/*
 * Decide: g->level and g->probes are what it is to be from now on. If either has changed the next
 * sample is to be that of the time in which it is done.
 */
void guard_tick(struct guard *g, const struct guard_sample *s);

/* From here on it is this level, whatever it costs. */
void guard_stay(struct guard *g, enum shed_level level);

/* What tracing has added to what the targets use themselves, since the last change of level. */
double guard_overhead(const struct guard *g);

/*
 * The same of any figures: 0 if nothing was used or added. What was added is never taken for nearly
 * all there was, as both are measured apart.
 */
double guard_share(double added_ns, double cpu_ns);

#endif
