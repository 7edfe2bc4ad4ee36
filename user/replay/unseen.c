/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Goroutines whose begin or end was not seen. Both can only be told on a thread with a P, which has
 * to be found; what is done to it for that is undone at once.
 */
#include <errno.h>

#include "user/replay/internal.h"

struct host {
	struct thread *t;
	struct proc *borrowed; /* to be given back */
};

static bool has_proc(const struct thread *t)
{
	return t && t->p && t->p->state == P_RUNNING;
}

/* An idle P for a thread that has nothing to do. */
static bool borrow(struct replay *r, struct process *ps, struct host *h)
{
	struct proc *p, *ptmp;
	struct thread *t, *tmp;

	HASH_ITER(hh, ps->procs, p, ptmp) {
		if (p->state == P_IDLE && !p->spare)
			break;
	}
	HASH_ITER(hh, r->threads, t, tmp) {
		if (t->process == ps && !t->g && !t->p && t->state != T_DEAD)
			break;
	}
	if (!p || !t || !p_apply(r, p, P_START, t, CHANGE_INFERRED))
		return false;
	*h = (struct host){.t = t, .borrowed = p};
	return true;
}

/* Rather `t` than any other, rather one that is not busy if it has to be `free`. */
static bool host_find(struct replay *r, struct process *ps, struct thread *t, bool free,
		      struct host *h)
{
	struct thread *busy = has_proc(t) ? t : NULL;
	struct proc *p, *tmp;

	*h = (struct host){0};
	if (busy && (!free || !t->g))
		h->t = t;
	HASH_ITER(hh, ps->procs, p, tmp) {
		if (!has_proc(p->m))
			continue;
		if (!h->t && (!free || !p->m->g))
			h->t = p->m;
		if (!busy)
			busy = p->m;
	}
	if (!h->t && !borrow(r, ps, h))
		h->t = busy;
	return h->t;
}

static void host_leave(struct replay *r, const struct host *h)
{
	if (h->borrowed)
		p_apply(r, h->borrowed, P_STOP, h->t, CHANGE_INFERRED);
}

static bool step(struct replay *r, struct goroutine *g, enum g_cause cause, struct thread *t,
		 unsigned int flags)
{
	struct why w = {.skip = -1, .flags = flags | CHANGE_REPAIR};

	if (cause == G_STOP)
		w.block = "preempted";
	return g_apply(r, g, cause, t, &w);
}

/* A goroutine that does not run starts, somewhere, and exits. */
static bool run_and_exit(struct replay *r, struct goroutine *g, struct thread *t)
{
	struct goroutine *guest;
	struct host h;
	bool done;

	if (g->state == G_WAITING && !step(r, g, G_UNBLOCK, NULL, 0))
		return false;
	if (!host_find(r, g->process, t, true, &h))
		return false;
	guest = h.t->g;
	if (guest && !step(r, guest, G_STOP, h.t, CHANGE_INFERRED))
		return false;
	done = step(r, g, G_START, h.t, 0) && step(r, g, G_EXIT, h.t, 0);
	if (guest)
		step(r, guest, G_START, h.t, CHANGE_INFERRED);
	host_leave(r, &h);
	return done;
}

void goroutine_end_unseen(struct replay *r, struct goroutine *g, struct thread *t)
{
	bool done = false;

	tell_repair(r, g->process, "a goroutine's exit was not seen", g, NULL, t);
	if (!g->process->ready) {
		if (g->m)
			ensure_runnable(r, g);
	} else if (g->state == G_RUNNING) {
		done = step(r, g, G_EXIT, g->m, 0);
	} else if (g->state == G_SYSCALL) {
		done = ensure_no_proc(r, g, g->m) && step(r, g, G_EXTRA_LEAVE, g->m, 0);
	} else {
		done = run_and_exit(r, g, t);
	}
	if (!done)
		goroutine_drop(g);
}

struct goroutine *goroutine_introduce(struct replay *r, struct process *ps, struct thread *t,
				      uint64_t addr, uint64_t id)
{
	struct goroutine *g;
	struct host h = {0};

	if (ps->ready) {
		tell_repair(r, ps, "a goroutine nobody announced", NULL, NULL, t);
		if (!host_find(r, ps, t, false, &h))
			return NULL;
	}
	g = goroutine_new(r, ps, addr, id);
	if (!g) {
		host_leave(r, &h);
		return NULL;
	}
	if (!ps->ready) {
		g->state = G_RUNNABLE;
		g->since = r->now;
	} else if (!step(r, g, G_CREATE, h.t, 0)) {
		goroutine_drop(g);
		g = NULL;
	}
	host_leave(r, &h);
	return g;
}
