// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/target/settle.h"
#include "user/target/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/target/progs.h"
#include "tests/unit/unit.h"
#include "user/target/reasons.h"

#define EACH 3 /* goroutines of every kind */
#define MAX 64

/* A snapshot with all of its goroutines kept. */
struct kept {
	struct snapshot lists;
	struct snapshot_g *g;
	size_t ng;
};

static int keep(void *ctx, const struct snapshot_g *g, struct error *e)
{
	uint64_t *pcs = malloc(g->npcs * sizeof(*pcs) + 1);
	struct kept *k = ctx;

	(void)e;
	k->g = realloc(k->g, (k->ng + 1) * sizeof(*k->g));
	CU_ASSERT_FATAL(k->g && pcs);
	memcpy(pcs, g->pcs, g->npcs * sizeof(*pcs));
	k->g[k->ng] = *g;
	k->g[k->ng++].pcs = pcs;
	return 0;
}

static void kept_free(struct kept *k)
{
	for (size_t i = 0; i < k->ng; i++)
		free((void *)k->g[i].pcs);
	free(k->g);
	snapshot_free(&k->lists);
}

static int take(struct kept *k, struct target *t, struct error *e)
{
	const struct snapshot_sink to = {.goroutine = keep, .ctx = k};
	int err;

	*k = (struct kept){0};
	err = snapshot_take(&k->lists, t, &to, e);
	if (err)
		kept_free(k);
	return err;
}

/* What prog/main.go parks, by the function the goroutine started in. */
static const struct {
	const char *func, *reason;
} kinds[] = {
	{"main.(*lot).parkRecv", "chan receive"},
	{"main.(*lot).parkSend", "chan send"},
	{"main.(*lot).parkNil", "chan receive (nil chan)"},
	{"main.(*lot).parkMutex", "sync.Mutex.Lock"},
	{"main.(*lot).parkRLock", "sync.RWMutex.RLock"},
	{"main.(*lot).parkCond", "sync.Cond.Wait"},
	{"main.(*lot).parkGroup", NULL}, /* its name depends on the release */
	{"main.(*lot).parkSleep", "sleep"},
	{"main.(*lot).parkSelect", "select"},
	{"main.(*lot).parkDeep", "chan receive"},
};

#define NKINDS (sizeof(kinds) / sizeof(kinds[0]))

/* How often `func` is among the logical frames of a goroutine's stack. */
static size_t count_frames(struct target *t, const struct snapshot_g *g, const char *func)
{
	struct pcln_frame frames[MAX];
	size_t count = 0;

	for (unsigned int i = 0; i < g->npcs; i++) {
		int n = pclntab_frames(t->pcln, g->pcs[i], frames, MAX);

		CU_ASSERT(n >= 0);
		for (int k = 0; k < n; k++)
			count += !strcmp(frames[k].func, func);
	}
	return count;
}

static const char *func_of(struct target *t, uint64_t pc)
{
	struct pcln_frame frame;

	return pclntab_frames(t->pcln, pc, &frame, 1) > 0 ? frame.func : "";
}

static bool ends_in_goexit(struct target *t, const struct snapshot_g *g)
{
	return g->npcs && !strcmp(func_of(t, g->pcs[g->npcs - 1]), "runtime.goexit");
}

/* Before Go 1.21 locks were waited for under one name. */
static const char *reason_in(const struct target *t, const char *reason)
{
	return t->build.go_minor <= 20 && !strncmp(reason, "sync.", 5) &&
			       strcmp(reason, "sync.Cond.Wait") != 0 ?
		       "semacquire" :
		       reason;
}

static void check_parked(struct target *t, const struct kept *s,
			 const struct target_strings *reasons)
{
	for (size_t k = 0; k < NKINDS; k++) {
		size_t found = 0;

		for (size_t i = 0; i < s->ng; i++) {
			const struct snapshot_g *g = &s->g[i];
			const char *name = strrchr(kinds[k].func, '.') + 1;
			const char *start = func_of(t, pclntab_start_pc(t->pcln, g->startpc) + 1);

			/* main.(*lot).parkRecv, or main.park.(*lot).parkRecv.gowrap1 before 1.2x */
			if (!strstr(start, name) || strstr(start, "VeryDeep"))
				continue;
			found++;
			CU_ASSERT_EQUAL(g->status, GO_WAITING);
			CU_ASSERT_FATAL(g->wait_reason < reasons->n);
			if (kinds[k].reason)
				CU_ASSERT_STRING_EQUAL(reasons->v[g->wait_reason],
						       reason_in(t, kinds[k].reason));
			CU_ASSERT_EQUAL(count_frames(t, g, kinds[k].func), 1);
			CU_ASSERT_EQUAL(count_frames(t, g, "runtime.gopark"), 1);
			CU_ASSERT_TRUE(ends_in_goexit(t, g));
			CU_ASSERT_FALSE(g->truncated);
			CU_ASSERT_STRING_EQUAL(func_of(t, g->gopc + 1), "main.park");
			CU_ASSERT_EQUAL(g->m, 0);
			if (t->build.go_minor >= 21)
				CU_ASSERT_EQUAL(g->parent_goid, 1);
			if (!strcmp(name, "parkDeep"))
				CU_ASSERT_EQUAL(count_frames(t, g, "main.deep"), 41);
		}
		CU_ASSERT_EQUAL(found, EACH);
	}
}

/* Goroutines of which there is one each. */
static void check_special(struct target *t, const struct kept *s,
			  const struct target_strings *reasons)
{
	size_t deep = 0, syscall = 0, coro = 0, main = 0;

	for (size_t i = 0; i < s->ng; i++) {
		const struct snapshot_g *g = &s->g[i];

		if (count_frames(t, g, "main.deep") > 100) {
			CU_ASSERT_TRUE(g->truncated);
			CU_ASSERT_EQUAL(g->npcs, SNAPSHOT_MAX_FRAMES);
			deep++;
		}
		if (count_frames(t, g, "main.(*lot).parkSyscall")) {
			CU_ASSERT_EQUAL(g->status, GO_SYSCALL);
			CU_ASSERT_NOT_EQUAL(g->m, 0);
			CU_ASSERT_TRUE(ends_in_goexit(t, g));
			CU_ASSERT(count_frames(t, g, "syscall.Read") == 1);
			syscall++;
		}
		if (count_frames(t, g, "main.numbers")) {
			CU_ASSERT_EQUAL(g->status, GO_WAITING);
			CU_ASSERT_STRING_EQUAL(reasons->v[g->wait_reason], "coroutine");
			CU_ASSERT_TRUE(ends_in_goexit(t, g));
			coro++;
		}
		if (g->goid == 1) {
			CU_ASSERT_EQUAL(count_frames(t, g, "main.main"), 1);
			CU_ASSERT_EQUAL(count_frames(t, g, "io.Copy") > 0, true);
			CU_ASSERT_TRUE(ends_in_goexit(t, g));
			main++;
		}
	}
	CU_ASSERT_EQUAL(deep, 1);
	CU_ASSERT_EQUAL(syscall, 1);
	CU_ASSERT_EQUAL(coro, t->build.go_minor >= 23);
	CU_ASSERT_EQUAL(main, 1);
}

static int compare_goids(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* What holds for every snapshot, of a busy target, too. */
static void check_sane(struct target *t, const struct kept *s)
{
	uint64_t *goids = calloc(s->ng, sizeof(*goids));

	for (size_t i = 0; i < s->ng; i++) {
		const struct snapshot_g *g = &s->g[i];

		goids[i] = g->goid;
		CU_ASSERT(g->goid > 0 && g->goid < 1ULL << 40);
		CU_ASSERT(g->time_ns >= s->lists.begin_ns && g->time_ns <= s->lists.end_ns);
		CU_ASSERT(g->status == GO_RUNNABLE || g->status == GO_RUNNING ||
			  g->status == GO_SYSCALL || g->status == GO_WAITING ||
			  g->status == GO_PREEMPTED || g->status == GO_COPYSTACK);
		if (g->status == GO_RUNNING)
			CU_ASSERT_EQUAL(g->npcs, 0);
		for (unsigned int k = 0; k < g->npcs; k++) {
			struct pcln_func func;

			CU_ASSERT_TRUE(pclntab_func(t->pcln, g->pcs[k] - (k > 0), &func));
		}
		if (g->npcs && !g->truncated)
			CU_ASSERT_TRUE(ends_in_goexit(t, g));
	}
	qsort(goids, s->ng, sizeof(*goids), compare_goids);
	for (size_t i = 1; i < s->ng; i++)
		CU_ASSERT_NOT_EQUAL(goids[i], goids[i - 1]);
	free(goids);
	CU_ASSERT(s->lists.np > 0);
	for (size_t i = 0; i < s->lists.np; i++) {
		CU_ASSERT_EQUAL(s->lists.p[i].id, (int32_t)i);
		CU_ASSERT(s->lists.p[i].status <= 3);
	}
}

/* Every thread there was before the snapshot is one M's. */
static void check_threads(struct target *t, const struct kept *s,
			  const struct target_thread *threads, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t found = 0;

		for (size_t k = 0; k < s->lists.nm; k++)
			found += s->lists.m[k].tid == (uint32_t)threads[i].tid;
		CU_ASSERT_EQUAL(found, 1);
		if (found != 1)
			printf("\n    %s: %zu Ms for thread %d", t->process->exe, found,
			       threads[i].tid);
	}
}

static void snapshot_parked(const char *path)
{
	struct target_strings waits = {0}, blocks = {0};
	struct target_thread *threads = NULL;
	struct target *t = NULL;
	size_t nthreads;
	struct error e = {0};
	struct kept s;
	struct prog p;
	int err;

	if (!prog_start(&p, path, "park", "3", true))
		return;
	err = target_open(p.pid, &t, &e);
	if (!err)
		err = target_wait_reasons(t, &waits, &e);
	if (!err)
		err = target_block_reasons(t, &blocks, &e);
	if (!err)
		err = target_process_threads(t->process, NULL, &threads, &nthreads, &e);
	/* one that has just begun does not know its id yet (minit) */
	if (!err)
		err = target_settle(t->process, &e);
	if (!err)
		err = take(&s, t, &e);
	CU_ASSERT_EQUAL(err, 0);
	if (err) {
		printf("\n    %s", e.text);
	} else {
		check_parked(t, &s, &waits);
		check_special(t, &s, &waits);
		check_sane(t, &s);
		check_threads(t, &s, threads, nthreads);
		CU_ASSERT_EQUAL(s.lists.unstable, 0);
		CU_ASSERT_STRING_EQUAL(waits.v[2], "IO wait");
		CU_ASSERT_STRING_EQUAL(blocks.v[t->build.go_minor <= 21 ? 27 : 2], "network");
		CU_ASSERT_EQUAL(t->sites.nwarnings, 0);
		CU_ASSERT_EQUAL(t->bias != 0, !!strstr(path, "pie"));
		kept_free(&s);
	}
	free(threads);
	target_strings_free(&waits);
	target_strings_free(&blocks);
	target_close(t);
	prog_stop(&p);
}

/* Neither symbols nor DWARF, nor section headers: the table and the code have to do. */
static void sees_parked_stripped(void)
{
	static const char *const how[] = {"plain-strip", "pie-noshdr", "cgopie-strip"};

	for (const char *const *r = prog_all_releases; *r; r++) {
		for (size_t i = 0; i < sizeof(how) / sizeof(how[0]); i++) {
			const char *path = prog_path(*r, how[i]);

			if (path)
				snapshot_parked(path);
		}
	}
}

static void sees_parked(void)
{
	for (const char *const *r = prog_all_releases; *r; r++) {
		for (const char *const *m = prog_modes; *m; m++) {
			const char *path = prog_path(*r, *m);

			if (path)
				snapshot_parked(path);
		}
	}
}

static void stands_churn(void)
{
	size_t running = 0, stacks = 0, unstable = 0, all = 0;

	for (const char *const *r = prog_releases; *r; r++) {
		const char *path = prog_path(*r, strcmp(*r, "1.24") ? "plain" : "pie");
		struct target *t;
		struct error e = {0};
		struct prog p;

		if (!path || !prog_start(&p, path, "churn", NULL, true))
			continue;
		CU_ASSERT_EQUAL(target_open(p.pid, &t, &e), 0);
		for (int i = 0; t && i < 100; i++) {
			struct kept s;
			int err = take(&s, t, &e);

			CU_ASSERT_EQUAL(err, 0);
			if (err)
				break;
			check_sane(t, &s);
			for (size_t k = 0; k < s.ng; k++) {
				running += s.g[k].status == GO_RUNNING;
				stacks += s.g[k].npcs > 0;
			}
			unstable += s.lists.unstable;
			all += s.ng;
			kept_free(&s);
		}
		target_close(t);
		prog_stop(&p);
	}
	printf("\n    %zu goroutines seen: %zu running, %zu with stacks, %zu moving ", all, running,
	       stacks, unstable);
	CU_ASSERT(!all || stacks > all / 4);
	CU_ASSERT(unstable <= all / 4);
}

static void is_fast(void)
{
	const char *path = prog_path("1.26", "plain");
	struct target *t = NULL;
	struct error e = {0};
	struct kept s;
	struct prog p;

	if (!path || !prog_start(&p, path, "park", "1000", true))
		return;
	CU_ASSERT_EQUAL(target_open(p.pid, &t, &e), 0);
	if (t && !take(&s, t, &e)) {
		CU_ASSERT(s.ng > 10000);
		printf("\n    %zu goroutines in %.1f ms ", s.ng,
		       (s.lists.end_ns - s.lists.begin_ns) / 1e6);
		CU_ASSERT(s.lists.end_ns - s.lists.begin_ns < 500000000);
		kept_free(&s);
	} else {
		CU_FAIL("no snapshot");
	}
	target_close(t);
	prog_stop(&p);
}

static void notices_the_end(void)
{
	const char *path = prog_path("1.26", "plain");
	struct target *t = NULL;
	struct error e = {0};
	struct kept s;
	struct prog p;

	if (!path || !prog_start(&p, path, "park", "1", true))
		return;
	CU_ASSERT_EQUAL(target_open(p.pid, &t, &e), 0);
	prog_stop(&p);
	if (t) {
		CU_ASSERT_EQUAL(take(&s, t, &e), -ESRCH);
		CU_ASSERT_EQUAL(e.status, EXIT_TARGET);
		CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "has ended"));
	}
	target_close(t);
}

static CU_TestInfo tests[] = {
	{"sees all goroutines of a quiet program", sees_parked},
	{"sees all goroutines of a stripped program", sees_parked_stripped},
	{"stands a busy program", stands_churn},
	{"reads 10000 goroutines fast", is_fast},
	{"notices that the target ended", notices_the_end},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("target/snapshot", tests);
