// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Goroutines change state: uprobes at sites user/target/sites.c chose, most of them instructions
 * `call runtime.casgstatus` (AX = gp, EBX = old status, ECX = new). Where the compiler inlined that
 * function the cookie says in which register gp is, and old and new status. R14 is the running g,
 * most of the time g0. One program per kind of evidence; the attach cookie tells which site was hit.
 *
 * SEC says "uprobe.multi"; user/capture/load.c makes plain uprobes of them where the kernel has
 * no multi-links.
 */
#include "bpf/go.bpf.h"
#include "bpf/ring.bpf.h"
#include "bpf/stack.bpf.h"

/* Hits by site. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} site_hits SEC(".maps");

/*
 * One hit of a probe. Mind the stack: go_probe, what it calls and stack_send() have 512 bytes
 * together, each rounded up to a multiple of 32.
 */
struct hit {
	__u64 cookie;
	__u64 id; /* pid_tgid */
	struct target_cfg *cfg;
	__u64 gp;
	struct g_head g; /* gp's */
	__u64 mp; /* the thread's m */
	__u64 curg, p; /* m.curg, m.p */
};

/*
 * Fill in what all kinds need. False: not our process (one that shares the text, like a vfork
 * child), or its memory cannot be read.
 */
static __always_inline bool hit_begin(struct hit *h, struct pt_regs *ctx, __u64 cookie, __u64 gp)
{
	struct m_words m;
	__u32 tgid, site;
	__u64 *hits;

	h->id = bpf_get_current_pid_tgid();
	tgid = h->id >> 32;
	h->cfg = bpf_map_lookup_elem(&targets, &tgid);
	if (!h->cfg || !(h->cfg->flags & TARGET_GO))
		return false;
	h->cookie = cookie;
	site = cookie_site(cookie);
	hits = bpf_map_lookup_elem(&site_hits, &site);
	if (hits)
		__sync_fetch_and_add(hits, 1);
	h->gp = gp;
	if (bpf_probe_read_user(&h->g, sizeof(h->g), (void *)gp)) {
		count_loss(LOSS_GO);
		return false;
	}
	/* gp.m is the thread's m, or 0 if gp is bound to none */
	h->mp = g_word(&h->g, h->cfg->g_m);
	if (!h->mp)
		h->mp = read_word(ctx->r14 + h->cfg->g_m);
	if (bpf_probe_read_user(&m, sizeof(m), (void *)(h->mp + h->cfg->m_curg))) {
		count_loss(LOSS_GO);
		return false;
	}
	h->curg = m.w[0];
	h->p = m_word(&m, h->cfg->m_p);
	return true;
}

#define FLAGS_ZF 0x40U

/* The register a cookie names. */
static __noinline __u64 named_register(struct pt_regs *ctx, __u64 cookie)
{
	__u64 v = 0;

	bpf_probe_read_kernel(&v, sizeof(v), (const __u64 *)ctx + cookie_word(cookie));
	return v;
}

/* What hit_begin() does for a change of status. False, too, if it failed, and is tried again. */
static __always_inline bool hit_change(struct hit *h, struct pt_regs *ctx, __u64 cookie)
{
	__u32 place = cookie_place(cookie);

	if (place == PLACE_CALL)
		return hit_begin(h, ctx, cookie, ctx->ax);
	if (!(ctx->flags & FLAGS_ZF) != (place == PLACE_SWAP_BRANCH))
		return false;
	return hit_begin(h, ctx, cookie, named_register(ctx, cookie));
}

/* The status gp had. After hit_change(), as the next one. */
static __always_inline __u8 old_status(const struct hit *h, const struct pt_regs *ctx)
{
	return cookie_place(h->cookie) == PLACE_CALL ? ctx->bx : cookie_old(h->cookie);
}

/* The status gp gets; to be called before h->g is replaced. */
static __always_inline __u8 new_status(const struct hit *h, const struct pt_regs *ctx)
{
	__u32 status = cookie_new(h->cookie);

	if (cookie_place(h->cookie) == PLACE_CALL)
		return ctx->cx;
	/* it has it already */
	return status == COOKIE_NO_STATUS ? g_status(&h->g, h->cfg) : status;
}

static __always_inline struct ev_go *go_reserve(const struct hit *h, __u32 room)
{
	struct ev_go *ev =
		event_reserve(room == sizeof(struct ev_go) ? EV_GO : EV_GO_CREATE, room, LOSS_GO);

	if (!ev)
		return NULL;
	ev->h.tid = h->id;
	ev->tgid = h->id >> 32;
	ev->cpu = bpf_get_smp_processor_id();
	ev->gp = h->gp;
	ev->goid = g_word(&h->g, h->cfg->g_goid);
	ev->p = h->p;
	ev->other = 0;
	ev->stack = 0;
	ev->site = cookie_site(h->cookie);
	ev->kind = cookie_kind(h->cookie);
	ev->old_status = 0;
	ev->new_status = 0;
	ev->wait_reason = 0;
	ev->block_reason = 0;
	ev->skip = -1;
	return ev;
}

static __always_inline int go_emit(const struct hit *h, __u8 old_status, __u8 new_status,
				   __u64 stack)
{
	struct ev_go *ev = go_reserve(h, sizeof(*ev));

	if (!ev)
		return 0;
	ev->stack = stack;
	ev->old_status = old_status;
	ev->new_status = new_status;
	event_submit(ev, sizeof(*ev));
	return 0;
}

/* Kinds that say all by themselves. */
static __noinline int go_plain(struct pt_regs *ctx, __u64 cookie)
{
	struct hit h;

	if (!hit_change(&h, ctx, cookie))
		return 0;
	return go_emit(&h, old_status(&h, ctx), new_status(&h, ctx), 0);
}

/* GO_YIELD, GO_YIELD_PREEMPTED: the goroutine may have been stopped in a function's prologue. */
static __noinline int go_yield(struct pt_regs *ctx, __u64 cookie)
{
	struct hit h;

	if (!hit_change(&h, ctx, cookie))
		return 0;
	return go_emit(&h, old_status(&h, ctx), new_status(&h, ctx),
		       sched_stack(h.cfg, &h.g, h.id, true));
}

/* At `call casGToPreemptScan`: AX = gp. */
static __noinline int go_preempt_park(struct pt_regs *ctx, __u64 cookie)
{
	struct hit h;

	if (!hit_change(&h, ctx, cookie))
		return 0;
	return go_emit(&h, GO_RUNNING, GO_PREEMPTED, sched_stack(h.cfg, &h.g, h.id, true));
}

/* entersyscallblock runs on the goroutine's own stack and has filled in g.syscall*. */
static __noinline int go_sysblock(struct pt_regs *ctx, __u64 cookie)
{
	struct hit h;

	if (!hit_change(&h, ctx, cookie))
		return 0;
	return go_emit(&h, old_status(&h, ctx), new_status(&h, ctx),
		       syscall_stack(h.cfg, &h.g, ctx->bp, h.id));
}

/* AX = the new P, m.p is 0 still; the goroutine is m.curg, by its status running from 1.26 on. */
static __noinline int go_sysexit_newp(struct pt_regs *ctx, __u64 cookie)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct target_cfg *cfg = bpf_map_lookup_elem(&targets, &tgid);
	struct ev_go *ev;
	struct hit h;
	__u64 mp;

	if (!cfg || !(cfg->flags & TARGET_GO))
		return 0;
	mp = read_word(ctx->r14 + cfg->g_m);
	if (!hit_begin(&h, ctx, cookie, read_word(mp + cfg->m_curg)))
		return 0;
	ev = go_reserve(&h, sizeof(*ev));
	if (!ev)
		return 0;
	ev->p = ctx->ax;
	ev->old_status = g_status(&h.g, h.cfg);
	ev->new_status = GO_RUNNING;
	event_submit(ev, sizeof(*ev));
	return 0;
}

static __always_inline __s8 small_skip(__u64 skip)
{
	return skip <= 127 ? (__s8)skip : -1;
}

static __noinline int go_park(struct pt_regs *ctx, __u64 cookie)
{
	__u64 wait[2] = {0, -1ULL};
	struct ev_go *ev;
	__u64 stack;
	struct hit h;
	__u32 reason, skip, first;

	if (!hit_change(&h, ctx, cookie))
		return 0;
	stack = sched_stack(h.cfg, &h.g, h.id, false);
	/* waitTraceBlockReason and waitTraceSkip are neighbours in this or that order, or unknown */
	reason = h.cfg->m_block_reason;
	skip = h.cfg->m_skip;
	first = reason < skip ? reason : skip;
	if (first != NO_OFFSET)
		bpf_probe_read_user(wait, sizeof(wait), (void *)(h.mp + first));
	ev = go_reserve(&h, sizeof(*ev));
	if (!ev)
		return 0;
	ev->stack = stack;
	ev->old_status = old_status(&h, ctx);
	ev->new_status = new_status(&h, ctx);
	ev->wait_reason = g_byte(&h.g, h.cfg->g_waitreason);
	ev->block_reason = first == reason ? wait[0] : wait[1];
	ev->skip = small_skip(first == reason ? wait[1] : wait[0]);
	event_submit(ev, sizeof(*ev));
	return 0;
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
	if (ctx->r14 == actor) {
		struct walk w;

		walk_begin(&w, h->cfg, &h->g, h->id);
		w.pc = ctx->ip;
		w.bp = ctx->bp;
		return stack_send(&w);
	}
	if (g_word(&h->g, h->cfg->g_syscallsp))
		return syscall_stack(h->cfg, &h->g, ctx->bp, h->id);
	return sched_stack(h->cfg, &h->g, h->id, false);
}

static __noinline int go_ready(struct pt_regs *ctx, __u64 cookie)
{
	struct ev_go *ev;
	__u64 goid, stack, skip = -1;
	__u8 changed;
	struct hit h;
	__u32 slot;

	if (!hit_change(&h, ctx, cookie))
		return 0;
	goid = g_word(&h.g, h.cfg->g_goid);
	changed = new_status(&h, ctx);
	stack = actor_stack(&h, ctx);
	slot = cookie_slot(h.cookie);
	if (slot != COOKIE_NO_SLOT &&
	    bpf_probe_read_user(&skip, sizeof(skip), (void *)(ctx->sp + slot)))
		skip = -1;
	ev = go_reserve(&h, sizeof(*ev));
	if (!ev)
		return 0;
	ev->goid = goid;
	ev->other = h.curg;
	ev->stack = stack;
	ev->old_status = old_status(&h, ctx);
	ev->new_status = changed;
	ev->skip = small_skip(skip);
	event_submit(ev, sizeof(*ev));
	return 0;
}

/* What newproc1 of Go 1.23 is about to give the new goroutine. */
static __always_inline __u64 next_goid(const struct hit *h)
{
	__u64 goid = read_word(h->p + h->cfg->p_goidcache);

	if (goid != read_word(h->p + h->cfg->p_goidcacheend))
		return goid;
	return read_word(h->cfg->goidgen) + 1;
}

static __always_inline int on_create(struct hit *h, struct pt_regs *ctx, __u8 old_status,
				     __u8 new_status, bool has_goid)
{
	struct ev_go_create *ev;
	__u64 goid, stack;

	goid = has_goid ? g_word(&h->g, h->cfg->g_goid) : next_goid(h);
	stack = actor_stack(h, ctx);
	ev = (void *)go_reserve(h, sizeof(*ev));
	if (!ev)
		return 0;
	ev->go.kind = new_status == GO_WAITING ? GO_CREATE_BLOCKED : GO_CREATE;
	ev->go.goid = goid;
	ev->go.other = h->curg;
	ev->go.stack = stack;
	ev->go.old_status = old_status;
	ev->go.new_status = new_status;
	ev->start_pc = read_word(h->gp + h->cfg->g_startpc);
	ev->go_pc = read_word(h->gp + h->cfg->g_gopc);
	event_submit(ev, sizeof(*ev));
	return 0;
}

/* newproc1 calls casgstatus. */
static __noinline int go_create_cas(struct pt_regs *ctx, __u64 cookie)
{
	struct hit h;

	if (!hit_change(&h, ctx, cookie))
		return 0;
	return on_create(&h, ctx, old_status(&h, ctx), new_status(&h, ctx), true);
}

/* The same where go_create_runqput sees all but those created for a coroutine. */
static __noinline int go_create_coro(struct pt_regs *ctx, __u64 cookie)
{
	struct hit h;

	if (cookie_place(cookie) == PLACE_CALL && (__u32)ctx->cx != GO_WAITING)
		return 0;
	if (!hit_change(&h, ctx, cookie) || new_status(&h, ctx) != GO_WAITING)
		return 0;
	return on_create(&h, ctx, old_status(&h, ctx), GO_WAITING, false);
}

/* newproc's `call runqput`: BX = the new g, whose id is known by now. */
static __noinline int go_create_runqput(struct pt_regs *ctx, __u64 cookie)
{
	__u64 gp = ctx->bx;
	struct hit h;

	if (cookie_place(cookie) == PLACE_REGISTER)
		gp = named_register(ctx, cookie);
	if (!hit_begin(&h, ctx, cookie, gp))
		return 0;
	return on_create(&h, ctx, GO_DEAD, GO_RUNNABLE, true);
}

/* coroswitch_m: AX = gp, gp.coroarg.gp runs next, on this thread. */
static __noinline int go_switch(struct pt_regs *ctx, __u64 cookie)
{
	struct ev_go *ev;
	__u64 stack, coro, next;
	struct hit h;
	__u8 exits = 0;

	if (!hit_begin(&h, ctx, cookie, ctx->ax))
		return 0;
	coro = read_word(h.gp + h.cfg->g_coroarg);
	next = read_word(coro + h.cfg->coro_gp);
	bpf_probe_read_user(&exits, 1, (void *)(h.gp + h.cfg->g_coroexit));
	stack = sched_stack(h.cfg, &h.g, h.id, false);
	ev = go_reserve(&h, sizeof(*ev));
	if (!ev)
		return 0;
	ev->other = next;
	ev->stack = stack;
	ev->old_status = GO_RUNNING;
	ev->new_status = exits ? GO_DEAD : GO_WAITING;
	event_submit(ev, sizeof(*ev));
	return 0;
}

/*
 * Always empty. A program with a tail call gets no private stack: from e00931c02568 ("bpf: Enable
 * private stack for eligible subprogs", v6.13) on, others have one per CPU, though a uprobe's
 * program can be preempted by another thread that runs it, too, on the same CPU. They would write
 * over each other's variables; the check for recursion that should prevent it is not made for
 * uprobes.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} no_program SEC(".maps");

SEC("uprobe.multi")
int go_probe(struct pt_regs *ctx)
{
	__u64 cookie = bpf_get_attach_cookie(ctx);

	switch (cookie_reading(cookie)) {
	case READ_PLAIN:
		return go_plain(ctx, cookie);
	case READ_PARK:
		return go_park(ctx, cookie);
	case READ_READY:
		return go_ready(ctx, cookie);
	case READ_YIELD:
		return go_yield(ctx, cookie);
	case READ_PREEMPT_PARK:
		return go_preempt_park(ctx, cookie);
	case READ_SYSBLOCK:
		return go_sysblock(ctx, cookie);
	case READ_SYSEXIT_NEWP:
		return go_sysexit_newp(ctx, cookie);
	case READ_CREATE_CAS:
		return go_create_cas(ctx, cookie);
	case READ_CREATE_CORO:
		return go_create_coro(ctx, cookie);
	case READ_CREATE_RUNQPUT:
		return go_create_runqput(ctx, cookie);
	case READ_SWITCH:
		return go_switch(ctx, cookie);
	}
	bpf_tail_call(ctx, &no_program, 0);
	return 0;
}

/* For measuring what a hit costs by itself. */
SEC("uprobe.multi")
int probe_empty(struct pt_regs *ctx)
{
	return 0;
}
