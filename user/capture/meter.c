// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/meter.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "gscope.skel.h"
#include "user/base/clock.h"
#include "user/capture/guardian.h"

/*
 * No program takes so many traps' time: a CPU was taken away meanwhile, by the kernel or by the host of a
 * virtual machine, and the kernel's clock of runs went on.
 */
#define MOST_TRAPS 8

/* Fewer runs say nothing of what one takes. */
#define ENOUGH_RUNS 20

static uint64_t hits_now(struct meter *m)
{
	int fd = bpf_map__fd(m->p->skel->maps.site_hits);
	uint64_t sum = 0;

	for (uint32_t site = 0; site < m->sites; site++) {
		if (bpf_map_lookup_elem(fd, &site, m->per_cpu))
			continue;
		for (size_t cpu = 0; cpu < m->p->ncpus; cpu++)
			sum += m->per_cpu[cpu];
	}
	return sum;
}

/* One that has ended has used what it had. */
static uint64_t cpu_now(struct meter *m)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < m->n; i++) {
		struct timespec ts;

		if (m->clocks[i] != -1 && !clock_gettime(m->clocks[i], &ts))
			m->used[i] = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
		sum += m->used[i];
	}
	return sum;
}

static void count_begin(struct meter *m, uint64_t events)
{
	if (m->count_fd >= 0)
		close(m->count_fd);
	m->count_fd = guardian_count_run_times(m->guardian);
	m->uncounted = 0;
	m->before_events = events;
	cost_counted(m->p, &m->before);
}

static uint64_t plausible(const struct meter *m, uint64_t ns)
{
	return m->trap_ns && ns > MOST_TRAPS * m->trap_ns ? MOST_TRAPS * m->trap_ns : ns;
}

static void count_end(struct meter *m, uint64_t events)
{
	struct run_times after;
	uint64_t probes, ns;

	cost_counted(m->p, &after);
	close(m->count_fd);
	m->count_fd = -1;
	probes = after.probes.runs - m->before.probes.runs;
	if (probes >= ENOUGH_RUNS || (probes && !m->probe_run_ns))
		m->probe_run_ns = plausible(m, (after.probes.ns - m->before.probes.ns) / probes);
	ns = cost_of_traced(&m->before.trace, &after.trace, events - m->before_events,
			    m->filter_ns);
	/* with the whole system nobody knows whose runs they are: all are alike then */
	if (events == m->before_events && after.trace.runs > m->before.trace.runs)
		ns = (after.trace.ns - m->before.trace.ns) /
		     (after.trace.runs - m->before.trace.runs);
	if (events - m->before_events >= ENOUGH_RUNS || (ns && !m->trace_run_ns))
		m->trace_run_ns = plausible(m, ns);
}

int meter_open(struct meter *m, const struct programs *p, uint32_t sites, const pid_t *pids,
	       size_t n, uint64_t events)
{
	m->p = p;
	m->sites = sites;
	m->n = n;
	m->count_fd = -1;
	m->per_cpu = calloc(p->ncpus, sizeof(*m->per_cpu));
	m->clocks = calloc(n + 1, sizeof(*m->clocks));
	m->used = calloc(n + 1, sizeof(*m->used));
	if (!m->per_cpu || !m->clocks || !m->used)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (clock_getcpuclockid(pids[i], &m->clocks[i]))
			m->clocks[i] = -1;
	m->hits = hits_now(m);
	m->events = events;
	m->cpu_ns = cpu_now(m);
	m->time_ns = now_ns();
	count_begin(m, events);
	return 0;
}

void meter_close(struct meter *m)
{
	if (m->p && m->count_fd >= 0)
		close(m->count_fd);
	free(m->per_cpu);
	free(m->clocks);
	free(m->used);
	*m = (struct meter){0};
}

void meter_look(struct meter *m, uint64_t now, uint64_t events, struct guard_sample *out)
{
	uint64_t hits = hits_now(m), cpu_ns = cpu_now(m);

	if (m->count_fd >= 0)
		count_end(m, events);
	else if (++m->uncounted >= METER_COUNTED - 1)
		count_begin(m, events);
	*out = (struct guard_sample){
		.span_ns = now - m->time_ns,
		.cpu_ns = cpu_ns - m->cpu_ns,
		.hits = hits - m->hits,
		.hit_ns = m->trap_ns + m->probe_run_ns,
		.events = events - m->events,
		.event_ns = m->trace_run_ns,
	};
	m->time_ns = now;
	m->hits = hits;
	m->events = events;
	m->cpu_ns = cpu_ns;
	m->all_hits += out->hits;
	m->all_events += out->events;
	m->all_cpu_ns += out->cpu_ns;
	m->probe_runs_ns += out->hits * m->probe_run_ns;
	m->trace_runs_ns += out->events * m->trace_run_ns;
}

void meter_recount(struct meter *m, uint64_t events)
{
	count_begin(m, events);
}
