// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"
#include "user/report/internal.h"

static struct report *report;
static struct sink sink;
static uint64_t now;

static void begin(bool system_wide, unsigned int top)
{
	struct report_options options = {.top = top, .system_wide = system_wide};

	CU_ASSERT_EQUAL_FATAL(report_new(&report, &options, NULL, NULL), 0);
	sink = report_sink(report);
	now = 5000;
}

static void end(void)
{
	struct replay_totals totals = {.begin_ns = 5000, .end_ns = now};

	CU_ASSERT_EQUAL(sink.ops->end(sink.ctx, &totals, NULL), 0);
}

static struct thread thread(uint32_t tid, uint32_t tgid, const char *comm)
{
	struct thread t = {.tid = tid, .tgid = tgid, .sys_nr = -1};

	snprintf(t.comm, sizeof(t.comm), "%s", comm);
	return t;
}

/* `ns` later, the thread changes its state. */
static void change(struct thread *t, uint64_t ns, enum t_state to, uint32_t by, const char *comm)
{
	struct t_change c = {.t = t,
			     .since = t->since,
			     .from = t->state,
			     .to = to,
			     .by_tid = by,
			     .by_comm = comm};

	now += ns;
	c.time = now;
	t->state = to;
	t->since = now;
	CU_ASSERT_EQUAL(sink.ops->thread(sink.ctx, &c), 0);
}

static void sys(struct thread *t, int nr, uint64_t ns, int64_t ret)
{
	struct syscall_span s = {.begin = now - ns, .end = now, .t = t, .nr = nr, .ret = ret};

	CU_ASSERT_EQUAL(sink.ops->syscall(sink.ctx, &s), 0);
}

static const struct task *task(size_t i)
{
	CU_ASSERT_FATAL(i < report->tasks.top.n);
	return report->tasks.top.items[i];
}

static const struct task_process *process(size_t i)
{
	CU_ASSERT_FATAL(i < report->tasks.top_processes.n);
	return report->tasks.top_processes.items[i];
}

static void time_goes_to_the_state_it_was_in(void)
{
	struct thread a = thread(11, 10, "worker");

	begin(true, 0);
	change(&a, 100, T_RUNNING, 0, "");
	change(&a, 40, T_SLEEPING, 5, "x");
	change(&a, 1000, T_RUNNABLE, 5, "x");
	change(&a, 7, T_RUNNING, 0, "");
	change(&a, 3, T_RUNNABLE, 5, "x");
	change(&a, 20, T_RUNNING, 0, "");
	sys(&a, 1, 2, 17);
	sys(&a, 1, 1, -11);
	now += 100;
	end();
	CU_ASSERT_EQUAL_FATAL(report->tasks.top.n, 1);
	CU_ASSERT_EQUAL(task(0)->stats.on_cpu, 40 + 3 + 100);
	CU_ASSERT_EQUAL(task(0)->stats.sleeping, 1000);
	CU_ASSERT_EQUAL(task(0)->stats.runnable, 27);
	CU_ASSERT_EQUAL(task(0)->stats.latency.count, 2);
	CU_ASSERT_EQUAL(task(0)->stats.latency.max, 20);
	CU_ASSERT_EQUAL(task(0)->stats.switches, 2);
	CU_ASSERT_EQUAL(task(0)->stats.preempted, 1);
	CU_ASSERT_EQUAL(task(0)->stats.wakeups, 1);
	CU_ASSERT_EQUAL(task(0)->stats.syscalls, 2);
	CU_ASSERT_EQUAL(task(0)->stats.syscall_ns, 3);
	CU_ASSERT_EQUAL_FATAL(HASH_COUNT(report->system.syscalls), 1);
	CU_ASSERT_EQUAL(report->system.syscalls->errors, 1);
	CU_ASSERT_EQUAL(report->system.syscalls->times.count, 2);
	report_free(report);
}

/* What it was in before the capture began counts from there. */
static void the_time_before_counts_from_the_beginning(void)
{
	struct thread first = thread(1, 1, "first"), a = thread(2, 2, "a");

	begin(true, 0);
	change(&first, 0, T_RUNNING, 0, "");
	a.state = T_SLEEPING;
	a.since = 1000;
	change(&a, 500, T_RUNNABLE, 1, "first");
	change(&a, 9, T_RUNNING, 0, "");
	end();
	CU_ASSERT_STRING_EQUAL(task(0)->comm, "a");
	CU_ASSERT_EQUAL(task(0)->stats.sleeping, 500);
	CU_ASSERT_EQUAL(task(0)->stats.runnable, 9);
	report_free(report);
}

static const struct antagonist *antagonist(const struct kernel_view *v, const char *name)
{
	struct antagonist *a, *tmp;

	HASH_ITER(hh, v->antagonists, a, tmp)
		if (!strcmp(a->name, name))
			return a;
	return NULL;
}

static void who_took_the_cpu_is_named(void)
{
	struct process target = {.tgid = 10};
	struct thread a = thread(11, 10, "go"), b = thread(12, 10, "go"), c = thread(13, 13, "go");
	const struct antagonist *x;
	const struct kernel_view *v;

	begin(true, 0);
	a.process = b.process = &target;
	CU_ASSERT_EQUAL(sink.ops->process(sink.ctx, &target, now), 0);
	change(&a, 0, T_RUNNING, 0, "");
	change(&b, 0, T_RUNNING, 0, "");
	change(&c, 0, T_RUNNING, 0, "");
	change(&a, 1, T_RUNNABLE, 12, "go");
	change(&a, 10, T_RUNNING, 0, "");
	change(&a, 1, T_RUNNABLE, 13, "go");
	change(&a, 20, T_RUNNING, 0, "");
	change(&a, 1, T_RUNNABLE, 40, "kworker/u4:2-ev");
	change(&a, 40, T_RUNNING, 0, "");
	change(&a, 1, T_RUNNABLE, 41, "kworker/0:1");
	change(&a, 80, T_RUNNING, 0, "");
	change(&b, 1, T_RUNNABLE, 0, "swapper/1");
	change(&b, 160, T_RUNNING, 0, "");
	/* a wake-up is nobody's fault */
	change(&a, 1, T_SLEEPING, 40, "x");
	change(&a, 1, T_RUNNABLE, 40, "x");
	change(&a, 320, T_RUNNING, 0, "");
	end();
	v = &report->processes->view;
	CU_ASSERT_EQUAL(HASH_COUNT(v->antagonists), 4);
	x = antagonist(v, "(its own other threads)");
	CU_ASSERT_FATAL(x && x->times == 1);
	CU_ASSERT_EQUAL(x->ns, 10);
	x = antagonist(v, "go");
	CU_ASSERT_FATAL(x && x->times == 1);
	CU_ASSERT_EQUAL(x->ns, 20);
	x = antagonist(v, "kworker");
	CU_ASSERT_FATAL(x && x->times == 2);
	CU_ASSERT_EQUAL(x->ns, 120);
	x = antagonist(v, "(nobody: the CPU quota was used up, or it was moved)");
	CU_ASSERT_FATAL(x && x->times == 1);
	CU_ASSERT_EQUAL(x->ns, 160);
	/* seen from the whole system, everybody has a name */
	x = antagonist(&report->system, "go");
	CU_ASSERT_FATAL(x && x->times == 2);
	CU_ASSERT_EQUAL(x->ns, 30);
	CU_ASSERT_EQUAL(v->threads, 2);
	CU_ASSERT_EQUAL(v->stats.preempted, 5);
	report_free(report);
}

static void processes_add_up_their_threads(void)
{
	struct thread m = thread(10, 10, "main"), t = thread(11, 10, "helper");
	struct thread again = thread(11, 20, "later");

	begin(true, 0);
	change(&t, 0, T_RUNNING, 0, "");
	change(&m, 0, T_RUNNING, 0, "");
	change(&t, 30, T_DEAD, 0, "");
	/* the kernel's last switch away from it tells the same again */
	change(&t, 1, T_DEAD, 0, "");
	change(&m, 9, T_DEAD, 0, "");
	/* the number goes to another process, and then to yet another one, unseen */
	change(&again, 0, T_RUNNING, 0, "");
	again.tgid = 30;
	change(&again, 5, T_RUNNABLE, 0, "");
	now += 100;
	end();
	CU_ASSERT_EQUAL_FATAL(report->tasks.top_processes.n, 3);
	CU_ASSERT_EQUAL(process(0)->tgid, 30);
	CU_ASSERT_EQUAL(process(0)->stats.runnable, 100);
	CU_ASSERT_EQUAL(process(1)->tgid, 10);
	CU_ASSERT_STRING_EQUAL(process(1)->comm, "main");
	CU_ASSERT_EQUAL(process(1)->threads, 2);
	CU_ASSERT_EQUAL(process(1)->stats.on_cpu, 30 + 40);
	CU_ASSERT_EQUAL(process(2)->tgid, 20);
	CU_ASSERT_EQUAL(process(2)->stats.on_cpu, 5);
	report_free(report);
}

static void memory_is_for_the_living_and_the_top(void)
{
	begin(true, 3);
	for (uint32_t i = 0; i < 5000; i++) {
		struct thread t = thread(100 + i, 100 + i, "short");

		change(&t, 1, T_RUNNING, 0, "");
		change(&t, 1, T_RUNNABLE, 7, "x");
		change(&t, i, T_RUNNING, 0, "");
		change(&t, 1, T_DEAD, 0, "");
		CU_ASSERT_PTR_NULL(report->tasks.live);
		CU_ASSERT_PTR_NULL(report->tasks.processes);
	}
	end();
	CU_ASSERT_EQUAL_FATAL(report->tasks.top.n, 3);
	CU_ASSERT_EQUAL_FATAL(report->tasks.top_processes.n, 3);
	for (uint32_t i = 0; i < 3; i++) {
		CU_ASSERT_EQUAL(task(i)->tid, 100 + 4999 - i);
		CU_ASSERT_EQUAL(process(i)->stats.runnable, 4999 - i);
	}
	report_free(report);
}

static void forged_numbers_of_system_calls_are_one(void)
{
	struct thread t = thread(1, 1, "x");

	begin(true, 0);
	change(&t, 0, T_RUNNING, 0, "");
	for (int nr = 1023; nr < 1100; nr++)
		sys(&t, nr, 1, 0);
	sys(&t, -5, 1, 0);
	sys(&t, 0x7fffffff, 1, 0);
	end();
	CU_ASSERT_EQUAL(HASH_COUNT(report->system.syscalls), 2);
	report_free(report);
}

static CU_TestInfo tests[] = {
	{"time goes to the state it was in", time_goes_to_the_state_it_was_in},
	{"the time before counts from the beginning", the_time_before_counts_from_the_beginning},
	{"who took the CPU is named", who_took_the_cpu_is_named},
	{"processes add up their threads", processes_add_up_their_threads},
	{"memory is for the living and the top", memory_is_for_the_living_and_the_top},
	{"forged numbers of system calls are one", forged_numbers_of_system_calls_are_one},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("report/tasks", tests);
