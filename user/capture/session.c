// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The loop of a session, and its end. */
#include "user/capture/session_state.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "user/base/clock.h"
#include "user/base/confine.h"
#include "user/base/privilege.h"
#include "user/capture/guardian.h"

#define WAIT_NS 50000000 /* the longest a record waits in a ring */
#define NICER 15 /* than whatever keeps the CPUs busy, targets for one: their records wait for us */

struct loss_report {
	struct capture_session *s;
	struct error *e;
};

static int report_loss(void *ctx, const struct ev_loss *ev)
{
	const struct loss_report *r = ctx;

	return record_add(&r->s->own, &ev->h, r->e);
}

static int look_at_heaps(struct capture_session *s, struct error *e)
{
	uint64_t now = now_ns();
	int err = 0;

	if (now - s->heaps_ns < HEAP_MIN_NS)
		return 0;
	s->heaps_ns = now;
	for (size_t i = 0; i < s->opt.ntargets && !err; i++)
		err = heap_look(&s->heaps[i], &s->traced[i], &s->own, e);
	return err;
}

/* One that was killed is replaced at once: the next one that is may be gscope. */
static void look_at_guardian(struct capture_session *s)
{
	if (guardian_look(s->opt.guardian) && s->opt.messages)
		fprintf(s->opt.messages, "gscope: the process that removes probes should gscope be "
					 "killed has ended; another one has taken its place\n");
}

static int look_at_losses(struct capture_session *s, struct error *e)
{
	struct loss_report report = {s, e};
	int err = drain_losses(s->drain, report_loss, &report);

	s->losses_ns = now_ns();
	look_at_guardian(s);
	return err && err != -ENOMEM ?
		       error_set(e, EXIT_FAILED, err, "cannot read the loss counters: %s",
				 strerror(-err)) :
		       err;
}

/*
 * Records that go from the merge to the file before rings are looked at again. There are more after
 * something that took long: a snapshot of many goroutines.
 */
#define AT_ONCE (1U << 16)

/* Rings -> merge -> file, and what was lost meanwhile. */
static int move(struct capture_session *s, struct error *e)
{
	int err = drain_pass(s->drain, e);

	if (!err && s->more)
		err = session_take_inline(s, e);
	if (!err)
		err = session_pass_inline(s, false, e);
	/* which takes some twenty system calls, and not many records may come between two passes */
	if (!err && now_ns() - s->losses_ns >= WAIT_NS)
		err = look_at_losses(s, e);
	if (err)
		return err;
	merge_promise(s->merge, s->own.source, now_ns());
	return merge_emit_some(s->merge, AT_ONCE, &s->more, stage_record, &s->stage);
}

static void show(struct capture_session *s)
{
	struct progress_state state = {
		.now_ns = now_ns(),
		.begin_ns = s->result.begin_ns,
		.events = s->stage.events,
		.lost = s->stage.lost,
		.bytes = capture_writer_bytes(s->stage.w),
	};

	progress_show(&s->progress, &state);
}

/* Until the rings are to be emptied, whether they ask for it or not, or only the heaps looked at. */
static int wait_ms(const struct capture_session *s, uint64_t now, uint64_t deadline)
{
	uint64_t until = s->moved_ns + session_inline_patience(s, WAIT_NS);
	uint64_t tick = session_guard_next(s);

	if (s->more)
		return 0;
	if (until > tick)
		until = tick;
	if (s->has_heaps && until > now + HEAP_MAX_NS)
		until = now + HEAP_MAX_NS;
	if (until > deadline)
		until = deadline;
	return until > now ? (int)((until - now + 999999) / 1000000) : 0;
}

static int signals(const struct capture_session *s)
{
	return s->opt.stop ? *s->opt.stop : 0;
}

static int loop(struct capture_session *s, struct error *e)
{
	uint64_t begin = s->result.begin_ns;
	uint64_t deadline = s->opt.duration_ns ? begin + s->opt.duration_ns : UINT64_MAX;
	struct epoll_event events[16];
	int err = 0;

	for (;;) {
		uint64_t now = now_ns();
		int n;

		err = look_at_heaps(s, e);
		if (!err)
			err = session_guard_tick(s, e);
		if (!err)
			err = session_watch(s, false, e);
		if (err)
			return err;

		s->stopped = signals(s);
		if (s->stopped) {
			s->result.why = END_INTERRUPT;
			return 0;
		}
		if (!s->opt.system_wide && s->stage.gone == s->opt.ntargets) {
			s->result.why = END_TARGETS_GONE;
			return 0;
		}
		if (now >= deadline) {
			s->result.why = END_DURATION;
			return 0;
		}
		n = epoll_wait(s->epoll_fd, events, 16, wait_ms(s, now, deadline));
		if (n < 0 && errno != EINTR)
			return error_set(e, EXIT_FAILED, -errno, "epoll_wait: %s", strerror(errno));
		if (!n && !s->more && now_ns() - s->moved_ns < session_inline_patience(s, WAIT_NS))
			continue;
		s->moved_ns = now_ns();
		err = move(s, e);
		for (int i = 0; i < n && !err; i++)
			if (events[i].data.u64 != EVENT_RING)
				err = session_note_dead(s, &s->traced[events[i].data.u64 - 1], e);
		if (err)
			return err;
		show(s);
	}
}

static int write_end(struct capture_session *s, struct error *e)
{
	struct ev_end end = {.h = {.type = EV_END, .size = sizeof(end)}};
	/* not now: no later record of the targets is in the file */
	uint64_t now = s->result.end_ns, hits = 0;
	struct ev_cost cost;
	int err = session_write_hits(s, now, &hits);

	cost = session_cost(s, now, hits);
	end.h.time_ns = now;
	end.why = s->result.why;
	end.begin_ns = s->result.begin_ns;
	end.events = s->stage.events;
	end.lost = s->stage.lost;
	if (!err)
		err = stage_write(&s->stage, &cost.h);
	if (!err)
		err = session_write_inline(s, now);
	if (!err)
		err = session_write_shed(s, &cost);
	if (!err)
		err = stage_write(&s->stage, &end.h);
	return err ? err : capture_writer_flush(s->stage.w, e);
}

/*
 * What is left to be taken is finite, as nothing is sent any more: rings, and what the merge holds. No more
 * than this is waited for, should that not be so.
 */
#define FINISH_NS 20000000000

/* Enough: it takes too long, or the user has asked once more. */
static bool is_enough(const struct capture_session *s)
{
	return signals(s) != s->stopped || now_ns() - s->result.end_ns > FINISH_NS;
}

/* What stubs have written goes first: then nothing can hold up what programs have. */
static int empty_rings(struct capture_session *s, struct error *e)
{
	int err = session_pass_inline(s, true, e);

	while (!err) {
		err = move(s, e);
		if (drain_empty(s->drain) || is_enough(s))
			break;
	}
	if (!err)
		err = drain_pending(s->drain, e);
	return err ? err : look_at_losses(s, e);
}

static int empty_merge(struct capture_session *s)
{
	bool more = true;
	int err = 0;

	for (size_t i = 0; i <= s->own.source; i++)
		merge_promise(s->merge, i, UINT64_MAX);
	while (!err && more && !is_enough(s))
		err = merge_emit_some(s->merge, AT_ONCE, &more, stage_record, &s->stage);
	return err;
}

/* What had to be left is lost: of rings it is not known how much that is. */
static int write_left(struct capture_session *s)
{
	struct ev_loss ev = {
		.h = {.time_ns = now_ns(), .type = EV_LOSS, .size = sizeof(ev)},
		.cpu = LOSS_ANY_CPU,
		.loss_class = LOSS_GO,
		.count = merge_pending(s->merge) + !drain_empty(s->drain),
		.since_ns = s->moved_ns,
	};

	if (!ev.count)
		return 0;
	if (s->opt.messages)
		fprintf(s->opt.messages,
			"gscope: the end was cut short: %llu events at least are missing\n",
			(unsigned long long)ev.count);
	s->stage.lost += ev.count;
	return stage_write(&s->stage, &ev.h);
}

/* Take the rest, and write the end. */
static int finish(struct capture_session *s, struct error *e)
{
	int err = empty_rings(s, e);

	if (!err)
		err = empty_merge(s);
	if (err)
		return err;
	/* cannot happen as far as is known; if it does, whoever reads the capture has to know */
	if (merge_late(s->merge) && s->opt.messages)
		fprintf(s->opt.messages,
			"gscope: %llu records came out of order and have a later time than their own\n",
			(unsigned long long)merge_late(s->merge));
	err = write_left(s);
	return err ? err : write_end(s, e);
}

/*
 * By the nice value, which is a share and not a right of way. Whoever may not do it has the rings
 * absorb more.
 */
static void go_ahead(struct capture_session *s)
{
	s->nice = getpriority(PRIO_PROCESS, 0);
	if (!setpriority(PRIO_PROCESS, 0, s->nice - NICER))
		capture_writer_set_nice(s->stage.w, s->nice - NICER);
}

int capture_session_run(struct capture_session *s, struct capture_writer *w, struct error *e)
{
	uint64_t since;
	int err;

	s->stage.w = w;
	go_ahead(s);
	s->stage.e = e;
	s->stage.begun = s->opt.begun;
	s->stage.begun_ctx = s->opt.begun_ctx;
	s->stage.until_ns = UINT64_MAX;
	since = now_ns();
	session_watch_begin(s);
	err = session_attach(s, e);
	if (!err)
		err = session_record_beginning(s, since, e);
	if (!err)
		err = privilege_keep(PRIVILEGE_TRACE, e);
	if (!err)
		err = confine_tracer(e);
	if (!err) {
		session_guard_start(s);
		s->result.begin_ns = now_ns();
		err = session_watch(s, true, e);
		if (!err)
			err = loop(s, e);
		if (!err)
			err = session_watch(s, true, e);
	}
	session_guard_end(s);
	session_detach(s);
	if (!err)
		err = finish(s, e);
	if (err == -ENOSPC)
		s->result.why = END_DISK_FULL;
	s->result.events = s->stage.events;
	s->result.lost = s->stage.lost;
	progress_clear(&s->progress);
	setpriority(PRIO_PROCESS, 0, s->nice);
	capture_writer_set_nice(w, s->nice);
	return err;
}
