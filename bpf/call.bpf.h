/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The system call that has begun on this CPU: one record tells both its ends if no switch comes in
 * between. Programs of system calls are not preempted (syscall.bpf.c), so what is pending is complete
 * for whoever else looks at it on this CPU, but for interrupts: those see CALL_BEGINS.
 */
#ifndef GSCOPE_CALL_BPF_H
#define GSCOPE_CALL_BPF_H

#include "bpf/go.bpf.h"
#include "bpf/ring.bpf.h"

/* The place of this CPU's. */
static __always_inline struct pending_call *call_place(void)
{
	struct cpu_state *s = this_cpu();

	return s ? &s->call : NULL;
}

static __always_inline bool call_pending(const struct pending_call *c)
{
	return c && *(volatile const __u64 *)&c->since > CALL_BEGINS;
}

static __always_inline void call_mark(struct pending_call *c, __u64 since)
{
	barrier();
	*(volatile __u64 *)&c->since = since;
	barrier();
}

/* m.p may be taken away in what Go itself calls a system call, and only there. */
static __always_inline bool call_may_lose_proc(const struct pending_call *c)
{
	return c->gstatus == GO_SYSCALL && c->words;
}

/* m.p as it is now. */
static __always_inline __u64 call_proc(const struct pending_call *c)
{
	return call_may_lose_proc(c) ? read_word(c->words + c->p_off) : c->ctx.p;
}

/* It is interrupted: its begin is a record of its own, and its end will be another. */
static __always_inline void call_interrupt(struct pending_call *c)
{
	struct ev_sys_enter *ev = event_room(EV_SYS_ENTER, sizeof(*ev), LOSS_SYSCALL);

	if (ev) {
		ev->h.time_ns = c->since;
		ev->h.tid = c->id;
		ev->tgid = c->id >> 32;
		ev->cpu = bpf_get_smp_processor_id();
		ev->nr = c->nr;
		ev->gstatus = c->gstatus;
		ev->ctx = c->ctx;
		ev->stack = c->stack;
	}
	/* only now that it has its place in the ring: see user/capture/call.c */
	call_mark(c, 0);
	if (ev)
		event_submit(ev, sizeof(*ev));
}

#endif
