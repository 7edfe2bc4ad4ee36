/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The first state of a process. Probes are attached before the snapshot is read, so records of
 * both mix. A goroutine's own record is written just before the change it tells of, and every change
 * has one: once there is a record, the snapshot can only be older news, whatever its time. Nothing is
 * told before EV_READY.
 */
#include <errno.h>
#include <string.h>

#include "user/replay/crowd.h"
#include "user/replay/internal.h"

/* The runtime's own goroutines, as isSystemGoroutine() in runtime/traceback.go sees them. */
void goroutine_classify(struct replay *r, struct goroutine *g)
{
	const char *func = symbols_func(r->symbols, g->process->tgid, g->start_pc);

	g->system = !strncmp(func, "runtime.", 8) && strcmp(func, "runtime.main") != 0 &&
		    strcmp(func, "runtime.handleAsyncEvent") != 0;
}

void on_target(struct replay *r, const struct ev_target *ev)
{
	struct process *ps = process_get(r, ev->tgid);
	struct thread *t, *tmp;

	if (!ps)
		return;
	ps->info = *ev;
	HASH_ITER(hh, r->threads, t, tmp)
		if (t->tgid == ev->tgid)
			t->process = ps;
}

void on_process(struct replay *r, const struct ev_process *ev)
{
	struct ev_target info = {.h = ev->h, .tgid = ev->tgid, .start_time = ev->start_time};
	struct process *ps;

	memcpy(info.comm, ev->comm, sizeof(info.comm));
	memcpy(info.exe, ev->exe, sizeof(info.exe));
	on_target(r, &info);
	ps = process_find(r, ev->tgid);
	if (!ps || ps->plain)
		return;
	/* some may have been read before it turned out that they cannot be */
	if (!ps->ready)
		process_forget_goroutines(ps);
	ps->plain = strdup(ev->why);
	if (!ps->plain)
		r->status = -ENOMEM;
}

/* A letter of /proc/PID/stat as the kernel's own bits: include/linux/sched.h */
static uint32_t state_bits(unsigned int letter)
{
	switch (letter) {
	case 'S':
		return SLEEP_INTERRUPTIBLE;
	case 'D':
		return SLEEP_UNINTERRUPTIBLE;
	case 'T':
		return SLEEP_STOPPED;
	case 't':
		return SLEEP_TRACED;
	case 'I':
		return SLEEP_UNINTERRUPTIBLE | SLEEP_NOLOAD;
	default:
		return 0;
	}
}

void on_task_state(struct replay *r, const struct ev_task_state *ev)
{
	struct thread *t = thread_get(r, ev->h.tid, ev->tgid);

	if (!t)
		return;
	memcpy(t->comm, ev->comm, sizeof(t->comm));
	/* R is on a CPU or waiting for one: only the next switch tells. */
	if (t->state != T_UNKNOWN || ev->state == 'R')
		return;
	t->asleep = state_bits(ev->state);
	if (ev->sys && t->sys_nr < 0)
		t->sys_nr = ev->sys - 1;
	t_apply(r, t, T_SLEEPING, t->cpu, 0, "");
}

void on_snap_p(struct replay *r, const struct ev_snap_p *ev)
{
	struct process *ps = process_find(r, ev->tgid);
	struct proc *p = ps ? proc_find(ps, ev->p) : NULL;

	/* its first record told of it before its process was looked at */
	if (p && !ps->ready)
		p->snap_status = ev->status;
	if (!ps || p)
		return;
	p = proc_get(ps, ev->p, ev->id);
	if (!p)
		return;
	p->snap_status = ev->status;
	/* One that turns up later is in use, whatever became of it before the collector looked. */
	p->spare = ev->status == PST_DEAD && !ps->ready;
	if (ps->ready)
		tell_new_proc(r, p);
}

void on_snap_m(struct replay *r, const struct ev_snap_m *ev)
{
	struct process *ps = process_find(r, ev->tgid);
	struct thread *t;
	struct proc *p;

	if (!ps)
		return;
	ps->snapped = true;
	if (!ev->h.tid)
		return;
	t = thread_get(r, ev->h.tid, ev->tgid);
	if (!t)
		return;
	t->m_addr = ev->m;
	/* In a syscall of Go <= 1.25 m.p is 0 and oldp is still the thread's unless taken. */
	p = ev->p ? proc_find(ps, ev->p) : NULL;
	if (p && !ps->ready && !t->g)
		ensure_thread_proc(r, t, p, 0);
	t->m_oldp = ev->oldp;
}

static struct thread *thread_of_m(struct replay *r, const struct process *ps, uint64_t m)
{
	struct thread *t, *tmp;

	HASH_ITER(hh, r->threads, t, tmp)
		if (t->process == ps && t->m_addr == m)
			return t;
	return NULL;
}

/*
 * A goroutine that switched to its thread's system stack runs on there, though its status may say
 * that it waits: why it would, Go <= 1.20 does not write down in time, or not at all.
 */
static bool on_system_stack(const struct replay *r, const struct ev_snap_g *ev)
{
	struct frame leaf;

	return ev->m && symbols_stack(r->symbols, ev->tgid, ev->stack, 0, &leaf, 1) &&
	       !strcmp(leaf.func, "runtime.systemstack_switch");
}

static enum g_state snap_state(const struct replay *r, const struct process *ps,
			       const struct ev_snap_g *ev)
{
	const char *reason;

	switch (ev->status) {
	case GST_RUNNABLE:
		return G_RUNNABLE;
	case GST_RUNNING:
	case GST_COPYSTACK:
		return G_RUNNING;
	case GST_SYSCALL:
		return G_SYSCALL;
	case GST_WAITING:
		reason = process_string(ps, STRING_WAIT_REASON, ev->wait_reason);
		if ((reason_is_running(reason) && ev->m) || on_system_stack(r, ev))
			return G_RUNNING;
		return G_WAITING;
	case GST_PREEMPTED:
	case GST_LEAKED:
		return G_WAITING;
	default:
		return G_DEAD;
	}
}

static void unbind(struct goroutine *g)
{
	if (!g->m)
		return;
	if (g->m->p && g->m->p->state == P_SYSCALL)
		g->m->p->state = P_RUNNING;
	g->m->g = NULL;
	g->m = NULL;
	g->state = G_RUNNABLE;
}

/*
 * Before Go 1.26 a thread that was in a syscall when it was read has no P, but had one, which is still
 * its own unless someone holds it by now. Its goroutine is read later, and may be back by then:
 * nothing probes the way out that keeps a P. Others in older syscalls may have had the same P.
 */
static void give_old_proc(struct replay *r, enum g_state state, struct thread *t)
{
	struct proc *p = proc_find(t->process, t->m_oldp);
	bool back = state == G_RUNNING;

	if (!p || t->p)
		return;
	if (back && p->state == P_SYSCALL && p->m->g && !p->m->g->seen)
		p_apply(r, p, P_STEAL, t, 0);
	if (p->m)
		return;
	/* running: the P was read before the call */
	if (p->snap_status == PST_SYSCALL || (back && p->snap_status == PST_RUNNING))
		p_apply(r, p, P_START, t, 0);
}

/* Bind a running goroutine, or one in a syscall, to its thread; false if the rules forbid it. */
static bool bind(struct replay *r, struct goroutine *g, enum g_state state, struct thread *t)
{
	if (!t || (t->g && t->g->seen))
		return false;
	if (t->g)
		unbind(t->g);
	if (g->process->info.go_minor <= 25)
		give_old_proc(r, state, t);
	if (state == G_RUNNING && !t->p)
		return false;
	g->m = t;
	t->g = g;
	if (state == G_SYSCALL && t->p)
		t->p->state = P_SYSCALL;
	return true;
}

/* Stopped by suspendG, it still has the reason of an earlier wait. */
static const char *snap_reason(const struct process *ps, const struct ev_snap_g *ev,
			       enum g_state state)
{
	if (ev->status == GST_PREEMPTED)
		return "preempted";
	return state == G_WAITING ? process_string(ps, STRING_WAIT_REASON, ev->wait_reason) : "";
}

/* One that waits and of which nothing is known but that; false: it is to be an object of its own. */
static bool join_crowd(struct replay *r, struct process *ps, const struct ev_snap_g *ev)
{
	struct goroutine g = {
		.addr = ev->gp,
		.id = ev->goid,
		.process = ps,
		.start_pc = ev->start_pc,
		.go_pc = ev->go_pc,
		.parent_id = ev->parent_goid,
		.stack = ev->stack,
		.reason = snap_reason(ps, ev, G_WAITING),
	};
	int err;

	if (crowd_count(ps->crowd) >= r->limits.crowd) {
		note_beyond(r, BEYOND_GOROUTINES);
		return true;
	}
	goroutine_classify(r, &g);
	err = crowd_add(&ps->crowd, &g);
	if (err == -ENOMEM)
		r->status = err;
	return !err;
}

void on_snap_g(struct replay *r, const struct ev_snap_g *ev)
{
	struct process *ps = process_find(r, ev->tgid);
	enum g_state state;
	struct goroutine *g;

	if (!ps || ps->ready)
		return;
	state = snap_state(r, ps, ev);
	if (state == G_DEAD || process_knows_end(ps, ev->goid))
		return;
	g = goroutine_find(ps, ev->gp);
	if (g && g->id != ev->goid) {
		if (g->seen)
			return;
		unbind(g);
		goroutine_drop(g);
		g = NULL;
	}
	if (!g && state == G_WAITING && join_crowd(r, ps, ev))
		return;
	if (!g)
		g = goroutine_new(r, ps, ev->gp, ev->goid);
	if (!g)
		return;
	g->start_pc = ev->start_pc;
	g->go_pc = ev->go_pc;
	g->parent_id = ev->parent_goid;
	goroutine_classify(r, g);
	if (g->seen)
		return;
	unbind(g);
	g->stack = ev->stack;
	if ((state == G_RUNNING || state == G_SYSCALL) &&
	    !bind(r, g, state, thread_of_m(r, ps, ev->m)))
		state = G_RUNNABLE; /* read in between: its next event tells */
	g->reason = snap_reason(ps, ev, state);
	g->state = state;
}
