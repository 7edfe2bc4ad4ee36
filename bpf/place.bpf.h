/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The stack of the goroutine for which a thread runs, at whatever instruction that is. */
#ifndef GSCOPE_PLACE_BPF_H
#define GSCOPE_PLACE_BPF_H

#include "bpf/stack.bpf.h"

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

/* `gp` is that of ctx->curg, all 0 if there is none; `w` is room for the walk. */
static __always_inline __u64 place_stack(const struct target_cfg *cfg, const struct g_head *gp,
					 struct native_walk *w, const struct ev_gctx *ctx,
					 const struct place *at, __u64 id)
{
	walk_begin(&w->go, cfg, gp, id);
	/* it is going to be executed: as if it were in front of a return address */
	w->pc = at->ip + 1;
	w->caller = 0;
	w->lo = at->sp;
	w->hi = at->sp;
	w->bp = at->bp;
	w->next = NEXT_BP;
	w->flags = 0;
	if (ctx->g != ctx->curg)
		return system_stack(cfg, gp, w, at, ctx->g);
	if (at->sp >= w->go.lo && at->sp < w->go.hi) {
		w->go.lo = at->sp;
		if (in_go(cfg, at->ip))
			find_caller(w, at);
	} else {
		w->hi = at->sp + VDSO_STACK;
	}
	return stack_send_native(w);
}

#endif
