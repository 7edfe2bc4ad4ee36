/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * One checked step of the model. The rules are those of the strictest reader of Go traces
 * (internal/trace/order.go of Go 1.23-1.27); whatever passes here is accepted there.
 *
 * Before a process is ready the same steps are made silently: they only build its first state.
 */
#include "user/replay/internal.h"
#include "user/replay/tell.h"

static const struct {
	enum g_state from, to;
} g_rules[G_CAUSES] = {
	[G_CREATE] = {G_DEAD, G_RUNNABLE},
	[G_CREATE_BLOCKED] = {G_DEAD, G_WAITING},
	[G_START] = {G_RUNNABLE, G_RUNNING},
	[G_STOP] = {G_RUNNING, G_RUNNABLE},
	[G_BLOCK] = {G_RUNNING, G_WAITING},
	[G_UNBLOCK] = {G_WAITING, G_RUNNABLE},
	[G_SYSCALL_ENTER] = {G_RUNNING, G_SYSCALL},
	[G_SYSCALL_RETURN] = {G_SYSCALL, G_RUNNING},
	[G_SYSCALL_LOST] = {G_SYSCALL, G_RUNNABLE},
	[G_SWITCH_OUT] = {G_RUNNING, G_WAITING},
	[G_SWITCH_EXIT] = {G_RUNNING, G_DEAD},
	[G_SWITCH_IN] = {G_WAITING, G_RUNNING},
	[G_EXIT] = {G_RUNNING, G_DEAD},
	[G_EXTRA_ENTER] = {G_DEAD, G_SYSCALL},
	[G_EXTRA_LEAVE] = {G_SYSCALL, G_DEAD},
};

/* The rule this step breaks, or NULL. */
static const char *g_broken(const struct goroutine *g, enum g_cause cause, const struct thread *t,
			    const struct why *w)
{
	if (g->state != g_rules[cause].from)
		return "goroutine is not in the state this step leaves";
	if (g->state == G_RUNNING && (g->m != t || !t->p || t->p->state != P_RUNNING))
		return "goroutine does not run on this thread with a P";
	if (g->state == G_SYSCALL && g->m != t)
		return "goroutine is in a syscall on another thread";

	switch (cause) {
	case G_CREATE:
	case G_CREATE_BLOCKED:
		if (!t->p || t->p->state != P_RUNNING || (t->g && t->g->state != G_RUNNING))
			return "creation on a thread without a P";
		break;
	case G_START:
	case G_SWITCH_IN:
		if (!t->p || t->p->state != P_RUNNING || t->g)
			return "start on a thread without a P, or with another goroutine";
		break;
	case G_SYSCALL_RETURN:
		if (!t->p || t->p->state != P_SYSCALL)
			return "return from a syscall whose P was taken";
		break;
	case G_SYSCALL_LOST:
		if (t->p && t->p->state == P_SYSCALL)
			return "P still with the syscall";
		break;
	case G_SWITCH_OUT:
	case G_SWITCH_EXIT:
		if (!w->other || w->other->state != G_WAITING)
			return "switch to a goroutine that does not wait";
		break;
	case G_EXTRA_ENTER:
		if (t->g)
			return "C thread enters Go with a goroutine";
		break;
	case G_EXTRA_LEAVE:
		if (t->p && t->p->state != P_SYSCALL)
			return "C thread leaves Go with a running P";
		break;
	default:
		break;
	}
	return NULL;
}

bool runs_on(const struct goroutine *g, const struct thread *t)
{
	return g->state == G_RUNNING && g->m == t && t->p && t->p->state == P_RUNNING;
}

static void g_bind(struct goroutine *g, enum g_state to, struct thread *t)
{
	if (g->m && g->m->g == g)
		g->m->g = NULL;
	g->m = NULL;
	if (to == G_RUNNING || to == G_SYSCALL) {
		g->m = t;
		t->g = g;
	}
	g->state = to;
}

/*
 * How many leaf frames the runtime's own tracer hides, where the event does not tell: runtime's
 * traceruntime.go (trace2runtime.go in Go 1.22), GoCreate, GoStop and GoSysCall.
 */
static int hidden_frames(const struct process *ps, enum g_cause cause)
{
	switch (cause) {
	case G_CREATE:
	case G_CREATE_BLOCKED:
		return 2; /* systemstack_switch; newproc or newcoro */
	case G_SYSCALL_ENTER:
		return 1; /* who called entersyscall */
	case G_STOP:
		return ps->info.go_minor < 25 ? 1 : 0;
	default:
		return 0;
	}
}

bool g_apply(struct replay *r, struct goroutine *g, enum g_cause cause, struct thread *t,
	     const struct why *w)
{
	struct process *ps = g->process;
	const char *broken = g_broken(g, cause, t, w);
	struct g_change c = {
		.since = g->since,
		.g = g,
		.from = g->state,
		.to = g_rules[cause].to,
		.cause = cause,
		.m = t,
		.p = t ? t->p : NULL,
		.other = w->other,
		.reason = w->reason ? w->reason : "",
		.block = w->block ? w->block : "",
		.stack = w->stack,
		.skip = w->skip < 0 ? hidden_frames(ps, cause) : w->skip,
		.flags = w->flags,
	};

	if (broken) {
		tell_repair(r, ps, broken, g, t ? t->p : NULL, t);
		return false;
	}
	if (g->state == G_RUNNING)
		ranges_leave_g(r, g, cause, w->flags);
	if (!(w->flags & (CHANGE_INFERRED | CHANGE_REPAIR)))
		g->proven = r->now;
	g_bind(g, c.to, t);
	g->reason = c.to == G_WAITING ? c.reason : "";
	/* one that was lost, or left out, does not stand for the next */
	if ((cause == G_BLOCK || cause == G_STOP || cause == G_SYSCALL_ENTER ||
	     cause == G_SWITCH_OUT) &&
	    (c.stack || !w->flags))
		g->stack = c.stack;
	/* A thread in a syscall keeps its P, and the P shows it. */
	if (cause == G_SYSCALL_ENTER)
		t->p->state = P_SYSCALL;
	else if (cause == G_SYSCALL_RETURN)
		t->p->state = P_RUNNING;

	if (loud(ps)) {
		/* The two halves of a coroutine switch are one moment. */
		c.time = cause == G_SWITCH_IN ? r->last : stamp(r);
		g->since = c.time;
		r->totals.inferred += !!(w->flags & CHANGE_INFERRED);
		TELL(r, goroutine, &c);
		if (cause == G_START)
			worker_started(r, g);
	} else {
		g->since = r->now;
	}
	if (c.to == G_DEAD) {
		if (!ps->ready)
			process_note_end(r, ps, g->id);
		goroutine_drop(g);
	}
	return true;
}

static const char *p_broken(const struct proc *p, enum p_cause cause, const struct thread *t)
{
	switch (cause) {
	case P_START:
		if (p->state != P_IDLE || t->p)
			return "P is not idle, or the thread has another one";
		break;
	case P_STOP:
		if (p->state == P_IDLE || p->m != t || (t->g && t->g->state == G_RUNNING))
			return "P is not with this thread, or its goroutine runs";
		break;
	case P_STEAL:
		if (p->state != P_SYSCALL)
			return "P is not in a syscall";
		break;
	case P_INIT:
		break;
	}
	return NULL;
}

bool p_apply(struct replay *r, struct proc *p, enum p_cause cause, struct thread *t,
	     unsigned int flags)
{
	const char *broken = p_broken(p, cause, t);
	struct p_change c = {
		.p = p,
		.from = p->state,
		.to = cause == P_START ? P_RUNNING : P_IDLE,
		.cause = cause,
		.m = t,
		.victim = cause == P_STEAL ? p->m : NULL,
		.flags = flags,
	};

	if (broken) {
		tell_repair(r, p->process, broken, NULL, p, t);
		return false;
	}
	if (p->spare) {
		p->spare = false;
		tell_new_proc(r, p);
	}
	if (c.to == P_IDLE)
		ranges_leave_p(r, p);
	if (p->m)
		p->m->p = NULL;
	p->m = NULL;
	if (c.to == P_RUNNING) {
		p->m = t;
		t->p = p;
	}
	p->state = c.to;
	if (loud(p->process)) {
		c.time = stamp(r);
		p->since = c.time;
		r->totals.inferred += !!(flags & CHANGE_INFERRED);
		TELL(r, processor, &c);
	} else {
		p->since = r->now;
	}
	return true;
}

void t_apply(struct replay *r, struct thread *t, enum t_state to, int cpu, uint32_t by_tid,
	     const char *by_comm)
{
	struct t_change c = {
		.since = t->since,
		.t = t,
		.from = t->state,
		.to = to,
		.cpu = cpu,
		.by_tid = by_tid,
		.by_comm = by_comm,
	};

	/* Beside transitions of goroutines, never before one that was told. */
	c.time = r->now > r->last ? r->now : r->last;
	t->state = to;
	t->cpu = cpu;
	t->since = c.time;
	if (t->process ? loud(t->process) : r->system_ready)
		TELL(r, thread, &c);
}
