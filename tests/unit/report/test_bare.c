// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What kernel events prove of goroutines, added up. */
#include "tests/unit/unit.h"
#include "user/report/bare.h"

static struct thread thread = {.tid = 7};

static void span(struct bare *b, struct goroutine *g, enum span_kind kind, uint64_t ns,
		 uint64_t runnable, bool preempted)
{
	struct thread_span s = {
		.kind = kind,
		.begin = 1000,
		.end = 1000 + ns,
		.t = &thread,
		.g = g,
		.runnable_since = runnable ? 1000 + ns - runnable : 0,
		.preempted = preempted,
		.stack = 77,
	};

	CU_ASSERT_EQUAL(bare_span(b, &s), 0);
}

static void call(struct bare *b, struct goroutine *g, uint64_t ns)
{
	struct syscall_span s = {.begin = 1000, .end = 1000 + ns, .t = &thread, .g = g};

	CU_ASSERT_EQUAL(bare_syscall(b, &s), 0);
}

static void adds_up(void)
{
	struct goroutine one = {.addr = 0x10, .serial = 1, .id = 5, .start_pc = 0x400};
	struct goroutine two = {.addr = 0x20, .serial = 2, .id = 6, .start_pc = 0x400};
	const struct bare_row *row;
	struct bare b;

	bare_init(&b, REPORT_SORT_WAIT, 1);
	call(&b, &one, 300);
	call(&b, &one, 200);
	call(&b, NULL, 9000); /* the runtime's */
	span(&b, &one, SPAN_ON_CPU, 40, 0, false);
	span(&b, NULL, SPAN_ON_CPU, 60, 0, false);
	span(&b, &one, SPAN_OFF_CPU, 100, 30, false);
	span(&b, &one, SPAN_OFF_CPU, 10, 10, true);
	span(&b, &one, SPAN_WAKE, 0, 0, false);
	span(&b, &two, SPAN_OFF_CPU, 50, 0, false);
	CU_ASSERT_EQUAL(bare_close(&b), 0);
	CU_ASSERT_EQUAL(b.seen, 2);
	CU_ASSERT_EQUAL(b.on_cpu, 100);
	CU_ASSERT_EQUAL(HASH_COUNT(b.groups), 1);
	CU_ASSERT_EQUAL(b.groups->count, 2);
	CU_ASSERT_EQUAL(b.groups->s.asleep, 120);
	CU_ASSERT_EQUAL(b.groups->s.waiting, 40);
	CU_ASSERT_EQUAL(b.groups->s.delay.count, 2);
	CU_ASSERT_EQUAL(b.groups->s.off, 3);
	/* only the largest has a row of its own */
	CU_ASSERT_EQUAL_FATAL(b.top.n, 1);
	row = b.top.items[0];
	CU_ASSERT_EQUAL(row->id, 5);
	CU_ASSERT_EQUAL(row->s.syscalls, 2);
	CU_ASSERT_EQUAL(row->s.syscall_ns, 500);
	CU_ASSERT_EQUAL(row->s.on_cpu, 40);
	CU_ASSERT_EQUAL(row->s.preempted, 1);
	CU_ASSERT_EQUAL(row->s.wakes, 1);
	CU_ASSERT_EQUAL_FATAL(HASH_COUNT(b.stacks), 1);
	CU_ASSERT_EQUAL(b.stacks->times, 3);
	CU_ASSERT_EQUAL(b.stacks->ns, 160);
	bare_free(&b);
}

/* Another goroutine in the same place is another row. */
static void tells_them_apart(void)
{
	struct goroutine one = {.addr = 0x10, .serial = 1, .id = 5, .start_pc = 0x400};
	struct goroutine next = {.addr = 0x10, .serial = 2, .id = 9, .start_pc = 0x500};
	struct bare b;

	bare_init(&b, REPORT_SORT_COUNT, 0);
	call(&b, &one, 300);
	call(&b, &next, 200);
	call(&b, &next, 200);
	CU_ASSERT_EQUAL(bare_close(&b), 0);
	CU_ASSERT_EQUAL(b.seen, 2);
	CU_ASSERT_EQUAL(HASH_COUNT(b.groups), 2);
	CU_ASSERT_EQUAL_FATAL(b.top.n, 2);
	CU_ASSERT_EQUAL(((const struct bare_row *)b.top.items[0])->id, 9);
	CU_ASSERT_EQUAL(((const struct bare_row *)b.top.items[1])->s.syscalls, 1);
	bare_free(&b);
}

static CU_TestInfo tests[] = {
	{"adds up", adds_up},
	{"tells goroutines apart", tells_them_apart},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("report/bare", tests);
