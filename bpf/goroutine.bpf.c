// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Goroutines change state: uprobes at sites user/target/sites.c chose, most of them instructions
 * `call runtime.casgstatus` (AX = gp, EBX = old status, ECX = new). Where the compiler inlined that
 * function the cookie says in which register gp is, and old and new status. R14 is a g0, most of the
 * time. One function per kind of evidence.
 *
 * SEC says "uprobe.multi"; user/capture/load.c makes plain uprobes of them where the kernel has
 * no multi-links.
 */
#include "bpf/hit.bpf.h"

#define FLAGS_ZF 0x40U

#define CALL_BYTES 5 /* of `call rel32` */

/* The goroutine a change of status is about. False: it failed, and is tried again. */
static __always_inline bool changed_g(struct pt_regs *ctx, __u64 cookie, __u64 *gp)
{
	__u32 place = cookie_place(cookie);

	*gp = ctx->ax;
	if (place == PLACE_CALL)
		return true;
	if (!(ctx->flags & FLAGS_ZF) != (place == PLACE_SWAP_BRANCH))
		return false;
	*gp = named_register(ctx, cookie);
	return true;
}

/* What hit_begin() does, for that one, and what hit_small() does. */
static __always_inline bool hit_change(struct hit *h, struct pt_regs *ctx, __u64 cookie)
{
	__u64 gp;

	return changed_g(ctx, cookie, &gp) && hit_begin(h, ctx, cookie, gp);
}

static __always_inline bool hit_small_change(struct hit *h, struct pt_regs *ctx, __u64 cookie)
{
	__u64 gp;

	return changed_g(ctx, cookie, &gp) && hit_small(h, ctx, cookie, gp);
}

/* The status gp had. After hit_change() or hit_small_change(), as the next one. */
static __always_inline __u8 old_status(const struct hit *h, const struct pt_regs *ctx)
{
	return cookie_place(h->cookie) == PLACE_CALL ? ctx->bx : cookie_old(h->cookie);
}

/* The status gp gets. */
static __always_inline __u8 new_status(const struct hit *h, const struct pt_regs *ctx)
{
	__u32 status = cookie_new(h->cookie);

	if (cookie_place(h->cookie) == PLACE_CALL)
		return ctx->cx;
	/* it has it already */
	return status == COOKIE_NO_STATUS ? ident_status(&h->who) : status;
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
	ev->goid = h->who.goid;
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

/* A system call begins, stamped before its stack is looked at. */
static __always_inline int go_emit_syscall(const struct hit *h, struct walk *w)
{
	struct ev_go *ev = go_reserve(h, sizeof(*ev));

	if (!ev)
		return 0;
	ev->old_status = GO_RUNNING;
	ev->new_status = GO_SYSCALL;
	w->before = ev->h.time_ns;
	if (stack_wanted(h->cfg, &h->g))
		ev->stack = stack_send(w);
	event_submit(ev, sizeof(*ev));
	return 0;
}

/* Kinds that say all by themselves. */
static __noinline int go_plain(struct pt_regs *ctx, __u64 cookie)
{
	struct hit h;

	if (!hit_small_change(&h, ctx, cookie))
		return 0;
	return go_emit(&h, old_status(&h, ctx), new_status(&h, ctx), 0);
}

/* GO_YIELD, GO_YIELD_PREEMPTED: the goroutine may have been stopped in a function's prologue. */
static __noinline int go_yield(struct pt_regs *ctx, __u64 cookie)
{
	struct hit h;

	if (!hit_change(&h, ctx, cookie))
		return 0;
	/* by its leaf a yield that was asked for is told from a preemption */
	if (cookie_kind(cookie) == GO_YIELD && !stack_wanted(h.cfg, &h.g))
		return go_emit(&h, old_status(&h, ctx), new_status(&h, ctx),
			       leaf_stack(h.cfg, &h.g, h.id));
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
	struct target_cfg *cfg = target_of(tgid);
	struct ev_go *ev;
	struct hit h;
	__u64 mp;

	if (!cfg || !(cfg->flags & TARGET_GO))
		return 0;
	mp = read_word(ctx->r14 + cfg->g_m);
	if (!hit_small(&h, ctx, cookie, read_word(mp + cfg->m_curg)))
		return 0;
	ev = go_reserve(&h, sizeof(*ev));
	if (!ev)
		return 0;
	ev->p = ctx->ax;
	ev->old_status = ident_status(&h.who);
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
	__u32 reason, skip, first;
	struct ev_go *ev;
	struct hit h;
	__u64 stack, *wait = h.g.w; /* room is scarce */
	__u8 wait_reason;

	if (!hit_change(&h, ctx, cookie))
		return 0;
	stack = sched_stack(h.cfg, &h.g, h.id, false);
	/* waitTraceBlockReason and waitTraceSkip are neighbours in this or that order, or unknown */
	reason = h.cfg->m_block_reason;
	skip = h.cfg->m_skip;
	first = reason < skip ? reason : skip;
	wait_reason = g_byte(&h.g, h.cfg->g_waitreason);
	wait[0] = 0;
	wait[1] = -1ULL;
	if (first != NO_OFFSET)
		bpf_probe_read_user(wait, 2 * sizeof(*wait), (void *)(h.mp + first));
	ev = go_reserve(&h, sizeof(*ev));
	if (!ev)
		return 0;
	ev->stack = stack;
	ev->old_status = old_status(&h, ctx);
	ev->new_status = new_status(&h, ctx);
	ev->wait_reason = wait_reason;
	ev->block_reason = first == reason ? wait[0] : wait[1];
	ev->skip = small_skip(first == reason ? wait[1] : wait[0]);
	event_submit(ev, sizeof(*ev));
	return 0;
}

static __noinline int go_ready(struct pt_regs *ctx, __u64 cookie)
{
	struct ev_go *ev;
	__u64 stack, skip = -1;
	struct hit h;
	__u8 worker = GC_WORKER_NONE;
	__u32 slot;

	if (!hit_small_change(&h, ctx, cookie))
		return 0;
	if (cookie_reading(cookie) == READ_WORKER && h.cfg->p_worker_mode != NO_OFFSET)
		bpf_probe_read_user(&worker, 1, (void *)(h.p + h.cfg->p_worker_mode));
	stack = stack_limit(h.cfg) ? actor_stack(&h, ctx) : 0;
	slot = cookie_slot(h.cookie);
	if (slot != COOKIE_NO_SLOT &&
	    bpf_probe_read_user(&skip, sizeof(skip), (void *)(ctx->sp + slot)))
		skip = -1;
	ev = go_reserve(&h, sizeof(*ev));
	if (!ev)
		return 0;
	ev->other = h.curg;
	ev->stack = stack;
	ev->old_status = old_status(&h, ctx);
	ev->new_status = new_status(&h, ctx);
	ev->block_reason = worker;
	ev->skip = small_skip(skip);
	event_submit(ev, sizeof(*ev));
	return 0;
}

/* p.status up to Go 1.25: it still belongs to the thread that is in a system call. */
#define P_SYSCALL 2U

/* Call C: as a system call, which it is to the runtime. */
static __noinline int go_cgo_enter(struct pt_regs *ctx, __u64 cookie)
{
	struct hit h;
	struct walk w;

	if (!hit_begin(&h, ctx, cookie, ctx->r14))
		return 0;
	walk_begin(&w, h.cfg, &h.g, h.id);
	w.pc = ctx->ip + CALL_BYTES;
	w.bp = ctx->bp;
	return go_emit_syscall(&h, &w);
}

/* What C called returns to it: the goroutine is where it was when it called C. */
static __noinline int go_cgo_reenter(struct pt_regs *ctx, __u64 cookie)
{
	struct hit h;
	struct walk w;

	if (!hit_begin(&h, ctx, cookie, ctx->r14))
		return 0;
	walk_begin(&w, h.cfg, &h.g, h.id);
	w.pc = ctx->ax;
	w.bp = h.cfg->g_syscallbp != NO_OFFSET ? ctx->cx : ctx->bx + h.cfg->cgocall_frame;
	return go_emit_syscall(&h, &w);
}

/* C returns, or calls Go. */
static __noinline int go_cgo_exit(struct pt_regs *ctx, __u64 cookie)
{
	struct m_words m;
	struct hit h;
	__u64 oldp;
	__u32 status = 0;

	if (!hit_goroutine(&h, ctx, cookie, ctx->r14, &m))
		return 0;
	oldp = m_word(&m, h.cfg->m_oldp);
	if (!h.p && oldp &&
	    !bpf_probe_read_user(&status, sizeof(status), (void *)(oldp + h.cfg->p_status)) &&
	    status == P_SYSCALL)
		h.p = oldp;
	return go_emit(&h, GO_SYSCALL, GO_RUNNING, 0);
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

	goid = has_goid ? h->who.goid : next_goid(h);
	stack = stack_limit(h->cfg) ? actor_stack(h, ctx) : 0;
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

	if (!hit_small_change(&h, ctx, cookie))
		return 0;
	return on_create(&h, ctx, old_status(&h, ctx), new_status(&h, ctx), true);
}

/* The same where go_create_runqput sees all but those created for a coroutine. */
static __noinline int go_create_coro(struct pt_regs *ctx, __u64 cookie)
{
	struct hit h;

	if (cookie_place(cookie) == PLACE_CALL && (__u32)ctx->cx != GO_WAITING)
		return 0;
	if (!hit_small_change(&h, ctx, cookie) || new_status(&h, ctx) != GO_WAITING)
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
	if (!hit_small(&h, ctx, cookie, gp))
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
	case READ_WORKER:
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
	case READ_CGO_ENTER:
		return go_cgo_enter(ctx, cookie);
	case READ_CGO_REENTER:
		return go_cgo_reenter(ctx, cookie);
	case READ_CGO_EXIT:
		return go_cgo_exit(ctx, cookie);
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
