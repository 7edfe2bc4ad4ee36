/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Which thread holds which P. Probes see it change hands where the runtime's own tracer does. Every
 * kernel event shows m.p besides, which tells what no probe saw - but a probe fires a moment before
 * m.p changes, and what the kernel shows in that moment is old.
 */
#include "user/replay/internal.h"

/*
 * Before Go 1.26 a thread in a syscall has m.p = 0 and its P is in status _Psyscall until somebody
 * takes it; since then the P stays wired until it is taken (proc.go, reentersyscall).
 */
bool proc_stays_wired(const struct process *ps)
{
	return ps->info.go_minor >= 26;
}

void proc_expect(struct thread *t, const struct proc *p)
{
	t->unsettled = true;
	t->expect_p = p ? p->addr : 0;
}

/*
 * Whether a P that a running goroutine's thread has all of a sudden is not meant: probes tell of every
 * change. To write its own trace about a P the runtime of Go <= 1.21 puts it into m.p for a moment
 * (trace.go, traceGoSysBlock and traceProcStop), and so does p.destroy of race builds (proc.go).
 */
static bool is_borrowed(const struct replay *r, const struct goroutine *g)
{
	return g->process->probes_procs && is_sure(r, g);
}

void note_context(struct replay *r, struct thread *t, const struct ev_gctx *ctx)
{
	struct process *ps = t->process;
	struct proc *p;

	if (!ps || ps->gone || !ctx->g)
		return;
	if (t->unsettled && ctx->p != t->expect_p)
		return;
	t->unsettled = false;
	if (!ctx->p) {
		if (!t->p)
			return;
		if (!t->g)
			ensure_proc_free(r, t->p, t, CHANGE_INFERRED);
		else if (t->g->state == G_SYSCALL && proc_stays_wired(ps))
			proc_taken(r, t, CHANGE_INFERRED);
		return;
	}
	p = proc_find(ps, ctx->p);
	if (!p)
		return;
	if (!t->g) {
		/*
		 * A C thread that left Go keeps its P until it comes back, or somebody takes it; so
		 * does its m, whose goroutine is dead until a C thread has come with it.
		 */
		if (p != t->p && (!ctx->curg || goroutine_find(ps, ctx->curg)))
			ensure_thread_proc(r, t, p, CHANGE_INFERRED);
	} else if (ctx->curg == t->g->addr) {
		/* In a syscall allocm borrows a P, but on the system stack. */
		bool back = ctx->g == ctx->curg && (p != t->p || !proc_stays_wired(ps));

		if (t->g->state == G_SYSCALL ? back : p != t->p && !is_borrowed(r, t->g))
			ensure_running(r, t->g, t, p);
	}
}

/* acquirep, behind wirep. */
void proc_start(struct replay *r, const struct actor *a, struct proc *p)
{
	struct thread *t = a->t;

	proc_expect(t, p);
	if (t->p == p && p->state == P_RUNNING)
		return;
	if (a->g && a->g->state == G_RUNNABLE && a->g->stw.open) {
		struct why w = {.skip = -1, .flags = CHANGE_INFERRED};

		ensure_thread_free(r, t, NULL);
		if (ensure_thread_proc(r, t, p, 0))
			g_apply(r, a->g, G_START, t, &w);
		return;
	}
	if (t->g && t->g->state == G_RUNNING) {
		/* procresize gives the first P to who is running: see ensure_running() */
		if (t->g == a->g && p->id == 0 && t->p && t->p->state == P_RUNNING) {
			ensure_running(r, t->g, t, p);
			return;
		}
		if (t->g != a->g)
			ensure_thread_free(r, t, NULL);
		else if (!ensure_syscall_without_proc(r, t->g, t))
			return;
	}
	ensure_thread_proc(r, t, p, 0);
}

/*
 * releasep. entersyscallblock, and entersyscall while the world is being stopped, give the P up
 * from Go 1.26 on before the goroutine's status changes.
 */
void proc_stop(struct replay *r, const struct actor *a, struct proc *p, uint64_t stack)
{
	struct why w = {.stack = stack, .skip = -1, .flags = stack ? 0 : CHANGE_INFERRED};
	struct thread *t = a->t;

	a->ps->probes_procs = true;
	proc_expect(t, NULL);
	if (t->p != p) {
		if (!p->m && !t->p)
			return; /* what came before has told it */
		if (t->g && t->g != a->g)
			ensure_thread_free(r, t, NULL);
		if (t->g && t->g->state == G_RUNNING ?
			    !ensure_running(r, t->g, t, p) :
			    !ensure_thread_proc(r, t, p, CHANGE_INFERRED))
			return;
	}
	if (t->g && t->g->state == G_RUNNING) {
		if (t->g != a->g) {
			ensure_thread_free(r, t, NULL);
		} else if (t->g->stw.open) {
			/* procresize: see ensure_running(); proc_start() has it go on */
			w.block = "runtime.Gosched";
			w.flags = CHANGE_INFERRED;
			g_apply(r, t->g, G_STOP, t, &w);
		} else {
			g_apply(r, t->g, G_SYSCALL_ENTER, t, &w);
		}
	}
	p_apply(r, p, P_STOP, t, 0);
}

/* syscallingThread.releaseP; before Go 1.26 handoffp behind the compare-and-swap of retake. */
void proc_steal(struct replay *r, const struct actor *a, struct proc *p)
{
	struct thread *victim = p->m;

	if (!victim)
		return;
	ensure_proc_free(r, p, a->t, 0);
	proc_expect(victim, NULL);
}

void syscall_begun(struct replay *r, struct thread *t, uint64_t ctx_p)
{
	if (!t->g || t->g->state != G_SYSCALL || !t->p)
		return;
	/* entersyscall_gcwait and entersyscallHandleGCWait: the world is being stopped. */
	if (!proc_stays_wired(t->process)) {
		if (t->process->stopper)
			p_apply(r, t->p, P_STEAL, t, CHANGE_INFERRED);
	} else if (!ctx_p) {
		p_apply(r, t->p, P_STOP, t, CHANGE_INFERRED);
	}
}

/* Before Go 1.26 stopTheWorldWithSema takes the Ps of all syscalls without any call. */
void procs_of_syscalls_stop(struct replay *r, struct process *ps, struct thread *t)
{
	struct proc *p, *tmp;

	if (proc_stays_wired(ps))
		return;
	HASH_ITER(hh, ps->procs, p, tmp)
		if (p->state == P_SYSCALL)
			p_apply(r, p, P_STEAL, t, CHANGE_INFERRED);
}
