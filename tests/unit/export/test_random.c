// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Histories that are long: what comes out has to be accepted by `go tool trace` of every release in
 * build/go that its header is for.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/export/random.h"
#include "tests/unit/export/world.h"
#include "tests/unit/unit.h"
#include "user/export/gotrace.h"

static void busy(void)
{
	random_history("busy", 1, false, 22, 123456789, 30000);
}

static void coroutines(void)
{
	random_history("coroutines", 2, true, 24, 987654321, 30000);
}

static void newest(void)
{
	random_history("newest", 4, true, 27, 4711, 30000);
}

/* Up for 208 days and more: a float64 no longer holds every nanosecond. */
static void long_uptime(void)
{
	random_history("uptime", 3, false, 22, 3ULL << 53 | 1, 5000);
}

static void many_seeds(void)
{
	for (uint64_t seed = 10; seed < 30; seed++) {
		char name[32];

		snprintf(name, sizeof(name), "seed%" PRIu64, seed);
		random_history(name, seed, seed & 1, 22 + seed % 6, seed * 1000000007, 3000);
	}
}

/* Bytes on the heap. */
static size_t in_use(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

/* Ten minutes: what is kept does not grow with what was written. */
static void ten_minutes(void)
{
	struct world *w = calloc(1, sizeof(*w));
	int fd = open("build/random/minutes.trace", O_RDWR | O_CREAT | O_TRUNC, 0644);
	struct gotrace_options options = {.go_minor = 26};
	size_t early = 0, late = 0;
	struct goroutine *g, *next;
	struct gotrace *t;
	struct error e = {0};

	CU_ASSERT_FATAL(w && fd >= 0);
	world_init(w, 1000000);
	CU_ASSERT_EQUAL_FATAL(gotrace_new(&t, fd, &options, w->symbols, &e), 0);
	w->sink = gotrace_sink(t);
	world_p(w, P_RUNNING, &w->m[0]);
	g = world_g(w, 1, G_RUNNING, &w->m[0]);
	for (int i = 0; i < 100; i++)
		world_g(w, (uint64_t)i + 2, G_WAITING, NULL);
	world_begin(w);
	/* each second new goroutines, tasks, names, losses, and a cycle of the collector */
	for (unsigned int second = 0; second < 600 && !w->err; second++) {
		for (unsigned int i = 0; i < 50; i++) {
			char name[64];

			w->now += 20000000;
			snprintf(name, sizeof(name), "task %u", second * 50 + i);
			world_user(w, (struct user_change){.kind = USER_TASK_BEGIN,
							   .g = g,
							   .m = &w->m[0],
							   .task = second * 50 + i + 1,
							   .name = name});
			world_range(w, (struct range_change){.kind = RANGE_GC,
							     .begin = i % 2,
							     .g = g,
							     .m = &w->m[0]});
			next = world_new_g(w, 1000 + second * 50 + i);
			world_go(w, G_CREATE, next, &w->m[0], NULL);
			world_user(w, (struct user_change){.kind = USER_TASK_END,
							   .g = g,
							   .m = &w->m[0],
							   .task = second * 50 + i + 1});
			world_go(w, G_EXIT, g, &w->m[0], NULL);
			world_go(w, G_START, next, &w->m[0], NULL);
			g = next;
			world_sample(w, (struct cpu_sample){.t = &w->m[0], .g = g});
		}
		world_lose(w, LOSS_GO, 1, w->now - 1000);
		if (second == 60)
			early = in_use();
	}
	late = in_use();
#ifdef __SANITIZE_ADDRESS__
	/* its allocator keeps what is freed for a while, and mallinfo2() tells nothing of it */
	(void)early;
	(void)late;
#else
	CU_ASSERT(early > 0 && late < early + 65536);
#endif
	world_end(w);
	CU_ASSERT_EQUAL(w->err, 0);
	CU_ASSERT_EQUAL(gotrace_finish(t, &e), 0);
	gotrace_free(t);
	world_free(w);
	free(w);
	close(fd);
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
	{"ten minutes", ten_minutes},
	{"go tool trace accepts them", accepted},
	{"go tool trace refuses damaged ones", not_accepted},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("export/random", tests);
