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

static uint64_t hits_now(struct meter *m, const struct meter_counts *c)
{
	int fd = bpf_map__fd(m->p->skel->maps.site_hits);
	uint64_t sum = 0;

	for (uint32_t site = c->first_site; site < c->first_site + c->sites; site++) {
		if (bpf_map_lookup_elem(fd, &site, m->per_cpu))
			continue;
		for (size_t cpu = 0; cpu < m->p->ncpus; cpu++)
			sum += m->per_cpu[cpu];
	}
	return sum;
}

/* One that has ended has used what it had. */
static uint64_t cpu_now(struct meter_target *t)
{
	struct timespec ts;

	if (t->clock != -1 && !clock_gettime(t->clock, &ts))
		t->used = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
	return t->used;
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

int meter_open(struct meter *m, const struct programs *p, uint64_t events)
{
	m->p = p;
	m->count_fd = -1;
	m->per_cpu = calloc(p->ncpus, sizeof(*m->per_cpu));
	if (!m->per_cpu)
		return -ENOMEM;
	m->time_ns = now_ns();
	count_begin(m, events);
	return 0;
}

void meter_close(struct meter *m)
{
	if (m->p && m->count_fd >= 0)
		close(m->count_fd);
	free(m->per_cpu);
	*m = (struct meter){0};
}

void meter_look(struct meter *m, uint64_t now, uint64_t events)
{
	if (m->count_fd >= 0)
		count_end(m, events);
	else if (++m->uncounted >= METER_COUNTED - 1)
		count_begin(m, events);
	m->time_ns = now;
}

void meter_target_open(struct meter *m, struct meter_target *t, pid_t pid,
		       const struct meter_counts *c)
{
	if (clock_getcpuclockid(pid, &t->clock))
		t->clock = -1;
	t->hits = hits_now(m, c);
	t->events = c->events;
	t->cpu_ns = cpu_now(t);
	t->time_ns = now_ns();
}

void meter_target_look(struct meter *m, struct meter_target *t, uint64_t now,
		       const struct meter_counts *c, struct guard_sample *out)
{
	uint64_t hits = hits_now(m, c), cpu_ns = cpu_now(t);

	*out = (struct guard_sample){
		.span_ns = now - t->time_ns,
		.cpu_ns = cpu_ns - t->cpu_ns,
		.hits = hits - t->hits,
		.hit_ns = m->trap_ns + m->probe_run_ns,
		.events = c->events - t->events,
		.event_ns = m->trace_run_ns,
	};
	t->time_ns = now;
	t->hits = hits;
	t->events = c->events;
	t->cpu_ns = cpu_ns;
	t->all_hits += out->hits;
	t->all_events += out->events;
	t->all_cpu_ns += out->cpu_ns;
	t->probe_runs_ns += out->hits * m->probe_run_ns;
	t->trace_runs_ns += out->events * m->trace_run_ns;
}

void meter_recount(struct meter *m, uint64_t events)
{
	count_begin(m, events);
}
