/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Transitions into events. The rules checked here are those of the reader (internal/trace/order.go,
 * the same from Go 1.22 to 1.27): one event against them, and the reader drops the rest of the
 * trace. The replay keeps them; should it not, the writer stops at the last good event.
 */
#include <errno.h>

#include "user/export/gotrace_state.h"

static int g_contradiction(struct gotrace *t, const struct g_change *c, const char *why)
{
	return wire_contradiction(t, c->time, "goroutine", (int64_t)c->g->id, why);
}

/* For its status in a later generation. */
static void remember_stack(struct wire_g *g, const struct g_change *c)
{
	if (c->stack) {
		g->stack = c->stack;
		g->skip = c->skip > 0 ? c->skip : 0;
	}
}

/* The stack a goroutine stops with. */
static uint64_t own_stack(struct gotrace *t, struct wire_g *g, const struct g_change *c)
{
	remember_stack(g, c);
	return stack_of(t, g, c->stack, c->skip);
}

/* The stack of who created or woke g; none if that was the scheduler. */
static uint64_t doers_stack(struct gotrace *t, const struct g_change *c)
{
	return stack_of(t, wire_find_g(t, c->other), c->stack, c->skip);
}

static uint64_t reason(struct gotrace *t, const struct g_change *c)
{
	if (c->block && c->block[0])
		return tables_string(&t->tables, c->block);
	if (c->reason && c->reason[0])
		return tables_string(&t->tables, c->reason);
	return tables_string(&t->tables, "unspecified"); /* traceBlockGeneric, traceGoStopGeneric */
}

static const enum wire_g_status wire_status[] = {
	[G_RUNNABLE] = WIRE_G_RUNNABLE,
	[G_RUNNING] = WIRE_G_RUNNING,
	[G_SYSCALL] = WIRE_G_SYSCALL,
	[G_WAITING] = WIRE_G_WAITING,
};

static int g_init(struct gotrace *t, const struct g_change *c)
{
	bool bound = c->to == G_RUNNING || c->to == G_SYSCALL;
	struct wire_m *m = NULL;
	struct wire_g *g;

	if (c->to == G_DEAD)
		return 0;
	/* one of the crowd, which only waits, comes when it does something for the first time */
	if (t->gen > 1 && c->to != G_WAITING)
		return g_contradiction(t, c, "appears without being created");
	if (bound) {
		const struct thread *thread = c->m ? c->m : c->g->m;

		if (!thread)
			return g_contradiction(t, c, "exists on no thread");
		m = wire_get_m(t, thread);
		if (!m)
			return wire_no_memory(t);
		if (m->g)
			return g_contradiction(t, c, "exists on a thread that has one");
	}
	g = wire_new_g(t, c->g, wire_status[c->to], m);
	if (!g)
		return wire_no_memory(t);
	if (c->stack)
		g->stack = c->stack;
	/*
	 * One of the crowd comes late. The first generation announced it with the others; a later one
	 * does so with its first event, or at its end.
	 */
	g->gen = t->gen > 1 ? t->gen - 1 : t->gen;
	return 0;
}

/* The reader wants a creation on a thread with a P and no goroutine but a running one. */
static bool can_create(const struct wire_m *m)
{
	return m->p && m->p->status == WIRE_P_RUNNING && (!m->g || m->g->status == WIRE_G_RUNNING);
}

static struct wire_m *creator(struct gotrace *t, const struct g_change *c)
{
	struct wire_m *m = c->m ? wire_get_m(t, c->m) : NULL, *next;

	if (m && can_create(m))
		return m;
	HASH_ITER(hh, t->ms, m, next) {
		if (can_create(m))
			return m;
	}
	return NULL;
}

static int g_create(struct gotrace *t, const struct g_change *c)
{
	bool blocked = c->cause == G_CREATE_BLOCKED && t->minor >= 23;
	struct wire_m *m = creator(t, c);
	struct wire_g *g;

	if (!m)
		return g_contradiction(t, c, "is created where no thread has a P");
	g = wire_new_g(t, c->g, blocked ? WIRE_G_WAITING : WIRE_G_RUNNABLE, NULL);
	if (!g)
		return wire_no_memory(t);
	g->gen = t->gen;
	g->unstarted = c->cause == G_CREATE_BLOCKED && !blocked;
	/* viewers name a goroutine by the first stack they see of it: rather none than a made-up one */
	WIRE_EMIT(t, m, c->time, blocked ? WIRE_GO_CREATE_BLOCKED : WIRE_GO_CREATE, g->id,
		  g->start_pc ? stack_of_start(t, g) : 0, doers_stack(t, c));
	return 0;
}

static int g_extra_enter(struct gotrace *t, const struct g_change *c)
{
	struct wire_m *m = c->m ? wire_get_m(t, c->m) : NULL;
	struct wire_g *g;

	if (!m || m->g)
		return g_contradiction(t, c, "enters from C on no thread, or one that is taken");
	g = wire_new_g(t, c->g, WIRE_G_SYSCALL, m);
	if (!g)
		return wire_no_memory(t);
	g->gen = t->gen;
	WIRE_EMIT(t, m, c->time, WIRE_GO_CREATE_SYSCALL, g->id);
	return 0;
}

static void start(struct gotrace *t, struct wire_g *g, struct wire_m *m, uint64_t time)
{
	wire_announce(t, g, m, time);
	WIRE_EMIT(t, m, time, WIRE_GO_START, g->id, ++g->seq);
	wire_bind(g, m, WIRE_G_RUNNING);
}

static int g_start(struct gotrace *t, struct wire_g *g, const struct g_change *c)
{
	struct wire_m *m = c->m ? wire_get_m(t, c->m) : NULL;

	if (g->status != WIRE_G_RUNNABLE)
		return g_contradiction(t, c, "starts but is not runnable");
	if (!m || m->g || !m->p || m->p->status != WIRE_P_RUNNING)
		return g_contradiction(t, c, "starts without a P or on a thread that is taken");
	start(t, g, m, c->time);
	return 0;
}

static void unblock(struct gotrace *t, struct wire_g *g, struct wire_m *m, const struct g_change *c)
{
	wire_announce(t, g, m, c->time);
	WIRE_EMIT(t, m, c->time, WIRE_GO_UNBLOCK, g->id, ++g->seq, doers_stack(t, c));
	g->status = WIRE_G_RUNNABLE;
}

static int g_unblock(struct gotrace *t, struct wire_g *g, const struct g_change *c)
{
	struct wire_m *m = c->m ? wire_get_m(t, c->m) : NULL;

	if (g->unstarted) {
		g->unstarted = false;
		return 0;
	}
	if (g->status != WIRE_G_WAITING)
		return g_contradiction(t, c, "wakes up but is not waiting");
	unblock(t, g, m, c);
	return 0;
}

bool wire_is_running(const struct wire_g *g)
{
	return g->status == WIRE_G_RUNNING && g->m && g->m->p && g->m->p->status == WIRE_P_RUNNING;
}

static int g_stop(struct gotrace *t, struct wire_g *g, const struct g_change *c)
{
	if (!wire_is_running(g))
		return g_contradiction(t, c, "stops but is not running");
	range_stop_g(t, g, c->time);
	WIRE_EMIT(t, g->m, c->time, WIRE_GO_STOP, reason(t, c), own_stack(t, g, c));
	wire_unbind(g, WIRE_G_RUNNABLE);
	return 0;
}

/* preemptPark of Go before 1.26 lets go of the goroutine before it tells, and tells no stack. */
static bool hides_stack(const struct gotrace *t, const struct g_change *c)
{
	return t->process->info.go_minor < 26 && !strcmp(c->block, "preempted");
}

static int g_block(struct gotrace *t, struct wire_g *g, const struct g_change *c)
{
	if (!wire_is_running(g))
		return g_contradiction(t, c, "blocks but is not running");
	range_stop_g(t, g, c->time);
	WIRE_EMIT(t, g->m, c->time, WIRE_GO_BLOCK, reason(t, c),
		  hides_stack(t, c) ? 0 : own_stack(t, g, c));
	wire_unbind(g, WIRE_G_WAITING);
	return 0;
}

static int g_exit(struct gotrace *t, struct wire_g *g, const struct g_change *c)
{
	if (!wire_is_running(g))
		return g_contradiction(t, c, "ends but is not running");
	range_stop_g(t, g, c->time);
	WIRE_EMIT(t, g->m, c->time, WIRE_GO_DESTROY);
	wire_del_g(t, g);
	return 0;
}

static int g_syscall_enter(struct gotrace *t, struct wire_g *g, const struct g_change *c)
{
	struct wire_p *p;

	if (!wire_is_running(g))
		return g_contradiction(t, c, "enters a system call but is not running");
	p = g->m->p;
	range_enter_syscall(t, g, c->time);
	WIRE_EMIT(t, g->m, c->time, WIRE_GO_SYSCALL_BEGIN, ++p->seq, own_stack(t, g, c));
	p->status = WIRE_P_SYSCALL;
	g->status = WIRE_G_SYSCALL;
	return 0;
}

/*
 * A thread that came from C got back the P it had when it left Go. To the reader that P is no
 * longer the thread's (advanceGoDestroySyscall), so it is taken and started anew, which is what
 * the runtime's tracer writes, too (exitsyscallfast_reacquired).
 */
static int return_with_abandoned(struct gotrace *t, struct wire_g *g, const struct g_change *c)
{
	struct wire_m *m = g->m;
	struct wire_p *p = c->p ? wire_find_p(t, c->p) : NULL;

	if (m->p || !p || p->status != WIRE_P_ABANDONED || p->abandoned_by != m->tid)
		return g_contradiction(t, c, "returns from a system call without its P");
	wire_steal(t, p, m, c->time);
	wire_start_p(t, p, m, c->time);
	WIRE_EMIT(t, m, c->time, WIRE_GO_SYSCALL_END_BLOCKED);
	wire_unbind(g, WIRE_G_RUNNABLE);
	start(t, g, m, c->time);
	return 0;
}

static int g_syscall_return(struct gotrace *t, struct wire_g *g, const struct g_change *c)
{
	if (g->status != WIRE_G_SYSCALL)
		return g_contradiction(t, c, "returns from a system call it did not make");
	if (!g->m->p || g->m->p->status != WIRE_P_SYSCALL)
		return return_with_abandoned(t, g, c);
	WIRE_EMIT(t, g->m, c->time, WIRE_GO_SYSCALL_END);
	g->m->p->status = WIRE_P_RUNNING;
	g->status = WIRE_G_RUNNING;
	return 0;
}

static int g_syscall_lost(struct gotrace *t, struct wire_g *g, const struct g_change *c)
{
	if (g->status != WIRE_G_SYSCALL)
		return g_contradiction(t, c, "returns from a system call it did not make");
	if (g->m->p && g->m->p->status == WIRE_P_SYSCALL)
		return g_contradiction(t, c, "lost a P that it still has");
	WIRE_EMIT(t, g->m, c->time, WIRE_GO_SYSCALL_END_BLOCKED);
	wire_unbind(g, WIRE_G_RUNNABLE);
	return 0;
}

static int g_extra_leave(struct gotrace *t, struct wire_g *g, const struct g_change *c)
{
	struct wire_p *p;

	if (g->status != WIRE_G_SYSCALL)
		return g_contradiction(t, c, "leaves to C from outside a system call");
	p = g->m->p;
	if (p && p->status != WIRE_P_SYSCALL)
		return g_contradiction(t, c, "leaves to C with a running P");
	WIRE_EMIT(t, g->m, c->time, WIRE_GO_DESTROY_SYSCALL);
	if (p) {
		p->status = WIRE_P_ABANDONED;
		p->abandoned_by = g->m->tid;
		p->m = NULL;
		g->m->p = NULL;
	}
	wire_del_g(t, g);
	return 0;
}

/*
 * One event for both goroutines; G_SWITCH_IN, which follows, finds its work done. Before Go 1.23
 * there is no such event, and G_SWITCH_IN writes its part.
 */
static int g_switch_out(struct gotrace *t, struct wire_g *g, const struct g_change *c)
{
	bool exits = c->cause == G_SWITCH_EXIT;
	struct wire_g *target = wire_find_g(t, c->other);
	struct wire_m *m = g->m;

	if (!wire_is_running(g))
		return g_contradiction(t, c, "switches but is not running");
	if (!target || target->status != WIRE_G_WAITING || t->minor < 23)
		return exits ? g_exit(t, g, c) : g_block(t, g, c);
	range_stop_g(t, g, c->time);
	wire_announce(t, target, m, c->time);
	WIRE_EMIT(t, m, c->time, exits ? WIRE_GO_SWITCH_DESTROY : WIRE_GO_SWITCH, target->id,
		  ++target->seq);
	remember_stack(g, c);
	if (exits)
		wire_del_g(t, g);
	else
		wire_unbind(g, WIRE_G_WAITING);
	wire_bind(target, m, WIRE_G_RUNNING);
	return 0;
}

static int g_switch_in(struct gotrace *t, struct wire_g *g, const struct g_change *c)
{
	struct wire_m *m = c->m ? wire_get_m(t, c->m) : NULL;

	if (m && g->m == m && g->status == WIRE_G_RUNNING)
		return 0;
	if (g->status != WIRE_G_WAITING && !g->unstarted)
		return g_contradiction(t, c, "is switched to but is not waiting");
	if (!m || m->g || !m->p || m->p->status != WIRE_P_RUNNING)
		return g_contradiction(t, c, "is switched to without a P");
	/* who switched to it is not known, or cannot be said */
	if (!g->unstarted)
		unblock(t, g, m, c);
	g->unstarted = false;
	start(t, g, m, c->time);
	return 0;
}

typedef int (*create_fn)(struct gotrace *t, const struct g_change *c);
typedef int (*change_fn)(struct gotrace *t, struct wire_g *g, const struct g_change *c);

static const create_fn creates[G_CAUSES] = {
	[G_INIT] = g_init,
	[G_CREATE] = g_create,
	[G_CREATE_BLOCKED] = g_create,
	[G_EXTRA_ENTER] = g_extra_enter,
};

static const change_fn changes[G_CAUSES] = {
	[G_START] = g_start,
	[G_STOP] = g_stop,
	[G_BLOCK] = g_block,
	[G_UNBLOCK] = g_unblock,
	[G_SYSCALL_ENTER] = g_syscall_enter,
	[G_SYSCALL_RETURN] = g_syscall_return,
	[G_SYSCALL_LOST] = g_syscall_lost,
	[G_SWITCH_OUT] = g_switch_out,
	[G_SWITCH_EXIT] = g_switch_out,
	[G_SWITCH_IN] = g_switch_in,
	[G_EXIT] = g_exit,
	[G_EXTRA_LEAVE] = g_extra_leave,
};

int wire_change_g(struct gotrace *t, const struct g_change *c)
{
	struct wire_g *g = wire_find_g(t, c->g);
	struct wire_m *m;
	int err;

	if (creates[c->cause]) {
		if (g)
			return g_contradiction(t, c, "is created again");
		return creates[c->cause](t, c);
	}
	if (!g)
		return g_contradiction(t, c, "is not known");
	if (!changes[c->cause])
		return g_contradiction(t, c, "changes for an unknown cause");
	if (g->m && c->m && c->m->tid != g->m->tid)
		return g_contradiction(t, c, "is on another thread");
	err = changes[c->cause](t, g, c);
	if (err || !c->m)
		return err;
	m = wire_get_m(t, c->m);
	if (m)
		gen_running(t, m, c->time);
	return 0;
}
