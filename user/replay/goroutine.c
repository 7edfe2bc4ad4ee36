/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What a probe site proves: the goroutine was in the old state until now, and leaves it. */
#include <errno.h>
#include <string.h>

#include "user/replay/internal.h"

/* One event, taken apart. */
struct go_event {
	const struct ev_go *ev;
	struct process *ps;
	struct thread *t;
	struct proc *p; /* NULL: the thread has none */
	struct goroutine *g;
	struct goroutine *other;
	struct why why;
};

/* goschedImpl is reached from Gosched and from preemption; its caller is the leaf frame. */
static const char *yield_reason(const struct replay *r, const struct ev_go *ev)
{
	struct frame leaf;

	if (ev->kind == GO_YIELD && symbols_stack(r->symbols, ev->tgid, ev->stack, 0, &leaf, 1) &&
	    (!strncmp(leaf.func, "runtime.Gosched", 15) ||
	     !strncmp(leaf.func, "runtime.gosched", 15)))
		return "runtime.Gosched";
	return "preempted";
}

static void go_park(struct replay *r, struct go_event *e)
{
	const char *block = "";

	if (!ensure_running(r, e->g, e->t, e->p))
		return;
	e->why.reason = process_string(e->ps, STRING_WAIT_REASON, e->ev->wait_reason);
	/* m.waitTraceBlockReason numbers mean something else before 1.22. */
	if (e->ps->info.go_minor >= 22)
		block = process_string(e->ps, STRING_BLOCK_REASON, e->ev->block_reason);
	e->why.block = *block ? block : reason_block(e->why.reason);
	g_apply(r, e->g, G_BLOCK, e->t, &e->why);
}

static void go_start(struct replay *r, struct go_event *e)
{
	if (!ensure_runnable(r, e->g))
		return;
	ensure_thread_free(r, e->t, NULL);
	if (ensure_thread_proc(r, e->t, e->p, CHANGE_INFERRED))
		g_apply(r, e->g, G_START, e->t, &e->why);
}

static void go_ready(struct replay *r, struct go_event *e)
{
	if (e->g->state == G_RUNNABLE) {
		tell_repair(r, e->ps, "a runnable goroutine was readied", e->g, e->p, e->t);
		return;
	}
	/* Readied means parked: it left its syscall unseen. Only where it waited is not known. */
	if (e->g->state == G_SYSCALL) {
		ensure_runnable(r, e->g);
		return;
	}
	if (ensure_waiting(r, e->g) && g_apply(r, e->g, G_UNBLOCK, e->t, &e->why) &&
	    e->ev->kind == GO_READY)
		e->g->worker = e->ev->block_reason <= GC_WORKER_IDLE ? e->ev->block_reason : 0;
}

static void go_stop(struct replay *r, struct go_event *e)
{
	if (!ensure_running(r, e->g, e->t, e->p))
		return;
	e->why.block = yield_reason(r, e->ev);
	if (symbols_left_out(r->symbols, e->ev->tgid, e->ev->stack))
		e->why.stack = 0;
	g_apply(r, e->g, G_STOP, e->t, &e->why);
}

static void go_preempt_park(struct replay *r, struct go_event *e)
{
	if (!ensure_running(r, e->g, e->t, e->p))
		return;
	e->why.reason = e->why.block = "preempted";
	g_apply(r, e->g, G_BLOCK, e->t, &e->why);
}

static void go_exit(struct replay *r, struct go_event *e)
{
	if (ensure_running(r, e->g, e->t, e->p))
		g_apply(r, e->g, G_EXIT, e->t, &e->why);
}

static void go_sysblock(struct replay *r, struct go_event *e)
{
	struct proc *p = e->p ? e->p : e->t->p;

	/*
	 * From 1.26 on entersyscallblock hands the P off first. Another thread may have used it by
	 * now, which proved that this goroutine is in its syscall.
	 */
	if (!e->p && e->g->state == G_SYSCALL && e->g->m == e->t)
		return;
	if (!p) {
		tell_repair(r, e->ps, "a goroutine event without a P", e->g, NULL, e->t);
		return;
	}
	if (!ensure_running(r, e->g, e->t, p) || !g_apply(r, e->g, G_SYSCALL_ENTER, e->t, &e->why))
		return;
	proc_expect(e->t, NULL);
	/* entersyscallblock hands the P off at once: releasep. */
	if (!e->ps->probes_procs || !e->p)
		p_apply(r, e->t->p, P_STOP, e->t, CHANGE_INFERRED);
}

/* cgocall or Syscall, whose frames the runtime's tracer hides, or a callback returns to C. */
static void go_cgo_enter(struct replay *r, struct go_event *e)
{
	e->why.skip = e->why.skip < 0 ? 1 : e->why.skip;
	if (!ensure_running(r, e->g, e->t, e->p))
		return;
	g_apply(r, e->g, G_SYSCALL_ENTER, e->t, &e->why);
	if (!proc_stays_wired(e->ps))
		proc_expect(e->t, NULL);
	syscall_begun(r, e->t, e->ev->p);
}

/*
 * C or the kernel returns, or C calls back. Without a P the goroutine is not back yet: that has probes of
 * its own.
 */
static void go_cgo_exit(struct replay *r, struct go_event *e)
{
	if (e->p)
		ensure_running(r, e->g, e->t, e->p);
	else
		ensure_syscall_without_proc(r, e->g, e->t);
}

static void go_sysexit_nop(struct replay *r, struct go_event *e)
{
	if (ensure_syscall_without_proc(r, e->g, e->t))
		g_apply(r, e->g, G_SYSCALL_LOST, e->t, &e->why);
	else
		ensure_runnable(r, e->g);
}

static void go_sysexit_newp(struct replay *r, struct go_event *e)
{
	if (!ensure_syscall_without_proc(r, e->g, e->t))
		return;
	proc_expect(e->t, e->p);
	if (!ensure_thread_proc(r, e->t, e->p, 0))
		return;
	if (g_apply(r, e->g, G_SYSCALL_LOST, e->t, &e->why))
		g_apply(r, e->g, G_START, e->t, &e->why);
}

static void go_switch(struct replay *r, struct go_event *e)
{
	bool exits = e->ev->new_status == GST_DEAD;

	if (exits)
		e->t->switched_off = e->ev->gp;
	if (!ensure_running(r, e->g, e->t, e->p))
		return;
	e->why.reason = "coroutine";
	e->why.block = "coroutine";
	if (e->other && e->other->state == G_WAITING) {
		struct why in = {.other = e->g, .skip = -1};
		struct goroutine *other = e->other;

		/*
		 * The goroutine that exits is gone after its step: nobody may be told it as the
		 * other side then.
		 */
		if (exits)
			in.other = NULL;
		if (g_apply(r, e->g, exits ? G_SWITCH_EXIT : G_SWITCH_OUT, e->t, &e->why))
			g_apply(r, other, G_SWITCH_IN, e->t, &in);
		return;
	}
	/* The other side is not known yet: its first own event introduces it. */
	e->why.other = NULL;
	g_apply(r, e->g, exits ? G_EXIT : G_BLOCK, e->t, &e->why);
}

/*
 * The g of a live goroutine is used for a new one. A creation of the very same goroutine is news only
 * where a snapshot was quicker than its record.
 */
static bool forget(struct replay *r, struct go_event *e)
{
	if (e->ps->ready && e->g->id == e->ev->goid) {
		tell_repair(r, e->ps, "a live goroutine was created", e->g, NULL, e->t);
		return false;
	}
	goroutine_end_unseen(r, e->g, e->t);
	e->g = NULL;
	return true;
}

static void go_create(struct replay *r, struct go_event *e)
{
	const struct ev_go_create *cr = (const struct ev_go_create *)e->ev;
	bool blocked = e->ev->kind == GO_CREATE_BLOCKED;
	struct goroutine *g;

	if (e->g && !forget(r, e))
		return;
	if (e->other && !ensure_running(r, e->other, e->t, e->p))
		return;
	if (!e->other)
		ensure_thread_free(r, e->t, NULL);
	if (!ensure_thread_proc(r, e->t, e->p, CHANGE_INFERRED))
		return;
	g = goroutine_new(r, e->ps, e->ev->gp, e->ev->goid);
	if (!g)
		return;
	g->seen = true;
	g->start_pc = cr->start_pc;
	g->go_pc = cr->go_pc;
	g->parent_id = e->other ? e->other->id : 0;
	goroutine_classify(r, g);
	if (blocked)
		e->why.reason = e->why.block = "coroutine";
	if (!g_apply(r, g, blocked ? G_CREATE_BLOCKED : G_CREATE, e->t, &e->why))
		goroutine_drop(g);
}

static void go_needm(struct replay *r, struct go_event *e)
{
	struct goroutine *g;

	if (e->g && !forget(r, e))
		return;
	ensure_thread_free(r, e->t, NULL);
	g = goroutine_new(r, e->ps, e->ev->gp, e->ev->goid);
	if (!g)
		return;
	if (!g_apply(r, g, G_EXTRA_ENTER, e->t, &e->why))
		goroutine_drop(g);
}

/* Its P stays with the thread, as if in a syscall, until the thread comes back or somebody takes it. */
static void go_dropm(struct replay *r, struct go_event *e)
{
	struct thread *t = e->t;

	if (!ensure_syscall(r, e->g, t))
		return;
	if (t->p && (t->p->state == P_RUNNING || (proc_stays_wired(e->ps) && !e->ev->p)))
		ensure_no_proc(r, e->g, t);
	g_apply(r, e->g, G_EXTRA_LEAVE, t, &e->why);
}

void on_go(struct replay *r, const struct ev_go *ev)
{
	static const struct {
		void (*fn)(struct replay *r, struct go_event *e);
		bool needs_p;
		bool creates;
	} kinds[] = {
		[GO_START] = {go_start, true, false},
		[GO_PARK] = {go_park, true, false},
		[GO_PARK_REFUSED] = {go_ready, false, false},
		[GO_READY] = {go_ready, false, false},
		[GO_YIELD] = {go_stop, true, false},
		[GO_YIELD_PREEMPTED] = {go_stop, true, false},
		[GO_PREEMPT_PARK] = {go_preempt_park, true, false},
		[GO_EXIT] = {go_exit, true, false},
		[GO_SYSBLOCK] = {go_sysblock, false, false},
		[GO_SYSEXIT_NOP] = {go_sysexit_nop, false, false},
		[GO_SYSEXIT_NEWP] = {go_sysexit_newp, true, false},
		[GO_CREATE] = {go_create, true, true},
		[GO_CREATE_BLOCKED] = {go_create, true, true},
		[GO_SWITCH] = {go_switch, true, false},
		[GO_NEEDM] = {go_needm, false, true},
		[GO_DROPM] = {go_dropm, false, false},
		[GO_CGO_ENTER] = {go_cgo_enter, true, false},
		[GO_CGO_EXIT] = {go_cgo_exit, false, false},
		[GO_SYSCALL_ENTER] = {go_cgo_enter, true, false},
		[GO_SYSCALL_EXIT] = {go_cgo_exit, false, false},
	};
	struct go_event e = {.ev = ev};
	uint64_t switched_off;
	struct actor a;
	bool known;

	known = ev->kind < sizeof(kinds) / sizeof(kinds[0]) && kinds[ev->kind].fn;
	if (!actor_find_thread(r, &a, ev->tgid, ev->h.tid, ev->p))
		return;
	if (!known) {
		tell_repair(r, a.ps, "a goroutine event of unknown kind", NULL, NULL, NULL);
		return;
	}
	/* coroswitch_m calls gdestroy for a goroutine whose end the switch has told already. */
	switched_off = a.t->switched_off;
	a.t->switched_off = 0;
	if (ev->kind == GO_EXIT && ev->gp == switched_off)
		return;
	if (!a.p && kinds[ev->kind].needs_p) {
		tell_repair(r, a.ps, "a goroutine event without a P", NULL, NULL, a.t);
		return;
	}
	if (kinds[ev->kind].creates)
		a.g = goroutine_find(a.ps, ev->gp);
	else if (!actor_find_goroutine(r, &a, ev->gp, ev->goid))
		return;
	e.ps = a.ps;
	e.t = a.t;
	e.p = a.p;
	e.g = a.g;
	e.other = ev->other && ev->other != ev->gp ? goroutine_find(e.ps, ev->other) : NULL;
	e.why.other = e.other;
	e.why.stack = ev->stack;
	e.why.skip = ev->skip;
	kinds[ev->kind].fn(r, &e);
}
