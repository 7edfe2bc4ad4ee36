// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * System calls, with the goroutine that makes them. Twins as in sched.bpf.c, and a third kind for
 * Linux 7.0 on, where programs of the other two can be preempted in the middle, and are then not
 * run for anybody else on that CPU until they go on: those of perf's tracepoints cannot
 * (16718274ee75, "tracing: perf: Have perf tracepoint callbacks always disable preemption").
 */
#include "bpf/call.bpf.h"
#include "bpf/seen.bpf.h"
#include "bpf/stack.bpf.h"
#include "bpf/task.bpf.h"

NO_PROGRAM(no_enter_program);
NO_PROGRAM(no_exit_program);

/*
 * The stack of goroutine `gp` in a system call. The one that is made on the thread's own stack (that
 * of `g0`) is made by C, unless the code is Go's: then it is the runtime's own.
 */
static __always_inline __u64 goroutine_stack(const bool typed, const struct target_cfg *cfg,
					     const struct g_head *gp, __u64 g0,
					     const struct pt_regs *regs, __u64 id, __u64 before)
{
	struct native_walk w;

	if (!stack_wanted(cfg, gp))
		return 0;
	w.bp = FIELD(typed, regs, bp);
	if (!syscall_walk(&w.go, cfg, gp, w.bp, id))
		return 0;
	w.go.before = before;
	if (!g0)
		return stack_send(&w.go);
	w.pc = FIELD(typed, regs, ip);
	if (w.pc - cfg->text_lo < cfg->text_hi - cfg->text_lo)
		return stack_send(&w.go);
	w.caller = 0;
	w.lo = FIELD(typed, regs, sp);
	w.hi = read_word(g0 + cfg->g_stack_hi);
	w.next = NEXT_GO;
	w.flags = 0;
	return stack_send_native(&w);
}

/* TS_COMPAT of arch/x86/include/asm/thread_info.h: set from entry to exit of a 32-bit call. */
#define COMPAT 2U

static __always_inline __u32 abi_bit(const bool typed, struct task_struct *p)
{
	if (!bpf_core_field_exists(p->thread_info.status))
		return 0;
	return FIELD(typed, p, thread_info.status) & COMPAT ? SYS_NR_32BIT : 0;
}

/* runtime.settls: with it a new thread gets the storage that has its g. */
#define NR_ARCH_PRCTL 158

/* A thread that has nothing to do gives up its P before it sleeps: these are looked at all the same. */
#define NR_NANOSLEEP 35
#define NR_FUTEX 202
#define NR_EPOLL_WAIT 232
#define NR_EPOLL_PWAIT 281
#define NR_EPOLL_PWAIT2 441

#define NR_RT_SIGRETURN 15

static __always_inline bool may_idle(__u32 nr)
{
	return nr == NR_FUTEX || nr == NR_EPOLL_PWAIT || nr == NR_NANOSLEEP ||
	       nr == NR_EPOLL_WAIT || nr == NR_EPOLL_PWAIT2;
}

/* Whether nothing needs to be read: GSTATUS_TOLD. */
static __always_inline bool told(const struct target_cfg *cfg, __u32 nr)
{
	return any_probed && told_by_stubs[cfg->index & (MAX_TARGETS - 1)] && !may_idle(nr);
}

/* The g of Go's code, 0: it is other code. */
static __always_inline __u64 register_g(const bool typed, const struct target_cfg *cfg,
					const struct pt_regs *regs)
{
	return FIELD(typed, regs, ip) - cfg->text_lo < cfg->text_hi - cfg->text_lo ?
		       FIELD(typed, regs, r14) :
		       0;
}

/* Which goroutine calls on which P. */
static __always_inline void look_at_thread(const bool typed, struct task_struct *p,
					   struct target_cfg *cfg, struct pending_call *c)
{
	struct thread_words w;
	struct ev_gctx ctx;

	c->words = read_gctx(cfg, FIELD(typed, p, thread.fsbase), &ctx, &w);
	c->ctx = ctx;
	c->p_off = cfg->m_p;
	c->oldp_off = uses_oldp(cfg) ? cfg->m_oldp : NO_OFFSET;
	c->status_off = cfg->p_status;
}

/* Its status, and where it is. */
static __always_inline void look_at_goroutine(const bool typed, const struct target_cfg *cfg,
					      struct pending_call *c, const struct pt_regs *regs,
					      __u64 time)
{
	const struct ev_gctx *ctx = &c->ctx;
	struct g_head gp;

	if (!ctx->curg || bpf_probe_read_user(&gp, sizeof(gp), (void *)ctx->curg))
		return;
	c->gstatus = g_status(&gp, cfg);
	if (c->gstatus == GO_SYSCALL)
		c->stack = goroutine_stack(typed, cfg, &gp, ctx->g != ctx->curg ? ctx->g : 0, regs,
					   c->id, time);
}

/*
 * The same of a bare target: its status, and which it is. Its stack is of interest only if the call is
 * interrupted, which is soon enough, and its P at the end is not. Its P is read each time: a thread may
 * get another one without any system call (runtime/proc.go, checkRunqsNoP).
 */
static __always_inline void look_at_bare(const struct target_cfg *cfg, struct pending_call *c,
					 __u64 time)
{
	struct g_ident g;

	c->words = 0;
	if (!c->ctx.curg || !read_ident(cfg, c->ctx.curg, &g))
		return;
	c->gstatus = ident_status(&g);
	goroutine_seen(c->ctx.curg, g.goid, c->id >> 32, time);
}

/* A call that the thread makes for gscope, and not for its program: user/inline/call.c. */
static __always_inline bool is_ours(const bool typed, const struct pt_regs *regs)
{
	return FIELD(typed, regs, bx) == CALL_FOR_GSCOPE;
}

/*
 * The time is taken before the goroutine is looked at: what that takes is already part of the
 * system call.
 */
static __always_inline void on_enter(const bool typed, const struct pt_regs *regs, __u32 nr)
{
	struct task_struct *p = current_task(typed);
	__u64 time, id = task_id(typed, p);
	struct target_cfg *cfg = target_of(id >> 32);
	struct pending_call *c;

	if ((!cfg && !system_wide) || is_ours(typed, regs))
		return;
	c = call_place();
	if (!c)
		return;
	/* one whose end was not seen: the kernel did not run the program */
	if (call_pending(c))
		call_interrupt(c);
	call_mark(c, CALL_BEGINS);
	time = bpf_ktime_get_ns();
	c->id = id;
	c->nr = nr | abi_bit(typed, p);
	c->gstatus = 0;
	c->stack = 0;
	c->words = 0;
	/* a new thread has its creator's storage until then */
	if (cfg && cfg->flags & TARGET_GO && told(cfg, nr)) {
		c->gstatus = GSTATUS_TOLD;
		c->ctx = (struct ev_gctx){.curg = register_g(typed, cfg, regs)};
	} else if (cfg && cfg->flags & TARGET_GO && nr != NR_ARCH_PRCTL) {
		look_at_thread(typed, p, cfg, c);
		if (any_bare && cfg->flags & TARGET_BARE)
			look_at_bare(cfg, c, time);
		else if (any_probed)
			look_at_goroutine(typed, cfg, c, regs, time);
	} else {
		c->ctx = (struct ev_gctx){};
	}
	call_mark(c, time);
}

SEC("tp_btf/sys_enter")
int sys_enter_typed(__u64 *ctx)
{
	on_enter(true, (void *)ctx[0], ctx[1]);
	return END_ON_KERNEL_STACK(ctx, no_enter_program);
}

SEC("raw_tp/sys_enter")
int sys_enter_raw(__u64 *ctx)
{
	on_enter(false, (void *)ctx[0], ctx[1]);
	return END_ON_KERNEL_STACK(ctx, no_enter_program);
}

/* ctx: 8 bytes all trace events have, then those of events/raw_syscalls/sys_enter/format */
SEC("tp/raw_syscalls/sys_enter")
int sys_enter_steady(__u64 *ctx)
{
	on_enter(true, current_regs(), ctx[1]);
	return END_ON_KERNEL_STACK(ctx, no_enter_program);
}

/* What GSTATUS_TOLD has at the end of a call: the same as at its begin, unless that gives registers back. */
static __always_inline __u64 told_at_end(const bool typed, const struct pending_call *c,
					 const struct pt_regs *regs)
{
	__u32 tgid = c->id >> 32;
	const struct target_cfg *cfg;

	if (c->nr != NR_RT_SIGRETURN)
		return c->ctx.curg;
	cfg = target_of(tgid);
	return cfg ? register_g(typed, cfg, regs) : 0;
}

/* Both ends at once. */
static __always_inline void call_complete(const bool typed, struct pending_call *c,
					  const struct pt_regs *regs, __u32 nr, __s64 ret)
{
	__u64 exit_p = c->ctx.p, oldp = 0;
	__u32 oldp_status = 0;
	struct ev_syscall *ev;
	struct m_words m;

	if (c->gstatus == GSTATUS_TOLD)
		oldp = told_at_end(typed, c, regs);
	else if (call_may_lose_proc(c) && !bpf_probe_read_user(&m, sizeof(m), (void *)c->words)) {
		exit_p = m_word(&m, c->p_off);
		oldp = m_word(&m, c->oldp_off); /* 0 for NO_OFFSET */
		if (oldp)
			bpf_probe_read_user(&oldp_status, 4, (void *)(oldp + c->status_off));
	}
	ev = event_reserve(EV_SYSCALL, sizeof(*ev), LOSS_SYSCALL);
	if (ev) {
		ev->h.tid = c->id;
		ev->tgid = c->id >> 32;
		ev->cpu = bpf_get_smp_processor_id();
		ev->nr = c->nr;
		ev->exit_nr = nr;
		ev->begin_ns = c->since;
		ev->ctx = c->ctx;
		ev->exit_p = exit_p;
		ev->stack = c->stack;
		ev->oldp = oldp;
		ev->oldp_status = oldp_status;
		ev->gstatus = c->gstatus;
		ev->ret = ret;
	}
	/* only now that it has its place in the ring: see user/capture/call.c */
	call_mark(c, 0);
	if (ev)
		event_submit(ev, sizeof(*ev));
}

/* The end of a call that was interrupted by a switch, or began before anybody looked. */
static __always_inline void tell_exit(const bool typed, struct task_struct *p,
				      struct target_cfg *cfg, const struct pt_regs *regs, __u32 nr,
				      __s64 ret)
{
	__u32 gstatus = 0, oldp_status = 0;
	struct thread_words w;
	struct ev_gctx ctx = {};
	struct ev_sys_exit *ev;
	__u64 oldp = 0;

	if (cfg && cfg->flags & TARGET_GO && told(cfg, nr)) {
		gstatus = GSTATUS_TOLD;
		ctx.curg = register_g(typed, cfg, regs);
	} else if (cfg && cfg->flags & TARGET_GO) {
		read_gctx(cfg, FIELD(typed, p, thread.fsbase), &ctx, &w);
		if (ctx.curg) {
			bpf_probe_read_user(&gstatus, 4, (void *)(ctx.curg + cfg->g_status));
			gstatus &= ~GO_SCAN;
		}
		if (gstatus == GO_SYSCALL && uses_oldp(cfg)) {
			oldp = m_word(&w.m, cfg->m_oldp);
			if (oldp)
				bpf_probe_read_user(&oldp_status, 4,
						    (void *)(oldp + cfg->p_status));
		}
	}
	ev = event_reserve(EV_SYS_EXIT, sizeof(*ev), LOSS_SYSCALL);
	if (!ev)
		return;
	ev->h.tid = FIELD(typed, p, pid);
	ev->tgid = FIELD(typed, p, tgid);
	ev->cpu = bpf_get_smp_processor_id();
	ev->nr = nr;
	ev->gstatus = gstatus;
	ev->ctx = ctx;
	ev->oldp = oldp;
	ev->oldp_status = oldp_status;
	ev->pad = 0;
	ev->ret = ret;
	event_submit(ev, sizeof(*ev));
}

static __always_inline void on_leave(const bool typed, const struct pt_regs *regs, __s64 ret)
{
	struct task_struct *p = current_task(typed);
	struct pending_call *c = call_place();
	__u64 id = task_id(typed, p);
	struct target_cfg *cfg;
	__u32 nr;

	/* only those of targets are pending */
	if (call_pending(c) && c->id == id) {
		nr = (__u32)FIELD(typed, regs, orig_ax) | abi_bit(typed, p);
		call_complete(typed, c, regs, nr, ret);
		return;
	}
	cfg = target_of(id >> 32);
	if ((!cfg && !system_wide) || is_ours(typed, regs))
		return;
	nr = (__u32)FIELD(typed, regs, orig_ax) | abi_bit(typed, p);
	tell_exit(typed, p, cfg, regs, nr, ret);
}

SEC("tp_btf/sys_exit")
int sys_exit_typed(__u64 *ctx)
{
	on_leave(true, (void *)ctx[0], ctx[1]);
	return END_ON_KERNEL_STACK(ctx, no_exit_program);
}

SEC("raw_tp/sys_exit")
int sys_exit_raw(__u64 *ctx)
{
	on_leave(false, (void *)ctx[0], ctx[1]);
	return END_ON_KERNEL_STACK(ctx, no_exit_program);
}

SEC("tp/raw_syscalls/sys_exit")
int sys_exit_steady(__u64 *ctx)
{
	on_leave(true, current_regs(), ctx[2]);
	return END_ON_KERNEL_STACK(ctx, no_exit_program);
}
