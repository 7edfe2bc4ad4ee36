/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What tracepoints prove: threads on and off CPUs, syscalls. */
#include <errno.h>
#include <string.h>

#include "user/replay/internal.h"

#define TASK_STATE_DEAD (0x10 | 0x20 | 0x80) /* EXIT_DEAD, EXIT_ZOMBIE, TASK_DEAD: sched.h */

/* A syscall that is not the goroutine's: no change of m.p is under way. */
static void note_runtime_call(struct replay *r, struct thread *t, const struct ev_gctx *ctx)
{
	t->unsettled = false;
	note_context(r, t, ctx);
}

/* The kernel gave the tid to somebody else: what the model still binds to it is over. */
static void thread_bury(struct replay *r, struct thread *t)
{
	if (is_bare(t))
		bare_leave(t);
	ensure_thread_free(r, t, NULL);
	if (t->p)
		p_apply(r, t->p, t->p->state == P_SYSCALL ? P_STEAL : P_STOP, t, CHANGE_INFERRED);
	thread_drop(r, t);
}

static void switched_out(struct replay *r, const struct ev_switch *ev)
{
	bool last = ev->prev_state & TASK_STATE_DEAD;
	struct thread *t = last ? thread_find(r, ev->h.tid) : thread_get(r, ev->h.tid, ev->tgid);
	enum t_state to = T_SLEEPING;

	if (!t)
		return;
	if (t->state != T_DEAD) {
		if (is_bare(t))
			bare_switched_out(r, t, ev);
		else
			note_context(r, t, &ev->ctx);
		if (last)
			to = T_DEAD;
		else if (!ev->prev_state || (ev->flags & SWITCH_PREEMPT))
			to = T_RUNNABLE;
		t->asleep = to == T_SLEEPING ? ev->prev_state : 0;
		t_apply(r, t, to, (int)ev->cpu, ev->next_tid, ev->next_comm);
	}
	/* Bound to a goroutine when the whole process ends: that is told by EV_GONE. */
	if (last && (!t->g || is_bare(t)))
		thread_bury(r, t);
}

static void switched_in(struct replay *r, const struct ev_switch *ev)
{
	struct thread *t = thread_get(r, ev->next_tid, ev->next_tgid);

	if (!t || t->state == T_DEAD)
		return;
	memcpy(t->comm, ev->next_comm, sizeof(t->comm));
	if (is_bare(t))
		bare_switched_in(r, t);
	t_apply(r, t, T_RUNNING, (int)ev->cpu, 0, "");
}

void on_switch(struct replay *r, const struct ev_switch *ev)
{
	if (ev->h.tid && (ev->flags & SWITCH_PREV_TRACED))
		switched_out(r, ev);
	if (ev->next_tid && (ev->flags & SWITCH_NEXT_TRACED))
		switched_in(r, ev);
}

void on_wakeup(struct replay *r, const struct ev_wakeup *ev)
{
	struct thread *waker = thread_find(r, ev->h.tid);
	struct thread *t;

	if (waker && is_bare(waker))
		bare_context(r, waker, &ev->ctx);
	else if (waker)
		note_context(r, waker, &ev->ctx);
	t = thread_get(r, ev->wakee_tid, ev->wakee_tgid);
	bare_wakeup(r, waker, t);
	/* A wake-up of a task that is still on its CPU changes nothing. */
	if (t && (t->state == T_SLEEPING || t->state == T_UNKNOWN))
		t_apply(r, t, T_RUNNABLE, (int)ev->target_cpu, ev->h.tid, ev->comm);
}

void on_task(struct replay *r, const struct ev_task *ev)
{
	struct thread *t;

	switch (ev->h.type) {
	case EV_FORK:
		if (!process_find(r, ev->other_tgid) && !r->system_ready)
			return; /* a child process: not ours */
		t = thread_find(r, ev->other);
		if (t)
			thread_bury(r, t);
		t = thread_get(r, ev->other, ev->other_tgid);
		if (!t)
			return;
		memcpy(t->comm, ev->comm, sizeof(t->comm));
		t->since = r->now;
		return;
	case EV_EXIT:
		t = thread_find(r, ev->h.tid);
		if (!t)
			return;
		/* It runs on in the kernel until its last switch, without anything of Go's. */
		t_apply(r, t, T_DEAD, t->cpu, 0, "");
		if (is_bare(t))
			bare_leave(t);
		if (!t->g && t->p)
			p_apply(r, t->p, t->p->state == P_SYSCALL ? P_STEAL : P_STOP, t,
				CHANGE_INFERRED);
		/* and where switches are not recorded that is the last of it */
		if (t->process && t->process->no_kernel && !t->g)
			thread_drop(r, t);
		return;
	default:
		t = thread_find(r, ev->h.tid);
		if (t)
			memcpy(t->comm, ev->comm, sizeof(t->comm));
	}
}

/* Of the kernel alone (include/linux/errno.h): the thread is going to call anew, or return EINTR. */
#define ERESTARTSYS 512
#define ERESTART_RESTARTBLOCK 516
#define NR_RESTART_SYSCALL 219

static bool is_cut(int64_t ret)
{
	return ret <= -ERESTARTSYS && ret >= -ERESTART_RESTARTBLOCK;
}

/*
 * A call that was interrupted where no handler runs, by who stopped the thread for one: the kernel has it made
 * again, or gone on with by a call of its own. To the program it is one.
 */
static bool goes_on(const struct thread *t)
{
	return t->cut.ret == -ERESTART_RESTARTBLOCK ? t->sys_nr == NR_RESTART_SYSCALL :
						      t->sys_nr == t->cut.nr;
}

static void tell_cut(struct replay *r, struct thread *t)
{
	struct syscall_span s = {
		.begin = t->cut.begin,
		.end = t->cut.end,
		.t = t,
		.g = t->cut.g && t->process ? goroutine_find(t->process, t->cut.g) : NULL,
		.nr = t->cut.nr,
		.ret = t->cut.ret,
	};

	t->cut.nr = -1;
	tell_syscall(r, &s);
}

/* A call has ended; unless it is cut short, it is told, from the begin of what it goes on with. */
static void end_call(struct replay *r, struct thread *t, struct goroutine *caller, int64_t ret)
{
	struct syscall_span s = {
		.begin = t->sys_begin,
		.end = r->now,
		.t = t,
		.g = caller,
		.nr = t->sys_nr,
		.ret = ret,
	};

	if (t->cut.nr >= 0) {
		s.begin = t->cut.begin;
		s.nr = t->cut.nr;
		t->cut.nr = -1;
	}
	if (!is_cut(ret)) {
		/* what that goes on with began before anybody looked */
		if (s.nr != NR_RESTART_SYSCALL)
			tell_syscall(r, &s);
		return;
	}
	t->cut.nr = s.nr;
	t->cut.ret = ret;
	t->cut.begin = s.begin;
	t->cut.end = s.end;
	t->cut.g = caller ? caller->addr : 0;
}

void on_sys_enter(struct replay *r, const struct ev_sys_enter *ev)
{
	struct thread *t = thread_get(r, ev->h.tid, ev->tgid);
	struct goroutine *g;
	struct proc *p;
	struct why w = {.stack = ev->stack, .skip = -1};

	if (!t)
		return;
	t->sys_nr = (int)ev->nr;
	t->sys_begin = r->now;
	if (t->cut.nr >= 0 && !goes_on(t))
		tell_cut(r, t);
	if (!t->process || t->process->gone)
		return;
	if (is_bare(t)) {
		bare_context(r, t, &ev->ctx);
		return;
	}
	if (ev->gstatus == GSTATUS_TOLD)
		return;
	if (ev->gstatus != GST_SYSCALL) {
		note_runtime_call(r, t, &ev->ctx);
		return;
	}
	/* Go itself calls this a syscall; the runtime's own calls are not. */
	g = goroutine_find(t->process, ev->ctx.curg);
	/* One that nobody announced has no id here: its first own event introduces it. */
	if (!g || (g->state == G_SYSCALL && g->m == t))
		return;
	/*
	 * On the system stack it is C that calls, or the runtime on its way in or out. Probes see Go
	 * leave for C; only where that may have been lost this is news.
	 */
	if (ev->ctx.g != ev->ctx.curg && is_sure(r, g))
		return;
	/* Before 1.26 the context has no P here: the one the model knows must do. */
	p = ev->ctx.p ? proc_find(t->process, ev->ctx.p) : t->p;
	if (!p || !ensure_running(r, g, t, p))
		return;
	g->seen = true;
	g_apply(r, g, G_SYSCALL_ENTER, t, &w);
	syscall_begun(r, t, ev->ctx.p);
}

/* Whether the P waited for the syscall's return, as seen at that return. */
static bool proc_kept(const struct thread *t, const struct ev_sys_exit *ev)
{
	if (!t->p || t->p->state != P_SYSCALL)
		return false;
	if (proc_stays_wired(t->process))
		return ev->ctx.p == t->p->addr;
	return ev->oldp == t->p->addr && ev->oldp_status == PST_SYSCALL;
}

/* A call by C, or by the runtime on its way into the syscall, before it has let go of m.p. */
static bool proc_gone(const struct thread *t, const struct ev_sys_exit *ev)
{
	if (!t->p || t->p->state != P_SYSCALL)
		return false;
	if (proc_stays_wired(t->process))
		return ev->ctx.p != t->p->addr;
	return !ev->ctx.p && ev->oldp == t->p->addr && ev->oldp_status != PST_SYSCALL;
}

/*
 * Before Go 1.26: the P was taken, and whoever got it is in a system call with it by now, or at its
 * end, before exitsyscall. Then this thread takes it back there, which no probe sees
 * (exitsyscallfast_reacquired, proc.go). NULL: no.
 */
static struct proc *proc_regained(const struct thread *t, const struct ev_sys_exit *ev)
{
	if (t->p || proc_stays_wired(t->process) || ev->oldp_status != PST_SYSCALL)
		return NULL;
	return proc_find(t->process, ev->oldp);
}

#define NR_RT_SIGRETURN 15

/*
 * Whether a goroutine returns from what it called. If not a signal has come in between, and rt_sigreturn
 * tells whether the call goes on or has failed.
 */
static bool call_returns(const struct thread *t, const struct ev_sys_exit *ev)
{
	if (t->sys_nr == NR_RT_SIGRETURN)
		return ev->ret == -EINTR;
	return !is_cut(ev->ret);
}

/*
 * Stubs have told when it began its call, and tell when it has got another P, or none; nobody else
 * does when it still has its own.
 */
static void told_return(struct replay *r, struct thread *t, struct goroutine *g,
			const struct ev_sys_exit *ev)
{
	struct why w = {.skip = -1};

	/* no register: it is C that called, and has not returned */
	if (g && ev->ctx.curg && g->state == G_SYSCALL && g->m == t && t->p &&
	    t->p->state == P_SYSCALL && call_returns(t, ev))
		g_apply(r, g, G_SYSCALL_RETURN, t, &w);
}

/*
 * Whose call it was: Go's code has its g at hand; C is called by a goroutine which the runtime has in
 * a syscall.
 */
static struct goroutine *told_caller(const struct thread *t, const struct ev_sys_exit *ev)
{
	if (ev->ctx.curg)
		return goroutine_find(t->process, ev->ctx.curg);
	return t->g && t->g->state == G_SYSCALL ? t->g : NULL;
}

void on_sys_exit(struct replay *r, const struct ev_sys_exit *ev)
{
	struct proc *regained;
	struct thread *t = thread_get(r, ev->h.tid, ev->tgid);
	struct goroutine *g = NULL, *caller = NULL;
	struct why w = {.skip = -1};
	bool told = false;

	if (!t)
		return;
	if (t->process && !t->process->gone) {
		g = ev->ctx.curg ? goroutine_find(t->process, ev->ctx.curg) : NULL;
		/* Go need not be told: syscall.RawSyscall. On the system stack it is the runtime's. */
		caller = ev->gstatus == GST_SYSCALL || ev->ctx.g == ev->ctx.curg ? g : NULL;
		if (is_bare(t)) {
			bare_context(r, t, &ev->ctx);
			g = NULL;
		} else if (ev->gstatus == GSTATUS_TOLD) {
			caller = told_caller(t, ev);
			told = true;
			g = NULL;
		} else if (ev->gstatus != GST_SYSCALL) {
			note_runtime_call(r, t, &ev->ctx);
			g = NULL;
		}
	}
	if (t->sys_nr == (int)ev->nr && t->sys_begin)
		end_call(r, t, caller, ev->ret);
	if (told)
		told_return(r, t, caller, ev);
	t->sys_nr = -1;
	t->sys_begin = 0;
	if (!g || g->state != G_SYSCALL || g->m != t)
		return;
	if (ev->ctx.g != ev->ctx.curg) {
		if (proc_gone(t, ev))
			proc_taken(r, t, CHANGE_INFERRED);
	} else if (proc_kept(t, ev)) {
		g_apply(r, g, G_SYSCALL_RETURN, t, &w);
	} else {
		regained = proc_regained(t, ev);
		proc_taken(r, t, CHANGE_INFERRED);
		if (regained)
			ensure_running(r, g, t, regained);
	}
}
