// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Functions of their own to the verifier, so that they are checked once. */
#include "bpf/seen.bpf.h"

#include "bpf/place.bpf.h"
#include "bpf/ring.bpf.h"
#include "bpf/task.bpf.h"

int goroutine_tell(__u64 gp, __u64 goid, __u64 before)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u32 tgid = id >> 32;
	struct target_cfg *cfg = target_of(tgid);
	struct seen_goroutine *s = seen_place(gp, tgid);
	struct ev_goroutine *ev;
	__u64 start_pc, go_pc;

	if (!cfg || !s)
		return 0;
	start_pc = read_word(gp + cfg->g_startpc);
	go_pc = read_word(gp + cfg->g_gopc);
	ev = event_reserve(EV_GOROUTINE, sizeof(*ev), LOSS_GO);
	/* without room it stays unknown: its next use tries again */
	if (!ev)
		return 0;
	if (before)
		ev->h.time_ns = before - 2; /* -1 is its stack's */
	ev->h.tid = id;
	ev->tgid = tgid;
	ev->cpu = bpf_get_smp_processor_id();
	ev->gp = gp;
	ev->goid = goid;
	ev->start_pc = start_pc;
	ev->go_pc = go_pc;
	*(volatile __u64 *)&s->gp = 0;
	barrier();
	s->goid = goid;
	s->tgid = tgid;
	barrier();
	*(volatile __u64 *)&s->gp = gp;
	event_submit(ev, sizeof(*ev));
	return 0;
}

/* What off_cpu() needs, too much for a program's stack. Interrupts are disabled in a switch. */
struct switch_scratch {
	struct g_head gp;
	struct native_walk walk;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct switch_scratch);
} switch_scratch SEC(".maps");

static __always_inline __u64 stack_of(const struct target_cfg *cfg, struct switch_scratch *s,
				      const struct ev_gctx *ctx, __u64 id)
{
	const struct pt_regs *regs = current_regs();
	struct place at = {
		BPF_CORE_READ(regs, ip),
		BPF_CORE_READ(regs, sp),
		BPF_CORE_READ(regs, bp),
	};

	if (g_status(&s->gp, cfg) != GO_SYSCALL || ctx->g != ctx->curg)
		return place_stack(cfg, &s->gp, &s->walk, ctx, &at, id);
	if (!syscall_walk(&s->walk.go, cfg, &s->gp, at.bp, id))
		return 0;
	return stack_send(&s->walk.go);
}

int off_cpu(__u64 g, __u64 curg)
{
	__u64 stack, id = bpf_get_current_pid_tgid();
	__u32 zero = 0, tgid = id >> 32;
	struct target_cfg *cfg = target_of(tgid);
	struct switch_scratch *s = bpf_map_lookup_elem(&switch_scratch, &zero);
	const struct ev_gctx ctx = {.g = g, .curg = curg};
	struct ev_off_cpu *ev;

	if (!cfg || !s || bpf_probe_read_user(&s->gp, sizeof(s->gp), (void *)curg))
		return 0;
	goroutine_seen(curg, g_word(&s->gp, cfg->g_goid), tgid, 0);
	stack = stack_of(cfg, s, &ctx, id);
	ev = event_reserve(EV_OFF_CPU, sizeof(*ev), LOSS_SCHED);
	if (!ev)
		return 0;
	ev->h.tid = id;
	ev->tgid = tgid;
	ev->cpu = bpf_get_smp_processor_id();
	ev->gp = curg;
	ev->stack = stack;
	event_submit(ev, sizeof(*ev));
	return 0;
}
