/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Bring the model to what was proven, by legal steps only. A step that must have happened unseen,
 * because nothing probes it (a P changing hands, most of all), is CHANGE_INFERRED; one that should
 * have been seen and was not is CHANGE_REPAIR, and told as a repair.
 */
#include <stddef.h>

#include "user/replay/internal.h"

static bool step(struct replay *r, struct goroutine *g, enum g_cause cause, struct thread *t,
		 const char *block, unsigned int flags)
{
	struct why w = {.block = block, .stack = g->stack, .skip = -1, .flags = flags};

	/* where most begin unseen, the stack of what was seen before is another one's */
	if (cause == G_SYSCALL_ENTER && g->process->no_kernel)
		w.stack = 0;
	return g_apply(r, g, cause, t, &w);
}

/* The thread's P was taken while it was in a syscall. */
void proc_taken(struct replay *r, struct thread *t, unsigned int flags)
{
	if (t->p && t->p->state == P_SYSCALL)
		p_apply(r, t->p, P_STEAL, t, flags);
}

/*
 * `g`, running for all we know, cannot be running any more on its thread. Unless something was lost
 * since it started only one thing takes a running goroutine's P unseen: a syscall or cgo call without
 * a kernel entry of its own, or any where those are not recorded. Otherwise its stop was lost.
 */
static void stop_unseen(struct replay *r, struct goroutine *g)
{
	struct thread *t = g->m;

	if (is_sure(r, g) && step(r, g, G_SYSCALL_ENTER, t, NULL, CHANGE_INFERRED))
		return;
	tell_repair(r, g->process, "a running goroutine's stop was not seen", g, t->p, t);
	step(r, g, G_STOP, t, "preempted", CHANGE_REPAIR);
}

/* Leave no goroutine on `t` other than `but`. */
void ensure_thread_free(struct replay *r, struct thread *t, const struct goroutine *but)
{
	struct goroutine *g = t->g;

	if (!g || g == but)
		return;
	if (g->state == G_RUNNING) {
		tell_repair(r, g->process, "another goroutine runs on this thread", g, t->p, t);
		step(r, g, G_STOP, t, "preempted", CHANGE_REPAIR);
	} else {
		proc_taken(r, t, CHANGE_INFERRED);
		step(r, g, G_SYSCALL_LOST, t, NULL, CHANGE_INFERRED);
	}
}

bool ensure_proc_free(struct replay *r, struct proc *p, struct thread *thief, unsigned int flags)
{
	struct thread *v = p->m;

	if (v && v->g && v->g->state == G_RUNNING)
		stop_unseen(r, v->g);
	if (p->state == P_SYSCALL)
		return p_apply(r, p, P_STEAL, thief, flags);
	return p->state == P_IDLE || p_apply(r, p, P_STOP, v, CHANGE_INFERRED);
}

/* `t` holds `p`, running no goroutine in the model. */
bool ensure_thread_proc(struct replay *r, struct thread *t, struct proc *p, unsigned int flags)
{
	if (t->p == p && p->state == P_RUNNING)
		return true;
	if (t->p && t->p != p) {
		if (t->p->state == P_SYSCALL)
			proc_taken(r, t, CHANGE_INFERRED);
		else if (!p_apply(r, t->p, P_STOP, t, CHANGE_INFERRED))
			return false;
	}
	return ensure_proc_free(r, p, t, CHANGE_INFERRED) && p_apply(r, p, P_START, t, flags);
}

bool ensure_runnable(struct replay *r, struct goroutine *g)
{
	struct thread *t = g->m;

	switch (g->state) {
	case G_RUNNABLE:
		return true;
	case G_WAITING:
		tell_repair(r, g->process, "a goroutine's unblock was not seen", g, NULL, NULL);
		return step(r, g, G_UNBLOCK, NULL, NULL, CHANGE_REPAIR);
	case G_RUNNING:
		tell_repair(r, g->process, "a goroutine's stop was not seen", g, t->p, t);
		return step(r, g, G_STOP, t, "preempted", CHANGE_REPAIR);
	case G_SYSCALL:
		proc_taken(r, t, CHANGE_INFERRED);
		return step(r, g, G_SYSCALL_LOST, t, NULL, CHANGE_INFERRED);
	case G_DEAD:
		break;
	}
	return false;
}

bool ensure_waiting(struct replay *r, struct goroutine *g)
{
	struct thread *t = g->m;
	struct why w = {.reason = "", .block = "unspecified", .stack = g->stack, .skip = -1};

	w.flags = CHANGE_REPAIR;
	if (g->state == G_WAITING)
		return true;
	tell_repair(r, g->process, "a goroutine's block was not seen", g, t ? t->p : NULL, t);
	if (g->state == G_RUNNING)
		return g_apply(r, g, G_BLOCK, t, &w);
	return false;
}

/* `g` runs on `t` with `p`. */
bool ensure_running(struct replay *r, struct goroutine *g, struct thread *t, struct proc *p)
{
	if (g->state == G_RUNNING && g->m == t && t->p == p)
		return true;
	if (g->state == G_SYSCALL && g->m == t) {
		/* Back from a syscall: nothing probes the way out that keeps a P. */
		if (t->p == p && p->state == P_SYSCALL)
			return step(r, g, G_SYSCALL_RETURN, t, NULL, CHANGE_INFERRED);
		proc_taken(r, t, CHANGE_INFERRED);
		if (!ensure_thread_proc(r, t, p, CHANGE_INFERRED) ||
		    !step(r, g, G_SYSCALL_LOST, t, NULL, CHANGE_INFERRED))
			return false;
		return step(r, g, G_START, t, NULL, CHANGE_INFERRED);
	}
	/*
	 * procresize: who changes GOMAXPROCS goes on with the first P. Go's own tracer pretends that
	 * it yielded meanwhile.
	 */
	if (g->state == G_RUNNING && g->m == t && p->id == 0)
		return step(r, g, G_STOP, t, "runtime.Gosched", CHANGE_INFERRED) &&
		       ensure_thread_proc(r, t, p, CHANGE_INFERRED) &&
		       step(r, g, G_START, t, NULL, CHANGE_INFERRED);
	if (g->state == G_RUNNING && g->m == t)
		tell_repair(r, g->process, "a running goroutine has another P", g, p, t);
	else
		tell_repair(r, g->process, "a goroutine's start was not seen", g, p, t);
	if (!ensure_runnable(r, g))
		return false;
	ensure_thread_free(r, t, NULL);
	if (!ensure_thread_proc(r, t, p, CHANGE_INFERRED))
		return false;
	return step(r, g, G_START, t, NULL, CHANGE_REPAIR);
}

/* `g` is in a syscall on `t`, or was until now. */
bool ensure_syscall(struct replay *r, struct goroutine *g, struct thread *t)
{
	if (g->state == G_RUNNING && g->m == t)
		step(r, g, G_SYSCALL_ENTER, t, NULL, CHANGE_INFERRED);
	return g->state == G_SYSCALL && g->m == t;
}

/* `g` is in a syscall on `t`, which has no P at all. */
bool ensure_no_proc(struct replay *r, struct goroutine *g, struct thread *t)
{
	if (!ensure_syscall_without_proc(r, g, t))
		return false;
	return !t->p || p_apply(r, t->p, P_STOP, t, CHANGE_INFERRED);
}

/* `g` is in a syscall on `t`, or was until now, and its P is gone; it may have got another. */
bool ensure_syscall_without_proc(struct replay *r, struct goroutine *g, struct thread *t)
{
	if (!ensure_syscall(r, g, t))
		return false;
	proc_taken(r, t, CHANGE_INFERRED);
	return true;
}
