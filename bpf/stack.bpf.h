/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Where the walk of a goroutine's frame pointers begins, and the walk itself (stack.bpf.c). */
#ifndef GSCOPE_STACK_BPF_H
#define GSCOPE_STACK_BPF_H

#include "bpf/go.bpf.h"

struct walk {
	__u64 lo, hi; /* the goroutine's stack: [lo, hi) */
	__u64 pc; /* of the leaf */
	__u64 caller; /* what may be its return address, 0: no doubt (STACK_MAYBE_CALLER) */
	__u64 bp; /* of the leaf's frame, or of its caller's if it has none */
	__u64 id; /* pid_tgid of the thread */
	__u64 before; /* time of a record that is under way and shall come behind the stack; or 0 */
};

/* Where the frames of a goroutine go on behind those of code on the thread's own stack. */
enum native_next {
	NEXT_GO, /* at `go`: C, which it called */
	/*
	 * Where the last frame is of runtime.systemstack or runtime.morestack: at g.sched, of which
	 * go.pc is the PC and go.caller the word at SP, 0 if BP is a frame there. Otherwise nowhere: the thread runs for the
	 * goroutine no more, or not yet.
	 */
	NEXT_SWITCHED,
	NEXT_BP, /* where the frame pointer leads to the goroutine's stack: there is no other, or the vdso's */
};

/* Code on the thread's own stack, above the goroutine's. */
struct native_walk {
	struct walk go;
	__u64 lo, hi; /* what is in use of the thread's stack: [lo, hi) */
	__u64 pc; /* of the leaf */
	__u64 caller; /* as in struct walk, or certain */
	__u64 bp; /* the thread's: a frame's, if the code keeps frame pointers */
	__u32 next; /* enum native_next */
	__u32 flags; /* STACK_MAYBE_CALLER: whether that is one the collector finds out */
};

/*
 * Walk, send an ev_stack unless it was sent before, return its id. 0: no stack, and the loss
 * counted. A function of its own to the verifier, so that its loop is checked once.
 */
__u64 stack_send(struct walk *w);

/* The same with the frames of that in front: the leaf's, and those that frame pointers lead to. */
__u64 stack_send_native(struct native_walk *w);

/* Whether the stacks of goroutine `gp` are walked. */
static __always_inline bool stack_wanted(const struct target_cfg *cfg, const struct g_head *gp)
{
	return stack_choice(g_word(gp, cfg->g_goid)) < stack_limit(cfg);
}

static __always_inline void walk_begin(struct walk *w, const struct target_cfg *cfg,
				       const struct g_head *gp, __u64 id)
{
	w->lo = g_word(gp, cfg->g_stack_lo);
	w->hi = g_word(gp, cfg->g_stack_hi);
	w->pc = g_word(gp, cfg->g_sched_pc);
	w->caller = 0;
	w->bp = g_word(gp, cfg->g_sched_bp);
	w->id = id;
	w->before = 0;
}

/* The stack of a goroutine that left it by mcall, systemstack or morestack: from g.sched. */
static __always_inline __u64 sched_stack(const struct target_cfg *cfg, const struct g_head *gp,
					 __u64 id, const bool maybe_in_prologue)
{
	struct walk w;

	if (!stack_wanted(cfg, gp))
		return 0;
	walk_begin(&w, cfg, gp, id);
	if (!w.pc)
		return 0;
	/* stopped by morestack, the leaf has not pushed its caller's frame pointer yet */
	if (maybe_in_prologue)
		w.caller = read_word(g_word(gp, cfg->g_sched_sp));
	return stack_send(&w);
}

/* Where that one stopped, and no frame above: nothing is read. STACK_LEFT_OUT tells so. */
static __always_inline __u64 leaf_stack(const struct target_cfg *cfg, const struct g_head *gp,
					__u64 id)
{
	struct walk w;

	walk_begin(&w, cfg, gp, id);
	w.lo = w.hi = 0;
	return w.pc ? stack_send(&w) : 0;
}

/*
 * Where the stack begins of a goroutine which Go itself says is in a system call, from where it called the
 * syscall package: g.syscallpc and its frame pointer, as the runtime's own tracer does. Before
 * Go 1.23 that frame pointer is not kept; then it is the first one above g.syscallsp in the chain
 * that begins at `bp`, the thread's own. If that is C's, on another stack, the chain begins in
 * g.sched: asmcgocall put it there after g.syscallsp was written, and g.sched.sp, which tells so.
 */
static __always_inline bool syscall_walk(struct walk *w, const struct target_cfg *cfg,
					 const struct g_head *gp, __u64 bp, __u64 id)
{
	__u64 sp = g_word(gp, cfg->g_syscallsp);

	walk_begin(w, cfg, gp, id);
	w->pc = g_word(gp, cfg->g_syscallpc);
	w->bp = bp;
	if (!w->pc || !sp)
		return false;
	if (cfg->g_syscallbp != NO_OFFSET) {
		w->bp = g_word(gp, cfg->g_syscallbp);
	} else {
		if ((w->bp < w->lo || w->bp >= w->hi) && g_word(gp, cfg->g_sched_sp) < sp)
			w->bp = g_word(gp, cfg->g_sched_bp);
		for (int i = 0; i < 4 && w->bp >= w->lo && w->bp < sp; i++)
			w->bp = read_word(w->bp);
		if (w->bp < sp || w->bp >= w->hi)
			return false;
	}
	return true;
}

static __always_inline __u64 syscall_stack(const struct target_cfg *cfg, const struct g_head *gp,
					   __u64 bp, __u64 id)
{
	struct walk w;

	if (!stack_wanted(cfg, gp))
		return 0;
	return syscall_walk(&w, cfg, gp, bp, id) ? stack_send(&w) : 0;
}

#endif
