/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Reading the Go runtime's structs of the current thread. Every read may fail (the page is not in
 * memory, the thread is no Go thread): then what would have been read is 0.
 */
#ifndef GSCOPE_GO_BPF_H
#define GSCOPE_GO_BPF_H

#include "bpf/maps.bpf.h"
#include "bpf/task.bpf.h"

/* g.atomicstatus: runtime/runtime2.go, the same in Go 1.19 to 1.27 */
#define GO_RUNNABLE 1
#define GO_RUNNING 2
#define GO_SYSCALL 3
#define GO_WAITING 4
#define GO_DEAD 6
#define GO_PREEMPTED 9
#define GO_SCAN 0x1000U

/* The words of an m from m.curg on. */
struct m_words {
	__u64 w[M_WORDS / 8];
};

/* Limits and masks only tell the verifier what the collector guarantees. */
static __always_inline __u64 m_word(const struct m_words *m, __u32 off)
{
	off &= ~7U;
	barrier_var(off);
	return off <= M_WORDS - 8 ? *(const __u64 *)((const char *)m->w + off) : 0;
}

/* The beginning of a g. */
struct g_head {
	__u64 w[G_HEAD / 8];
};

static __always_inline __u64 g_word(const struct g_head *g, __u32 off)
{
	off &= ~7U;
	barrier_var(off);
	return off <= G_HEAD - 8 ? *(const __u64 *)((const char *)g->w + off) : 0;
}

static __always_inline __u8 g_byte(const struct g_head *g, __u32 off)
{
	barrier_var(off);
	return off < G_HEAD ? *((const __u8 *)g->w + off) : 0;
}

/* Two neighbours in it. */
struct g_ident {
	__u64 status, goid;
};

static __always_inline bool read_ident(const struct target_cfg *cfg, __u64 gp, struct g_ident *g)
{
	return !bpf_probe_read_user(g, sizeof(*g), (void *)(gp + cfg->g_status));
}

static __always_inline __u32 ident_status(const struct g_ident *g)
{
	return (__u32)g->status & ~GO_SCAN;
}

static __always_inline __u32 g_status(const struct g_head *g, const struct target_cfg *cfg)
{
	return (__u32)g_word(g, cfg->g_status) & ~GO_SCAN;
}

/* Since Go 1.26 a thread in a system call keeps its m.p until that is taken; m.oldp is not used. */
static __always_inline bool uses_oldp(const struct target_cfg *cfg)
{
	return cfg->go_minor < 26;
}

static __always_inline __u64 read_word(__u64 addr)
{
	__u64 word = 0;

	if (bpf_probe_read_user(&word, sizeof(word), (void *)addr))
		return 0;
	return word;
}

/* What is wanted of the current thread. */
struct thread_words {
	__u64 g; /* in thread-local storage, */
	__u64 between[M_TLS / 8 - 1]; /* which may be in the m; otherwise not used */
	struct m_words m;
};

/*
 * runtime.settls: threads of C have their libc's storage, far away. Either all threads of a process are
 * made by one or by the other.
 */
static __always_inline void note_tls(struct target_cfg *cfg, __u64 slot, __u64 words)
{
	if (words - slot == M_TLS)
		cfg->flags |= TARGET_TLS_IN_M;
}

/* Where m.curg is, 0: that is no Go thread, or it cannot be read; w->g is set. */
static __always_inline __u64 find_words(struct target_cfg *cfg, __u64 slot, struct thread_words *w)
{
	__u64 mp, words;

	w->g = read_word(slot);
	if (!w->g)
		return 0;
	mp = read_word(w->g + cfg->g_m);
	if (!mp)
		return 0;
	words = mp + cfg->m_curg;
	note_tls(cfg, slot, words);
	return words;
}

/*
 * Fills *ctx, and returns where m.curg is, 0: the thread is no Go thread; w->m is valid only if it is
 * not.
 */
static __always_inline __u64 read_gctx(struct target_cfg *cfg, __u64 fsbase, struct ev_gctx *ctx,
				       struct thread_words *w)
{
	__u64 slot = fsbase + cfg->tls_g, words;

	ctx->g = 0;
	ctx->curg = 0;
	ctx->p = 0;
	if (!fsbase)
		return 0;
	if (cfg->flags & TARGET_TLS_IN_M) {
		if (bpf_probe_read_user(w, sizeof(*w), (void *)slot) || !w->g)
			return 0;
		words = slot + M_TLS;
	} else {
		words = find_words(cfg, slot, w);
		if (!words || bpf_probe_read_user(&w->m, sizeof(w->m), (void *)words))
			return 0;
	}
	ctx->g = w->g;
	ctx->curg = w->m.w[0];
	ctx->p = m_word(&w->m, cfg->m_p);
	return words;
}

/* For who wants nothing else. */
static __always_inline void read_context(struct target_cfg *cfg, __u64 fsbase, struct ev_gctx *ctx)
{
	struct thread_words w;

	read_gctx(cfg, fsbase, ctx, &w);
}

#endif
