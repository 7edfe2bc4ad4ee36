// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What runs on the CPUs, looked at so often a second: the program of a clock per CPU. The goroutine,
 * its P and the stack are those that Go's own CPU samples have in a trace (runtime/proc.go, sigprof),
 * plus the frames of C.
 */
#include "bpf/go.bpf.h"
#include "bpf/ring.bpf.h"
#include "bpf/stack.bpf.h"
#include "bpf/task.bpf.h"

/* What the vdso may use of the thread's stack. */
#define VDSO_STACK 4096

/* The thread's registers in user space. */
struct place {
	__u64 ip, sp, bp;
};

static __always_inline bool in_go(const struct target_cfg *cfg, __u64 pc)
{
	return pc - cfg->text_lo < cfg->text_hi - cfg->text_lo;
}

/*
 * Where the return address is of a function whose frame is there, but not yet in BP, which is still
 * its caller's; 0: not at such an instruction. The compiler's: `mov %rsp,%rbp` since Go 1.21,
 * before that `mov %rbp,N(%rsp)` and `lea N(%rsp),%rbp`.
 */
static __always_inline __u64 unfinished_frame(const struct place *at)
{
	__u8 c[8];

	if (bpf_probe_read_user(c, sizeof(c), (void *)at->ip) || c[0] != 0x48)
		return 0;
	if (c[1] == 0x89 && c[2] == 0xe5)
		return at->sp + 8;
	if ((c[1] != 0x89 && c[1] != 0x8d) || c[3] != 0x24)
		return 0;
	if (c[2] == 0x6c)
		return at->sp + c[4] + 8;
	if (c[2] == 0xac)
		return at->sp + (c[4] | c[5] << 8 | c[6] << 16) + 8;
	return 0;
}

/* Go code: the leaf may have no frame of its own, now or ever. */
static __always_inline void find_caller(struct native_walk *w, const struct place *at)
{
	__u64 slot = unfinished_frame(at);

	w->caller = read_word(slot ? slot : at->sp);
	w->flags = slot ? 0 : STACK_MAYBE_CALLER;
	/* duffzero and duffcopy are called with a frame made up for them, below where SP was */
	if (at->bp == at->sp - 8)
		w->bp = read_word(at->bp);
}

/* On the thread's own stack, for goroutine `gp` or for none, which is then all 0. */
static __always_inline __u64 system_stack(const struct target_cfg *cfg, const struct g_head *gp,
					  struct native_walk *w, const struct place *at, __u64 g)
{
	w->hi = read_word(g + cfg->g_stack_hi);
	if (in_go(cfg, at->ip)) {
		if (w->go.bp !=
		    g_word(gp, cfg->g_sched_sp)) /* systemstack has a frame since Go 1.21 */
			w->go.caller = read_word(g_word(gp, cfg->g_sched_sp));
		w->next = NEXT_SWITCHED;
		if (at->sp < w->hi)
			find_caller(w, at);
	} else if (g_status(gp, cfg) == GO_SYSCALL &&
		   syscall_walk(&w->go, cfg, gp, at->bp, w->go.id)) {
		w->next = NEXT_GO;
	}
	return stack_send_native(w);
}

static __always_inline __u64 sample_stack(const struct target_cfg *cfg, const struct ev_gctx *ctx,
					  const struct place *at, __u64 id)
{
	struct native_walk w;
	struct g_head gp;

	if (!ctx->curg || bpf_probe_read_user(&gp, sizeof(gp), (void *)ctx->curg))
		__builtin_memset(&gp, 0, sizeof(gp));
	walk_begin(&w.go, cfg, &gp, id);
	/* it is going to be executed: as if it were in front of a return address */
	w.pc = at->ip + 1;
	w.caller = 0;
	w.lo = at->sp;
	w.hi = at->sp;
	w.bp = at->bp;
	w.next = NEXT_BP;
	w.flags = 0;
	if (ctx->g != ctx->curg)
		return system_stack(cfg, &gp, &w, at, ctx->g);
	if (at->sp >= w.go.lo && at->sp < w.go.hi) {
		w.go.lo = at->sp;
		if (in_go(cfg, at->ip))
			find_caller(&w, at);
	} else {
		w.hi = at->sp + VDSO_STACK;
	}
	return stack_send_native(&w);
}

/* The kernel has the upper half of the address space. */
static __always_inline bool is_kernel(__u64 ip)
{
	return (__s64)ip < 0;
}

SEC("perf_event")
int sample(struct pt_regs *regs)
{
	__u64 id = bpf_get_current_pid_tgid();
	__u32 tgid = id >> 32;
	struct target_cfg *cfg = bpf_map_lookup_elem(&targets, &tgid);
	struct place at = {regs->ip, regs->sp, regs->bp};
	bool kernel = is_kernel(at.ip);
	struct ev_gctx ctx;
	struct m_words m;
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
	read_gctx(cfg, current_fsbase(false), &ctx, &m);
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
	return 0;
}
