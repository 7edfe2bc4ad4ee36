/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Goroutines alone: what becomes of system calls that nobody sees. */
#include "tests/unit/replay/stream.h"
#include "tests/unit/unit.h"

/* M1 runs G1 on P0, M2 has nothing to do, G2 waits; and threads sleep and call, which is not told. */
static void open_alone(struct stream *s, int minor)
{
	struct ev_task_state task = {.tgid = STREAM_TGID, .state = 'S', .sys = 202 + 1};
	struct ev_ready ready = {.tgid = STREAM_TGID, .flags = READY_NO_KERNEL};

	stream_open(s, minor, 4);
	stream_add(s, &task.h, EV_TASK, sizeof(task), 1);
	stream_add(s, &task.h, EV_TASK, sizeof(task), 2);
	stream_snap_m(s, 1, 1, 0);
	stream_snap_m(s, 2, -1, -1);
	stream_snap_g(s, 1, 2, 1);
	stream_snap_g(s, 2, 4, 0);
	stream_add(s, &ready.h, EV_READY, sizeof(ready), 0);
	CU_ASSERT(stream_expect(s, "P0 init M1\n"
				   "G1 init running M1\n"
				   "G2 init waiting 'chan receive' (chan receive)\n"));
}

static void close_alone(struct stream *s)
{
	CU_ASSERT_EQUAL(replay_totals(s->replay)->repairs, 0);
	stream_close(s);
}

static void proc(struct stream *s, enum runtime_kind kind, uint32_t tid, int g, int other)
{
	stream_runtime_proc(s, kind, tid, -1, g, other);
}

/* Nothing tells of one that keeps its P: it is time of the goroutine. */
static void a_short_one_is_not_seen(void)
{
	struct stream s;

	open_alone(&s, 26);
	stream_go(&s, GO_READY, 1, 0, 2, 1);
	stream_go(&s, GO_PARK, 1, 0, 1, -1);
	CU_ASSERT(stream_expect(&s, "G2 unblock M1 by G1\n"
				    "G1 block M1 'chan receive' (chan receive)\n"));
	close_alone(&s);
}

/* Whose P is taken is in a system call by then, and back when that is seen. */
static void a_long_one_loses_its_p(void)
{
	static const int minors[] = {22, 26};

	for (unsigned int i = 0; i < sizeof(minors) / sizeof(minors[0]); i++) {
		struct stream s;

		open_alone(&s, minors[i]);
		stream_go(&s, GO_READY, 1, 0, 2, 1);
		proc(&s, RT_PROC_STEAL, 3, -1, 0);
		proc(&s, RT_PROC_START, 2, -1, 0);
		stream_go(&s, GO_START, 2, 0, 2, -1);
		stream_go(&s, GO_SYSEXIT_NOP, 1, -1, 1, -1);
		stream_go(&s, GO_PARK, 2, 0, 2, -1);
		stream_go(&s, GO_START, 2, 0, 1, -1);
		CU_ASSERT(stream_expect(&s, "G2 unblock M1 by G1\n"
					    "~G1 syscall-enter M1\n"
					    "P0 steal M3\n"
					    "P0 start M2\n"
					    "G2 start M2\n"
					    "G1 syscall-lost M1\n"
					    "G2 block M2 'chan receive' (chan receive)\n"
					    "G1 start M2\n"));
		close_alone(&s);
	}
}

/* Before Go 1.26 who stops the world takes Ps without a call: the next one to have it tells. */
static void its_p_is_taken_unseen(void)
{
	struct stream s;

	open_alone(&s, 25);
	stream_go(&s, GO_READY, 1, 0, 2, 1);
	proc(&s, RT_PROC_START, 2, -1, 0);
	stream_go(&s, GO_START, 2, 0, 2, -1);
	proc(&s, RT_PROC_START, 1, 1, 1);
	stream_go(&s, GO_SYSEXIT_NEWP, 1, 1, 1, -1);
	stream_go(&s, GO_YIELD, 1, 1, 1, -1);
	CU_ASSERT(stream_expect(&s, "G2 unblock M1 by G1\n"
				    "~G1 syscall-enter M1\n"
				    "~P0 steal M2\n"
				    "P0 start M2\n"
				    "G2 start M2\n"
				    "P1 start M1\n"
				    "G1 syscall-lost M1\n"
				    "G1 start M1\n"
				    "G1 stop M1 (preempted)\n"));
	close_alone(&s);
}

/* The same where nobody had it in between: the other P that it gets tells. */
static void it_gets_another_p(void)
{
	struct stream s;

	open_alone(&s, 25);
	proc(&s, RT_PROC_START, 1, 1, 1);
	stream_go(&s, GO_SYSEXIT_NEWP, 1, 1, 1, -1);
	CU_ASSERT(stream_expect(&s, "~G1 syscall-enter M1\n"
				    "~P0 steal M1\n"
				    "P1 start M1\n"
				    "G1 syscall-lost M1\n"
				    "G1 start M1\n"));
	close_alone(&s);
}

/* Before Go 1.26: it takes its P back from one that is in a system call by then. No probe sees that. */
static void it_takes_its_p_back(void)
{
	struct stream s;

	open_alone(&s, 25);
	stream_go(&s, GO_READY, 1, 0, 2, 1);
	proc(&s, RT_PROC_STEAL, 3, -1, 0);
	proc(&s, RT_PROC_START, 2, -1, 0);
	stream_go(&s, GO_START, 2, 0, 2, -1);
	stream_go(&s, GO_PARK, 1, 0, 1, -1);
	stream_go(&s, GO_SYSEXIT_NOP, 2, -1, 2, -1);
	CU_ASSERT(stream_expect(&s, "G2 unblock M1 by G1\n"
				    "~G1 syscall-enter M1\n"
				    "P0 steal M3\n"
				    "P0 start M2\n"
				    "G2 start M2\n"
				    "~G2 syscall-enter M2\n"
				    "~P0 steal M1\n"
				    "~P0 start M1\n"
				    "~G1 syscall-lost M1\n"
				    "~G1 start M1\n"
				    "G1 block M1 'chan receive' (chan receive)\n"
				    "G2 syscall-lost M2\n"));
	close_alone(&s);
}

/* entersyscallblock has probes of its own: the P is given up before the status changes, or after it. */
static void one_that_blocks_is_seen(void)
{
	struct stream s;

	open_alone(&s, 22);
	stream_go(&s, GO_SYSBLOCK, 1, 0, 1, -1);
	proc(&s, RT_PROC_START, 1, 1, 0);
	stream_go(&s, GO_SYSEXIT_NEWP, 1, 0, 1, -1);
	stream_go(&s, GO_PARK, 1, 0, 1, -1);
	CU_ASSERT(stream_expect(&s, "G1 syscall-enter M1\n"
				    "~P0 stop M1\n"
				    "P0 start M1\n"
				    "G1 syscall-lost M1\n"
				    "G1 start M1\n"
				    "G1 block M1 'chan receive' (chan receive)\n"));
	close_alone(&s);
}

static int has_no_stack(void *ctx, const struct g_change *c)
{
	unsigned int *seen = ctx;

	if (c->cause == G_SYSCALL_ENTER) {
		CU_ASSERT_EQUAL(c->stack, 0);
		++*seen;
	}
	return 0;
}

/* Where it was made is not known: the goroutine's stack that is at hand is of something else. */
static void its_stack_is_not_known(void)
{
	static const struct sink_ops ops = {.goroutine = has_no_stack};
	struct ev_go yield = {
		.tgid = STREAM_TGID,
		.gp = G_ADDR(1),
		.goid = 1,
		.p = P_ADDR(0),
		.stack = 7,
		.kind = GO_YIELD,
		.skip = -1,
	};
	unsigned int seen = 0;
	struct stream s;

	open_alone(&s, 26);
	replay_add_sink(s.replay, (struct sink){.ops = &ops, .ctx = &seen});
	stream_add(&s, &yield.h, EV_GO, sizeof(yield), 1);
	stream_go(&s, GO_START, 1, 0, 1, -1);
	proc(&s, RT_PROC_STEAL, 3, -1, 0);
	CU_ASSERT_EQUAL(seen, 1);
	close_alone(&s);
}

static unsigned int threads(const struct stream *s)
{
	return HASH_COUNT(replay_threads(s->replay));
}

/* Its last switch is not recorded, so nothing else ends it; while G1 runs on it nothing does. */
static void threads_end(void)
{
	struct ev_task ev = {.tgid = STREAM_TGID, .other = 2, .other_tgid = STREAM_TGID};
	struct stream s;
	unsigned int n;

	open_alone(&s, 26);
	n = threads(&s);
	stream_add(&s, &ev.h, EV_EXIT, sizeof(ev), 2);
	CU_ASSERT_EQUAL(threads(&s), n - 1);
	ev.other = 1;
	stream_add(&s, &ev.h, EV_EXIT, sizeof(ev), 1);
	CU_ASSERT_EQUAL(threads(&s), n - 1);
	s.len = 0;
	s.text[0] = 0;
	close_alone(&s);
}

static CU_TestInfo tests[] = {
	{"a short syscall is not seen", a_short_one_is_not_seen},
	{"a long syscall loses its P", a_long_one_loses_its_p},
	{"its P is taken unseen", its_p_is_taken_unseen},
	{"it gets another P", it_gets_another_p},
	{"it takes its P back", it_takes_its_p_back},
	{"one that blocks is seen", one_that_blocks_is_seen},
	{"its stack is not known", its_stack_is_not_known},
	{"threads end", threads_end},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("replay/no-kernel", tests);
