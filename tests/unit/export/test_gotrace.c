// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Hand-made histories against the traces in tests/golden, which say in comments why they are
 * right. A trace that differs is left in build/golden.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/export/wire_text.h"
#include "tests/unit/export/world.h"
#include "tests/unit/unit.h"
#include "user/export/export.h"
#include "user/export/gotrace.h"

#define BEGIN 1000000

struct fixture {
	struct world w;
	struct gotrace *t;
	int fd;
};

static void setup_fd(struct fixture *f, int fd, unsigned int minor)
{
	const struct gotrace_options options = {
		.go_minor = minor,
		.mono_ns = 500000,
		.wall_ns = 1700000000999000000,
	};
	static const uint64_t leaf[] = {0x1001, 0x2001, 0x3001, 0x9001};
	static const uint64_t create_stack[] = {0x7001, 0x8001, 0x4001, 0x5001, 0x9001};
	static const uint64_t main_stack[] = {0x1001, 0x4001, 0x5001, 0x9001};

	world_init(&f->w, BEGIN);
	world_symbol(&f->w, 0x1001, "runtime.gopark", "proc.go", 400);
	world_symbol(&f->w, 0x2001, "main.recv", "main.go", 10);
	world_symbol(&f->w, 0x3001, "main.worker", "main.go", 20);
	world_symbol(&f->w, 0x4001, "main.main", "main.go", 30);
	world_symbol(&f->w, 0x5001, "runtime.main", "proc.go", 283);
	world_symbol(&f->w, 0x6000, "main.worker", "main.go", 15);
	world_symbol(&f->w, 0x7001, "runtime.systemstack_switch", "asm.s", 480);
	world_symbol(&f->w, 0x8001, "runtime.newproc", "proc.go", 5000);
	world_symbol(&f->w, 0x9001, "runtime.goexit", "asm.s", 1);
	world_stack(&f->w, 7, leaf, 4);
	world_stack(&f->w, 8, main_stack, 4);
	world_stack(&f->w, 9, create_stack, 5);
	f->fd = fd;
	f->t = NULL;
	CU_ASSERT_EQUAL_FATAL(gotrace_new(&f->t, fd, &options, f->w.symbols, NULL), 0);
	f->w.sink = gotrace_sink(f->t);
}

static void setup_minor(struct fixture *f, unsigned int minor)
{
	setup_fd(f, memfd_create("trace", 0), minor);
}

static void setup(struct fixture *f)
{
	setup_minor(f, 22);
}

static void teardown(struct fixture *f)
{
	gotrace_free(f->t);
	world_free(&f->w);
	close(f->fd);
}

/* The text of a golden file, without its comments. */
static char *golden_read(const char *path)
{
	FILE *in = fopen(path, "r"), *out;
	char *text = NULL, *line = NULL;
	size_t len = 0, size = 0;

	if (!in)
		return NULL;
	out = open_memstream(&text, &len);
	while (getline(&line, &size, in) > 0) {
		if (line[0] != '#')
			fputs(line, out);
	}
	free(line);
	fclose(out);
	fclose(in);
	return text;
}

static void leave(const char *name, const char *suffix, const void *data, size_t n)
{
	char path[256];
	FILE *out;

	mkdir("build/golden", 0755);
	snprintf(path, sizeof(path), "build/golden/%s%s", name, suffix);
	out = fopen(path, "w");
	if (out) {
		fwrite(data, 1, n, out);
		fclose(out);
	}
}

static void check_golden(struct fixture *f, const char *name)
{
	char path[256], *want, *got = NULL;
	uint8_t *data;
	size_t n = 0;

	CU_ASSERT_EQUAL(f->w.err, 0);
	CU_ASSERT_EQUAL(gotrace_finish(f->t, NULL), 0);
	snprintf(path, sizeof(path), "tests/golden/gotrace_%s.txt", name);
	want = golden_read(path);
	data = wire_read(f->fd, &n);
	if (data)
		got = wire_text(data, n);
	CU_ASSERT_PTR_NOT_NULL(want);
	CU_ASSERT_PTR_NOT_NULL(got);
	if (!want || !got || strcmp(want, got)) {
		leave(name, ".trace", data, n);
		if (got)
			leave(name, ".txt", got, strlen(got));
		CU_FAIL("differs from the golden file");
	}
	free(data);
	free(want);
	free(got);
}

/* A handle as short as the histories below want it. */
#define GO(cause, g, m, ...) world_go(w, cause, g, m, &(const struct with){__VA_ARGS__})

static void minimal(void)
{
	struct fixture f;
	struct world *w = &f.w;
	struct goroutine *g1, *g2;

	setup(&f);
	world_p(w, P_RUNNING, &w->m[0]);
	g1 = world_g(w, 1, G_RUNNING, &w->m[0]);
	g2 = world_g(w, 7, G_WAITING, NULL);
	g2->reason = "chan receive";
	world_begin(w);
	GO(G_UNBLOCK, g2, &w->m[0], .other = g1, .stack = 8, .skip = 1);
	GO(G_BLOCK, g1, &w->m[0], .reason = "sleep", .block = "sleep", .stack = 8, .skip = 1);
	world_end(w);
	check_golden(&f, "minimal");
	teardown(&f);
}

static void all_causes(void)
{
	struct fixture f;
	struct world *w = &f.w;
	struct thread *m = &w->m[0];
	struct goroutine *g1, *g2, *extra;
	struct proc *p;

	setup(&f);
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
	check_golden(&f, "causes");
	teardown(&f);
}

static void syscalls(void)
{
	struct fixture f;
	struct world *w = &f.w;
	struct thread *m = w->m;
	struct goroutine *a, *b, *c;
	struct proc *p, *q;

	setup(&f);
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
	check_golden(&f, "syscalls");
	teardown(&f);
}

/* A thread from C leaves Go with its P, comes back and finds it still there. */
static void abandoned(void)
{
	struct fixture f;
	struct world *w = &f.w;
	struct thread *m = &w->m[0];
	struct goroutine *g;
	struct proc *p;

	setup(&f);
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
	check_golden(&f, "abandoned");
	teardown(&f);
}

static void switches(unsigned int minor, const char *golden)
{
	struct fixture f;
	struct world *w = &f.w;
	struct thread *m = &w->m[0];
	struct goroutine *g1, *co;

	setup_minor(&f, minor);
	world_p(w, P_RUNNING, m);
	g1 = world_g(w, 1, G_RUNNING, m);
	world_begin(w);
	w->now += 1000000000;
	co = world_new_g(w, 20);
	co->start_pc = 0x6000;
	GO(G_CREATE_BLOCKED, co, m, .other = g1, .stack = 9, .skip = -1);
	GO(G_SWITCH_OUT, g1, m, .other = co, .reason = "coroutine", .stack = 8);
	GO(G_SWITCH_OUT, co, m, .other = g1, .reason = "coroutine", .stack = 7);
	w->now += 1000000000;
	/* both are waiting or running in a generation they were not created in */
	GO(G_SWITCH_OUT, g1, m, .other = co, .reason = "coroutine", .stack = 8);
	GO(G_SWITCH_EXIT, co, m, .other = g1);
	world_end(w);
	check_golden(&f, golden);
	teardown(&f);
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

	setup(&f);
	p = world_p(w, P_RUNNING, &w->m[0]);
	idle = world_p(w, P_IDLE, NULL);
	g1 = world_g(w, 1, G_RUNNING, &w->m[0]);
	sleeper = world_g(w, 2, G_WAITING, NULL);
	woken = world_g(w, 3, G_WAITING, NULL);
	in_syscall = world_g(w, 4, G_SYSCALL, &w->m[1]);
	world_begin(w);
	GO(G_STOP, g1, &w->m[0], .block = "runtime.Gosched", .stack = 8);
	GO(G_START, g1, &w->m[0]);
	w->now = BEGIN + 1000000000;
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
	check_golden(&f, "generations");
	teardown(&f);
}

/* What is unknown at the start and unfinished at the end. */
static void middle(void)
{
	struct fixture f;
	struct world *w = &f.w;
	struct goroutine *g;

	setup(&f);
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
	check_golden(&f, "middle");
	teardown(&f);
}

/* All that is not a change of state, in the order a runtime does it. */
static void besides(void)
{
	struct fixture f;
	struct world *w = &f.w;
	struct thread *m = &w->m[0];
	struct goroutine *g1, *worker, *helper;
	struct proc *p;

	setup_minor(&f, 27);
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
	check_golden(&f, "besides");
	teardown(&f);
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

	setup(&f);
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
	check_golden(&f, "annotations");
	teardown(&f);
}

/* Ends that are missing, and such that end nothing; the reader takes neither. */
static void open_ends(void)
{
	struct fixture f;
	struct world *w = &f.w;
	struct thread *m = &w->m[0];
	struct goroutine *g;
	struct proc *p;

	setup(&f);
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
	check_golden(&f, "open_ends");
	teardown(&f);
}

static void losses(void)
{
	struct fixture f;
	struct world *w = &f.w;
	struct goroutine *g;

	setup(&f);
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
	world_lose(w, LOSS_SAMPLE, 5, BEGIN);
	world_end(w);
	check_golden(&f, "losses");
	teardown(&f);
}

/* --- the file -------------------------------------------------------------------------------- */

static void short_history(struct world *w)
{
	struct goroutine *g1;

	world_p(w, P_RUNNING, &w->m[0]);
	g1 = world_g(w, 1, G_RUNNING, &w->m[0]);
	world_begin(w);
	for (int i = 0; i < 3; i++) {
		w->now += 1000000000;
		GO(G_STOP, g1, &w->m[0], .stack = 8);
		GO(G_START, g1, &w->m[0]);
	}
	world_end(w);
}

static uint8_t *history_in(int fd, unsigned int minor, size_t *n)
{
	struct fixture f;
	uint8_t *data;

	setup_fd(&f, fd, minor);
	short_history(&f.w);
	CU_ASSERT_EQUAL(gotrace_finish(f.t, NULL), 0);
	data = wire_read(fd, n);
	teardown(&f);
	return data;
}

/* The same bytes whatever fd is. */
static void pipes_and_appending(void)
{
	char path[] = "/tmp/gscope-unit.XXXXXX";
	uint8_t *file, *other, buf[8192];
	size_t nfile = 0, nother = 0;
	struct fixture f;
	int fds[2], fd;

	file = history_in(memfd_create("trace", 0), 26, &nfile);
	CU_ASSERT_FATAL(file && nfile > 16 && nfile < sizeof(buf));
	CU_ASSERT_EQUAL(memcmp(file, "go 1.26 trace\0\0\0", 16), 0);

	fd = mkstemp(path);
	close(fd);
	fd = open(path, O_RDWR | O_APPEND);
	unlink(path);
	CU_ASSERT_EQUAL(write(fd, "head", 4), 4);
	other = history_in(fd, 26, &nother);
	CU_ASSERT_FATAL(other && nother == nfile + 4);
	CU_ASSERT_EQUAL(memcmp(other, "head", 4), 0);
	CU_ASSERT_EQUAL(memcmp(other + 4, file, nfile), 0);
	free(other);

	CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
	setup_fd(&f, fds[1], 26);
	short_history(&f.w);
	CU_ASSERT_EQUAL(gotrace_finish(f.t, NULL), 0);
	CU_ASSERT_EQUAL(read(fds[0], buf, sizeof(buf)), (ssize_t)nfile);
	CU_ASSERT_EQUAL(memcmp(buf, file, nfile), 0);
	teardown(&f);
	close(fds[0]);
	free(file);
}

/* Of what is asked for, else of the process's own release. */
static void headers(void)
{
	static const struct {
		unsigned int asked, own, written;
	} cases[] = {
		{0, 0, 22},   {0, 19, 22},  {0, 21, 22},  {0, 22, 22},  {0, 23, 23},
		{0, 24, 23},  {0, 25, 25},  {0, 26, 26},  {0, 27, 26},  {0, 28, 26},
		{22, 27, 22}, {24, 19, 23}, {27, 22, 26}, {25, 26, 25},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char want[16] = "";
		struct fixture f;
		uint8_t *data;
		size_t n = 0;

		setup_minor(&f, cases[i].asked);
		f.w.ps.info.go_minor = (uint16_t)cases[i].own;
		short_history(&f.w);
		CU_ASSERT_EQUAL(gotrace_finish(f.t, NULL), 0);
		snprintf(want, sizeof(want), "go 1.%u trace", cases[i].written);
		data = wire_read(f.fd, &n);
		CU_ASSERT_FATAL(data && n > 16);
		CU_ASSERT_EQUAL(memcmp(data, want, 16), 0);
		/* the last byte ends the last generation */
		CU_ASSERT_EQUAL(data[n - 1] == 52, cases[i].written >= 26);
		free(data);
		teardown(&f);
	}
}

/* In a file that has something before it, the header is written where the trace begins. */
static void starts_at_the_offset(void)
{
	int fd = memfd_create("trace", 0);
	uint8_t *data;
	size_t n = 0;
	char *text;

	CU_ASSERT_EQUAL(write(fd, "0123456789", 10), 10);
	data = history_in(fd, 23, &n);
	CU_ASSERT_FATAL(data && n > 26);
	CU_ASSERT_EQUAL(memcmp(data, "0123456789go 1.23", 17), 0);
	text = wire_text(data + 10, n - 10);
	CU_ASSERT_PTR_NOT_NULL(text);
	free(text);
	free(data);
}

static void full_disk(void)
{
	struct fixture f;
	struct error e = {0};

	setup_fd(&f, open("/dev/full", O_WRONLY), 22);
	short_history(&f.w);
	CU_ASSERT_EQUAL(f.w.err, -ENOSPC);
	CU_ASSERT_EQUAL(gotrace_finish(f.t, &e), -ENOSPC);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "full"));
	teardown(&f);
}

/* A file that cannot take the second generation keeps the first. */
static void keeps_whole_generations(void)
{
	int fd = memfd_create("trace", MFD_ALLOW_SEALING);
	struct fixture f;
	struct error e = {0};
	uint8_t *data;
	size_t n = 0, first;
	char *text;

	setup_fd(&f, fd, 22);
	world_p(&f.w, P_RUNNING, &f.w.m[0]);
	world_g(&f.w, 1, G_RUNNING, &f.w.m[0]);
	world_begin(&f.w);
	world_lose(&f.w, LOSS_GO, 1, 0);
	f.w.now += 2000000000;
	world_go(&f.w, G_STOP, &f.w.g[0], &f.w.m[0], NULL);
	data = wire_read(fd, &first);
	free(data);
	CU_ASSERT(first > 16);
	CU_ASSERT_EQUAL(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), 0);
	f.w.now += 2000000000;
	world_go(&f.w, G_START, &f.w.g[0], &f.w.m[0], NULL);
	CU_ASSERT_EQUAL(f.w.err, -EPERM);
	CU_ASSERT_EQUAL(gotrace_finish(f.t, &e), -EPERM);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "cannot write the Go trace"));
	data = wire_read(fd, &n);
	CU_ASSERT_EQUAL(n, first);
	text = wire_text(data, n);
	CU_ASSERT_PTR_NOT_NULL(text);
	free(text);
	free(data);
	teardown(&f);
}

static void no_process(void)
{
	struct gotrace_options options = {.tgid = 99};
	struct error e = {0};
	struct gotrace *t;
	struct world w;
	int fd = memfd_create("trace", 0);

	/* there is a process, but not the one that was asked for */
	world_init(&w, BEGIN);
	CU_ASSERT_EQUAL(gotrace_new(&t, fd, &options, w.symbols, &e), 0);
	w.sink = gotrace_sink(t);
	short_history(&w);
	CU_ASSERT_EQUAL(w.err, 0);
	CU_ASSERT_EQUAL(gotrace_finish(t, &e), -ENODATA);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "nothing to write"));
	CU_ASSERT_EQUAL(lseek(fd, 0, SEEK_END), 0);
	gotrace_free(t);
	world_free(&w);
	close(fd);
}

/* The replay must not do this; if it does, what was good so far is kept. */
static void contradictions(void)
{
	struct fixture f;
	struct error e = {0};
	struct thread *m;
	uint8_t *data;
	size_t n = 0;
	char *text;

	setup(&f);
	m = &f.w.m[0];
	world_p(&f.w, P_RUNNING, m);
	world_g(&f.w, 1, G_RUNNING, m);
	world_begin(&f.w);
	world_go(&f.w, G_STOP, &f.w.g[0], m, NULL);
	world_go(&f.w, G_BLOCK, &f.w.g[0], m, NULL);
	world_go(&f.w, G_UNBLOCK, &f.w.g[0], m, NULL);
	CU_ASSERT_EQUAL(f.w.err, 0);
	world_end(&f.w);
	CU_ASSERT_EQUAL(f.w.err, -EPROTO);
	CU_ASSERT_EQUAL(gotrace_finish(f.t, &e), -EPROTO);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "goroutine 1 blocks but is not running"));
	data = wire_read(f.fd, &n);
	text = wire_text(data, n);
	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "GoStop"));
	CU_ASSERT_PTR_NULL(strstr(text, "GoBlock"));
	free(text);
	free(data);
	teardown(&f);
}

static void formats(void)
{
	CU_ASSERT_PTR_NULL(exporter_find("gone"));
	CU_ASSERT_PTR_NOT_NULL_FATAL(exporter_find("go"));
	CU_ASSERT_STRING_EQUAL(exporter_find("go")->suffix, ".trace");
}

static CU_TestInfo tests[] = {
	{"minimal trace", minimal},
	{"all causes", all_causes},
	{"system calls kept, lost and stolen", syscalls},
	{"a P left by a C thread", abandoned},
	{"coroutines", coroutines},
	{"coroutines before Go 1.23", coroutines_before},
	{"what the runtime does besides", besides},
	{"what the program says", annotations},
	{"ends that are missing or too many", open_ends},
	{"a new generation", generations},
	{"from the middle to the middle", middle},
	{"losses", losses},
	{"headers", headers},
	{"pipes and files open for appending", pipes_and_appending},
	{"begins where the file stands", starts_at_the_offset},
	{"full disk", full_disk},
	{"keeps whole generations", keeps_whole_generations},
	{"no process to write", no_process},
	{"a transition that contradicts", contradictions},
	{"formats", formats},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("export/gotrace", tests);
