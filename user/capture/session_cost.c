// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What tracing has cost, as the meter found. */
#include "user/capture/guardian.h"
#include "user/capture/session_state.h"

#include <sched.h>
#include <unistd.h>

#define FILTER_RUNS 2000

static double mean(const struct run_time *a, const struct run_time *b)
{
	uint64_t runs = b->runs - a->runs;

	return runs ? (double)(b->ns - a->ns) / (double)runs : 0;
}

void session_measure_filter(struct capture_session *s)
{
	struct run_times before, after;
	int fd = guardian_count_run_times(s->opt.guardian);

	if (fd < 0)
		return;
	cost_counted(s->programs, &before);
	for (int i = 0; i < FILTER_RUNS; i++)
		sched_yield();
	cost_counted(s->programs, &after);
	close(fd);
	s->filter_ns = (uint64_t)mean(&before.trace, &after.trace);
}

struct ev_cost session_cost(const struct capture_session *s, uint64_t time_ns, uint64_t hits)
{
	uint64_t probes = 0, traces = 0, probe_ns = 0, trace_ns = 0;

	for (size_t i = 0; i < s->opt.ntargets; i++) {
		const struct meter_target *t = &s->guarded[i].meter;

		probes += t->all_hits;
		traces += t->all_events;
		probe_ns += t->probe_runs_ns;
		trace_ns += t->trace_runs_ns;
	}
	/* what a hit or run takes changes with what is left out: the mean of all the time */
	return (struct ev_cost){
		.h = {.time_ns = time_ns, .type = EV_COST, .size = sizeof(struct ev_cost)},
		.probe_hits = hits,
		.trap_ns = s->trap_ns,
		.probe_run_ns = probes ? probe_ns / probes : 0,
		.trace_hits = s->stage.traces + s->stage.lost_traces,
		.trace_run_ns = traces ? trace_ns / traces : s->meter.trace_run_ns,
	};
}
