/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Transitions into events. The rules checked here are those of the reader (internal/trace/order.go,
 * the same from Go 1.22 to 1.27): one event against them, and the reader drops the rest of the
 * trace. The replay keeps them; should it not, the writer stops at the last good event.
 */
#include "user/export/gotrace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "user/export/gotrace_state.h"

/* Above any goid of a program that lives for less than a decade, and exact in a float64. */
#define MADE_UP_ID (1ULL << 48)

static int contradiction(struct gotrace *t, uint64_t time, const char *what, int64_t id,
			 const char *why)
{
	return error_set(&t->error, EXIT_FAILED, -EPROTO,
			 "the Go trace ends early: at %" PRIu64 " ns %s %" PRId64 " %s, which "
			 "contradicts what was told before; please report this with the capture",
			 time, what, id, why);
}

static int g_contradiction(struct gotrace *t, const struct g_change *c, const char *why)
{
	return contradiction(t, c->time, "goroutine", (int64_t)c->g->id, why);
}

static int p_contradiction(struct gotrace *t, const struct p_change *c, const char *why)
{
	return contradiction(t, c->time, "P", c->p->id, why);
}

static int no_memory(struct gotrace *t)
{
	return error_set(&t->error, EXIT_FAILED, -ENOMEM, "no memory left for the Go trace");
}

/* --- objects -------------------------------------------------------------------------------- */

static struct wire_m *get_m(struct gotrace *t, const struct thread *thread)
{
	struct wire_m *m;

	HASH_FIND(hh, t->ms, &thread->tid, sizeof(thread->tid), m);
	if (m)
		return m;
	m = calloc(1, sizeof(*m));
	if (!m)
		return NULL;
	m->tid = thread->tid;
	HASH_ADD(hh, t->ms, tid, sizeof(m->tid), m);
	return m;
}

static struct wire_p *find_p(struct gotrace *t, const struct proc *proc)
{
	struct wire_p *p;
	int32_t id = proc->id;

	HASH_FIND(hh, t->ps, &id, sizeof(id), p);
	return p;
}

static struct wire_g *find_g(struct gotrace *t, const struct goroutine *goroutine)
{
	struct wire_g *g = NULL;

	if (goroutine)
		HASH_FIND(hh, t->gs, &goroutine->serial, sizeof(goroutine->serial), g);
	return g;
}

/* NULL: out of memory. */
static struct wire_g *new_g(struct gotrace *t, const struct goroutine *goroutine,
			    enum wire_g_status status, struct wire_m *m)
{
	struct wire_g *g = calloc(1, sizeof(*g)), *taken;

	if (!g)
		return NULL;
	g->serial = goroutine->serial;
	g->id = goroutine->id;
	HASH_FIND(hh_id, t->gs_by_id, &g->id, sizeof(g->id), taken);
	if (!g->id || taken)
		g->id = MADE_UP_ID + g->serial;
	g->status = status;
	g->m = m;
	g->start_pc = goroutine->start_pc;
	g->stack = goroutine->stack;
	if (m)
		m->g = g;
	HASH_ADD(hh, t->gs, serial, sizeof(g->serial), g);
	HASH_ADD(hh_id, t->gs_by_id, id, sizeof(g->id), g);
	return g;
}

static void del_g(struct gotrace *t, struct wire_g *g)
{
	if (g->m)
		g->m->g = NULL;
	HASH_DELETE(hh, t->gs, g);
	HASH_DELETE(hh_id, t->gs_by_id, g);
	free(g);
}

static void unbind(struct wire_g *g, enum wire_g_status status)
{
	g->m->g = NULL;
	g->m = NULL;
	g->status = status;
}

static void bind(struct wire_g *g, struct wire_m *m, enum wire_g_status status)
{
	g->m = m;
	m->g = g;
	g->status = status;
}

/* --- stacks --------------------------------------------------------------------------------- */

uint64_t stack_of(struct gotrace *t, const struct wire_g *g, uint64_t stack, int skip)
{
	struct stack_ref ref = {.stack = stack, .skip = stack && skip > 0 ? skip : 0};
	struct frame frame;

	if (!g)
		return tables_stack(&t->tables, &ref);
	if (g->id == 1)
		ref.flags |= STACK_REF_MAIN;
	ref.start_pc = g->start_pc;
	/* only what is not certain to be needed makes a difference between equal stacks */
	if (!stack || !t->symbols ||
	    !symbols_stack(t->symbols, t->tgid, stack, ref.skip, &frame, 1)) {
		ref.fallback = g->stack;
		ref.fallback_skip = g->skip;
	} else {
		ref.start_pc = 0;
	}
	return tables_stack(&t->tables, &ref);
}

uint64_t stack_of_start(struct gotrace *t, const struct wire_g *g)
{
	struct stack_ref ref = {.start_pc = g ? g->start_pc : 0, .flags = STACK_REF_START};

	return tables_stack(&t->tables, &ref);
}

uint64_t stack_of_scheduler(struct gotrace *t)
{
	struct stack_ref ref = {.flags = STACK_REF_SCHEDULER};

	return tables_stack(&t->tables, &ref);
}

/* The stack a goroutine stops with; remembered for when there is none. */
static uint64_t own_stack(struct gotrace *t, struct wire_g *g, const struct g_change *c)
{
	uint64_t id = stack_of(t, g, c->stack, c->skip);

	if (c->stack) {
		g->stack = c->stack;
		g->skip = c->skip > 0 ? c->skip : 0;
	}
	return id;
}

/* The stack of who created or woke g. Where that one stopped last says nothing about it. */
static uint64_t doers_stack(struct gotrace *t, const struct g_change *c)
{
	struct wire_g *other = find_g(t, c->other);

	if (c->stack)
		return stack_of(t, other, c->stack, c->skip);
	return other ? stack_of_start(t, other) : stack_of_scheduler(t);
}

static uint64_t reason(struct gotrace *t, const struct g_change *c)
{
	if (c->block && c->block[0])
		return tables_string(&t->tables, c->block);
	if (c->reason && c->reason[0])
		return tables_string(&t->tables, c->reason);
	return tables_string(&t->tables, "unspecified"); /* traceBlockGeneric, traceGoStopGeneric */
}

/* --- goroutines ----------------------------------------------------------------------------- */

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
	if (t->gen > 1)
		return g_contradiction(t, c, "appears without being created");
	if (bound) {
		const struct thread *thread = c->m ? c->m : c->g->m;

		if (!thread)
			return g_contradiction(t, c, "exists on no thread");
		m = get_m(t, thread);
		if (!m)
			return no_memory(t);
		if (m->g)
			return g_contradiction(t, c, "exists on a thread that has one");
	}
	g = new_g(t, c->g, wire_status[c->to], m);
	if (!g)
		return no_memory(t);
	if (c->stack)
		g->stack = c->stack;
	if (t->gen)
		wire_announce(t, g, m, c->time);
	return 0;
}

/* The reader wants a creation on a thread with a P and no goroutine but a running one. */
static bool can_create(const struct wire_m *m)
{
	return m->p && m->p->status == WIRE_P_RUNNING && (!m->g || m->g->status == WIRE_G_RUNNING);
}

static struct wire_m *creator(struct gotrace *t, const struct g_change *c)
{
	struct wire_m *m = c->m ? get_m(t, c->m) : NULL, *next;

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
	bool blocked = c->cause == G_CREATE_BLOCKED;
	struct wire_m *m = creator(t, c);
	struct wire_g *g;

	if (!m)
		return g_contradiction(t, c, "is created where no thread has a P");
	g = new_g(t, c->g, blocked ? WIRE_G_WAITING : WIRE_G_RUNNABLE, NULL);
	if (!g)
		return no_memory(t);
	g->gen = t->gen;
	if (blocked)
		t->minor = 23;
	/* viewers name a goroutine by the first stack they see of it: rather none than a made-up one */
	WIRE_EMIT(t, m, c->time, blocked ? WIRE_GO_CREATE_BLOCKED : WIRE_GO_CREATE, g->id,
		  g->start_pc ? stack_of_start(t, g) : 0, doers_stack(t, c));
	return 0;
}

static int g_extra_enter(struct gotrace *t, const struct g_change *c)
{
	struct wire_m *m = c->m ? get_m(t, c->m) : NULL;
	struct wire_g *g;

	if (!m || m->g)
		return g_contradiction(t, c, "enters from C on no thread, or one that is taken");
	g = new_g(t, c->g, WIRE_G_SYSCALL, m);
	if (!g)
		return no_memory(t);
	g->gen = t->gen;
	WIRE_EMIT(t, m, c->time, WIRE_GO_CREATE_SYSCALL, g->id);
	return 0;
}

static void start(struct gotrace *t, struct wire_g *g, struct wire_m *m, uint64_t time)
{
	wire_announce(t, g, m, time);
	WIRE_EMIT(t, m, time, WIRE_GO_START, g->id, ++g->seq);
	bind(g, m, WIRE_G_RUNNING);
}

static int g_start(struct gotrace *t, struct wire_g *g, const struct g_change *c)
{
	struct wire_m *m = c->m ? get_m(t, c->m) : NULL;

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
	struct wire_m *m = c->m ? get_m(t, c->m) : NULL;

	if (g->status != WIRE_G_WAITING)
		return g_contradiction(t, c, "wakes up but is not waiting");
	unblock(t, g, m, c);
	return 0;
}

static bool is_running(const struct wire_g *g)
{
	return g->status == WIRE_G_RUNNING && g->m && g->m->p && g->m->p->status == WIRE_P_RUNNING;
}

static int g_stop(struct gotrace *t, struct wire_g *g, const struct g_change *c)
{
	if (!is_running(g))
		return g_contradiction(t, c, "stops but is not running");
	WIRE_EMIT(t, g->m, c->time, WIRE_GO_STOP, reason(t, c), own_stack(t, g, c));
	unbind(g, WIRE_G_RUNNABLE);
	return 0;
}

static int g_block(struct gotrace *t, struct wire_g *g, const struct g_change *c)
{
	if (!is_running(g))
		return g_contradiction(t, c, "blocks but is not running");
	WIRE_EMIT(t, g->m, c->time, WIRE_GO_BLOCK, reason(t, c), own_stack(t, g, c));
	unbind(g, WIRE_G_WAITING);
	return 0;
}

static int g_exit(struct gotrace *t, struct wire_g *g, const struct g_change *c)
{
	if (!is_running(g))
		return g_contradiction(t, c, "ends but is not running");
	WIRE_EMIT(t, g->m, c->time, WIRE_GO_DESTROY);
	del_g(t, g);
	return 0;
}

static int g_syscall_enter(struct gotrace *t, struct wire_g *g, const struct g_change *c)
{
	struct wire_p *p;

	if (!is_running(g))
		return g_contradiction(t, c, "enters a system call but is not running");
	p = g->m->p;
	WIRE_EMIT(t, g->m, c->time, WIRE_GO_SYSCALL_BEGIN, ++p->seq, own_stack(t, g, c));
	p->status = WIRE_P_SYSCALL;
	g->status = WIRE_G_SYSCALL;
	return 0;
}

static void steal(struct gotrace *t, struct wire_p *p, struct wire_m *thief, uint64_t time)
{
	uint32_t victim = p->m ? p->m->tid : p->abandoned_by;

	WIRE_EMIT(t, thief, time, WIRE_PROC_STEAL, (uint64_t)p->id, ++p->seq, victim);
	if (p->m)
		p->m->p = NULL;
	p->m = NULL;
	p->status = WIRE_P_IDLE;
}

static void start_p(struct gotrace *t, struct wire_p *p, struct wire_m *m, uint64_t time)
{
	WIRE_EMIT(t, m, time, WIRE_PROC_START, (uint64_t)p->id, ++p->seq);
	p->status = WIRE_P_RUNNING;
	p->m = m;
	m->p = p;
}

/*
 * A thread that came from C got back the P it had when it left Go. To the reader that P is no
 * longer the thread's (advanceGoDestroySyscall), so it is taken and started anew, which is what
 * the runtime's tracer writes, too (exitsyscallfast_reacquired).
 */
static int return_with_abandoned(struct gotrace *t, struct wire_g *g, const struct g_change *c)
{
	struct wire_m *m = g->m;
	struct wire_p *p = c->p ? find_p(t, c->p) : NULL;

	if (m->p || !p || p->status != WIRE_P_ABANDONED || p->abandoned_by != m->tid)
		return g_contradiction(t, c, "returns from a system call without its P");
	steal(t, p, m, c->time);
	start_p(t, p, m, c->time);
	WIRE_EMIT(t, m, c->time, WIRE_GO_SYSCALL_END_BLOCKED);
	unbind(g, WIRE_G_RUNNABLE);
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
	unbind(g, WIRE_G_RUNNABLE);
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
	del_g(t, g);
	return 0;
}

/* One event for both goroutines; G_SWITCH_IN, which follows, finds its work done. */
static int g_switch_out(struct gotrace *t, struct wire_g *g, const struct g_change *c)
{
	bool exits = c->cause == G_SWITCH_EXIT;
	struct wire_g *target = find_g(t, c->other);
	struct wire_m *m = g->m;

	if (!is_running(g))
		return g_contradiction(t, c, "switches but is not running");
	if (!target || target->status != WIRE_G_WAITING)
		return exits ? g_exit(t, g, c) : g_block(t, g, c);
	t->minor = 23;
	wire_announce(t, target, m, c->time);
	WIRE_EMIT(t, m, c->time, exits ? WIRE_GO_SWITCH_DESTROY : WIRE_GO_SWITCH, target->id,
		  ++target->seq);
	own_stack(t, g, c);
	if (exits)
		del_g(t, g);
	else
		unbind(g, WIRE_G_WAITING);
	bind(target, m, WIRE_G_RUNNING);
	return 0;
}

static int g_switch_in(struct gotrace *t, struct wire_g *g, const struct g_change *c)
{
	struct wire_m *m = c->m ? get_m(t, c->m) : NULL;

	if (m && g->m == m && g->status == WIRE_G_RUNNING)
		return 0;
	/* who switched to it is not known */
	if (g->status != WIRE_G_WAITING)
		return g_contradiction(t, c, "is switched to but is not waiting");
	if (!m || m->g || !m->p || m->p->status != WIRE_P_RUNNING)
		return g_contradiction(t, c, "is switched to without a P");
	unblock(t, g, m, c);
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

static int change_g(struct gotrace *t, const struct g_change *c)
{
	struct wire_g *g = find_g(t, c->g);
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
	m = get_m(t, c->m);
	if (m)
		gen_running(t, m, c->time);
	return 0;
}

/* --- processors ----------------------------------------------------------------------------- */

static int p_init(struct gotrace *t, const struct p_change *c)
{
	struct wire_m *m = NULL;
	struct wire_p *p;

	if (find_p(t, c->p))
		return p_contradiction(t, c, "is there twice");
	if (c->to != P_IDLE) {
		m = c->m ? get_m(t, c->m) : NULL;
		if (!m || m->p)
			return p_contradiction(t, c, "is on no thread, or one that has a P");
	}
	p = calloc(1, sizeof(*p));
	if (!p)
		return no_memory(t);
	p->id = c->p->id;
	p->status = c->to == P_IDLE    ? WIRE_P_IDLE :
		    c->to == P_RUNNING ? WIRE_P_RUNNING :
					 WIRE_P_SYSCALL;
	p->m = m;
	if (m)
		m->p = p;
	HASH_ADD(hh, t->ps, id, sizeof(p->id), p);
	if (t->gen)
		wire_announce_p(t, p, c->time);
	return 0;
}

static int p_start(struct gotrace *t, struct wire_p *p, const struct p_change *c)
{
	struct wire_m *m = c->m ? get_m(t, c->m) : NULL;

	if (!m || m->p)
		return p_contradiction(t, c, "starts on no thread, or one that has a P");
	if (p->status == WIRE_P_ABANDONED)
		steal(t, p, m, c->time);
	if (p->status != WIRE_P_IDLE)
		return p_contradiction(t, c, "starts but is not idle");
	start_p(t, p, m, c->time);
	return 0;
}

static int p_stop(struct gotrace *t, struct wire_p *p, const struct p_change *c)
{
	struct wire_m *m = c->m ? get_m(t, c->m) : p->m;

	if (m && p->status == WIRE_P_ABANDONED) {
		steal(t, p, m, c->time);
		return 0;
	}
	if (!p->m || p->m != m)
		return p_contradiction(t, c, "stops on a thread that does not have it");
	if (m->g && m->g->status == WIRE_G_RUNNING)
		return p_contradiction(t, c, "stops under a running goroutine");
	WIRE_EMIT(t, m, c->time, WIRE_PROC_STOP);
	m->p = NULL;
	p->m = NULL;
	p->status = WIRE_P_IDLE;
	return 0;
}

static int p_steal(struct gotrace *t, struct wire_p *p, const struct p_change *c)
{
	struct wire_m *thief = c->m ? get_m(t, c->m) : NULL;

	if (p->status != WIRE_P_SYSCALL && p->status != WIRE_P_ABANDONED)
		return p_contradiction(t, c, "is taken away but is in no system call");
	if (p->m && c->victim && p->m->tid != c->victim->tid)
		return p_contradiction(t, c, "is taken from a thread that does not have it");
	/* without a thief it is as if the thread had given it up itself */
	if (!thief)
		thief = p->m;
	if (!thief && c->victim)
		thief = get_m(t, c->victim);
	if (!thief)
		return p_contradiction(t, c, "is taken away by nobody");
	steal(t, p, thief, c->time);
	return 0;
}

static int change_p(struct gotrace *t, const struct p_change *c)
{
	struct wire_p *p = find_p(t, c->p);

	if (c->cause == P_INIT)
		return p_init(t, c);
	if (!p)
		return p_contradiction(t, c, "is not known");
	switch (c->cause) {
	case P_START:
		return p_start(t, p, c);
	case P_STOP:
		return p_stop(t, p, c);
	case P_STEAL:
		return p_steal(t, p, c);
	default:
		return p_contradiction(t, c, "changes for an unknown cause");
	}
}

/* --- the sink ------------------------------------------------------------------------------- */

static int on_process(void *ctx, struct process *ps, uint64_t time)
{
	struct gotrace *t = ctx;

	if (t->process || t->done || (t->options.tgid && t->options.tgid != ps->tgid))
		return 0;
	t->process = ps;
	t->tgid = ps->tgid;
	t->begin = time ? time : 1;
	return 0;
}

static bool ours(const struct gotrace *t, const struct process *ps)
{
	return t->process && t->process == ps && !t->done && !t->err;
}

/*
 * After a contradiction the trace ends with the last good event. The replay goes on, for the other
 * sinks; the message comes at the end. Other errors stop the replay at once.
 */
static int result(struct gotrace *t, int err)
{
	if (err == -EPROTO)
		gen_end(t, t->last, true);
	t->err = err;
	return err == -EPROTO ? 0 : err;
}

static int on_goroutine(void *ctx, const struct g_change *c)
{
	struct gotrace *t = ctx;
	int err = 0;

	if (!ours(t, c->g->process))
		return 0;
	/* what exists at the start is announced together, with the first transition */
	if (c->cause != G_INIT)
		err = gen_for(t, c->time);
	return result(t, err ? err : change_g(t, c));
}

static int on_processor(void *ctx, const struct p_change *c)
{
	struct gotrace *t = ctx;
	int err = 0;

	if (!ours(t, c->p->process))
		return 0;
	if (c->cause != P_INIT)
		err = gen_for(t, c->time);
	return result(t, err ? err : change_p(t, c));
}

static int on_loss(void *ctx, const struct ev_loss *l)
{
	struct gotrace *t = ctx;
	struct wire_m *m, *next;

	if (t->err || !t->process || t->done || l->loss_class >= LOSS_CLASSES)
		return 0;
	t->lost[l->loss_class] += l->count;
	if (!t->gen)
		return 0;
	HASH_ITER(hh, t->ms, m, next) {
		if (m->g && is_running(m->g)) {
			gen_running(t, m, l->h.time_ns > t->last ? l->h.time_ns : t->last);
			break;
		}
	}
	return 0;
}

static int complete(struct gotrace *t, uint64_t time)
{
	if (t->err || t->done || !t->process)
		return t->err;
	if (time < t->last)
		time = t->last;
	t->err = gen_for(t, t->gen ? t->last : t->begin);
	if (!t->err)
		t->err = gen_end(t, time, true);
	t->done = true;
	return t->err;
}

static int on_gone(void *ctx, struct process *ps, enum gone_how how, uint64_t time)
{
	struct gotrace *t = ctx;

	(void)how;
	return ours(t, ps) ? complete(t, time) : 0;
}

static int on_end(void *ctx, const struct replay_totals *totals, struct error *e)
{
	struct gotrace *t = ctx;

	complete(t, totals->end_ns);
	if (t->err && e)
		*e = t->error;
	return t->err;
}

static const struct sink_ops ops = {
	.process = on_process,
	.goroutine = on_goroutine,
	.processor = on_processor,
	.loss = on_loss,
	.gone = on_gone,
	.end = on_end,
};

struct sink gotrace_sink(struct gotrace *t)
{
	return (struct sink){.ops = &ops, .ctx = t};
}

int gotrace_new(struct gotrace **out, int fd, const struct gotrace_options *options,
		const struct symbols *symbols, struct error *e)
{
	struct gotrace *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return error_set(e, EXIT_FAILED, -ENOMEM, "no memory left for the Go trace");
	if (options)
		t->options = *options;
	t->symbols = symbols;
	t->minor = 22;
	err = out_open(&t->file, fd, e);
	if (err) {
		free(t);
		return err;
	}
	*out = t;
	return 0;
}

void gotrace_set_symbols(struct gotrace *t, const struct symbols *symbols)
{
	t->symbols = symbols;
}

int gotrace_finish(struct gotrace *t, struct error *e)
{
	int err;

	if (!t->process)
		t->err = error_set(&t->error, EXIT_FAILED, -ENODATA,
				   "nothing to write to the Go trace: the capture has no goroutine "
				   "events of %s; was it recorded at level goroutines?",
				   t->options.tgid ? "that process" : "a Go process");
	complete(t, t->last);
	/* an unfinished generation has no place in the file, but what is whole has */
	err = out_finish(&t->file, t->err ? NULL : &t->error);
	if (!t->err)
		t->err = err;
	if (t->err && e)
		*e = t->error;
	return t->err;
}

void gotrace_free(struct gotrace *t)
{
	struct wire_m *m, *next_m;
	struct wire_p *p, *next_p;
	struct wire_g *g, *next_g;

	if (!t)
		return;
	HASH_ITER(hh, t->gs, g, next_g)
		del_g(t, g);
	HASH_ITER(hh, t->ps, p, next_p) {
		HASH_DEL(t->ps, p);
		free(p);
	}
	HASH_ITER(hh, t->ms, m, next_m) {
		HASH_DEL(t->ms, m);
		bytes_free(&m->batch.data);
		free(m);
	}
	tables_clear(&t->tables);
	bytes_free(&t->out);
	free(t->loose);
	out_close(&t->file);
	free(t);
}
