// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * System calls, with the goroutine that makes them. Twins as in sched.bpf.c, and a third kind for
 * Linux 7.0 on, where programs of the other two can be preempted in the middle, and are then not
 * run for anybody else on that CPU until they go on: those of perf's tracepoints cannot
 * (16718274ee75, "tracing: perf: Have perf tracepoint callbacks always disable preemption").
 */
#include "bpf/go.bpf.h"
#include "bpf/ring.bpf.h"
#include "bpf/stack.bpf.h"
#include "bpf/task.bpf.h"

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

static __always_inline __u32 abi_bit(const bool typed)
{
	struct task_struct *p = typed ? bpf_get_current_task_btf() : (void *)bpf_get_current_task();

	if (!bpf_core_field_exists(p->thread_info.status))
		return 0;
	return FIELD(typed, p, thread_info.status) & COMPAT ? SYS_NR_32BIT : 0;
}

/*
 * The record is stamped before the goroutine is looked at: what that takes is already part of the
 * system call.
 */
static __always_inline int on_enter(const bool typed, const struct pt_regs *regs, __u32 nr)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u32 tgid = id >> 32;
	struct target_cfg *cfg = bpf_map_lookup_elem(&targets, &tgid);
	struct ev_sys_enter *ev;
	struct ev_gctx ctx = {};
	struct g_head gp;
	struct m_words m;

	if (!cfg && !system_wide)
		return 0;
	ev = event_reserve(EV_SYS_ENTER, sizeof(*ev), LOSS_SYSCALL);
	if (!ev)
		return 0;
	ev->h.tid = id;
	ev->tgid = tgid;
	ev->cpu = bpf_get_smp_processor_id();
	ev->nr = nr | abi_bit(typed);
	ev->gstatus = 0;
	ev->stack = 0;
	if (cfg && cfg->flags & TARGET_GO)
		read_gctx(cfg, current_fsbase(typed), &ctx, &m);
	ev->ctx = ctx;
	if (ctx.curg && !bpf_probe_read_user(&gp, sizeof(gp), (void *)ctx.curg)) {
		ev->gstatus = g_status(&gp, cfg);
		if (ev->gstatus == GO_SYSCALL)
			ev->stack = goroutine_stack(typed, cfg, &gp, ctx.g != ctx.curg ? ctx.g : 0,
						    regs, id, ev->h.time_ns);
	}
	event_submit(ev, sizeof(*ev));
	return 0;
}

SEC("tp_btf/sys_enter")
int sys_enter_typed(__u64 *ctx)
{
	return on_enter(true, (void *)ctx[0], ctx[1]);
}

SEC("raw_tp/sys_enter")
int sys_enter_raw(__u64 *ctx)
{
	return on_enter(false, (void *)ctx[0], ctx[1]);
}

/* ctx: 8 bytes all trace events have, then those of events/raw_syscalls/sys_enter/format */
SEC("tp/raw_syscalls/sys_enter")
int sys_enter_steady(__u64 *ctx)
{
	return on_enter(true, current_regs(), ctx[1]);
}

static __always_inline int on_leave(const bool typed, const struct pt_regs *regs, __s64 ret)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u32 tgid = id >> 32, gstatus = 0, oldp_status = 0;
	struct target_cfg *cfg = bpf_map_lookup_elem(&targets, &tgid);
	struct ev_gctx ctx = {};
	__u64 oldp = 0;
	struct ev_sys_exit *ev;

	if (!cfg && !system_wide)
		return 0;
	if (cfg && cfg->flags & TARGET_GO) {
		struct m_words m;

		read_gctx(cfg, current_fsbase(typed), &ctx, &m);
		if (ctx.curg) {
			bpf_probe_read_user(&gstatus, 4, (void *)(ctx.curg + cfg->g_status));
			gstatus &= ~GO_SCAN;
		}
		if (gstatus == GO_SYSCALL) {
			oldp = m_word(&m, cfg->m_oldp);
			if (oldp)
				bpf_probe_read_user(&oldp_status, 4,
						    (void *)(oldp + cfg->p_status));
		}
	}
	ev = event_reserve(EV_SYS_EXIT, sizeof(*ev), LOSS_SYSCALL);
	if (!ev)
		return 0;
	ev->h.tid = id;
	ev->tgid = tgid;
	ev->cpu = bpf_get_smp_processor_id();
	ev->nr = (__u32)FIELD(typed, regs, orig_ax) | abi_bit(typed);
	ev->gstatus = gstatus;
	ev->ctx = ctx;
	ev->oldp = oldp;
	ev->oldp_status = oldp_status;
	ev->pad = 0;
	ev->ret = ret;
	event_submit(ev, sizeof(*ev));
	return 0;
}

SEC("tp_btf/sys_exit")
int sys_exit_typed(__u64 *ctx)
{
	return on_leave(true, (void *)ctx[0], ctx[1]);
}

SEC("raw_tp/sys_exit")
int sys_exit_raw(__u64 *ctx)
{
	return on_leave(false, (void *)ctx[0], ctx[1]);
}

SEC("tp/raw_syscalls/sys_exit")
int sys_exit_steady(__u64 *ctx)
{
	return on_leave(true, current_regs(), ctx[2]);
}
