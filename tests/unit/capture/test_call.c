// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* System calls on their way from the rings into the merge. */
#include <string.h>

#include "tests/unit/unit.h"
#include "user/capture/call.h"
#include "user/capture/merge.h"

static const struct ev_syscall read_call = {
	.h = {.time_ns = 900, .tid = 12, .type = EV_SYSCALL, .size = sizeof(struct ev_syscall)},
	.tgid = 10,
	.cpu = 3,
	.nr = 0,
	.exit_nr = 15,
	.begin_ns = 500,
	.ctx = {.g = 0xa0, .curg = 0xa1, .p = 0xb0},
	.exit_p = 0xb1,
	.stack = 77,
	.oldp = 0xb2,
	.oldp_status = 2,
	.gstatus = 3,
	.ret = -11,
};

static void has_two_ends(void)
{
	struct ev_sys_enter begin = call_begin(&read_call);
	struct ev_sys_exit end = call_end(&read_call);

	CU_ASSERT_EQUAL(begin.h.type, EV_SYS_ENTER);
	CU_ASSERT_EQUAL(begin.h.size, sizeof(begin));
	CU_ASSERT_EQUAL(begin.h.time_ns, 500);
	CU_ASSERT_EQUAL(begin.h.tid, 12);
	CU_ASSERT_EQUAL(begin.tgid, 10);
	CU_ASSERT_EQUAL(begin.cpu, 3);
	CU_ASSERT_EQUAL(begin.nr, 0);
	CU_ASSERT_EQUAL(begin.gstatus, 3);
	CU_ASSERT_EQUAL(begin.ctx.p, 0xb0);
	CU_ASSERT_EQUAL(begin.stack, 77);
	CU_ASSERT_EQUAL(end.h.type, EV_SYS_EXIT);
	CU_ASSERT_EQUAL(end.h.size, sizeof(end));
	CU_ASSERT_EQUAL(end.h.time_ns, 900);
	CU_ASSERT_EQUAL(end.nr, 15);
	CU_ASSERT_EQUAL(end.ctx.g, 0xa0);
	CU_ASSERT_EQUAL(end.ctx.curg, 0xa1);
	CU_ASSERT_EQUAL(end.ctx.p, 0xb1);
	CU_ASSERT_EQUAL(end.oldp, 0xb2);
	CU_ASSERT_EQUAL(end.oldp_status, 2);
	CU_ASSERT_EQUAL(end.gstatus, 3);
	CU_ASSERT_EQUAL(end.ret, -11);
}

/* What the register had at its end is no P. */
static void is_told(void)
{
	struct ev_syscall call = read_call;
	struct ev_sys_exit end;

	call.gstatus = GSTATUS_TOLD;
	call.ctx = (struct ev_gctx){.curg = 0xa1};
	call.oldp = 0xa2;
	end = call_end(&call);
	CU_ASSERT_EQUAL(call_begin(&call).ctx.curg, 0xa1);
	CU_ASSERT_EQUAL(end.ctx.curg, 0xa2);
	CU_ASSERT_EQUAL(end.oldp, 0);
	CU_ASSERT_EQUAL(end.gstatus, GSTATUS_TOLD);
}

static void is_left_pending(void)
{
	const struct pending_call c = {
		.since = 500, .id = 10ULL << 32 | 12, .nr = 202, .gstatus = 2, .stack = 7};
	struct ev_sys_enter begin = call_pending_begin(&c, 1);

	CU_ASSERT_EQUAL(begin.h.time_ns, 500);
	CU_ASSERT_EQUAL(begin.h.tid, 12);
	CU_ASSERT_EQUAL(begin.tgid, 10);
	CU_ASSERT_EQUAL(begin.cpu, 1);
	CU_ASSERT_EQUAL(begin.nr, 202);
	CU_ASSERT_EQUAL(begin.stack, 7);
}

static void bounds_the_promise(void)
{
	CU_ASSERT_EQUAL(call_promise(0, 1000), 1000);
	CU_ASSERT_EQUAL(call_promise(400, 1000), 400);
	CU_ASSERT_EQUAL(call_promise(1200, 1000), 1000);
	CU_ASSERT_EQUAL(call_promise(CALL_BEGINS, 1000), 0);
}

struct seen {
	uint64_t time[8];
	size_t n;
};

static int note(void *ctx, struct event_head *ev)
{
	struct seen *s = ctx;

	s->time[s->n++ & 7] = ev->time_ns;
	return 0;
}

/* While it is pending nothing later than its begin leaves; then it comes where it belongs. */
static void keeps_its_place(void)
{
	struct event_head other = {.time_ns = 700, .type = EV_SWITCH, .size = sizeof(other)};
	struct ev_sys_enter begin = call_begin(&read_call);
	struct ev_sys_exit end = call_end(&read_call);
	struct merge *m = merge_new(2);
	struct seen seen = {0};

	merge_add(m, 1, &other);
	merge_promise(m, 1, 2000);
	merge_promise(m, 0, call_promise(read_call.begin_ns, 2000));
	CU_ASSERT_EQUAL(merge_emit(m, note, &seen), 0);
	CU_ASSERT_EQUAL(seen.n, 0);
	merge_add(m, 0, &begin.h);
	merge_add(m, 0, &end.h);
	merge_promise(m, 0, call_promise(0, 2000));
	CU_ASSERT_EQUAL(merge_emit(m, note, &seen), 0);
	CU_ASSERT_EQUAL_FATAL(seen.n, 3);
	CU_ASSERT_EQUAL(seen.time[0], 500);
	CU_ASSERT_EQUAL(seen.time[1], 700);
	CU_ASSERT_EQUAL(seen.time[2], 900);
	CU_ASSERT_EQUAL(merge_late(m), 0);
	merge_free(m);
}

static CU_TestInfo tests[] = {
	{"a call has two ends", has_two_ends},
	{"a call that stubs tell of has its register at both ends", is_told},
	{"one is left pending", is_left_pending},
	{"a pending one bounds the promise", bounds_the_promise},
	{"and keeps its place", keeps_its_place},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("capture/call", tests);
