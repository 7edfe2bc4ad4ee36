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

void session_choose_stacks(struct capture_session *s)
{
	bool shed = s->guard.level >= SHED_STACKS;

	s->programs->skel->data->stack_limit = shed ? 0 : stack_limit_of(asked_stacks(s));
	session_choose_inline(s, s->programs->skel->data->stack_limit, s->probing);
}

static uint64_t millionths(double share)
{
	return (uint64_t)(share * MILLION + 0.5);
}

static struct ev_shed shed_record(const struct capture_session *s, enum shed_what what,
				  uint64_t time_ns)
{
	return (struct ev_shed){
		.h = {.time_ns = time_ns, .type = EV_SHED, .size = sizeof(struct ev_shed)},
		.what = what,
		.stacks = asked_stacks(s),
		.from = s->level,
		.to = s->guard.level,
		.overhead = millionths(s->guard.overhead),
		.budget = s->opt.max_overhead,
	};
}

static int record_shed(struct capture_session *s, enum shed_what what, uint64_t time_ns,
		       struct error *e)
{
	struct ev_shed ev = shed_record(s, what, time_ns);

	return record_add(&s->own, &ev.h, e);
}

/* What was predicted, and the steps that were made for it. */
static int record_foreseen(struct capture_session *s, uint64_t time_ns, struct error *e)
{
	struct ev_shed ev = shed_record(s, SHED_FORESEEN, time_ns);
	int err;

	ev.from = SHED_NOTHING;
	ev.overhead = millionths(guard_foreseen(&s->forecast, SHED_NOTHING));
	err = record_add(&s->own, &ev.h, e);
	for (uint32_t level = SHED_NOTHING; level < s->level && !err; level++) {
		ev.what = SHED_STEP;
		ev.from = level;
		ev.to = level + 1;
		ev.overhead = millionths(guard_foreseen(&s->forecast, (enum shed_level)level));
		err = record_add(&s->own, &ev.h, e);
	}
	return err;
}

int session_record_asked(struct capture_session *s, uint64_t time_ns, struct error *e)
{
	struct ev_shed asked = shed_record(s, SHED_ASKED, time_ns);
	int err;

	if (!s->sites)
		return 0;
	asked.from = asked.to = SHED_NOTHING;
	err = record_add(&s->own, &asked.h, e);
	if (!err && s->forecast.span_ns > 0)
		err = record_foreseen(s, time_ns, e);
	if (!err && !s->probing)
		err = record_shed(s, SHED_PROBES_OFF, time_ns, e);
	return err;
}

/* Runs of tracepoint programs for targets; with others in between nobody knows. */
static uint64_t target_events(const struct capture_session *s)
{
	return s->opt.system_wide ? 0 : s->stage.traces + s->stage.lost_traces;
}

int session_guard_begin(struct capture_session *s, struct error *e)
{
	pid_t *pids = calloc(s->opt.ntargets + 1, sizeof(*pids));
	int err = -ENOMEM;

	s->guarded = s->sites && s->opt.max_overhead;
	guard_init(&s->guard, s->guarded ? (double)s->opt.max_overhead / MILLION : 0,
		   s->opt.no_kernel ? SHED_WINDOWS : SHED_KERNEL);
	guard_foresee(&s->guard, &s->forecast);
	if (!s->sites)
		s->guard.probes = false;
	s->level = s->result.shed = s->guard.level;
	session_choose_stacks(s);
	/* attached they are in any case, as that tells whether it is possible */
	s->programs->skel->bss->probes_rest = !s->guard.probes;
	if (pids) {
		for (size_t i = 0; i < s->opt.ntargets; i++)
			pids[i] = (pid_t)s->traced[i].tgid;
		s->meter.guardian = s->opt.guardian;
		s->meter.trap_ns = s->trap_ns;
		s->meter.filter_ns = s->filter_ns;
		err = meter_open(&s->meter, s->programs, s->sites, pids, s->opt.ntargets,
				 target_events(s));
	}
	free(pids);
	if (err)
		return error_set(e, EXIT_FAILED, err, "out of memory");
	return 0;
}

void session_guard_attached(struct capture_session *s)
{
	for (size_t i = 0; i < s->opt.ntargets && !s->guard.probes; i++)
		probe_links_close(&s->probe_links[i]);
	s->probing = s->guard.probes;
	session_choose_stacks(s);
}

static int probes_off(struct capture_session *s, struct error *e)
{
	int err = record_shed(s, SHED_PROBES_OFF, now_ns(), e);

	s->programs->skel->bss->probes_rest = true;
	for (size_t i = 0; i < s->opt.ntargets; i++)
		probe_links_close(&s->probe_links[i]);
	s->probing = false;
	session_choose_stacks(s);
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

static int change_level(struct capture_session *s, struct error *e)
{
	int err = s->level != s->guard.level ? record_shed(s, SHED_STEP, now_ns(), e) : 0;

	s->level = s->guard.level;
	if (s->result.shed < s->level)
		s->result.shed = s->level;
	session_choose_stacks(s);
	return err;
}

/* What there is so far is worth more than an end with an error. */
static int stay_without(struct capture_session *s, const struct error *why, struct error *e)
{
	if (s->opt.messages)
		fprintf(s->opt.messages,
			"gscope: %s; recording threads and system calls from here on\n", why->text);
	for (size_t i = 0; i < s->opt.ntargets; i++)
		probe_links_close(&s->probe_links[i]);
	guard_stay(&s->guard, SHED_KERNEL);
	return change_level(s, e);
}

static int probes_on(struct capture_session *s, struct error *e)
{
	struct error why;
	int err = 0;

	for (size_t i = 0; i < s->opt.ntargets && !err; i++)
		err = attach_again(s, i, &why);
	if (err && s->opt.no_kernel)
		*e = why; /* nothing would be left */
	if (err)
		return s->opt.no_kernel ? err : stay_without(s, &why, e);
	s->programs->skel->bss->probes_rest = false;
	s->probing = true;
	session_choose_stacks(s);
	return record_shed(s, SHED_PROBES_ON, now_ns(), e);
}

static int act(struct capture_session *s, struct error *e)
{
	int err = change_level(s, e);

	if (!err && s->probing != s->guard.probes)
		err = s->guard.probes ? probes_on(s, e) : probes_off(s, e);
	return err;
}

static void look(struct capture_session *s, struct guard_sample *sample)
{
	meter_look(&s->meter, now_ns(), target_events(s), sample);
	session_add_inline(s, sample);
}

/* What it took to attach, and to read the targets, is told apart from what follows. */
void session_guard_start(struct capture_session *s)
{
	struct guard_sample sample;

	look(s, &sample);
	guard_tick(&s->guard, &sample);
}

int session_guard_tick(struct capture_session *s, struct error *e)
{
	uint64_t now = now_ns();
	struct guard_sample sample;
	int err;

	if (now - s->meter.time_ns < guard_patience(&s->guard))
		return 0;
	look(s, &sample);
	guard_tick(&s->guard, &sample);
	if (s->level == s->guard.level && s->probing == s->guard.probes)
		return 0;
	err = act(s, e);
	look(s, &sample);
	guard_tick(&s->guard, &sample);
	meter_recount(&s->meter, target_events(s));
	return err;
}

int session_write_shed(struct capture_session *s, const struct ev_cost *cost)
{
	struct ev_shed ev = shed_record(s, SHED_SUMMARY, cost->h.time_ns);
	double probes = (double)cost->probe_hits * (double)(cost->trap_ns + cost->probe_run_ns);
	double traces = (double)cost->trace_hits * (double)cost->trace_run_ns;
	double cpu = (double)s->meter.all_cpu_ns;

	if (!s->sites)
		return 0;
	probes += session_inline_ns(s);
	s->result.probe_overhead = millionths(guard_share(probes, cpu));
	ev.overhead = millionths(guard_share(probes + traces, cpu));
	return stage_write(&s->stage, &ev.h);
}

void session_guard_end(struct capture_session *s)
{
	struct guard_sample sample;

	if (!s->meter.p)
		return;
	meter_look(&s->meter, now_ns(), target_events(s), &sample);
	guard_stay(&s->guard, s->guard.level); /* there is nothing to decide any more */
	guard_tick(&s->guard, &sample);
}
