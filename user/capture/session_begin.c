// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Attach to the targets, and record what they are and how they are at that moment. */
#include "user/capture/session_state.h"

#include <errno.h>
#include <string.h>

#include "gscope.skel.h"
#include "user/base/clock.h"
#include "user/capture/sample.h"
#include "user/capture/targets.h"

/* Records that go to the file while a few goroutines are read. */
#define AT_ONCE (1U << 16)

static int enter_targets(struct capture_session *s, struct error *e)
{
	uint32_t tgids[MAX_TARGETS];
	int err;

	for (size_t i = 0; i < s->opt.ntargets; i++)
		tgids[i] = s->traced[i].tgid;
	targets_choose(s->programs, tgids, s->opt.ntargets);
	for (size_t i = 0; i < s->opt.ntargets; i++) {
		struct traced *t = &s->traced[i];

		if (!target_process_same(t->t->process))
			return error_set(e, EXIT_TARGET, -ESRCH,
					 "process %u ended, or runs another program by now",
					 t->tgid);
		err = targets_enter(s->programs, i, t->tgid, &s->cfg[i]);
		if (err)
			return error_set(e, EXIT_FAILED, err, "cannot enter process %u: %s",
					 t->tgid, strerror(-err));
	}
	return 0;
}

static int attach_target(struct capture_session *s, size_t i, struct error *e)
{
	const struct traced *t = &s->traced[i];
	struct error why;
	int err;

	if (!session_probes_of(s, t))
		return 0;
	err = session_plant(s, i, e);
	if (err)
		return err;
	err = attach_probes(&s->probe_links[i], s->programs, t->t, s->inlined[i], t->first_site,
			    s->opt.messages, &why);
	return err ? session_fall_back(s, i, err, &why, e) : 0;
}

static int attach_samples(struct capture_session *s, struct error *e)
{
	unsigned int rate = s->opt.sample_rate ? s->opt.sample_rate : SAMPLE_RATE;
	int err = 0;

	if (s->opt.full)
		err = sample_attach(&s->trace_links, s->programs, rate, s->opt.messages);
	return err ? error_set(e, EXIT_FAILED, err, "no CPU samples can be taken: %s",
			       strerror(-err)) :
		     0;
}

int session_attach(struct capture_session *s, struct error *e)
{
	int err;

	if (s->sites)
		s->trap_ns = cost_of_trap(s->programs, s->opt.guardian);
	err = attach_tracepoints(&s->trace_links, s->programs, e);
	if (err)
		return err;
	session_measure_filter(s);
	session_predict(s);
	err = session_guard_begin(s, e);
	if (!err)
		err = enter_targets(s, e);
	for (size_t i = 0; i < s->opt.ntargets && !err; i++)
		err = attach_target(s, i, e);
	if (!err)
		err = attach_samples(s, e);
	/* what was found by pid has been attached: was it still the same process? */
	for (size_t i = 0; i < s->opt.ntargets && !err; i++)
		if (!target_process_same(s->traced[i].t->process))
			err = error_set(
				e, EXIT_TARGET, -ESRCH,
				"process %u ended, or started another program, while gscope "
				"attached to it",
				s->traced[i].tgid);
	if (!err)
		session_guard_attached(s);
	return err;
}

static int record_ready(struct capture_session *s, uint32_t tgid, uint32_t flags, struct error *e)
{
	struct ev_ready ev = {
		.h = {.time_ns = now_ns(), .tid = tgid, .type = EV_READY, .size = sizeof(ev)},
		.tgid = tgid,
		.flags = flags,
	};

	return record_add(&s->own, &ev.h, e);
}

static uint32_t ready_flags(const struct capture_session *s, size_t i)
{
	if (!target_has_goroutines(s->traced[i].t))
		return 0;
	return (s->opt.no_probes ? READY_BARE : 0) | (s->opt.no_kernel ? READY_NO_KERNEL : 0);
}

int session_note_dead(struct capture_session *s, struct traced *t, struct error *e)
{
	struct ev_gone ev = {
		.h = {.time_ns = now_ns(), .tid = t->tgid, .type = EV_GONE, .size = sizeof(ev)},
		.tgid = t->tgid,
		.how = GONE_EXIT,
	};

	return t->gone ? 0 : record_add(&s->own, &ev.h, e);
}

/* The target and its probes; one that turns out to be without goroutines instead. */
static int record_identity(struct capture_session *s, size_t i, uint64_t since, struct error *e)
{
	const struct traced *t = &s->traced[i];
	struct error why;
	int err = record_target(&s->own, t->t, since, &why);

	if (err) {
		err = session_fall_back(s, i, err, &why, e);
		if (!err)
			err = record_target(&s->own, t->t, since, e);
	}
	return err ? err : session_record_sites(s, t, since, e);
}

/*
 * What programs and stubs have written: reading many goroutines takes longer than rings have room for,
 * and records of millions are more than fits into memory.
 */
static int keep_up(void *ctx, struct error *e)
{
	struct capture_session *s = ctx;
	int err = drain_pass(s->drain, e);
	bool more;

	if (!err)
		err = session_take_inline(s, e);
	return err ? err : merge_emit_some(s->merge, AT_ONCE, &more, stage_record, &s->stage);
}

/* Its goroutines, as they are now. */
static int record_goroutines(struct capture_session *s, size_t i, struct error *e)
{
	const struct traced *t = &s->traced[i];
	const struct meanwhile w = {keep_up, s};
	struct error why;
	int err;

	if (!target_has_goroutines(t->t))
		return 0;
	err = record_snapshot(&s->own, t->t, &w, &why);
	if (!err)
		return 0;
	err = session_fall_back(s, i, err, &why, e);
	return err ? err : record_target(&s->own, t->t, now_ns(), e);
}

/* What programs would have told that the kernel has refused. */
static int record_missing(struct capture_session *s, uint64_t since, struct error *e)
{
	int err = 0;

	for (unsigned int d = 0; d < DISPENSABLES && !err; d++) {
		const struct missing *m = &s->programs->missing[d];
		struct ev_missing ev = {
			.h = {.time_ns = since, .type = EV_MISSING, .size = sizeof(ev)},
			.err = (uint32_t)-m->err,
		};

		if (!m->why)
			continue;
		snprintf(ev.program, sizeof(ev.program), "%s", dispensable_program(d));
		snprintf(ev.shows, sizeof(ev.shows), "%s", dispensable_shows(d));
		snprintf(ev.why, sizeof(ev.why), "%s", m->why);
		err = record_add(&s->own, &ev.h, e);
	}
	return err;
}

/* All of it is known; and what is left out of it from here on. */
static int record_begun(struct capture_session *s, size_t i, struct error *e)
{
	int err = record_ready(s, s->traced[i].tgid, ready_flags(s, i), e);

	return err ? err : session_record_foreseen(s, i, now_ns(), e);
}

int session_record_beginning(struct capture_session *s, uint64_t since, struct error *e)
{
	int err = session_record_asked(s, since, e);

	if (!err)
		err = record_missing(s, since, e);
	for (size_t i = 0; i < s->opt.ntargets && !err; i++)
		err = record_identity(s, i, since, e);
	/* more is told of their threads than of all others, so they come first */
	for (size_t i = 0; i < s->opt.ntargets && !err && s->opt.system_wide; i++) {
		if (!target_has_goroutines(s->traced[i].t))
			err = record_threads(&s->own, s->traced[i].t, e);
		if (err == -ESRCH)
			err = 0;
	}
	if (!err && s->opt.system_wide)
		err = record_all_threads(&s->own, e);
	for (size_t i = 0; i < s->opt.ntargets && !err; i++) {
		err = s->opt.system_wide ? 0 : record_threads(&s->own, s->traced[i].t, e);
		if (!err)
			err = record_goroutines(s, i, e);
		if (!err)
			err = record_begun(s, i, e);
		else if (err == -ESRCH && s->opt.ntargets > 1)
			err = session_note_dead(s, &s->traced[i],
						e); /* the others are still there */
		if (!err)
			err = drain_pass(s->drain, e);
		if (!err)
			err = session_pass_inline(s, false, e);
	}
	if (!err && s->opt.system_wide)
		err = record_ready(s, 0, 0, e);
	return err;
}
