// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Calls of Go programs that work are redirected by a child of this process that plays gscope, which
 * then ends in one way or another.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bpf/control.h"
#include "tests/unit/target/progs.h"
#include "tests/unit/unit.h"
#include "user/base/clock.h"
#include "user/inline/engine.h"
#include "user/inline/leftover.h"
#include "user/target/target.h"

/* What the child tells. */
struct told {
	volatile int planted; /* 1, or a negative errno */
	volatile uint64_t records;
	volatile int go; /* and is told */
};

struct scene {
	struct prog prog;
	struct target *t;
	struct told *told;
	pid_t gscope;
};

static void rest_ms(long ms)
{
	const struct timespec ts = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&ts, NULL);
}

static int count(void *ctx, struct event_head *ev)
{
	struct told *told = ctx;

	told->records += ev->type == EV_GO || ev->type == EV_GO_CREATE;
	return 0;
}

static void __attribute__((noreturn)) play(pid_t pid, struct told *told)
{
	struct inline_start start = {.stack_limit = STACKS_OF_ALL};
	struct inline_engine *x;
	struct target *t;
	struct error e;
	int err;

	alarm(120);
	err = target_open(pid, &t, &e);
	if (!err)
		err = inline_open(&x, t, 0, 0, &e);
	if (!err) {
		start.m = merge_new(inline_rings(x));
		err = inline_plant(x, &start, &e);
	}
	if (err)
		fprintf(stderr, "%s\n", e.text);
	told->planted = err ? err : 1;
	while (!err && told->go < 1) {
		rest_ms(1);
		err = inline_pass(x, false);
		merge_emit(start.m, count, told);
	}
	if (!err)
		err = inline_end(x, &e);
	/* what is planted no more is in the rings still */
	if (!err)
		err = inline_pass(x, true);
	for (size_t i = 0; !err && i < inline_rings(x); i++)
		merge_promise(start.m, i, UINT64_MAX);
	if (!err)
		merge_emit(start.m, count, told);
	inline_close(x);
	merge_free(start.m);
	target_close(t);
	_exit(err ? 1 : 0);
}

/* A program at work, with its calls redirected, unless that cannot be done here at all. */
static bool begin(struct scene *s, const char *release, const char *how)
{
	const char *path = prog_path(release, how);
	struct error e = {0};

	*s = (struct scene){0};
	if (!path || !prog_start(&s->prog, path, "churn", NULL, true))
		return false;
	s->told = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CU_ASSERT_FATAL(s->told != MAP_FAILED);
	CU_ASSERT_EQUAL_FATAL(target_open(s->prog.pid, &s->t, &e), 0);
	s->gscope = fork();
	if (!s->gscope)
		play(s->prog.pid, s->told);
	while (!s->told->planted)
		rest_ms(1);
	CU_ASSERT_EQUAL(s->told->planted, 1);
	return s->told->planted == 1;
}

static void finish(struct scene *s)
{
	target_close(s->t);
	prog_stop(&s->prog);
	munmap(s->told, 4096);
}

/* Calls that lead elsewhere than in the file. */
static size_t redirected(const struct target *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->sites.n; i++) {
		uint8_t memory[5], file[5];

		CU_ASSERT_EQUAL(target_process_read(t->process, t->sites.v[i].pc, memory,
						    sizeof(memory)),
				0);
		CU_ASSERT_EQUAL(elf_read(t->elf, t->sites.v[i].vaddr, file, sizeof(file)), 0);
		n += memcmp(memory, file, sizeof(file)) != 0;
	}
	return n;
}

static bool is_mapped(const struct target *t)
{
	struct leftovers l;
	struct error e;
	bool found = !leftovers_find(&l, t->process, &e) && l.n;

	leftovers_close(&l);
	return found;
}

/* It is as before, and goes on; a process that is told so takes a moment. */
static void check_restored(struct scene *s)
{
	uint64_t begin = now_ns();

	while ((redirected(s->t) || is_mapped(s->t)) && now_ns() - begin < 60000000000)
		rest_ms(5);
	CU_ASSERT_EQUAL(redirected(s->t), 0);
	CU_ASSERT_FALSE(is_mapped(s->t));
	CU_ASSERT_TRUE(target_process_alive(s->t->process));
}

static void end_gscope(struct scene *s, int signal)
{
	int status;

	if (signal)
		kill(s->gscope, signal);
	else
		s->told->go = 1;
	CU_ASSERT_EQUAL(waitpid(s->gscope, &status, 0), s->gscope);
	CU_ASSERT_EQUAL(status, signal);
}

static void test_told(void)
{
	for (int i = 0; prog_releases[i]; i++) {
		struct scene s;

		if (!begin(&s, prog_releases[i], "plain"))
			continue;
		CU_ASSERT(redirected(s.t) > 10);
		while (s.told->records < 1000)
			rest_ms(1);
		end_gscope(&s, 0);
		check_restored(&s);
		finish(&s);
	}
}

/* gscope is killed: its child puts everything back. */
static void test_killed(void)
{
	static const char *const how[] = {"plain", "pie"};

	for (int i = 0; i < 8; i++) {
		struct scene s;

		if (!begin(&s, "1.26", how[i % 2]))
			continue;
		CU_ASSERT(redirected(s.t) > 10);
		rest_ms(i * 7);
		end_gscope(&s, SIGKILL);
		check_restored(&s);
		finish(&s);
	}
}

/* The child of gscope's that plants: it is in a session of its own, so it has to be looked for. */
static pid_t planter_of(pid_t gscope)
{
	char path[64];
	pid_t pid = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)gscope, (int)gscope);
	f = fopen(path, "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	CU_ASSERT_EQUAL(fscanf(f, "%d", &pid), 1);
	fclose(f);
	return pid;
}

/* Both are killed: the program runs on, and whoever comes next puts it back. */
static void test_both_killed(void)
{
	const struct remote_wait usual = {.limit_ns = REMOTE_LIMIT_NS, .cancel_fd = -1};
	struct scene s;
	struct leftovers l;
	struct error e = {0};
	pid_t planter;

	if (!begin(&s, "1.27", "plain"))
		return;
	CU_ASSERT_EQUAL(leftovers_find(&l, s.t->process, &e), 0);
	CU_ASSERT_EQUAL_FATAL(l.n, 1);
	CU_ASSERT_TRUE(leftover_is_in_use(&l.v[0]));
	CU_ASSERT_EQUAL(l.v[0].own->owner, s.gscope);
	leftovers_close(&l);
	/* as long as it is at work nobody else may touch it */
	CU_ASSERT_EQUAL(inline_clean(s.t->process, &usual, &e), -EBUSY);
	CU_ASSERT_EQUAL(e.status, EXIT_TARGET);
	CU_ASSERT(redirected(s.t) > 10);
	planter = planter_of(s.gscope);
	/* or it would have another one take its place */
	kill(s.gscope, SIGSTOP);
	kill(planter, SIGKILL);
	end_gscope(&s, SIGKILL);
	CU_ASSERT_EQUAL(leftovers_find(&l, s.t->process, &e), 0);
	CU_ASSERT_EQUAL_FATAL(l.n, 1);
	CU_ASSERT_FALSE(leftover_is_in_use(&l.v[0]));
	/* it goes on, whether or not there is room in rings that nobody reads */
	rest_ms(200);
	CU_ASSERT(redirected(s.t) > 10);
	CU_ASSERT_TRUE(target_process_alive(s.t->process));
	leftovers_close(&l);
	CU_ASSERT_EQUAL(inline_clean(s.t->process, &usual, &e), 1);
	CU_ASSERT_EQUAL(e.text[0], 0);
	check_restored(&s);
	CU_ASSERT_EQUAL(inline_clean(s.t->process, &usual, &e), 0);
	finish(&s);
}

/* An operand that somebody else has changed since is left alone, and named; all others are put back. */
static void test_changed(void)
{
	struct scene s;
	struct leftovers l;
	struct planted *d = &l.v[0];
	struct error e = {0};
	int32_t other = 0x1234;
	uint64_t pc;
	pid_t planter;

	if (!begin(&s, "1.26", "plain"))
		return;
	planter = planter_of(s.gscope);
	/* or it would have another one take its place */
	kill(s.gscope, SIGSTOP);
	kill(planter, SIGKILL);
	end_gscope(&s, SIGKILL);
	CU_ASSERT_EQUAL(leftovers_find(&l, s.t->process, &e), 0);
	CU_ASSERT_EQUAL_FATAL(l.n, 1);
	l.v[0].layout = &s.t->layout;
	/* stopped: the call would lead nowhere */
	kill(s.prog.pid, SIGSTOP);
	rest_ms(20);
	pc = d->own->site[3].pc;
	CU_ASSERT_EQUAL(pwrite(d->mem_fd, &other, 4, (off_t)pc + 1), 4);
	CU_ASSERT_EQUAL(plant_restore(d, &e), -ESTALE);
	CU_ASSERT_EQUAL(e.status, EXIT_FAILED);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "left alone"));
	CU_ASSERT_EQUAL(redirected(s.t), 1);
	CU_ASSERT_EQUAL(pwrite(d->mem_fd, &d->own->site[3].planted, 4, (off_t)pc + 1), 4);
	CU_ASSERT_EQUAL(plant_restore(d, &e), 0);
	CU_ASSERT_EQUAL(redirected(s.t), 0);
	kill(s.prog.pid, SIGCONT);
	CU_ASSERT_EQUAL(plant_unmap(d, &e), 0);
	leftovers_close(&l);
	check_restored(&s);
	finish(&s);
}

/* A call that is not as it was when gscope planned: it is left alone, and that is all. */
static void test_changed_before(void)
{
	const struct remote_wait wait = {.limit_ns = REMOTE_LIMIT_NS, .cancel_fd = -1};
	struct plant_owner owner = plant_owner();
	struct inline_header own;
	struct inline_plan plan;
	struct stub_options o = {0};
	struct planted d;
	struct error e = {0};
	struct scene s = {0};
	const char *path = prog_path("1.26", "plain");

	if (!path || !prog_start(&s.prog, path, "churn", NULL, true))
		return;
	CU_ASSERT_EQUAL_FATAL(target_open(s.prog.pid, &s.t, &e), 0);
	CU_ASSERT_EQUAL_FATAL(inline_plan(&plan, s.t, 0, 0, &e), 0);
	o.layout = &s.t->layout;
	o.seed = stack_id_begin((uint32_t)s.prog.pid);
	plan.operand[3].original += 0x100;
	CU_ASSERT_EQUAL_FATAL(plant(&d, s.t->process, &plan, &o, &owner, &wait, &own, &e), 0);
	CU_ASSERT_FALSE(inline_is_redirected(&d.h->site[3]));
	CU_ASSERT_TRUE(inline_is_redirected(&d.h->site[4]));
	CU_ASSERT_EQUAL(redirected(s.t), plan.n - 1);
	rest_ms(20);
	CU_ASSERT_EQUAL(plant_restore(&d, &e), 0);
	CU_ASSERT_EQUAL(redirected(s.t), 0);
	CU_ASSERT_EQUAL(plant_unmap(&d, &e), 0);
	plant_close(&d);
	/* if none is, there is nothing to plant */
	for (size_t i = 0; i < plan.n; i++)
		plan.operand[i].original += i == 3 ? 0 : 0x100;
	CU_ASSERT_EQUAL(plant(&d, s.t->process, &plan, &o, &owner, &wait, &own, &e), -ESTALE);
	CU_ASSERT_EQUAL(e.status, EXIT_TARGET);
	CU_ASSERT_EQUAL(redirected(s.t), 0);
	CU_ASSERT_FALSE(is_mapped(s.t));
	CU_ASSERT_TRUE(target_process_alive(s.t->process));
	inline_plan_free(&plan);
	target_close(s.t);
	prog_stop(&s.prog);
}

/* The program ends first. */
static void test_program_ends(void)
{
	struct scene s;

	if (!begin(&s, "1.26", "plain"))
		return;
	kill(s.prog.pid, SIGKILL);
	while (target_process_alive(s.t->process))
		rest_ms(1);
	end_gscope(&s, 0);
	finish(&s);
}

static CU_TestInfo tests[] = {
	{"told to put it back", test_told},
	{"gscope is killed", test_killed},
	{"both are killed", test_both_killed},
	{"a call that is another one now", test_changed},
	{"a call that was another one by then", test_changed_before},
	{"the program ends", test_program_ends},
	CU_TEST_INFO_NULL,
};

UNIT_SUITE("inline/planter", tests);
