// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/call.h"

#include <stdbool.h>

struct ev_sys_enter call_begin(const struct ev_syscall *ev)
{
	return (struct ev_sys_enter){
		.h = {.time_ns = ev->begin_ns,
		      .tid = ev->h.tid,
		      .type = EV_SYS_ENTER,
		      .size = sizeof(struct ev_sys_enter)},
		.tgid = ev->tgid,
		.cpu = ev->cpu,
		.nr = ev->nr,
		.gstatus = ev->gstatus,
		.ctx = ev->ctx,
		.stack = ev->stack,
	};
}

struct ev_sys_exit call_end(const struct ev_syscall *ev)
{
	bool told = ev->gstatus == GSTATUS_TOLD;

	return (struct ev_sys_exit){
		.h = {.time_ns = ev->h.time_ns,
		      .tid = ev->h.tid,
		      .type = EV_SYS_EXIT,
		      .size = sizeof(struct ev_sys_exit)},
		.tgid = ev->tgid,
		.cpu = ev->cpu,
		.nr = ev->exit_nr,
		.gstatus = ev->gstatus,
		.ctx = {.g = ev->ctx.g, .curg = told ? ev->oldp : ev->ctx.curg, .p = ev->exit_p},
		.oldp = told ? 0 : ev->oldp,
		.oldp_status = ev->oldp_status,
		.ret = ev->ret,
	};
}

struct ev_sys_enter call_pending_begin(const struct pending_call *c, uint32_t cpu)
{
	return (struct ev_sys_enter){
		.h = {.time_ns = c->since,
		      .tid = (uint32_t)c->id,
		      .type = EV_SYS_ENTER,
		      .size = sizeof(struct ev_sys_enter)},
		.tgid = (uint32_t)(c->id >> 32),
		.cpu = cpu,
		.nr = c->nr,
		.gstatus = c->gstatus,
		.ctx = c->ctx,
		.stack = c->stack,
	};
}

/*
 * A system call is sent when it ends, with the time of its begin, so that is a bound, too, as long as
 * it is pending: the time its CPU's state had before the end of the ring was looked at. There
 *   - is none: one that begins is marked before it is stamped, so its stamp is as late as that of a
 *     record that gets its place only now;
 *   - is one that is being filled in, its stamp is not known: nothing can be promised;
 *   - was one: it keeps its mark until its record has its place, so that is before the end of the
 *     ring, and a pass takes it, or does not find the ring empty.
 * What belongs in front of it, its stack, is in the ring before its time is to be seen.
 */
uint64_t call_promise(uint64_t since, uint64_t now)
{
	if (since == CALL_BEGINS)
		return 0;
	return since && since < now ? since : now;
}
