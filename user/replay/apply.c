/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * One checked step of the model. The rules are those of the strictest reader of Go traces
 * (internal/trace/order.go of Go 1.23-1.27); whatever passes here is accepted there.
 *
 * Before a process is ready the same steps are made silently: they only build its first state.
 */
#include "user/replay/internal.h"

#define TELL(r, op, ...)                                                      \
	do {                                                                  \
		for (size_t i_ = 0; i_ < (r)->nsinks && !(r)->status; i_++) { \
			const struct sink *s_ = &(r)->sinks[i_];              \
			int err_ = 0;                                         \
                                                                              \
			if (s_->ops->op)                                      \
				err_ = s_->ops->op(s_->ctx, __VA_ARGS__);     \
			if (err_ < 0)                                         \
				(r)->status = err_;                           \
		}                                                             \
	} while (0)

/* Times of transitions strictly increase: no reader has to guess the order of equal stamps. */
static uint64_t stamp(struct replay *r)
{
	r->last = r->now > r->last ? r->now : r->last + 1;
	return r->last;
}

static bool loud(const struct process *ps)
{
	return ps->ready && !ps->gone;
}

void tell_repair(struct replay *r, struct process *ps, const char *what, struct goroutine *g,
		 struct proc *p, struct thread *t)
{
	struct repair rep = {.process = ps, .what = what, .g = g, .p = p, .m = t};

	if (!loud(ps))
		return;
	rep.time = stamp(r);
	r->totals.repairs++;
	TELL(r, repair, &rep);
}

void tell_syscall(struct replay *r, const struct syscall_span *s)
{
	if (s->t->process ? loud(s->t->process) : r->system_ready)
		TELL(r, syscall, s);
}

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
	default:
		break;
	}
	return NULL;
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
		.skip = w->skip,
		.flags = w->flags,
	};

	if (broken) {
		tell_repair(r, ps, broken, g, t ? t->p : NULL, t);
		return false;
	}
	g_bind(g, c.to, t);
	g->reason = c.to == G_WAITING ? c.reason : "";
	if (cause == G_BLOCK || cause == G_STOP || cause == G_SYSCALL_ENTER ||
	    cause == G_SWITCH_OUT)
		g->stack = c.stack ? c.stack : g->stack;
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

/* GOMAXPROCS grew. */
void tell_new_proc(struct replay *r, struct proc *p)
{
	struct p_change c = {.p = p, .from = P_IDLE, .to = P_IDLE, .cause = P_INIT};

	if (!loud(p->process))
		return;
	c.time = p->since = stamp(r);
	TELL(r, processor, &c);
}

void tell_gone(struct replay *r, struct process *ps, enum gone_how how)
{
	if (!loud(ps))
		return;
	TELL(r, gone, ps, how, stamp(r));
	ps->gone = true;
}

void tell_loss(struct replay *r, const struct ev_loss *l)
{
	r->totals.lost += l->count;
	r->totals.loss_by_class[l->loss_class] += l->count;
	TELL(r, loss, l);
}

void tell_site(struct replay *r, const struct ev_site *s)
{
	TELL(r, site, s);
}

void tell_end(struct replay *r, struct error *e)
{
	TELL(r, end, &r->totals, e);
}

/* The process's first state is complete: tell all of it, at one moment. */
void tell_ready(struct replay *r, struct process *ps)
{
	uint64_t time;
	struct proc *p, *ptmp;
	struct goroutine *g, *gtmp;
	struct thread *t, *ttmp;

	ps->ready = true;
	process_forget_ends(ps);
	time = stamp(r);
	ps->ready_ns = time;
	TELL(r, process, ps, time);
	HASH_ITER(hh, ps->procs, p, ptmp) {
		struct p_change c = {
			.time = time,
			.p = p,
			.from = P_IDLE,
			.to = p->state,
			.cause = P_INIT,
			.m = p->m,
		};

		p->since = time;
		TELL(r, processor, &c);
	}
	HASH_ITER(hh, r->threads, t, ttmp) {
		struct t_change c = {
			.time = time,
			.since = time,
			.t = t,
			.from = T_UNKNOWN,
			.to = t->state,
			.cpu = t->cpu,
			.by_comm = "",
		};

		if (t->process != ps)
			continue;
		t->since = time;
		TELL(r, thread, &c);
	}
	HASH_ITER(hh, ps->goroutines, g, gtmp) {
		struct g_change c = {
			.time = time,
			.g = g,
			.from = G_DEAD,
			.to = g->state,
			.cause = G_INIT,
			.m = g->m,
			.p = g->m ? g->m->p : NULL,
			.reason = g->reason,
			.block = g->state == G_WAITING ? reason_block(g->reason) : "",
			.stack = g->stack,
		};

		g->since = time;
		TELL(r, goroutine, &c);
	}
}
