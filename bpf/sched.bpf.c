// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Threads: switches, wake-ups, births and deaths. Every program exists twice, for tp_btf (typed
 * arguments) and raw_tp (untyped ones); the collector loads the kind the kernel takes.
 */
#include "bpf/call.bpf.h"
#include "bpf/seen.bpf.h"
#include "bpf/task.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* sched_switch has prev_state as a 4th argument: fa2c3254d7cf ("sched/tracing: Don't re-read
 * p->state when emitting sched_switch event"), v5.18. Set by the collector from the kernel's BTF. */
const volatile bool switch_has_state = false;

/* sched_process_exit has group_dead as a 2nd argument. Set likewise. */
const volatile bool exit_has_last = false;

/* The Go context of task p, which is current. A task that exits has no memory any more. */
static __always_inline void task_gctx(const bool typed, struct target_cfg *cfg,
				      struct task_struct *p, struct ev_gctx *ctx)
{
	if (cfg && cfg->flags & TARGET_GO && FIELD(typed, p, mm)) {
		read_context(cfg, FIELD(typed, p, thread.fsbase), ctx);
	} else {
		ctx->g = 0;
		ctx->curg = 0;
		ctx->p = 0;
	}
}

/* The same, or what is known of it already if p is in a system call. */
static __always_inline void current_gctx(const bool typed, struct target_cfg *cfg,
					 struct task_struct *p, const struct pending_call *c,
					 struct ev_gctx *ctx)
{
	if (call_pending(c) && (__u32)c->id == FIELD(typed, p, pid)) {
		*ctx = c->ctx;
		ctx->p = call_proc(c);
		if (c->gstatus == GSTATUS_TOLD)
			ctx->curg = 0; /* that is no more than a register */
	} else {
		task_gctx(typed, cfg, p, ctx);
	}
}

NO_PROGRAM(no_switch_program);

static __always_inline void on_switch(const bool typed, bool preempt, struct task_struct *prev,
				      struct task_struct *next, __u32 state)
{
	__u32 tgid = FIELD(typed, prev, tgid), next_tgid = FIELD(typed, next, tgid);
	struct target_cfg *cfg = target_of(tgid);
	__u32 flags = preempt ? SWITCH_PREEMPT : 0;
	struct pending_call *c = call_place();
	struct ev_gctx ctx;
	struct ev_switch *ev;

	if (system_wide || cfg)
		flags |= SWITCH_PREV_TRACED;
	barrier_var(flags);
	if (system_wide || target_of(next_tgid))
		flags |= SWITCH_NEXT_TRACED;
	current_gctx(typed, cfg, prev, c, &ctx);
	/* whoever's it is: nobody is on this CPU any more who could end it */
	if (call_pending(c))
		call_interrupt(c);
	if (!(flags & (SWITCH_PREV_TRACED | SWITCH_NEXT_TRACED)))
		return;
	if (any_bare && cfg && cfg->flags & TARGET_BARE && ctx.curg)
		off_cpu(ctx.g, ctx.curg);
	ev = event_reserve(EV_SWITCH, sizeof(*ev), LOSS_SCHED);
	if (!ev)
		return;
	ev->h.tid = FIELD(typed, prev, pid);
	ev->tgid = tgid;
	ev->cpu = bpf_get_smp_processor_id();
	ev->next_tid = FIELD(typed, next, pid);
	ev->next_tgid = next_tgid;
	ev->ctx = ctx;
	/* who is preempted stays runnable, whatever state it was about to enter */
	ev->prev_state = preempt ? 0 : state;
	ev->flags = flags;
	task_comm(typed, next, ev->next_comm);
	event_submit(ev, sizeof(*ev));
}

SEC("tp_btf/sched_switch")
int switch_typed(__u64 *ctx)
{
	struct task_struct *prev = (void *)ctx[1], *next = (void *)ctx[2];

	on_switch(true, ctx[0], prev, next,
		  switch_has_state ? (__u32)ctx[3] : task_state(true, prev));
	return END_ON_KERNEL_STACK(ctx, no_switch_program);
}

SEC("raw_tp/sched_switch")
int switch_raw(__u64 *ctx)
{
	struct task_struct *prev = (void *)ctx[1], *next = (void *)ctx[2];

	on_switch(false, ctx[0], prev, next, task_state(false, prev));
	return END_ON_KERNEL_STACK(ctx, no_switch_program);
}

/*
 * sched_waking, not sched_wakeup: the latter may run on the wakee's CPU, from an interrupt, when
 * current has nothing to do with the wake-up.
 */
static __always_inline int on_waking(const bool typed, struct task_struct *wakee, __u32 flags)
{
	__u32 wakee_tgid = FIELD(typed, wakee, tgid);
	__u64 id = bpf_get_current_pid_tgid();
	__u32 tgid = id >> 32;
	struct target_cfg *cfg;
	struct ev_gctx ctx;
	struct ev_wakeup *ev;

	if (!system_wide && !target_of(wakee_tgid))
		return 0;
	cfg = target_of(tgid);
	if (typed)
		current_gctx(true, cfg, bpf_get_current_task_btf(), call_place(), &ctx);
	else
		current_gctx(false, cfg, (void *)bpf_get_current_task(), call_place(), &ctx);
	ev = event_reserve(EV_WAKEUP, sizeof(*ev), LOSS_SCHED);
	if (!ev)
		return 0;
	ev->h.tid = id;
	ev->tgid = tgid;
	ev->cpu = bpf_get_smp_processor_id();
	ev->wakee_tid = FIELD(typed, wakee, pid);
	ev->wakee_tgid = wakee_tgid;
	ev->ctx = ctx;
	ev->target_cpu = bpf_core_field_exists(wakee->wake_cpu) ? FIELD(typed, wakee, wake_cpu) :
								  ev->cpu;
	ev->flags = flags;
	bpf_get_current_comm(ev->comm, sizeof(ev->comm));
	event_submit(ev, sizeof(*ev));
	return 0;
}

SEC("tp_btf/sched_waking")
int waking_typed(__u64 *ctx)
{
	return on_waking(true, (void *)ctx[0], 0);
}

SEC("raw_tp/sched_waking")
int waking_raw(__u64 *ctx)
{
	return on_waking(false, (void *)ctx[0], 0);
}

SEC("tp_btf/sched_wakeup_new")
int wakeup_new_typed(__u64 *ctx)
{
	return on_waking(true, (void *)ctx[0], WAKEUP_NEW);
}

SEC("raw_tp/sched_wakeup_new")
int wakeup_new_raw(__u64 *ctx)
{
	return on_waking(false, (void *)ctx[0], WAKEUP_NEW);
}

static __always_inline int task_event(const bool typed, __u16 type, struct task_struct *p,
				      struct task_struct *other, __u32 other_tid, __u32 flags)
{
	__u32 tgid = FIELD(typed, p, tgid);
	struct ev_task *ev;

	if (!system_wide && !target_of(tgid))
		return 0;
	ev = event_reserve(type, sizeof(*ev), LOSS_SCHED);
	if (!ev)
		return 0;
	ev->h.tid = FIELD(typed, p, pid);
	ev->tgid = tgid;
	ev->cpu = bpf_get_smp_processor_id();
	ev->other = other_tid ? other_tid : FIELD(typed, other, pid);
	ev->other_tgid = FIELD(typed, other, tgid);
	ev->flags = flags;
	ev->pad = 0;
	task_comm(typed, other, ev->comm);
	event_submit(ev, sizeof(*ev));
	return 0;
}

SEC("tp_btf/sched_process_fork")
int fork_typed(__u64 *ctx)
{
	return task_event(true, EV_FORK, (void *)ctx[0], (void *)ctx[1], 0, 0);
}

SEC("raw_tp/sched_process_fork")
int fork_raw(__u64 *ctx)
{
	return task_event(false, EV_FORK, (void *)ctx[0], (void *)ctx[1], 0, 0);
}

static __always_inline int on_exec(const bool typed, struct task_struct *p, __u32 old_tid)
{
	struct target_cfg *cfg = target_of(FIELD(typed, p, tgid));

	/* another program from here on: what is known of the old one's layout is void */
	if (cfg)
		cfg->flags &= ~TARGET_GO;
	return task_event(typed, EV_EXEC, p, p, old_tid, 0);
}

SEC("tp_btf/sched_process_exec")
int exec_typed(__u64 *ctx)
{
	return on_exec(true, (void *)ctx[0], ctx[1]);
}

SEC("raw_tp/sched_process_exec")
int exec_raw(__u64 *ctx)
{
	return on_exec(false, (void *)ctx[0], ctx[1]);
}

static __always_inline int on_exit(const bool typed, struct task_struct *p, bool last)
{
	return task_event(typed, EV_EXIT, p, p, 0, last ? TASK_LAST_THREAD : 0);
}

SEC("tp_btf/sched_process_exit")
int exit_typed(__u64 *ctx)
{
	struct task_struct *p = (void *)ctx[0];

	return on_exit(true, p, exit_has_last ? ctx[1] : p->signal->live.counter == 0);
}

SEC("raw_tp/sched_process_exit")
int exit_raw(__u64 *ctx)
{
	struct task_struct *p = (void *)ctx[0];

	return on_exit(false, p, BPF_CORE_READ(p, signal, live.counter) == 0);
}
