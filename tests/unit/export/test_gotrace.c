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

static void setup_fd(struct fixture *f, int fd, uint64_t begin)
{
	static const uint64_t leaf[] = {0x1001, 0x2001, 0x3001, 0x9001};
	static const uint64_t create_stack[] = {0x7001, 0x8001, 0x4001, 0x5001, 0x9001};
	static const uint64_t main_stack[] = {0x1001, 0x4001, 0x5001, 0x9001};

	world_init(&f->w, begin);
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
	CU_ASSERT_EQUAL_FATAL(gotrace_new(&f->t, fd, NULL, f->w.symbols, NULL), 0);
	f->w.sink = gotrace_sink(f->t);
}

static void setup(struct fixture *f)
{
	setup_fd(f, memfd_create("trace", 0), BEGIN);
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

static void coroutines(void)
{
	struct fixture f;
	struct world *w = &f.w;
	struct thread *m = &w->m[0];
	struct goroutine *g1, *co;

	setup(&f);
	world_p(w, P_RUNNING, m);
	g1 = world_g(w, 1, G_RUNNING, m);
	world_begin(w);
	/* the header is on its way as go 1.22 when the first coroutine event comes */
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
	check_golden(&f, "coroutines");
	teardown(&f);
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
	world_lose(w, LOSS_GO, 3);
	world_lose(w, LOSS_GO, 4);
	world_lose(w, LOSS_STACK, 1);
	GO(G_START, g, &w->m[0]);
	world_lose(w, LOSS_SCHED, 2);
	GO(G_BLOCK, g, &w->m[0], .reason = "select", .stack = 999);
	world_end(w);
	check_golden(&f, "losses");
	teardown(&f);
}

/* --- the file -------------------------------------------------------------------------------- */

static void short_history(struct world *w, bool coroutine)
{
	struct goroutine *g1, *co;

	world_p(w, P_RUNNING, &w->m[0]);
	g1 = world_g(w, 1, G_RUNNING, &w->m[0]);
	world_begin(w);
	for (int i = 0; i < 3; i++) {
		w->now += 1000000000;
		GO(G_STOP, g1, &w->m[0], .stack = 8);
		GO(G_START, g1, &w->m[0]);
	}
	if (coroutine) {
		co = world_new_g(w, 2);
		GO(G_CREATE_BLOCKED, co, &w->m[0], .other = g1);
	}
	world_end(w);
}

static uint8_t *history_in(int fd, bool coroutine, size_t *n)
{
	struct fixture f;
	uint8_t *data;

	setup_fd(&f, fd, BEGIN);
	short_history(&f.w, coroutine);
	CU_ASSERT_EQUAL(gotrace_finish(f.t, NULL), 0);
	data = wire_read(fd, n);
	teardown(&f);
	return data;
}

/* The same bytes whatever fd is; the header changes after generations were written. */
static void pipes_and_appending(void)
{
	char path[] = "/tmp/gscope-unit.XXXXXX";
	uint8_t *file, *other, buf[8192];
	size_t nfile = 0, nother = 0;
	struct fixture f;
	int fds[2], fd;

	file = history_in(memfd_create("trace", 0), true, &nfile);
	CU_ASSERT_FATAL(file && nfile > 16 && nfile < sizeof(buf));
	CU_ASSERT_EQUAL(memcmp(file, "go 1.23 trace\0\0\0", 16), 0);

	fd = mkstemp(path);
	close(fd);
	fd = open(path, O_RDWR | O_APPEND);
	unlink(path);
	CU_ASSERT_EQUAL(write(fd, "head", 4), 4);
	other = history_in(fd, true, &nother);
	CU_ASSERT_FATAL(other && nother == nfile + 4);
	CU_ASSERT_EQUAL(memcmp(other, "head", 4), 0);
	CU_ASSERT_EQUAL(memcmp(other + 4, file, nfile), 0);
	free(other);

	CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
	setup_fd(&f, fds[1], BEGIN);
	short_history(&f.w, true);
	CU_ASSERT_EQUAL(gotrace_finish(f.t, NULL), 0);
	CU_ASSERT_EQUAL(read(fds[0], buf, sizeof(buf)), (ssize_t)nfile);
	CU_ASSERT_EQUAL(memcmp(buf, file, nfile), 0);
	teardown(&f);
	close(fds[0]);
	free(file);

	file = history_in(memfd_create("trace", 0), false, &nfile);
	CU_ASSERT_EQUAL(memcmp(file, "go 1.22 trace\0\0\0", 16), 0);
	free(file);
}

/* In a file that has something before it, the header is written where the trace begins. */
static void starts_at_the_offset(void)
{
	int fd = memfd_create("trace", 0);
	uint8_t *data;
	size_t n = 0;
	char *text;

	CU_ASSERT_EQUAL(write(fd, "0123456789", 10), 10);
	data = history_in(fd, true, &n);
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

	setup_fd(&f, open("/dev/full", O_WRONLY), BEGIN);
	short_history(&f.w, false);
	/* spooled, as it is no regular file: the error comes at the end */
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

	setup_fd(&f, fd, BEGIN);
	world_p(&f.w, P_RUNNING, &f.w.m[0]);
	world_g(&f.w, 1, G_RUNNING, &f.w.m[0]);
	world_begin(&f.w);
	world_lose(&f.w, LOSS_GO, 1);
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
	short_history(&w, false);
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
	{"coroutines need go 1.23", coroutines},
	{"a new generation", generations},
	{"from the middle to the middle", middle},
	{"losses", losses},
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
