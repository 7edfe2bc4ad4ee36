/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What programs of uprobes have in common. The attach cookie tells which site was hit and how to
 * read it; R14 is the running g, a goroutine's or a g0.
 */
#ifndef GSCOPE_HIT_BPF_H
#define GSCOPE_HIT_BPF_H

#include "bpf/go.bpf.h"
#include "bpf/ring.bpf.h"
#include "bpf/stack.bpf.h"

/* Hits by site. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} site_hits __weak SEC(".maps");

/*
 * Always empty; every program ends with a tail call into it. A program with a tail call gets no
 * private stack: from e00931c02568 ("bpf: Enable private stack for eligible subprogs", v6.13) on,
 * others have one per CPU, though a uprobe's program can be preempted by another thread that runs
 * it, too, on the same CPU. They would write over each other's variables; the check for recursion
 * that should prevent it is not made for uprobes.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} no_program __weak SEC(".maps");

/*
 * One hit of a probe. Mind the stack: a program, what it calls and stack_send() have 512 bytes
 * together, each rounded up to a multiple of 32.
 */
struct hit {
	__u64 cookie;
	__u64 id; /* pid_tgid */
	struct target_cfg *cfg;
	__u64 gp;
	struct g_ident who; /* gp's, */
	struct g_head g; /* and this, if it was asked for */
	__u64 mp; /* the thread's m; until it is known the FS base: room is scarce */
	__u64 curg, p; /* m.curg, m.p */
};

/*
 * Count it. False: not our process, but one that shares the text, like a vfork child; or probes
 * rest.
 */
static __always_inline bool hit_enter(struct hit *h, __u64 cookie)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u32 site = cookie_site(cookie);
	__u64 *hits;

	h->id = task_id(true, task);
	h->mp = task->thread.fsbase;
	h->cfg = target_of(h->id >> 32);
	if (!h->cfg || !(h->cfg->flags & TARGET_GO))
		return false;
	h->cookie = cookie;
	hits = bpf_map_lookup_elem(&site_hits, &site);
	if (hits)
		__sync_fetch_and_add(hits, 1);
	return !probes_rest[h->cfg->index & (MAX_TARGETS - 1)];
}

/*
 * The thread's m. Where that has its thread's storage nothing needs to be read; else gp.m is it, if
 * that is known and gp is bound to a thread.
 */
static __always_inline __u64 hit_m(const struct hit *h, struct pt_regs *ctx, __u64 gp_m)
{
	__u64 slot = h->mp + h->cfg->tls_g;

	if (h->cfg->flags & TARGET_TLS_IN_M)
		return slot + M_TLS - h->cfg->m_curg;
	if (!gp_m)
		gp_m = read_word(ctx->r14 + h->cfg->g_m);
	note_tls(h->cfg, slot, gp_m + h->cfg->m_curg);
	return gp_m;
}

/* What is in an m. False, and the loss counted: it cannot be read. */
static __always_inline bool hit_thread(struct hit *h, __u64 mp, struct m_words *m)
{
	h->mp = mp;
	if (bpf_probe_read_user(m, sizeof(*m), (void *)(mp + h->cfg->m_curg))) {
		count_loss(LOSS_GO);
		return false;
	}
	h->curg = m->w[0];
	h->p = m_word(m, h->cfg->m_p);
	return true;
}

/* The same, for who wants nothing else of it. */
static __always_inline bool hit_any_thread(struct hit *h, struct pt_regs *ctx)
{
	struct m_words m;

	return hit_thread(h, hit_m(h, ctx, 0), &m);
}

/* All there is to know of goroutine `gp` and the thread; false as the two above. */
static __always_inline bool hit_goroutine(struct hit *h, struct pt_regs *ctx, __u64 cookie,
					  __u64 gp, struct m_words *m)
{
	if (!hit_enter(h, cookie))
		return false;
	h->gp = gp;
	if (bpf_probe_read_user(&h->g, sizeof(h->g), (void *)gp)) {
		count_loss(LOSS_GO);
		return false;
	}
	h->who.status = g_word(&h->g, h->cfg->g_status);
	h->who.goid = g_word(&h->g, h->cfg->g_goid);
	return hit_thread(h, hit_m(h, ctx, g_word(&h->g, h->cfg->g_m)), m);
}

/* What is needed of any goroutine `gp`, and the thread; without h->g. False as the two above. */
static __always_inline bool hit_small(struct hit *h, struct pt_regs *ctx, __u64 cookie, __u64 gp)
{
	struct m_words m;

	if (!hit_enter(h, cookie))
		return false;
	h->gp = gp;
	if (!read_ident(h->cfg, gp, &h->who)) {
		count_loss(LOSS_GO);
		return false;
	}
	return hit_thread(h, hit_m(h, ctx, 0), &m);
}

static __always_inline bool hit_begin(struct hit *h, struct pt_regs *ctx, __u64 cookie, __u64 gp)
{
	struct m_words m;

	return hit_goroutine(h, ctx, cookie, gp, &m);
}

/* The register a cookie names. */
static __noinline __u64 named_register(struct pt_regs *ctx, __u64 cookie)
{
	__u64 v = 0;

	bpf_probe_read_kernel(&v, sizeof(v), (const __u64 *)ctx + cookie_word(cookie));
	return v;
}

/* The stack of h->gp, which runs on it: stacks hold addresses behind an instruction. */
static __always_inline __u64 own_stack(struct hit *h, struct pt_regs *ctx)
{
	struct walk w;

	if (!stack_wanted(h->cfg, &h->g))
		return 0;
	walk_begin(&w, h->cfg, &h->g, h->id);
	w.pc = ctx->ip + 1;
	w.bp = ctx->bp;
	if (cookie_is_frameless(h->cookie))
		w.caller = read_word(ctx->sp);
	return stack_send(&w);
}

/*
 * The stack of m.curg, on whose behalf the runtime acts, or 0. Replaces h->g by its g: whoever
 * needs gp's own is done with it.
 */
static __always_inline __u64 actor_stack(struct hit *h, struct pt_regs *ctx)
{
	__u64 actor = h->curg;

	if (!actor || bpf_probe_read_user(&h->g, sizeof(h->g), (void *)actor))
		return 0;
	if (ctx->r14 == actor)
		return own_stack(h, ctx);
	if (g_word(&h->g, h->cfg->g_syscallsp))
		return syscall_stack(h->cfg, &h->g, ctx->bp, h->id);
	return sched_stack(h->cfg, &h->g, h->id, false);
}

#endif
