// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Changes of state; see golden.h. */
#include "tests/unit/export/golden.h"
#include "tests/unit/unit.h"

static void minimal(void)
{
	struct fixture f;
	struct world *w = &f.w;
	struct goroutine *g1, *g2;

	fixture_setup(&f);
	world_p(w, P_RUNNING, &w->m[0]);
	g1 = world_g(w, 1, G_RUNNING, &w->m[0]);
	g2 = world_g(w, 7, G_WAITING, NULL);
	g2->reason = "chan receive";
	world_begin(w);
	GO(G_UNBLOCK, g2, &w->m[0], .other = g1, .stack = 8, .skip = 1);
	GO(G_BLOCK, g1, &w->m[0], .reason = "sleep", .block = "sleep", .stack = 8, .skip = 1);
	world_end(w);
	golden_check(&f, "minimal");
	fixture_teardown(&f);
}

static void all_causes(void)
{
	struct fixture f;
	struct world *w = &f.w;
	struct thread *m = &w->m[0];
	struct goroutine *g1, *g2, *extra;
	struct proc *p;

	fixture_setup(&f);
	p = world_p(w, P_IDLE, NULL);
	g1 = world_g(w, 1, G_RUNNABLE, NULL);
	world_begin(w);
	world_proc(w, P_START, p, m);
	GO(G_START, g1, m);
	g2 = world_new_g(w, 18);
	g2->start_pc = 0x6000;
	GO(G_CREATE, g2, m, .other = g1, .stack = 8, .skip = 0);
	GO(G_STOP, g1, m, .block = "preempted", .stack = 8);
	GO(G_START, g2, m);
	GO(G_BLOCK, g2, m, .reason = "chan receive", .block = "chan receive", .stack = 7,
	   .skip = 1);
	/* netpoll finds it ready: on a thread that runs no goroutine, then on none at all */
	GO(G_UNBLOCK, g2, m);
	GO(G_START, g2, m);
	GO(G_BLOCK, g2, m, .reason = "IO wait", .block = "network", .stack = 7);
	GO(G_UNBLOCK, g2, NULL);
	GO(G_START, g2, m);
	GO(G_SYSCALL_ENTER, g2, m, .stack = 7);
	GO(G_SYSCALL_RETURN, g2, m);
	GO(G_EXIT, g2, m);
	GO(G_START, g1, m);
	GO(G_STOP, g1, m);
	world_proc(w, P_STOP, p, m);
	extra = world_new_g(w, 19);
	GO(G_EXTRA_ENTER, extra, &w->m[1]);
	world_proc(w, P_START, p, &w->m[1]);
	GO(G_SYSCALL_LOST, extra, &w->m[1]);
	GO(G_START, extra, &w->m[1]);
	GO(G_SYSCALL_ENTER, extra, &w->m[1]);
	world_proc(w, P_STOP, p, &w->m[1]);
	GO(G_EXTRA_LEAVE, extra, &w->m[1]);
	world_end(w);
	golden_check(&f, "causes");
	fixture_teardown(&f);
}

static void syscalls(void)
{
	struct fixture f;
	struct world *w = &f.w;
	struct thread *m = w->m;
	struct goroutine *a, *b, *c;
	struct proc *p, *q;

	fixture_setup(&f);
	p = world_p(w, P_RUNNING, &m[0]);
	q = world_p(w, P_SYSCALL, &m[1]);
	a = world_g(w, 1, G_RUNNING, &m[0]);
	b = world_g(w, 5, G_SYSCALL, &m[1]);
	c = world_g(w, 6, G_SYSCALL, &m[2]);
	world_begin(w);
	/* the P of a syscall that was there at the start is taken by another thread */
	world_proc(w, P_STEAL, q, &m[3]);
	world_proc(w, P_START, q, &m[3]);
	/* a syscall without a P from the start ends */
	GO(G_SYSCALL_LOST, c, &m[2]);
	GO(G_START, c, &m[3]);
	/* kept, then given away by the thread itself */
	GO(G_SYSCALL_ENTER, a, &m[0], .stack = 8);
	GO(G_SYSCALL_RETURN, a, &m[0]);
	GO(G_SYSCALL_ENTER, a, &m[0], .stack = 8);
	world_proc(w, P_STOP, p, &m[0]);
	world_proc(w, P_START, p, &m[1]);
	GO(G_SYSCALL_LOST, b, &m[1]);
	GO(G_START, b, &m[1]);
	/* taken with no thief known, and got back before the syscall ends */
	GO(G_SYSCALL_ENTER, b, &m[1], .stack = 7);
	world_proc(w, P_STEAL, p, NULL);
	world_proc(w, P_START, p, &m[1]);
	GO(G_SYSCALL_LOST, b, &m[1]);
	world_end(w);
	golden_check(&f, "syscalls");
	fixture_teardown(&f);
}

/* A thread from C leaves Go with its P, comes back and finds it still there. */
static void abandoned(void)
{
	struct fixture f;
	struct world *w = &f.w;
	struct thread *m = &w->m[0];
	struct goroutine *g;
	struct proc *p;

	fixture_setup(&f);
	p = world_p(w, P_SYSCALL, m);
	g = world_g(w, 3, G_SYSCALL, m);
	world_begin(w);
	GO(G_EXTRA_LEAVE, g, m);
	g = world_new_g(w, 4);
	GO(G_EXTRA_ENTER, g, m);
	GO(G_SYSCALL_RETURN, g, m);
	GO(G_SYSCALL_ENTER, g, m);
	GO(G_EXTRA_LEAVE, g, m);
	w->now += 1000000000;
	/* in the next generation sysmon takes it */
	world_proc(w, P_STEAL, p, &w->m[1]);
	world_end(w);
	golden_check(&f, "abandoned");
	fixture_teardown(&f);
}

static void switches(unsigned int minor, const char *golden)
{
	struct fixture f;
	struct world *w = &f.w;
	struct thread *m = &w->m[0];
	struct goroutine *g1, *co;

	fixture_setup_minor(&f, minor);
	world_p(w, P_RUNNING, m);
	g1 = world_g(w, 1, G_RUNNING, m);
	world_begin(w);
	w->now += 1000000000;
	co = world_new_g(w, 20);
	co->start_pc = 0x6000;
	GO(G_CREATE_BLOCKED, co, m, .other = g1, .stack = 9, .skip = 2);
	GO(G_SWITCH_OUT, g1, m, .other = co, .reason = "coroutine", .stack = 8);
	GO(G_SWITCH_OUT, co, m, .other = g1, .reason = "coroutine", .stack = 7);
	w->now += 1000000000;
	/* both are waiting or running in a generation they were not created in */
	GO(G_SWITCH_OUT, g1, m, .other = co, .reason = "coroutine", .stack = 8);
	GO(G_SWITCH_EXIT, co, m, .other = g1);
	world_end(w);
	golden_check(&f, golden);
	fixture_teardown(&f);
}

static void coroutines(void)
{
	switches(24, "coroutines");
}

static void coroutines_before(void)
{
	switches(22, "coroutines_before");
}

static void generations(void)
{
	struct fixture f;
	struct world *w = &f.w;
	struct goroutine *g1, *sleeper, *woken, *in_syscall;
	struct proc *p, *idle;

	fixture_setup(&f);
	p = world_p(w, P_RUNNING, &w->m[0]);
	idle = world_p(w, P_IDLE, NULL);
	g1 = world_g(w, 1, G_RUNNING, &w->m[0]);
	sleeper = world_g(w, 2, G_WAITING, NULL);
	woken = world_g(w, 3, G_WAITING, NULL);
	in_syscall = world_g(w, 4, G_SYSCALL, &w->m[1]);
	world_begin(w);
	GO(G_STOP, g1, &w->m[0], .block = "runtime.Gosched", .stack = 8);
	GO(G_START, g1, &w->m[0]);
	w->now = FIXTURE_BEGIN + 1000000000;
	GO(G_UNBLOCK, woken, &w->m[0], .other = g1, .stack = 8);
	GO(G_STOP, g1, &w->m[0], .block = "preempted", .stack = 8);
	GO(G_START, woken, &w->m[0]);
	/* a P more than before */
	world_p(w, P_IDLE, NULL);
	{
		struct p_change c = {.time = w->now, .p = &w->p[2], .cause = P_INIT};

		CU_ASSERT_EQUAL(w->sink.ops->processor(w->sink.ctx, &c), 0);
		w->now += WORLD_STEP;
	}
	GO(G_BLOCK, woken, &w->m[0], .block = "select", .stack = 7);
	GO(G_START, g1, &w->m[0]);
	(void)p, (void)idle, (void)sleeper, (void)in_syscall;
	world_end(w);
	golden_check(&f, "generations");
	fixture_teardown(&f);
}

/* What is unknown at the start and unfinished at the end. */
static void middle(void)
{
	struct fixture f;
	struct world *w = &f.w;
	struct goroutine *g;

	fixture_setup(&f);
	world_p(w, P_RUNNING, &w->m[0]);
	world_p(w, P_SYSCALL, &w->m[1]);
	world_p(w, P_RUNNING, &w->m[2]);
	world_p(w, P_IDLE, NULL);
	world_g(w, 1, G_RUNNING, &w->m[0]);
	world_g(w, 2, G_SYSCALL, &w->m[1]);
	world_g(w, 3, G_SYSCALL, &w->m[3]);
	world_g(w, 4, G_WAITING, NULL);
	world_g(w, 5, G_RUNNABLE, NULL);
	world_begin(w);
	/* nothing happens but a creation nobody knows more of; the goid is unknown, too */
	g = world_new_g(w, 0);
	GO(G_CREATE, g, &w->m[2]);
	world_end(w);
	golden_check(&f, "middle");
	fixture_teardown(&f);
}

static CU_TestInfo tests[] = {
	{"minimal trace", minimal},
	{"all causes", all_causes},
	{"system calls kept, lost and stolen", syscalls},
	{"a P left by a C thread", abandoned},
	{"coroutines", coroutines},
	{"coroutines before Go 1.23", coroutines_before},
	{"a new generation", generations},
	{"from the middle to the middle", middle},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("export/gotrace", tests);
