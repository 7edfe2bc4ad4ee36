// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What is left out: as asked for, and to stay within the budget. user/capture/guard.h decides, and here
 * it is measured and done.
 *
 * To leave the cost of a uprobe's trap out, the breakpoint has to go: a program that returns at once
 * saves less than half. So probes are detached and attached again, which takes some 10 to 100 ms
 * of this program's time, most of it waiting. Records stop and begin at one moment all the same, by a
 * flag the programs look at: those of a half-attached target would contradict each other.
 */
#include "user/capture/session_state.h"

#include <errno.h>
#include <stdlib.h>

#include "gscope.skel.h"
#include "user/base/clock.h"

#define MILLION 1e6

static uint32_t asked_stacks(const struct capture_session *s)
{
	if (s->opt.no_stacks)
		return 0;
	return s->opt.sample_goroutines ? s->opt.sample_goroutines : 1;
}

void session_choose_stacks(struct capture_session *s, size_t i)
{
	const struct guarded *g = &s->guarded[i];
	uint64_t limit = g->guard.level >= SHED_STACKS ? 0 : stack_limit_of(asked_stacks(s));

	s->programs->skel->bss->stack_limits[i] = limit;
	session_choose_inline(s, i, limit, g->probing);
}

static uint64_t millionths(double share)
{
	return (uint64_t)(share * MILLION + 0.5);
}

static struct ev_shed shed_record(const struct capture_session *s, size_t i, enum shed_what what,
				  uint64_t time_ns)
{
	const struct guarded *g = &s->guarded[i];

	return (struct ev_shed){
		.h = {.time_ns = time_ns,
		      .tid = s->traced[i].tgid,
		      .type = EV_SHED,
		      .size = sizeof(struct ev_shed)},
		.what = what,
		.stacks = asked_stacks(s),
		.from = g->level,
		.to = g->guard.level,
		.overhead = millionths(g->guard.overhead),
		.budget = s->opt.max_overhead,
	};
}

static int record_shed(struct capture_session *s, size_t i, enum shed_what what, uint64_t time_ns,
		       struct error *e)
{
	struct ev_shed ev = shed_record(s, i, what, time_ns);

	return record_add(&s->own, &ev.h, e);
}

int session_record_asked(struct capture_session *s, uint64_t time_ns, struct error *e)
{
	struct ev_shed asked = {
		.h = {.time_ns = time_ns, .type = EV_SHED, .size = sizeof(asked)},
		.what = SHED_ASKED,
		.stacks = asked_stacks(s),
		.budget = s->opt.max_overhead,
	};

	return s->sites ? record_add(&s->own, &asked.h, e) : 0;
}

/* What was predicted, and the steps that were made for it. */
static int record_steps(struct capture_session *s, size_t i, uint64_t time_ns, struct error *e)
{
	const struct guarded *g = &s->guarded[i];
	struct ev_shed ev = shed_record(s, i, SHED_FORESEEN, time_ns);
	int err;

	ev.from = SHED_NOTHING;
	ev.overhead = millionths(guard_foreseen(&g->forecast, SHED_NOTHING));
	err = record_add(&s->own, &ev.h, e);
	for (uint32_t level = SHED_NOTHING; level < g->level && !err; level++) {
		ev.what = SHED_STEP;
		ev.from = level;
		ev.to = level + 1;
		ev.overhead = millionths(guard_foreseen(&g->forecast, (enum shed_level)level));
		err = record_add(&s->own, &ev.h, e);
	}
	return err;
}

int session_record_foreseen(struct capture_session *s, size_t i, uint64_t time_ns, struct error *e)
{
	const struct guarded *g = &s->guarded[i];
	int err = 0;

	if (!session_probes_of(s, &s->traced[i]))
		return 0;
	if (g->forecast.span_ns > 0)
		err = record_steps(s, i, time_ns, e);
	if (!err && !g->probing)
		err = record_shed(s, i, SHED_PROBES_OFF, time_ns, e);
	return err;
}

/* Runs of tracepoint programs for targets; with others in between nobody knows. */
static uint64_t all_events(const struct capture_session *s)
{
	return s->opt.system_wide ? 0 : s->stage.traces + s->stage.lost_traces;
}

/* Of what was lost nobody knows whose it was: as much of it as of what was not. */
static struct meter_counts counts_of(const struct capture_session *s, size_t i)
{
	const struct traced *t = &s->traced[i];
	struct meter_counts c = {
		.first_site = t->first_site,
		.sites = (uint32_t)session_probes_of(s, t),
	};

	if (!s->opt.system_wide && s->stage.traces)
		c.events = t->traces + (uint64_t)((double)s->stage.lost_traces * (double)t->traces /
						  (double)s->stage.traces);
	return c;
}

static void begin(struct capture_session *s, size_t i)
{
	struct guarded *g = &s->guarded[i];
	struct meter_counts c = counts_of(s, i);
	bool probes = session_probes_of(s, &s->traced[i]);

	guard_init(&g->guard, probes ? (double)s->opt.max_overhead / MILLION : 0,
		   s->opt.no_kernel ? SHED_WINDOWS : SHED_KERNEL);
	guard_foresee(&g->guard, &g->forecast);
	if (!probes)
		g->guard.probes = false;
	g->level = g->guard.level;
	if (s->result.shed < g->level)
		s->result.shed = g->level;
	session_choose_stacks(s, i);
	/* attached they are in any case, as that tells whether it is possible */
	s->programs->skel->bss->probes_rest[i] = !g->guard.probes;
	meter_target_open(&s->meter, &g->meter, (pid_t)s->traced[i].tgid, &c);
}

int session_guard_begin(struct capture_session *s, struct error *e)
{
	s->meter.guardian = s->opt.guardian;
	s->meter.trap_ns = s->trap_ns;
	s->meter.filter_ns = s->filter_ns;
	if (meter_open(&s->meter, s->programs, all_events(s)))
		return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	s->metered = true;
	for (size_t i = 0; i < s->opt.ntargets; i++)
		begin(s, i);
	return 0;
}

void session_guard_attached(struct capture_session *s)
{
	for (size_t i = 0; i < s->opt.ntargets; i++) {
		struct guarded *g = &s->guarded[i];

		if (!g->guard.probes)
			probe_links_close(&s->probe_links[i]);
		g->probing = g->guard.probes;
		session_choose_stacks(s, i);
	}
}

static int probes_off(struct capture_session *s, size_t i, struct error *e)
{
	int err = record_shed(s, i, SHED_PROBES_OFF, now_ns(), e);

	s->programs->skel->bss->probes_rest[i] = true;
	probe_links_close(&s->probe_links[i]);
	s->guarded[i].probing = false;
	session_choose_stacks(s, i);
	return err;
}

/* One that has ended is noticed elsewhere. */
static int attach_again(struct capture_session *s, size_t i, struct error *e)
{
	const struct traced *t = &s->traced[i];
	int err;

	if (t->gone || !session_probes_of(s, t))
		return 0;
	err = attach_probes(&s->probe_links[i], s->programs, t->t, s->inlined[i], t->first_site,
			    NULL, e);
	return err && target_process_same(t->t->process) ? err : 0;
}

static int change_level(struct capture_session *s, size_t i, struct error *e)
{
	struct guarded *g = &s->guarded[i];
	int err = g->level != g->guard.level ? record_shed(s, i, SHED_STEP, now_ns(), e) : 0;

	g->level = g->guard.level;
	if (s->result.shed < g->level)
		s->result.shed = g->level;
	session_choose_stacks(s, i);
	return err;
}

/* What there is so far is worth more than an end with an error. */
static int stay_without(struct capture_session *s, size_t i, const struct error *why,
			struct error *e)
{
	if (s->opt.messages)
		fprintf(s->opt.messages,
			"gscope: %s; recording threads and system calls of process %u from here "
			"on\n",
			why->text, s->traced[i].tgid);
	probe_links_close(&s->probe_links[i]);
	guard_stay(&s->guarded[i].guard, SHED_KERNEL);
	return change_level(s, i, e);
}

static int probes_on(struct capture_session *s, size_t i, struct error *e)
{
	struct error why;
	int err = attach_again(s, i, &why);

	if (err && s->opt.no_kernel)
		*e = why; /* nothing would be left */
	if (err)
		return s->opt.no_kernel ? err : stay_without(s, i, &why, e);
	s->programs->skel->bss->probes_rest[i] = false;
	s->guarded[i].probing = true;
	session_choose_stacks(s, i);
	return record_shed(s, i, SHED_PROBES_ON, now_ns(), e);
}

static int act(struct capture_session *s, size_t i, struct error *e)
{
	const struct guarded *g = &s->guarded[i];
	int err = change_level(s, i, e);

	if (!err && g->probing != g->guard.probes)
		err = g->guard.probes ? probes_on(s, i, e) : probes_off(s, i, e);
	return err;
}

static void look(struct capture_session *s, size_t i)
{
	struct guarded *g = &s->guarded[i];
	struct meter_counts c = counts_of(s, i);
	struct guard_sample sample;

	meter_target_look(&s->meter, &g->meter, now_ns(), &c, &sample);
	session_add_inline(s, i, &sample);
	guard_tick(&g->guard, &sample);
}

/* What it took to attach, and to read the targets, is told apart from what follows. */
void session_guard_start(struct capture_session *s)
{
	meter_look(&s->meter, now_ns(), all_events(s));
	for (size_t i = 0; i < s->opt.ntargets; i++)
		look(s, i);
}

static uint64_t due(const struct guarded *g)
{
	return g->meter.time_ns + guard_patience(&g->guard);
}

static int tick(struct capture_session *s, size_t i, struct error *e)
{
	struct guarded *g = &s->guarded[i];
	int err;

	if (now_ns() < due(g))
		return 0;
	look(s, i);
	if (g->level == g->guard.level && g->probing == g->guard.probes)
		return 0;
	err = act(s, i, e);
	look(s, i);
	meter_recount(&s->meter, all_events(s));
	return err;
}

int session_guard_tick(struct capture_session *s, struct error *e)
{
	int err = 0;

	if (now_ns() >= s->meter.time_ns + GUARD_TICK_NS)
		meter_look(&s->meter, now_ns(), all_events(s));
	for (size_t i = 0; i < s->opt.ntargets && !err; i++)
		err = tick(s, i, e);
	return err;
}

uint64_t session_guard_next(const struct capture_session *s)
{
	uint64_t next = s->meter.time_ns + GUARD_TICK_NS;

	for (size_t i = 0; i < s->opt.ntargets; i++)
		if (due(&s->guarded[i]) < next)
			next = due(&s->guarded[i]);
	return next;
}

/* What tracing has added to a target, of all the time. */
static double added_to(const struct capture_session *s, size_t i)
{
	const struct meter_target *t = &s->guarded[i].meter;

	return (double)t->all_hits * (double)s->trap_ns + (double)t->probe_runs_ns +
	       (double)t->trace_runs_ns + session_inline_ns(s, i);
}

int session_write_shed(struct capture_session *s, const struct ev_cost *cost)
{
	double probes = (double)cost->probe_hits * (double)(cost->trap_ns + cost->probe_run_ns);
	double traces = (double)cost->trace_hits * (double)cost->trace_run_ns;
	struct ev_shed all = {
		.h = {.time_ns = cost->h.time_ns, .type = EV_SHED, .size = sizeof(all)},
		.what = SHED_SUMMARY,
		.stacks = asked_stacks(s),
		.budget = s->opt.max_overhead,
	};
	double cpu = 0;
	int err = 0;

	for (size_t i = 0; i < s->opt.ntargets && !err; i++) {
		const struct guarded *g = &s->guarded[i];
		struct ev_shed ev = shed_record(s, i, SHED_SUMMARY, cost->h.time_ns);

		cpu += (double)g->meter.all_cpu_ns;
		probes += session_inline_ns(s, i);
		all.from = all.to = g->level > all.to ? g->level : all.to;
		ev.overhead = millionths(guard_share(added_to(s, i), (double)g->meter.all_cpu_ns));
		if (s->opt.ntargets > 1 && session_probes_of(s, &s->traced[i]))
			err = stage_write(&s->stage, &ev.h);
	}
	if (err || !s->sites)
		return err;
	s->result.probe_overhead = millionths(guard_share(probes, cpu));
	all.overhead = millionths(guard_share(probes + traces, cpu));
	return stage_write(&s->stage, &all.h);
}

void session_guard_end(struct capture_session *s)
{
	for (size_t i = 0; s->metered && i < s->opt.ntargets; i++) {
		struct guarded *g = &s->guarded[i];

		guard_stay(&g->guard, g->guard.level); /* there is nothing to decide any more */
		look(s, i);
	}
}
