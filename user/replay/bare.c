/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A process in which nothing is planted. A kernel event names the goroutine and the P of its thread,
 * which is true for that moment. Between two events of a thread on a CPU Go may have changed both,
 * unless it was in the kernel; what both ends name is taken for what was in between. Nothing more is
 * concluded: not what a goroutine waits for, nor that it does.
 */
#include <errno.h>

#include "user/replay/internal.h"

static void put_on(struct thread *t, struct goroutine *g, struct proc *p)
{
	if (t->g && t->g->m == t)
		t->g->m = NULL;
	if (g && g->m)
		g->m->g = NULL;
	t->g = g;
	t->p = p;
	if (g)
		g->m = t;
}

/* A thread asleep is where the snapshot found it; what others did meanwhile their events tell. */
static void begin_thread(const struct replay *r, struct thread *t)
{
	bool asleep = t->state == T_SLEEPING;

	put_on(t, asleep ? t->g : NULL, NULL);
	t->off_since = asleep ? r->now : 0;
	t->on_since = t->woken = t->off_stack = 0;
}

void bare_begin(struct replay *r, struct process *ps)
{
	struct proc *p, *ptmp;
	struct thread *t, *tmp;

	HASH_ITER(hh, ps->procs, p, ptmp) {
		p->m = NULL;
		p->state = P_IDLE;
	}
	HASH_ITER(hh, r->threads, t, tmp)
		if (t->process == ps)
			begin_thread(r, t);
	ps->bare = true;
	tell_ready(r, ps);
}

void bare_leave(struct thread *t)
{
	put_on(t, NULL, NULL);
	t->on_since = t->off_since = 0;
}

void bare_context(struct replay *r, struct thread *t, const struct ev_gctx *ctx)
{
	struct process *ps = t->process;
	struct goroutine *g = ctx->curg ? goroutine_find(ps, ctx->curg) : NULL;
	struct thread_span s = {
		.kind = SPAN_ON_CPU,
		.begin = t->on_since,
		.end = r->now,
		.t = t,
		.g = g == t->g ? g : NULL,
	};

	if (ps->gone)
		return;
	if (t->on_since) {
		/* an event in between may be missing */
		if (t->on_since <= r->lost_until)
			s.g = NULL;
		tell_span(r, &s);
	}
	t->on_since = r->now;
	put_on(t, g, ctx->p ? proc_find(ps, ctx->p) : NULL);
}

void bare_switched_out(struct replay *r, struct thread *t, const struct ev_switch *ev)
{
	bare_context(r, t, &ev->ctx);
	t->on_since = 0;
	t->off_since = r->now;
	t->preempted = !ev->prev_state || (ev->flags & SWITCH_PREEMPT);
	t->woken = t->preempted ? r->now : 0;
}

void bare_switched_in(struct replay *r, struct thread *t)
{
	struct thread_span s = {
		.kind = SPAN_OFF_CPU,
		.begin = t->off_since,
		.end = r->now,
		.t = t,
		.g = t->off_since > r->lost_until ? t->g : NULL,
		.runnable_since = t->woken,
		.preempted = t->preempted,
		.stack = t->off_stack,
	};

	if (t->off_since)
		tell_span(r, &s);
	t->on_since = r->now;
	t->off_since = t->woken = t->off_stack = 0;
	t->preempted = false;
}

void bare_wakeup(struct replay *r, struct thread *waker, struct thread *t)
{
	struct thread_span s = {.kind = SPAN_WAKE, .begin = r->now, .end = r->now, .t = waker};

	if (t && t->off_since && !t->woken)
		t->woken = r->now;
	/* an interrupt that wakes somebody has nothing to do with the thread it comes to */
	if (!waker || !is_bare(waker) || waker->sys_nr < 0 || !waker->g)
		return;
	s.g = waker->g;
	tell_span(r, &s);
}

void on_goroutine_seen(struct replay *r, const struct ev_goroutine *ev)
{
	struct process *ps = process_find(r, ev->tgid);
	struct goroutine *g;

	if (!ps || ps->gone)
		return;
	g = goroutine_find(ps, ev->gp);
	if (g && g->id != ev->goid) {
		goroutine_drop(g);
		g = NULL;
	}
	if (!g)
		g = goroutine_new(r, ps, ev->gp, ev->goid);
	if (!g)
		return;
	g->seen = true;
	if (g->start_pc || !ev->start_pc)
		return;
	g->start_pc = ev->start_pc;
	g->go_pc = ev->go_pc;
	goroutine_classify(r, g);
}

void on_off_cpu(struct replay *r, const struct ev_off_cpu *ev)
{
	struct thread *t = thread_get(r, ev->h.tid, ev->tgid);

	if (t)
		t->off_stack = ev->stack;
}
