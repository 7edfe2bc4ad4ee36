// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What runs on the CPUs, looked at so often a second: the program of a clock per CPU. The goroutine,
 * its P and the stack are those that Go's own CPU samples have in a trace (runtime/proc.go, sigprof),
 * plus the frames of C.
 */
#include "bpf/go.bpf.h"
#include "bpf/place.bpf.h"
#include "bpf/ring.bpf.h"
#include "bpf/task.bpf.h"

static __always_inline __u64 sample_stack(const struct target_cfg *cfg, const struct ev_gctx *ctx,
					  const struct place *at, __u64 id)
{
	struct native_walk w;
	struct g_head gp;

	if (!ctx->curg || bpf_probe_read_user(&gp, sizeof(gp), (void *)ctx->curg))
		__builtin_memset(&gp, 0, sizeof(gp));
	return place_stack(cfg, &gp, &w, ctx, at, id);
}

/* The kernel has the upper half of the address space. */
static __always_inline bool is_kernel(__u64 ip)
{
	return (__s64)ip < 0;
}

NO_PROGRAM(no_sample_program);

SEC("perf_event")
int sample(struct pt_regs *regs)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u32 tgid = id >> 32;
	struct target_cfg *cfg = target_of(tgid);
	struct place at = {regs->ip, regs->sp, regs->bp};
	bool kernel = is_kernel(at.ip);
	struct ev_gctx ctx;
	struct ev_sample *ev;
	__u64 stack = 0;

	if (!cfg || !(cfg->flags & TARGET_GO))
		return 0;
	if (kernel) {
		struct pt_regs *user = current_regs();

		at.ip = BPF_CORE_READ(user, ip);
		at.sp = BPF_CORE_READ(user, sp);
		at.bp = BPF_CORE_READ(user, bp);
	}
	read_context(cfg, BPF_CORE_READ(current_task(false), thread.fsbase), &ctx);
	if (ctx.g)
		stack = sample_stack(cfg, &ctx, &at, id);
	ev = event_reserve(EV_SAMPLE, sizeof(*ev), LOSS_SAMPLE);
	if (!ev)
		return 0;
	ev->h.tid = id;
	ev->tgid = tgid;
	ev->cpu = bpf_get_smp_processor_id();
	ev->ctx = ctx;
	ev->stack = stack;
	ev->flags = kernel ? SAMPLE_KERNEL : 0;
	ev->pad = 0;
	event_submit(ev, sizeof(*ev));
	return END_ON_KERNEL_STACK(regs, no_sample_program);
}
