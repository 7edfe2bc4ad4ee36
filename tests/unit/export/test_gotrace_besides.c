// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What is not a change of state, in a Go trace; see golden.h. */
#include "tests/unit/export/golden.h"
#include "tests/unit/unit.h"

/* All that is not a change of state, in the order a runtime does it. */
static void besides(void)
{
	struct fixture f;
	struct world *w = &f.w;
	struct thread *m = &w->m[0];
	struct goroutine *g1, *worker, *helper;
	struct proc *p;

	fixture_setup_minor(&f, 27);
	p = world_p(w, P_RUNNING, m);
	g1 = world_g(w, 1, G_RUNNING, m);
	worker = world_g(w, 2, G_RUNNABLE, NULL);
	helper = world_g(w, 3, G_WAITING, NULL);
	helper->stack = 7;
	world_begin(w);
	/* it helped to mark when the trace began, in a cycle that was under way */
	world_range(
		w, (struct range_change){.kind = RANGE_GC, .begin = true, .flags = CHANGE_INITIAL});
	world_range(w, (struct range_change){.kind = RANGE_MARK_ASSIST,
					     .begin = true,
					     .g = helper,
					     .flags = CHANGE_INITIAL});
	world_procs(w, (struct procs_change){.n = 4});
	world_heap(w, 1000, 4000);
	world_range(w, (struct range_change){.kind = RANGE_GC, .g = g1, .p = p, .m = m});
	world_heap(w, 1000, 0);
	/* a cycle: stopped twice, a worker, sweeping */
	world_range(w, (struct range_change){.kind = RANGE_GC,
					     .begin = true,
					     .g = g1,
					     .p = p,
					     .m = m,
					     .stack = 8,
					     .skip = 1});
	world_range(w, (struct range_change){.kind = RANGE_STW,
					     .begin = true,
					     .g = g1,
					     .p = p,
					     .m = m,
					     .name = "GC sweep termination",
					     .stack = 8});
	world_procs(w, (struct procs_change){.n = 2, .g = g1, .p = p, .m = m, .stack = 8});
	world_range(w, (struct range_change){.kind = RANGE_STW, .g = g1, .p = p, .m = m});
	world_range(
		w,
		(struct range_change){
			.kind = RANGE_SWEEP, .begin = true, .g = g1, .p = p, .m = m, .stack = 8});
	world_range(w,
		    (struct range_change){
			    .kind = RANGE_SWEEP, .p = p, .m = m, .swept = 8192, .reclaimed = 96});
	GO(G_STOP, g1, m, .block = "preempted", .stack = 8);
	GO(G_START, worker, m);
	world_label(
		w,
		(struct label_change){
			.g = worker, .p = p, .m = m, .label = "GC (dedicated)", .gc_worker = true});
	world_sample(w, (struct cpu_sample){.t = m, .g = worker, .p = p, .stack = 7});
	world_sample(w, (struct cpu_sample){.t = &w->m[1]});
	/* all that is open is so in the next generation, too */
	world_range(w, (struct range_change){.kind = RANGE_STW,
					     .begin = true,
					     .g = worker,
					     .p = p,
					     .m = m,
					     .name = "GC mark termination"});
	world_range(w, (struct range_change){
			       .kind = RANGE_SWEEP, .begin = true, .g = worker, .p = p, .m = m});
	w->now += 1000000000;
	world_range(w, (struct range_change){.kind = RANGE_SWEEP, .p = p, .m = m});
	world_range(w, (struct range_change){.kind = RANGE_GC, .g = worker, .p = p, .m = m});
	world_range(w, (struct range_change){.kind = RANGE_STW, .g = worker, .p = p, .m = m});
	GO(G_BLOCK, worker, m, .reason = "GC worker (idle)", .block = "GC background sweeper wait");
	GO(G_UNBLOCK, helper, m);
	GO(G_START, helper, m);
	world_range(w,
		    (struct range_change){.kind = RANGE_MARK_ASSIST, .g = helper, .p = p, .m = m});
	world_end(w);
	golden_check(&f, "besides");
	fixture_teardown(&f);
}

#define USER(kind_, ...) \
	world_user(w, (struct user_change){.kind = kind_, .g = g, .p = p, .m = m, __VA_ARGS__})

static void annotations(void)
{
	struct fixture f;
	struct world *w = &f.w;
	struct thread *m = &w->m[0];
	struct goroutine *g;
	struct proc *p;

	fixture_setup(&f);
	p = world_p(w, P_RUNNING, m);
	g = world_g(w, 7, G_RUNNING, m);
	world_begin(w);
	/* a region and a task that began before */
	USER(USER_REGION_END, .task = 3, .name = "early");
	USER(USER_TASK_END, .task = 3, .stack = 8);
	USER(USER_TASK_BEGIN, .task = 4, .parent = 3, .name = "request", .stack = 8);
	/* twice: the reader would refuse it */
	USER(USER_TASK_BEGIN, .task = 4, .name = "request");
	USER(USER_REGION_BEGIN, .task = 4, .name = "outer", .stack = 8);
	USER(USER_REGION_BEGIN, .task = 4, .name = "lost");
	USER(USER_REGION_BEGIN, .task = 4, .name = "inner");
	USER(USER_LOG, .task = 4, .name = "key", .text = "value");
	USER(USER_LOG, .name = "", .text = "without a task");
	USER(USER_START_REGION, .task = 4, .name = "begun");
	USER(USER_REGION_END, .task = 4, .name = "inner");
	/* never begun, or lost, while others are open */
	USER(USER_REGION_END, .task = 5, .name = "lost");
	/* in another generation, where strings have other numbers; the one within ends with it */
	w->now += 1000000000;
	USER(USER_REGION_END, .task = 4, .name = "outer");
	USER(USER_TASK_END, .task = 4);
	/* ids may come again */
	USER(USER_TASK_BEGIN, .task = 4, .name = "again");
	world_label(w, (struct label_change){.g = g, .p = p, .m = m, .label = "user=a, path=/"});
	world_label(w, (struct label_change){.g = g, .p = p, .m = m, .label = ""});
	world_label(w, (struct label_change){.g = g, .p = p, .m = m, .label = "GC (idle)"});
	world_end(w);
	golden_check(&f, "annotations");
	fixture_teardown(&f);
}

/* Ends that are missing, and such that end nothing; the reader takes neither. */
static void open_ends(void)
{
	struct fixture f;
	struct world *w = &f.w;
	struct thread *m = &w->m[0];
	struct goroutine *g;
	struct proc *p;

	fixture_setup(&f);
	p = world_p(w, P_RUNNING, m);
	g = world_g(w, 7, G_RUNNING, m);
	world_begin(w);
	for (int kind = RANGE_STW; kind <= RANGE_SWEEP; kind++)
		world_range(w, (struct range_change){
				       .kind = (enum range_kind)kind, .g = g, .p = p, .m = m});
	for (int i = 0; i < 2; i++) {
		for (int kind = RANGE_STW; kind <= RANGE_SWEEP; kind++)
			world_range(w, (struct range_change){.kind = (enum range_kind)kind,
							     .begin = true,
							     .g = g,
							     .p = p,
							     .m = m,
							     .name = "GOMAXPROCS"});
	}
	/* in a system call neither the world is stopped nor anything marked or swept */
	GO(G_SYSCALL_ENTER, g, m);
	GO(G_SYSCALL_RETURN, g, m);
	world_range(w, (struct range_change){
			       .kind = RANGE_MARK_ASSIST, .begin = true, .g = g, .p = p, .m = m});
	GO(G_BLOCK, g, m);
	/* told late */
	world_range(w, (struct range_change){.kind = RANGE_MARK_ASSIST, .g = g});
	world_range(w, (struct range_change){.kind = RANGE_GC, .flags = CHANGE_REPAIR});
	GO(G_UNBLOCK, g, m);
	GO(G_START, g, m);
	world_end(w);
	golden_check(&f, "open_ends");
	fixture_teardown(&f);
}

static void losses(void)
{
	struct fixture f;
	struct world *w = &f.w;
	struct goroutine *g;

	fixture_setup(&f);
	world_p(w, P_RUNNING, &w->m[0]);
	g = world_g(w, 1, G_RUNNABLE, NULL);
	g->start_pc = 0x6000;
	world_begin(w);
	/* nobody runs who could say it */
	world_lose(w, LOSS_GO, 3, w->now - 600);
	world_lose(w, LOSS_GO, 4, w->now - 500);
	world_lose(w, LOSS_STACK, 1, w->now - 500);
	w->now += WORLD_STEP;
	GO(G_START, g, &w->m[0]);
	/* while goroutines run, in the midst of what was written already */
	for (int i = 0; i < 3; i++) {
		w->now += 20000000;
		GO(G_STOP, g, &w->m[0], .stack = 8);
		GO(G_START, g, &w->m[0]);
	}
	world_lose(w, LOSS_SCHED, 2, w->now - 30000000);
	w->now += WORLD_STEP;
	GO(G_STOP, g, &w->m[0], .stack = 8);
	GO(G_START, g, &w->m[0]);
	GO(G_BLOCK, g, &w->m[0], .reason = "select", .stack = 999);
	/* nobody runs any more */
	world_lose(w, LOSS_SAMPLE, 5, FIXTURE_BEGIN);
	world_end(w);
	golden_check(&f, "losses");
	fixture_teardown(&f);
}

static void left_out(void)
{
	struct ev_shed step = {.what = SHED_STEP,
			       .from = SHED_STACKS,
			       .to = SHED_WINDOWS,
			       .overhead = 634000,
			       .budget = 250000};
	struct ev_shed off = {.what = SHED_PROBES_OFF}, on = {.what = SHED_PROBES_ON};
	struct fixture f;
	struct world *w = &f.w;
	struct goroutine *g;

	fixture_setup(&f);
	world_p(w, P_RUNNING, &w->m[0]);
	g = world_g(w, 1, G_RUNNABLE, NULL);
	g->start_pc = 0x6000;
	world_begin(w);
	GO(G_START, g, &w->m[0]);
	world_shed(w, step);
	world_shed(w, off);
	w->now += 50000000;
	world_shed(w, on);
	w->now += WORLD_STEP;
	GO(G_STOP, g, &w->m[0]);
	/* twice without anybody who could say it: one */
	world_shed(w, off);
	w->now += 30000000;
	world_shed(w, on);
	w->now += 10000000;
	world_shed(w, off);
	w->now += 20000000;
	world_shed(w, on);
	w->now += WORLD_STEP;
	GO(G_START, g, &w->m[0]);
	GO(G_STOP, g, &w->m[0]);
	step.from = SHED_WINDOWS;
	step.to = SHED_STACKS;
	step.overhead = 1000;
	world_shed(w, step);
	w->now += WORLD_STEP;
	GO(G_START, g, &w->m[0]);
	/* until the end */
	world_shed(w, off);
	w->now += 5000000;
	GO(G_STOP, g, &w->m[0]);
	world_end(w);
	golden_check(&f, "left_out");
	fixture_teardown(&f);
}

static CU_TestInfo tests[] = {
	{"what the runtime does besides", besides},
	{"what the program says", annotations},
	{"ends that are missing or too many", open_ends},
	{"losses", losses},
	{"what was left out", left_out},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("export/gotrace besides", tests);
