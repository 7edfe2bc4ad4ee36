/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Tasks, regions, logs, labels. */
#include <string.h>

#include "tests/unit/replay/stream.h"
#include "tests/unit/unit.h"

/* M1 runs G1 on P0, M2 runs G2 on P1. */
static void open_usual(struct stream *s)
{
	stream_open(s, 26, 4);
	stream_snap_m(s, 1, 1, 0);
	stream_snap_m(s, 2, 2, 1);
	stream_snap_g(s, 1, 2, 1);
	stream_snap_g(s, 2, 2, 2);
	/* nobody knows of it later */
	stream_user(s, USER_TASK_BEGIN, 1, 0, 1, 9, "early", NULL);
	stream_user(s, USER_REGION_BEGIN, 1, 0, 1, 9, "early", NULL);
	stream_ready(s);
	s->text[s->len = 0] = 0;
}

static void annotations(void)
{
	struct stream s;

	open_usual(&s);
	stream_user(&s, USER_TASK_BEGIN, 1, 0, 1, 1, "request", NULL);
	stream_user(&s, USER_REGION_BEGIN, 1, 0, 1, 1, "parse", NULL);
	stream_user(&s, USER_LOG, 1, 0, 1, 1, "size", "42");
	stream_user(&s, USER_REGION_END, 1, 0, 1, 1, "parse", NULL);
	stream_user(&s, USER_TASK_END, 2, 1, 2, 1, NULL, NULL);
	/* an id may be used again; ends of what began before the trace did */
	stream_user(&s, USER_TASK_BEGIN, 1, 0, 1, 1, "request", NULL);
	stream_user(&s, USER_REGION_END, 1, 0, 1, 9, "early", NULL);
	stream_user(&s, USER_TASK_END, 1, 0, 1, 9, NULL, NULL);
	CU_ASSERT(stream_expect(&s, "G1 task-begin 1 'request'\n"
				    "G1 region-begin 1 'parse'\n"
				    "G1 log 1 'size' '42'\n"
				    "G1 region-end 1 'parse'\n"
				    "G2 task-end 1 ''\n"
				    "G1 task-begin 1 'request'\n"
				    "G1 region-end 9 'early'\n"
				    "G1 task-end 9 ''\n"));
	CU_ASSERT_EQUAL(replay_totals(s.replay)->repairs, 0);
	stream_close(&s);
}

static void broken_nesting(void)
{
	struct stream s;

	open_usual(&s);
	stream_user(&s, USER_TASK_BEGIN, 1, 0, 1, 1, "request", NULL);
	stream_user(&s, USER_TASK_BEGIN, 2, 1, 2, 1, "request", NULL);
	stream_user(&s, USER_REGION_BEGIN, 1, 0, 1, 1, "a", NULL);
	stream_user(&s, USER_REGION_BEGIN, 1, 0, 1, 1, "b", NULL);
	stream_user(&s, USER_REGION_BEGIN, 1, 0, 1, 2, "b", NULL);
	/* of another task, of another type: not open */
	stream_user(&s, USER_REGION_END, 1, 0, 1, 3, "b", NULL);
	stream_user(&s, USER_REGION_END, 1, 0, 1, 1, "c", NULL);
	/* the end of the inner ones was lost */
	stream_user(&s, USER_REGION_END, 1, 0, 1, 1, "a", NULL);
	CU_ASSERT(stream_expect(&s, "G1 task-begin 1 'request'\n"
				    "# a task began twice\n"
				    "G1 region-begin 1 'a'\n"
				    "G1 region-begin 1 'b'\n"
				    "G1 region-begin 2 'b'\n"
				    "# the begin of a region was not seen\n"
				    "# the begin of a region was not seen\n"
				    "# the end of a region was not seen\n"
				    "!G1 region-end 2 'b'\n"
				    "# the end of a region was not seen\n"
				    "!G1 region-end 1 'b'\n"
				    "G1 region-end 1 'a'\n"));
	stream_close(&s);
}

/* A program that does not trace itself is not asked for the end of a region either. */
static void start_region(void)
{
	struct ev_heap heap = {.tgid = STREAM_TGID};
	struct stream s;

	open_usual(&s);
	stream_user(&s, USER_START_REGION, 1, 0, 1, 0, "a", NULL);
	stream_user(&s, USER_LOG, 2, 1, 2, 0, "other", "thread");
	stream_user(&s, USER_REGION_BEGIN, 1, 0, 1, 7, "a", NULL);
	stream_user(&s, USER_REGION_END, 1, 0, 1, 7, "a", NULL);
	CU_ASSERT(stream_expect(&s, "G2 log 0 'other' 'thread'\n"
				    "G1 region-begin 7 'a'\n"
				    "G1 region-end 7 'a'\n"));

	/* its next record is something else, of another type, or late, or the last */
	stream_user(&s, USER_START_REGION, 1, 0, 1, 0, "a", NULL);
	stream_go(&s, GO_YIELD, 1, 0, 1, -1);
	stream_go(&s, GO_START, 1, 0, 1, -1);
	stream_user(&s, USER_START_REGION, 1, 0, 1, 0, "a", NULL);
	stream_user(&s, USER_REGION_BEGIN, 1, 0, 1, 0, "b", NULL);
	stream_user(&s, USER_START_REGION, 1, 0, 1, 0, "c", NULL);
	s.time += 1000000;
	stream_add(&s, &heap.h, EV_HEAP, sizeof(heap), 0);
	CU_ASSERT(stream_expect(&s, "G1 start-region 0 'a'\n"
				    "G1 stop M1 (preempted)\n"
				    "G1 start M1\n"
				    "G1 start-region 0 'a'\n"
				    "G1 region-begin 0 'b'\n"
				    "G1 start-region 0 'c'\n"
				    "heap 0/0\n"));
	stream_user(&s, USER_START_REGION, 1, 0, 1, 0, "d", NULL);
	replay_finish(s.replay, NULL);
	CU_ASSERT(stream_expect(&s, "G1 start-region 0 'd'\n"));
	CU_ASSERT_EQUAL(replay_totals(s.replay)->repairs, 0);
	stream_close(&s);
}

static void labels(void)
{
	struct stream s;

	open_usual(&s);
	stream_labels(&s, 1, 0, 1, "a\0b\0", 4);
	stream_labels(&s, 1, 0, 1, "a\0b\0key\0\0", 9);
	stream_labels(&s, 1, 0, 1, "", 0);
	CU_ASSERT(stream_expect(&s, "G1 label 'a=b'\nG1 label 'a=b, key='\nG1 label ''\n"));
	stream_close(&s);
}

/* A goroutine takes what it is in with it. */
static void end_of_goroutine(void)
{
	struct stream s;

	open_usual(&s);
	stream_user(&s, USER_REGION_BEGIN, 1, 0, 1, 0, "a", NULL);
	stream_user(&s, USER_START_REGION, 1, 0, 1, 0, "b", NULL);
	stream_go(&s, GO_EXIT, 1, 0, 1, -1);
	stream_go(&s, GO_CREATE, 2, 1, 1, 2);
	stream_go(&s, GO_START, 1, 0, 1, -1);
	stream_user(&s, USER_REGION_END, 1, 0, 1, 0, "x", NULL);
	CU_ASSERT(stream_expect(&s, "G1 region-begin 0 'a'\n"
				    "G1 start-region 0 'b'\n"
				    "G1 exit M1\n"
				    "G1 create M2 by G2\n"
				    "G1 start M1\n"
				    "G1 region-end 0 'x'\n"));
	CU_ASSERT_EQUAL(replay_totals(s.replay)->repairs, 0);
	stream_close(&s);
}

/* Every goroutine may be in many regions, but not in any number. */
static void endless(void)
{
	static struct stream s;

	open_usual(&s);
	for (unsigned int i = 0; i < 5000; i++) {
		stream_user(&s, USER_REGION_BEGIN, 1, 0, 1, 0, "a", NULL);
		s.len = 0;
	}
	CU_ASSERT_EQUAL(replay_totals(s.replay)->repairs, 5000 - 4096);
	stream_close(&s);
}

static CU_TestInfo tests[] = {
	{"tasks, regions, logs", annotations},
	{"what is not nested", broken_nesting},
	{"StartRegion", start_region},
	{"pprof labels", labels},
	{"the end of a goroutine", end_of_goroutine},
	{"regions without end", endless},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("replay/user", tests);
