// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What the runtime does besides, and what the program tells of itself. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/report/scene.h"
#include "tests/unit/unit.h"
#include "user/report/annotations.h"
#include "user/report/gaps.h"

static void tell_range(enum range_kind kind, bool begins, struct goroutine *g, const char *name,
		       unsigned int flags)
{
	struct range_change c = {.time = now,
				 .kind = kind,
				 .begin = begins,
				 .process = &target,
				 .g = g,
				 .m = &m1,
				 .name = name,
				 .flags = flags};

	CU_ASSERT_EQUAL(sink.ops->range(sink.ctx, &c), 0);
}

static void tell_user(enum user_kind kind, struct goroutine *g, uint64_t task, const char *name)
{
	struct user_change c = {
		.time = now, .kind = kind, .g = g, .m = &m1, .task = task, .name = name, .text = ""};

	CU_ASSERT_EQUAL(sink.ops->user(sink.ctx, &c), 0);
}

static void tell_label(struct goroutine *g, const char *label, bool worker)
{
	struct label_change c = {
		.time = now, .g = g, .m = &m1, .label = label, .gc_worker = worker};

	CU_ASSERT_EQUAL(sink.ops->label(sink.ctx, &c), 0);
}

static void tell_heap(uint64_t live, uint64_t goal)
{
	struct heap_change c = {.time = now, .process = &target, .live = live, .goal = goal};

	CU_ASSERT_EQUAL(sink.ops->heap(sink.ctx, &c), 0);
}

static void tell_procs(unsigned int n, unsigned int flags)
{
	struct procs_change c = {.time = now, .process = &target, .n = n, .flags = flags};

	CU_ASSERT_EQUAL(sink.ops->procs(sink.ctx, &c), 0);
}

static void tell_p(struct proc *p, enum p_cause cause, enum p_state to)
{
	struct p_change c = {
		.time = now, .p = p, .from = p->state, .to = to, .cause = cause, .m = &m1};

	p->state = to;
	CU_ASSERT_EQUAL(sink.ops->processor(sink.ctx, &c), 0);
}

static void add_stack(uint64_t id, const uint64_t *pcs, uint16_t n)
{
	char room[256] __attribute__((aligned(8))) = {0};
	struct ev_stack *s = (void *)room;

	s->id = id;
	s->tgid = 42;
	s->n = n;
	memcpy(s->pc, pcs, n * sizeof(pcs[0]));
	CU_ASSERT_EQUAL(symbols_add_stack(symbols, s), 0);
}

static void sample(struct goroutine *g, uint64_t stack, bool in_kernel)
{
	struct cpu_sample c = {
		.time = now, .t = &m1, .g = g, .stack = stack, .in_kernel = in_kernel};

	CU_ASSERT_EQUAL(sink.ops->sample(sink.ctx, &c), 0);
}

/* Everything from `from` on, if it is there. */
static void expect_from(const char *text, const char *from, const char *want)
{
	const char *at = strstr(text, from);

	CU_ASSERT_PTR_NOT_NULL(at);
	if (at && strncmp(at, want, strlen(want)) != 0)
		printf("--- got\n%s--- want\n%s", at, want);
	CU_ASSERT(at && !strncmp(at, want, strlen(want)));
}

static void finish(void)
{
	end((struct replay_totals){.ended = true, .why = END_DURATION});
}

static void garbage_collection_reads_like_this(void)
{
	static const char lines[] =
		"GOMAXPROCS 4 (1 change, 2 to 4); time of Ps: 28.0% goroutines, 2.0% the runtime's own, "
		"3.3% system calls, 8.0% scheduling, 58.7% idle\n"
		"3 garbage collections, marking for 350ms, 35.0% of the time (p50 200ms, max 200ms)\n"
		"GC workers ran 40.0ms dedicated, 20.0ms idle; goroutines ran 70.0ms in 2 mark "
		"assists\n"
		"Heap: 3.00M to 6.00M live, 5.00M at the end, goal 8.00M; 8.00K swept in 1 sweep\n"
		"\n"
		"Goroutines by start function";
	static const char tables[] =
		"The world was stopped\n"
		"  count    total      p50      p99      max  for\n"
		"      2   30.0ms   10.5ms   20.0ms   20.0ms  GC mark termination\n"
		"      1   20.0ms        -        -        -  (this Go does not tell)\n"
		"\n"
		"Goroutines that had to help the garbage collector\n"
		"    total  running  times      p50      p99      max  start function\n"
		"    130ms   70.0ms      2   80.0ms   80.0ms   80.0ms  main.main\n"
		"\n"
		"0 events in 1.00s;";
	struct goroutine main_g = goroutine(1, 1, 0x400000, false);
	struct goroutine worker = goroutine(2, 3, 0x402000, true);
	struct proc p0 = {.process = &target}, p1 = {.id = 1, .process = &target};
	char *text;

	begin(&(struct report_options){0});
	CU_ASSERT_EQUAL(sink.ops->process(sink.ctx, &target, now), 0);
	tell_p(&p0, P_INIT, P_RUNNING);
	tell_p(&p1, P_INIT, P_IDLE);
	thread_to(&m1, T_RUNNING, 0, "");
	go(&main_g, G_INIT, G_RUNNING, &m1, "");
	go(&worker, G_INIT, G_WAITING, NULL, "GC worker (idle)");
	tell_procs(2, CHANGE_INITIAL);
	tell_range(RANGE_GC, true, NULL, "", CHANGE_INITIAL); /* its length is not known */
	tell_heap(4 << 20, 8 << 20);
	now += 100 * MS;
	tell_range(RANGE_GC, false, &main_g, "", 0);
	tell_heap(3 << 20, 6 << 20);

	/* a whole cycle of 200ms, with two pauses before */
	tell_range(RANGE_STW, true, &main_g, "GC mark termination", 0);
	now += 10 * MS;
	tell_range(RANGE_STW, false, &main_g, "GC mark termination", 0);
	tell_range(RANGE_STW, true, &main_g, "GC mark termination", 0);
	now += 20 * MS;
	tell_range(RANGE_STW, false, &main_g, "GC mark termination", 0);
	tell_range(RANGE_GC, true, &main_g, "", 0);
	/* an assist of 80ms, of which it waits 30ms */
	tell_range(RANGE_MARK_ASSIST, true, &main_g, "", 0);
	now += 30 * MS;
	go(&main_g, G_BLOCK, G_WAITING, &m1, "GC assist wait");
	go(&worker, G_UNBLOCK, G_RUNNABLE, &m1, "");
	go(&worker, G_START, G_RUNNING, &m1, "");
	tell_label(&worker, "GC (dedicated)", true);
	now += 30 * MS;
	go(&worker, G_STOP, G_RUNNABLE, &m1, "");
	go(&main_g, G_UNBLOCK, G_RUNNABLE, &m1, "");
	go(&main_g, G_START, G_RUNNING, &m1, "");
	now += 20 * MS;
	tell_range(RANGE_MARK_ASSIST, false, &main_g, "", 0);
	tell_p(&p1, P_START, P_RUNNING);
	go(&worker, G_START, G_RUNNING, &m2, "");
	tell_label(&worker, "GC (dedicated)", true);
	now += 10 * MS;
	go(&worker, G_STOP, G_RUNNABLE, &m2, "");
	go(&worker, G_START, G_RUNNING, &m2, "");
	tell_label(&worker, "GC (idle)", true);
	now += 20 * MS;
	go(&worker, G_BLOCK, G_WAITING, &m2, "GC worker (idle)");
	tell_heap(6 << 20, 8 << 20);
	now += 90 * MS;
	tell_range(RANGE_GC, false, &main_g, "", 0);
	/* labels of the program are no workers */
	tell_label(&main_g, "GC (idle)", false);

	now += 20 * MS;
	go(&main_g, G_SYSCALL_ENTER, G_SYSCALL, &m1, "");
	now += 100 * MS;
	go(&main_g, G_SYSCALL_RETURN, G_RUNNING, &m1, "");
	tell_p(&p1, P_STOP, P_IDLE);
	{
		struct range_change c = {.time = now,
					 .since = now - MS,
					 .kind = RANGE_SWEEP,
					 .process = &target,
					 .p = &p0,
					 .swept = 8192};

		CU_ASSERT_EQUAL(sink.ops->range(sink.ctx, &c), 0);
	}
	/* 450ms are over; with four Ps from here on */
	CU_ASSERT_EQUAL(now, 10 * SECOND + 450 * MS);
	now += 50 * MS;
	tell_procs(4, 0);
	tell_heap(5 << 20, 8 << 20);
	now += 450 * MS;
	/* not over yet at the end */
	tell_range(RANGE_GC, true, &main_g, "", 0);
	tell_range(RANGE_MARK_ASSIST, true, &main_g, "", 0);
	now += 20 * MS;
	go(&main_g, G_BLOCK, G_WAITING, &m1, "GC assist wait");
	now += 10 * MS;
	tell_range(RANGE_STW, true, &worker, "", 0);
	now += 20 * MS;
	finish();
	text = print();
	expect_from(text, "GOMAXPROCS", lines);
	expect_from(text, "The world was stopped", tables);
	free(text);
}

static void annotations_read_like_this(void)
{
	static const char want[] =
		"The program's own tasks, regions and logs\n"
		"  count  ended    total      p50      p99      max  kind                  type\n"
		"      3      2    300ms    101ms    200ms    200ms  task                  request\n"
		"      3      2   90.0ms   41.9ms   50.0ms   50.0ms  region                parse\n"
		"      1      1   40.0ms   40.0ms   40.0ms   40.0ms  region                a?b\n"
		"      2      -        -        -        -        -  region, end not seen  render\n"
		"      1      0        -        -        -        -  region                never\n"
		"      1      -        -        -        -        -  log                   parse\n"
		"\n";
	struct goroutine main_g = goroutine(1, 1, 0x400000, false);
	struct goroutine conn = goroutine(2, 3, 0x401000, false);
	char *text;

	begin(&(struct report_options){0});
	CU_ASSERT_EQUAL(sink.ops->process(sink.ctx, &target, now), 0);
	go(&main_g, G_INIT, G_RUNNING, &m1, "");
	go(&conn, G_INIT, G_RUNNING, &m2, "");
	/* of these the begin was not seen */
	tell_user(USER_TASK_END, &main_g, 7, "");
	tell_user(USER_REGION_END, &main_g, 0, "parse");
	tell_user(USER_TASK_BEGIN, &main_g, 1, "request");
	tell_user(USER_TASK_BEGIN, &conn, 2, "request");
	/* regions of two goroutines, one of them in itself */
	tell_user(USER_REGION_BEGIN, &main_g, 1, "parse");
	tell_user(USER_REGION_BEGIN, &conn, 2, "parse");
	tell_user(USER_REGION_BEGIN, &conn, 2, "a\nb");
	now += 40 * MS;
	tell_user(USER_REGION_END, &conn, 2, "a\nb");
	tell_user(USER_REGION_BEGIN, &main_g, 1, "parse");
	now += 10 * MS;
	tell_user(USER_REGION_END, &conn, 2, "parse");
	tell_user(USER_REGION_BEGIN, &conn, 2, "never");
	tell_user(USER_LOG, &conn, 2, "parse");
	now += 30 * MS;
	tell_user(USER_REGION_END, &main_g, 1, "parse");
	now += 20 * MS;
	tell_user(USER_TASK_END, &conn, 1, ""); /* by somebody else */
	go(&conn, G_EXIT, G_DEAD, &m2, "");
	/* who is in its place now has no region of its own */
	conn.serial++;
	go(&conn, G_CREATE, G_RUNNING, &m2, "");
	tell_user(USER_REGION_END, &conn, 2, "never");
	now += 100 * MS;
	tell_user(USER_TASK_END, &main_g, 2, "");
	tell_user(USER_TASK_BEGIN, &main_g, 3, "request");
	tell_user(USER_START_REGION, &main_g, 0, "render");
	tell_user(USER_START_REGION, &main_g, 0, "render");
	now += 800 * MS;
	finish();
	text = print();
	expect_from(text, "The program's own", want);
	free(text);
}

static void samples_read_like_this(void)
{
	static const char want[] = "10 CPU samples, 20.0% of them in the kernel, by function\n"
				   "  itself          and callees          function\n"
				   "       5   50.0%            5   50.0%  runtime.bgsweep\n"
				   "       2   20.0%            7   70.0%  main.main\n"
				   "       2   20.0%            2   20.0%  (not known)\n"
				   "  ... and 1 more\n"
				   "\n"
				   "CPU samples by goroutine\n"
				   "  samples          start function\n"
				   "        7   70.0%  main.main\n"
				   "        3   30.0%  (no goroutine: the scheduler, or C)\n"
				   "\n";
	static const uint64_t deep[] = {0x402000, 0x400000, 0x402000, 0x400000};
	static const uint64_t flat[] = {0x400000};
	static const uint64_t lone[] = {0x402000};
	static const uint64_t other[] = {0x401000};
	struct goroutine main_g = goroutine(1, 1, 0x400000, false);
	struct goroutine gone = goroutine(9, 99, 0x401000, false);
	char *text;

	begin(&(struct report_options){.top = 3});
	CU_ASSERT_EQUAL(sink.ops->process(sink.ctx, &target, now), 0);
	go(&main_g, G_INIT, G_RUNNING, &m1, "");
	for (int i = 0; i < 5; i++)
		sample(&main_g, 1, i < 2);
	sample(&main_g, 2, false);
	sample(&main_g, 2, false);
	sample(NULL, 0, false);
	sample(&gone, 77, false); /* neither goroutine nor stack are known */
	sample(NULL, 4, false);
	/* stacks may come later */
	add_stack(1, deep, 4);
	add_stack(2, flat, 1);
	add_stack(3, lone, 1);
	add_stack(4, other, 1);
	now += SECOND;
	finish();
	text = print();
	expect_from(text, "10 CPU samples", want);
	free(text);
}

/* A program that makes up names, or never ends what it begins, costs no more than this. */
static void annotations_are_bounded(void)
{
	struct interned *names = NULL;
	struct annotations as = {.names = &names};
	struct goroutine g = goroutine(1, 1, 0x400000, false);
	struct annotation *a, *tmp;
	struct user_change c = {.time = 1, .kind = USER_LOG, .g = &g, .text = ""};
	uint64_t others = 0, known = 0;
	char name[32];

	c.name = name;
	for (int i = 0; i < 3 * MOST_ANNOTATIONS; i++) {
		snprintf(name, sizeof(name), "log %d", i);
		CU_ASSERT_EQUAL(annotations_add(&as, &c), 0);
	}
	/* what is known goes on being told apart, and what is not is no new name */
	strcpy(name, "log 5");
	CU_ASSERT_EQUAL(annotations_add(&as, &c), 0);
	CU_ASSERT_PTR_NULL(interned_find(names, "log 2500"));
	/* regions as deep as that end when they should */
	c.kind = USER_REGION_BEGIN;
	for (int i = 0; i < 2 * MOST_OPEN_REGIONS; i++)
		CU_ASSERT_EQUAL(annotations_add(&as, &c), 0);
	c.kind = USER_REGION_END;
	c.time = 3;
	for (int i = 0; i < 2 * MOST_OPEN_REGIONS; i++)
		CU_ASSERT_EQUAL(annotations_add(&as, &c), 0);
	CU_ASSERT_PTR_NULL(as.regions);
	/* and so with tasks */
	c.kind = USER_TASK_BEGIN;
	for (c.task = 1; c.task < MOST_OPEN_TASKS + 10; c.task++)
		CU_ASSERT_EQUAL_FATAL(annotations_add(&as, &c), 0);
	c.kind = USER_TASK_END;
	for (c.task = 1; c.task < MOST_OPEN_TASKS + 10; c.task++)
		CU_ASSERT_EQUAL_FATAL(annotations_add(&as, &c), 0);
	CU_ASSERT_PTR_NULL(as.tasks);
	annotations_close(&as);
	HASH_ITER(hh, as.types, a, tmp) {
		bool is_log = a->key.kind == ANNOTATION_LOG;

		if (!strcmp(a->key.name, OTHER_ANNOTATIONS))
			others += is_log ? a->begun : 0;
		else
			known += is_log ? a->begun : 0;
		if (a->key.kind == ANNOTATION_REGION)
			CU_ASSERT_EQUAL(a->ended.count, MOST_OPEN_REGIONS);
		if (a->key.kind == ANNOTATION_TASK)
			CU_ASSERT_EQUAL(a->ended.count, MOST_OPEN_TASKS);
	}
	CU_ASSERT_EQUAL(others, 2 * MOST_ANNOTATIONS);
	CU_ASSERT_EQUAL(known, MOST_ANNOTATIONS + 1);
	CU_ASSERT(HASH_COUNT(as.types) <= MOST_ANNOTATIONS + 4);
	annotations_free(&as);
	interned_free(&names);
}

static void check_gaps(const struct gaps *gaps, const struct gap *want, size_t n)
{
	CU_ASSERT_EQUAL(gaps->n, n);
	for (size_t i = 0; i < n && gaps->n == n; i++) {
		CU_ASSERT_EQUAL(gaps->v[i].begin, want[i].begin);
		CU_ASSERT_EQUAL(gaps->v[i].end, want[i].end);
	}
}

static void gaps_become_few(void)
{
	struct gaps gaps = {0};

	gaps_add(&gaps, 30, 40);
	gaps_add(&gaps, 10, 20);
	gaps_add(&gaps, 50, 45); /* no time at all */
	check_gaps(&gaps, (struct gap[]){{10, 20}, {30, 40}, {50, 50}}, 3);
	gaps_add(&gaps, 20, 31); /* touches two */
	check_gaps(&gaps, (struct gap[]){{10, 40}, {50, 50}}, 2);
	gaps_add(&gaps, 12, 15);
	check_gaps(&gaps, (struct gap[]){{10, 40}, {50, 50}}, 2);
	gaps_add(&gaps, 1000, 1001);
	gaps_add(&gaps, 2000, 2001);
	gaps_add(&gaps, 100, 200);
	check_gaps(&gaps,
		   (struct gap[]){{10, 40}, {50, 50}, {100, 200}, {1000, 1001}, {2000, 2001}}, 5);
	gaps_add(&gaps, 3000, 3001); /* one too many: the closest two go together */
	check_gaps(&gaps,
		   (struct gap[]){{10, 50}, {100, 200}, {1000, 1001}, {2000, 2001}, {3000, 3001}},
		   5);
	gaps.near = 9;
	gaps_add(&gaps, 59, 60);
	check_gaps(&gaps,
		   (struct gap[]){{10, 60}, {100, 200}, {1000, 1001}, {2000, 2001}, {3000, 3001}},
		   5);
	gaps.near = 0;
	gaps_add(&gaps, 0, 5000);
	check_gaps(&gaps, (struct gap[]){{0, 5000}}, 1);
	for (uint64_t i = 0; i < 1000; i++)
		gaps_add(&gaps, 6000 + 10 * i, 6001 + 10 * i);
	CU_ASSERT_EQUAL(gaps.n, MOST_GAPS);
	CU_ASSERT_EQUAL(gaps.v[MOST_GAPS - 1].end, 6001 + 9990);
}

static CU_TestInfo tests[] = {
	{"annotations read like this", annotations_read_like_this},
	{"samples read like this", samples_read_like_this},
	{"annotations are bounded", annotations_are_bounded},
	{"gaps become few", gaps_become_few},
	{"garbage collection reads like this", garbage_collection_reads_like_this},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("report/runtime", tests);
