// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What the runtime does besides: uprobes at the places where its own tracer would tell it
 * (traceruntime.go), most of them on the thread's own stack, on behalf of m.curg.
 */
#include "bpf/hit.bpf.h"

static __always_inline int emit(const struct hit *h, __u64 goid, __u64 stack, __u64 arg0,
				__u64 arg1)
{
	struct ev_runtime *ev = event_reserve(EV_RUNTIME, sizeof(*ev), LOSS_GO);

	if (!ev)
		return 0;
	ev->h.tid = h->id;
	ev->tgid = h->id >> 32;
	ev->cpu = bpf_get_smp_processor_id();
	ev->gp = h->curg;
	ev->goid = goid;
	ev->p = h->p;
	ev->stack = stack;
	ev->arg[0] = arg0;
	ev->arg[1] = arg1;
	ev->site = cookie_site(h->cookie);
	ev->kind = cookie_kind(h->cookie);
	for (int i = 0; i < (int)sizeof(ev->pad); i++)
		ev->pad[i] = 0;
	event_submit(ev, sizeof(*ev));
	return 0;
}

/* The thread, as R14 leads to it. False as hit_enter() and hit_thread(). */
static __always_inline bool enter(struct hit *h, struct pt_regs *ctx, __u64 cookie)
{
	struct m_words m;

	return hit_enter(h, cookie) && hit_thread(h, hit_m(h, ctx, 0), &m);
}

/* Go 1.19 has no number for why; what else is passed is less than a word. */
static __always_inline __u64 argument(struct pt_regs *ctx, __u64 cookie)
{
	__u64 v;

	if (cookie_place(cookie) != PLACE_REGISTER)
		return cookie_kind(cookie) == RT_STW_BEGIN ? RT_NO_REASON : 0;
	v = named_register(ctx, cookie);
	switch (cookie_kind(cookie)) {
	case RT_STW_BEGIN: /* stwReason: uint8, or int of which the compiler sets half */
		return v & 0xff;
	case RT_PROCS: /* int32 */
		return (__u32)v;
	}
	return v;
}

static __always_inline bool has_stack(__u32 kind)
{
	return kind == RT_STW_BEGIN || kind == RT_GC_BEGIN || kind == RT_ASSIST_BEGIN ||
	       kind == RT_PROCS;
}

static __noinline int on_runtime(struct pt_regs *ctx, __u64 cookie)
{
	__u64 goid = 0, stack = 0;
	struct hit h;

	if (!enter(&h, ctx, cookie))
		return 0;
	if (has_stack(cookie_kind(cookie))) {
		stack = actor_stack(&h, ctx);
		if (h.curg)
			goid = g_word(&h.g, h.cfg->g_goid);
	} else if (h.curg) {
		goid = read_word(h.curg + h.cfg->g_goid);
	}
	return emit(&h, goid, stack, argument(ctx, cookie), 0);
}

/*
 * The stack of m.curg if it begins a system call and has not said so by its status: from Go 1.26 on
 * entersyscallblock gives its P away before it does.
 */
static __always_inline __u64 blocking_stack(struct hit *h, struct pt_regs *ctx)
{
	if (bpf_probe_read_user(&h->g, sizeof(h->g), (void *)h->curg) ||
	    g_status(&h->g, h->cfg) != GO_RUNNING || !g_word(&h->g, h->cfg->g_syscallsp))
		return 0;
	return syscall_stack(h->cfg, &h->g, ctx->bp, h->id);
}

/*
 * Threads that look for work take and give up a P each time they find none: what they do not need,
 * which is all that is a goroutine's, is not looked at.
 */
static __noinline int on_proc(struct pt_regs *ctx, __u64 cookie)
{
	__u64 p, stack = 0;
	struct hit h;

	if (!enter(&h, ctx, cookie))
		return 0;
	p = cookie_place(cookie) == PLACE_REGISTER ? named_register(ctx, cookie) : h.p;
	if (h.curg && cookie_kind(cookie) == RT_PROC_STOP)
		stack = blocking_stack(&h, ctx);
	return emit(&h, 0, stack, p, 0);
}

/* --- sweeps ------------------------------------------------------------------------------- */

#define MSPAN_NPAGES 32 /* runtime/mheap.go: the same in Go 1.19 to 1.27 */
#define PAGE_BYTES 8192

/*
 * Bytes a thread has swept since it began: for as long as it may, it is not preempted, as the
 * runtime keeps the same numbers by P. Of threads that are gone the oldest make room.
 */
#define MAX_SWEEPERS 4096
#define NO_SWEEP (~0ULL)

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_SWEEPERS);
	__type(key, __u32);
	__type(value, __u64);
} sweeps SEC(".maps");

static __noinline int on_sweep_begin(__u64 cookie)
{
	__u32 tid = bpf_get_current_pid_tgid();
	__u64 *bytes, none = 0;
	struct hit h;

	if (!hit_enter(&h, cookie))
		return 0;
	bytes = bpf_map_lookup_elem(&sweeps, &tid);
	if (bytes)
		*bytes = 0;
	else if (bpf_map_update_elem(&sweeps, &tid, &none, BPF_ANY))
		count_loss(LOSS_GO);
	return 0;
}

static __noinline int on_sweep_span(struct pt_regs *ctx, __u64 cookie)
{
	__u32 tid = bpf_get_current_pid_tgid();
	__u64 *bytes, before, stack;
	struct hit h;

	if (!hit_enter(&h, cookie))
		return 0;
	bytes = bpf_map_lookup_elem(&sweeps, &tid);
	if (!bytes || *bytes == NO_SWEEP)
		return 0; /* bgsweep, of which the runtime's tracer tells nothing either */
	before = *bytes;
	*bytes += read_word(named_register(ctx, cookie) + MSPAN_NPAGES) * PAGE_BYTES;
	if (before)
		return 0;
	if (!hit_any_thread(&h, ctx))
		return 0;
	stack = actor_stack(&h, ctx);
	return emit(&h, h.curg ? g_word(&h.g, h.cfg->g_goid) : 0, stack, 0, 0);
}

static __noinline int on_sweep_end(struct pt_regs *ctx, __u64 cookie)
{
	__u32 tid = bpf_get_current_pid_tgid();
	__u64 *bytes, swept;
	struct hit h;

	if (!hit_enter(&h, cookie))
		return 0;
	bytes = bpf_map_lookup_elem(&sweeps, &tid);
	if (!bytes || *bytes == NO_SWEEP)
		return 0;
	swept = *bytes;
	*bytes = NO_SWEEP;
	if (!swept || !hit_any_thread(&h, ctx))
		return 0;
	return emit(&h, h.curg ? read_word(h.curg + h.cfg->g_goid) : 0, 0, swept, 0);
}

SEC("uprobe.multi")
int runtime_probe(struct pt_regs *ctx)
{
	__u64 cookie = bpf_get_attach_cookie(ctx);

	switch (cookie_reading(cookie)) {
	case READ_PROC:
		return on_proc(ctx, cookie);
	case READ_RUNTIME:
		return on_runtime(ctx, cookie);
	}
	bpf_tail_call(ctx, &no_program, 0);
	return 0;
}

/* A program of its own, so that a kernel which refuses one has the other. */
SEC("uprobe.multi")
int sweep_probe(struct pt_regs *ctx)
{
	__u64 cookie = bpf_get_attach_cookie(ctx);

	switch (cookie_reading(cookie)) {
	case READ_SWEEP_BEGIN:
		return on_sweep_begin(cookie);
	case READ_SWEEP_SPAN:
		return on_sweep_span(ctx, cookie);
	case READ_SWEEP_END:
		return on_sweep_end(ctx, cookie);
	}
	bpf_tail_call(ctx, &no_program, 0);
	return 0;
}
