// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Long random histories that keep the rules of the model. What comes out has to be accepted by
 * `go tool trace` of every release in build/go; it is left in build/random.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/export/wire_text.h"
#include "tests/unit/export/world.h"
#include "tests/unit/unit.h"
#include "user/export/gotrace.h"

#define THREADS 40
#define PROCS 8
#define GOROUTINES 300
#define STACKS 100

struct random {
	struct world w;
	uint64_t seed;
	uint64_t goid;
	bool coroutines;
	unsigned int steps;
};

static uint64_t rnd(struct random *r, uint64_t n)
{
	/* splitmix64, Sebastiano Vigna, public domain */
	uint64_t z = r->seed += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (z ^ z >> 31) % n;
}

static struct thread *any_thread(struct random *r)
{
	return &r->w.m[rnd(r, THREADS)];
}

/* A random goroutine in a state, or NULL. */
static struct goroutine *any_g(struct random *r, enum g_state state)
{
	uint64_t from = rnd(r, GOROUTINES);

	for (unsigned int i = 0; i < r->w.ng; i++) {
		struct goroutine *g = &r->w.g[(from + i) % r->w.ng];

		if (g->state == state)
			return g;
	}
	return NULL;
}

static struct proc *any_p(struct random *r, enum p_state state)
{
	uint64_t from = rnd(r, PROCS);

	for (unsigned int i = 0; i < r->w.np; i++) {
		struct proc *p = &r->w.p[(from + i) % r->w.np];

		if (p->state == state)
			return p;
	}
	return NULL;
}

static bool room_for_g(const struct random *r)
{
	if (r->w.ng < GOROUTINES)
		return true;
	for (unsigned int i = 0; i < r->w.ng; i++) {
		if (r->w.g[i].state == G_DEAD)
			return true;
	}
	return false;
}

static struct with with_stack(struct random *r)
{
	static const char *const blocks[] = {"chan receive", "network", "select", "sync", ""};

	return (struct with){
		.stack = rnd(r, STACKS + 20), /* some are none, some unknown */
		.skip = (int)rnd(r, 4) - 1,
		.block = blocks[rnd(r, 5)],
	};
}

static bool create(struct random *r, struct thread *m, enum g_cause cause)
{
	struct with with = with_stack(r);
	struct goroutine *g;

	if (!room_for_g(r) || !m->p || m->p->state != P_RUNNING)
		return false;
	g = world_new_g(&r->w, rnd(r, 50) ? ++r->goid : 0);
	g->start_pc = rnd(r, 3) ? 0x10001 + rnd(r, 300) : 0;
	with.other = m->g;
	world_go(&r->w, cause, g, m, &with);
	return true;
}

/* Of the garbage collector: makes no system calls. */
static bool is_worker(const struct goroutine *g)
{
	return g->id % 16 == 5;
}

/* A goroutine runs on m. */
static bool step_running(struct random *r, struct thread *m)
{
	struct with with = with_stack(r);
	struct goroutine *g = m->g, *other = any_g(r, G_WAITING);

	switch (rnd(r, 12)) {
	case 0:
	case 1:
		return create(r, m, G_CREATE);
	case 2:
		world_go(&r->w, G_STOP, g, m, &with);
		return true;
	case 3:
	case 4:
	case 5:
		world_go(&r->w, G_BLOCK, g, m, &with);
		return true;
	case 6:
		if (rnd(r, 3))
			return false;
		world_go(&r->w, G_EXIT, g, m, &with);
		return true;
	case 7:
	case 8:
		if (is_worker(g))
			return false;
		world_go(&r->w, G_SYSCALL_ENTER, g, m, &with);
		return true;
	case 9:
		return r->coroutines && create(r, m, G_CREATE_BLOCKED);
	default:
		if (!r->coroutines || !other)
			return false;
		with.other = other;
		world_go(&r->w, rnd(r, 4) ? G_SWITCH_OUT : G_SWITCH_EXIT, g, m, &with);
		return true;
	}
}

/* A goroutine is in a syscall on m. */
static bool step_syscall(struct random *r, struct thread *m)
{
	struct with with = with_stack(r);
	struct thread *thief = any_thread(r);
	struct goroutine *g = m->g;
	struct proc *p = any_p(r, P_IDLE);

	if (m->p && m->p->state == P_SYSCALL) {
		switch (rnd(r, 5)) {
		case 0:
			world_proc(&r->w, P_STOP, m->p, m);
			return true;
		case 1:
			world_proc(&r->w, P_STEAL, m->p, rnd(r, 4) ? thief : NULL);
			return true;
		case 2:
			if (rnd(r, 5))
				return false;
			/* the P stays with the thread; see step_left() */
			world_go(&r->w, G_EXTRA_LEAVE, g, m, &with);
			return true;
		default:
			world_go(&r->w, G_SYSCALL_RETURN, g, m, &with);
			return true;
		}
	}
	switch (rnd(r, 3)) {
	case 0:
		if (m->p || !p)
			return false;
		world_proc(&r->w, P_START, p, m);
		return true;
	case 1:
		if (m->p || rnd(r, 10))
			return false;
		world_go(&r->w, G_EXTRA_LEAVE, g, m, &with);
		return true;
	default:
		world_go(&r->w, G_SYSCALL_LOST, g, m, &with);
		return true;
	}
}

/* A thread that left Go with its P: it comes back to it, or the P is taken. */
static bool step_left(struct random *r, struct thread *m)
{
	struct with with = with_stack(r);

	switch (rnd(r, 4)) {
	case 0:
		world_proc(&r->w, P_STEAL, m->p, rnd(r, 4) ? any_thread(r) : m);
		return true;
	case 1:
		world_proc(&r->w, P_STOP, m->p, m);
		return true;
	default:
		if (!room_for_g(r))
			return false;
		world_go(&r->w, G_EXTRA_ENTER, world_new_g(&r->w, ++r->goid), m, &with);
		return true;
	}
}

/* No goroutine on m. */
static bool step_free(struct random *r, struct thread *m)
{
	struct with with = with_stack(r);
	struct goroutine *g;
	struct proc *p = any_p(r, P_IDLE);

	if (m->p && m->p->state == P_SYSCALL)
		return step_left(r, m);
	switch (rnd(r, 8)) {
	case 0:
		if (!m->p)
			return false;
		world_proc(&r->w, P_STOP, m->p, m);
		return true;
	case 1:
		return create(r, m, G_CREATE);
	case 2:
		if (m->p || !room_for_g(r) || rnd(r, 10))
			return false;
		world_go(&r->w, G_EXTRA_ENTER, world_new_g(&r->w, ++r->goid), m, &with);
		return true;
	default:
		if (!m->p) {
			if (!p)
				return false;
			world_proc(&r->w, P_START, p, m);
			return true;
		}
		g = any_g(r, G_RUNNABLE);
		if (!g)
			return false;
		world_go(&r->w, G_START, g, m, &with);
		return true;
	}
}

static bool step_other(struct random *r)
{
	struct with with = with_stack(r);
	struct goroutine *g = any_g(r, G_WAITING);
	struct thread *m = any_thread(r);

	if (!rnd(r, 100)) {
		/* within this generation or long before */
		world_lose(&r->w, rnd(r, LOSS_CLASSES), 1 + rnd(r, 1000),
			   r->w.now - rnd(r, rnd(r, 2) ? 100000000 : r->w.now));
		return false;
	}
	if (r->w.np < PROCS && !rnd(r, 200)) {
		struct p_change c = {.time = r->w.now, .p = world_p(&r->w, P_IDLE, NULL)};

		if (r->w.sink.ops->processor(r->w.sink.ctx, &c))
			r->w.err = -1;
		r->w.now += WORLD_STEP;
		return true;
	}
	if (!g)
		return false;
	with.other = m->g;
	world_go(&r->w, G_UNBLOCK, g, rnd(r, 5) ? m : NULL, &with);
	return true;
}

/* Anything, by a goroutine that runs or one that does not, begun or not. */
static void range(struct random *r)
{
	static const char *const kinds[] = {"GC mark termination", "GOMAXPROCS", ""};
	struct thread *m = any_thread(r);
	struct range_change c = {
		.kind = (enum range_kind)rnd(r, 4),
		.begin = rnd(r, 2),
		.g = rnd(r, 4) && m->g ? m->g : any_g(r, G_WAITING),
		.p = rnd(r, 4) && m->p ? m->p : &r->w.p[rnd(r, PROCS)],
		.m = m,
		.name = kinds[rnd(r, 3)],
		.stack = rnd(r, STACKS + 20),
		.swept = rnd(r, 100000),
		.reclaimed = rnd(r, 10000),
	};

	if (!c.begin && !rnd(r, 10))
		c.g = NULL, c.p = NULL, c.m = NULL;
	world_range(&r->w, c);
}

static void user(struct random *r)
{
	static char long_name[2000];
	const char *const names[] = {"a", "handle request", "", long_name};
	struct thread *m = any_thread(r);
	struct user_change c = {
		.kind = USER_TASK_BEGIN + (enum user_kind)rnd(r, USER_LABELS - USER_TASK_BEGIN),
		.g = m->g ? m->g : any_g(r, G_RUNNABLE),
		.p = m->p,
		.m = m,
		.task = rnd(r, 20),
		.parent = rnd(r, 20),
		.name = names[rnd(r, 4)],
		.text = names[rnd(r, 4)],
		.stack = rnd(r, STACKS + 20),
	};

	memset(long_name, 'x', sizeof(long_name) - 1);
	if (c.g)
		world_user(&r->w, c);
}

static void sample(struct random *r)
{
	struct thread *m = any_thread(r);

	world_sample(&r->w, (struct cpu_sample){.t = m,
						.g = rnd(r, 3) ? m->g : any_g(r, G_WAITING),
						.p = m->p,
						.stack = rnd(r, STACKS + 20)});
}

static void besides(struct random *r)
{
	static const char *const labels[] = {"GC (dedicated)", "GC (idle)", "user=a, path=b", ""};
	unsigned int label = (unsigned int)rnd(r, 4);
	struct thread *m = any_thread(r);

	switch (rnd(r, 12)) {
	case 0:
		world_heap(&r->w, rnd(r, 1 << 30), rnd(r, 3) ? rnd(r, 1 << 30) : 0);
		break;
	case 1:
		/* a P that is one too many stops at once; not here */
		world_procs(&r->w, (struct procs_change){.n = (m->p ? (unsigned int)m->p->id : 0) +
							      1 + (unsigned int)rnd(r, PROCS),
							 .g = m->g,
							 .p = m->p,
							 .m = m});
		break;
	case 2:
		if (m->g)
			world_label(&r->w, (struct label_change){.g = m->g,
								 .p = m->p,
								 .m = m,
								 .label = labels[label],
								 .gc_worker = label < 2 &&
									      is_worker(m->g)});
		break;
	case 3:
	case 4:
		sample(r);
		break;
	case 5:
	case 6:
	case 7:
		user(r);
		break;
	default:
		range(r);
		break;
	}
}

static void step(struct random *r)
{
	struct thread *m = any_thread(r);
	bool done;

	/* mostly busy, sometimes nothing for milliseconds, rarely for seconds */
	r->w.now += rnd(r, 20) ? rnd(r, 50000) : rnd(r, 5000000);
	if (!rnd(r, 3000))
		r->w.now += rnd(r, 5000000000);
	if (!rnd(r, 4))
		besides(r);
	if (!rnd(r, 3))
		done = step_other(r);
	else if (!m->g)
		done = step_free(r, m);
	else if (m->g->state == G_RUNNING)
		done = step_running(r, m);
	else
		done = step_syscall(r, m);
	r->steps += done;
}

static void begin(struct random *r)
{
	uint64_t pcs[140];

	for (unsigned int i = 0; i < 300; i++) {
		char func[2000];

		snprintf(func, sizeof(func), "main.f%0*u", rnd(r, 50) ? 1 : 1900, i);
		if (i % 10)
			world_symbol(&r->w, 0x10001 + i, func, "/src/main.go", i);
	}
	for (unsigned int i = 1; i < STACKS; i++) {
		unsigned int n = 1 + (unsigned int)rnd(r, i % 10 ? 20 : 140);

		for (unsigned int k = 0; k < n; k++)
			pcs[k] = 0x10001 + rnd(r, 300);
		world_stack(&r->w, i, pcs, n);
	}
	for (unsigned int i = 0; i < 4; i++) {
		struct thread *m = rnd(r, 2) ? &r->w.m[i] : NULL;

		world_p(&r->w, m ? P_RUNNING : P_IDLE, m);
		if (m)
			world_g(&r->w, ++r->goid, G_RUNNING, m);
	}
	for (unsigned int i = 4; i < 8; i++) {
		if (i < 6)
			world_p(&r->w, P_SYSCALL, &r->w.m[i]);
		world_g(&r->w, ++r->goid, G_SYSCALL, &r->w.m[i]);
	}
	for (unsigned int i = 0; i < 20; i++)
		world_g(&r->w, ++r->goid, rnd(r, 2) ? G_WAITING : G_RUNNABLE, NULL);
	world_begin(&r->w);
	/* what was under way */
	if (rnd(r, 2))
		world_range(&r->w, (struct range_change){.kind = RANGE_GC,
							 .begin = true,
							 .flags = CHANGE_INITIAL});
	for (unsigned int i = 0; i < r->w.ng; i += 1 + (unsigned int)rnd(r, 10))
		world_range(&r->w, (struct range_change){.kind = RANGE_MARK_ASSIST,
							 .begin = true,
							 .g = &r->w.g[i],
							 .flags = CHANGE_INITIAL});
	world_procs(&r->w, (struct procs_change){.n = 4});
}

/* Lines that begin with `what`. */
static unsigned int count(const char *text, const char *what)
{
	size_t len = strlen(what);
	unsigned int n = 0;

	for (; text; text = strchr(text, '\n')) {
		text += *text == '\n';
		n += !strncmp(text, what, len);
	}
	return n;
}

/* Of all kinds of what comes besides, each so often that it is chance no more. */
static void has_everything(const char *text)
{
	static const char *const events[] = {
		"ProcsChange",       "STWBegin",        "STWEnd",
		"GCActive",          "GCBegin",         "GCEnd",
		"GCSweepBegin",      "GCSweepEnd",      "GCMarkAssistActive",
		"GCMarkAssistBegin", "GCMarkAssistEnd", "HeapAlloc",
		"HeapGoal",          "GoLabel",         "UserTaskBegin",
		"UserTaskEnd",       "UserRegionBegin", "UserRegionEnd",
		"UserLog",           "CPUSample ",
	};

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		if (count(text, events[i]) < 10) {
			fprintf(stderr, "%u of %s\n", count(text, events[i]), events[i]);
			CU_FAIL("an event is missing");
		}
	}
}

static void history(const char *name, uint64_t seed, bool coroutines, unsigned int minor,
		    uint64_t start, unsigned int steps)
{
	const struct gotrace_options options = {
		.go_minor = minor,
		.mono_ns = start,
		.wall_ns = 1700000000000000000,
	};
	struct random *r = calloc(1, sizeof(*r));
	struct gotrace *t;
	struct error e = {0};
	char path[64], *text;
	uint8_t *data;
	size_t n = 0;
	int fd;

	mkdir("build/random", 0755);
	snprintf(path, sizeof(path), "build/random/%s.trace", name);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
	CU_ASSERT_FATAL(fd >= 0);
	world_init(&r->w, start);
	r->seed = seed;
	r->coroutines = coroutines;
	CU_ASSERT_EQUAL_FATAL(gotrace_new(&t, fd, &options, r->w.symbols, &e), 0);
	r->w.sink = gotrace_sink(t);
	begin(r);
	for (unsigned int i = 0; i < steps * 20 && r->steps < steps && !r->w.err; i++)
		step(r);
	CU_ASSERT_EQUAL(r->steps, steps);
	world_end(&r->w);
	CU_ASSERT_EQUAL(r->w.err, 0);
	CU_ASSERT_EQUAL(gotrace_finish(t, &e), 0);
	if (e.text[0])
		fprintf(stderr, "%s: %s\n", name, e.text);

	data = wire_read(fd, &n);
	text = wire_text(data, n);
	CU_ASSERT_PTR_NOT_NULL(text);
	if (text) {
		CU_ASSERT(count(text, "Frequency") > 2);
		CU_ASSERT(count(text, "Go") + count(text, "Proc") > steps);
		CU_ASSERT_EQUAL(count(text, "GoSwitch") > 0, coroutines && minor >= 23);
		CU_ASSERT_EQUAL(count(text, "ClockSnapshot") > 2, minor >= 25);
		CU_ASSERT_EQUAL(count(text, "EndOfGeneration") > 2, minor >= 26);
		if (steps >= 30000)
			has_everything(text);
		CU_ASSERT(count(text, "ProcSteal") > 10);
		CU_ASSERT(count(text, "UserLog") > 0);
	}
	free(text);
	free(data);
	gotrace_free(t);
	world_free(&r->w);
	close(fd);
	free(r);
}

static void busy(void)
{
	history("busy", 1, false, 22, 123456789, 30000);
}

static void coroutines(void)
{
	history("coroutines", 2, true, 24, 987654321, 30000);
}

static void newest(void)
{
	history("newest", 4, true, 27, 4711, 30000);
}

/* Up for 208 days and more: a float64 no longer holds every nanosecond. */
static void long_uptime(void)
{
	history("uptime", 3, false, 22, 3ULL << 53 | 1, 5000);
}

static void many_seeds(void)
{
	for (uint64_t seed = 10; seed < 30; seed++) {
		char name[32];

		snprintf(name, sizeof(name), "seed%" PRIu64, seed);
		history(name, seed, seed & 1, 22 + seed % 6, seed * 1000000007, 3000);
	}
}

static void accepted(void)
{
	const char *ci = getenv("CI");

	if (access("build/go/versions", R_OK) && !(ci && !strcmp(ci, "true"))) {
		fprintf(stderr, "skipped: no Go releases in build/go to read the traces with\n");
		return;
	}
	CU_ASSERT_EQUAL(system("tests/e2e/accept build/random/*.trace >build/random/accept.log"),
			0);
	CU_ASSERT_EQUAL(system("tests/e2e/accept --views build/random/busy.trace "
			       "build/random/coroutines.trace build/random/newest.trace "
			       ">>build/random/accept.log"),
			0);
}

/* The check above can fail: two events swapped, a byte lost. */
static void not_accepted(void)
{
	const char *ci = getenv("CI");

	if (access("build/go/versions", R_OK) && !(ci && !strcmp(ci, "true")))
		return;
	mkdir("build/random/bad", 0755);
	CU_ASSERT_EQUAL(system("head -c 1000 build/random/busy.trace >build/random/bad/cut.trace"),
			0);
	CU_ASSERT_NOT_EQUAL(system("tests/e2e/accept build/random/bad/cut.trace >/dev/null 2>&1"),
			    0);
	CU_ASSERT_EQUAL(system("{ head -c 200 build/random/busy.trace; "
			       "tail -c +202 build/random/busy.trace; } >build/random/bad/x.trace"),
			0);
	CU_ASSERT_NOT_EQUAL(system("tests/e2e/accept build/random/bad/x.trace >/dev/null 2>&1"), 0);
}

static CU_TestInfo tests[] = {
	{"a busy process", busy},
	{"with coroutines", coroutines},
	{"as the newest release writes it", newest},
	{"after a long uptime", long_uptime},
	{"many seeds", many_seeds},
	{"go tool trace accepts them", accepted},
	{"go tool trace refuses damaged ones", not_accepted},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("export/random", tests);
