// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Floods of what is made up: so much is kept, the rest is counted, and the report says so. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"
#include "user/capture/file.h"
#include "user/replay/crowd.h"
#include "user/replay/replay.h"
#include "user/report/internal.h"
#include "user/report/print.h"

#define TGID 100
#define MOST 50
#define MANY 1000
#define BYTES 20000

static const struct replay_limits limits = {
	.goroutines = MOST,
	.crowd = MOST,
	.threads = MOST,
	.processes = MOST,
	.procs = MOST,
	.regions = MOST,
	.stack_bytes = BYTES,
	.symbol_bytes = BYTES,
	.string_bytes = BYTES,
};

struct bench {
	struct replay *r;
	struct report *report;
	uint64_t time;
};

static void feed(struct bench *b, struct event_head *h, unsigned int type, size_t size)
{
	struct error e;

	h->type = (uint16_t)type;
	h->size = (uint16_t)size;
	h->time_ns = b->time += 1000;
	CU_ASSERT_FATAL(event_valid(h));
	CU_ASSERT_EQUAL(replay_event(b->r, h, &e), 0);
}

static void open_bench(struct bench *b)
{
	const struct report_options o = {.top = 5};
	struct ev_target target = {.tgid = TGID, .go_minor = 26};
	struct error e;

	*b = (struct bench){.time = 1};
	CU_ASSERT_EQUAL_FATAL(replay_new(&b->r, &e), 0);
	replay_set_limits(b->r, &limits);
	CU_ASSERT_EQUAL_FATAL(report_new(&b->report, &o, replay_symbols(b->r), &e), 0);
	replay_add_sink(b->r, report_sink(b->report));
	feed(b, &target.h, EV_TARGET, sizeof(target));
}

/* So many were left out, and the report has `text`. */
static void close_bench(struct bench *b, enum beyond what, uint64_t left_out, const char *text)
{
	struct error e;
	char *said = NULL;
	size_t size;
	FILE *out = open_memstream(&said, &size);

	CU_ASSERT_PTR_NOT_NULL_FATAL(out);
	CU_ASSERT_EQUAL(replay_totals(b->r)->beyond[what], left_out);
	CU_ASSERT_EQUAL(replay_finish(b->r, &e), 0);
	print_footer(b->report, out);
	fclose(out);
	CU_ASSERT(strstr(said, text) != NULL);
	free(said);
	report_free(b->report);
	replay_free(b->r);
}

static void goroutines(unsigned int status)
{
	struct bench b;

	open_bench(&b);
	for (unsigned int i = 0; i < MANY; i++) {
		struct ev_snap_g g = {.tgid = TGID, .gp = 0xc000000000 + 8 * i, .status = status};

		g.goid = i + 1;
		feed(&b, &g.h, EV_SNAP_G, sizeof(g));
	}
	CU_ASSERT_EQUAL(HASH_COUNT(replay_processes(b.r)->goroutines) +
				crowd_count(replay_processes(b.r)->crowd),
			MOST);
	close_bench(&b, BEYOND_GOROUTINES, MANY - MOST,
		    "WARNING: there are more goroutines at one time than gscope keeps in memory: "
		    "950 records of others are left out.\n");
}

static void test_goroutines(void)
{
	goroutines(1);
	goroutines(4);
}

static void test_threads(void)
{
	struct bench b;

	open_bench(&b);
	for (unsigned int i = 0; i < MANY; i++) {
		struct ev_snap_m m = {.h.tid = i + 1, .tgid = TGID};

		feed(&b, &m.h, EV_SNAP_M, sizeof(m));
	}
	CU_ASSERT_EQUAL(HASH_COUNT(replay_threads(b.r)), MOST);
	close_bench(&b, BEYOND_THREADS, MANY - MOST, "more threads at one time than");
}

static void test_processes(void)
{
	struct bench b;

	open_bench(&b);
	for (unsigned int i = 1; i < MANY; i++) {
		struct ev_target target = {.tgid = TGID + i};

		feed(&b, &target.h, EV_TARGET, sizeof(target));
	}
	CU_ASSERT_EQUAL(HASH_COUNT(replay_processes(b.r)), MOST);
	close_bench(&b, BEYOND_PROCESSES, MANY - MOST, "more processes than");
}

static void test_procs(void)
{
	struct bench b;

	open_bench(&b);
	for (unsigned int i = 0; i < MANY; i++) {
		struct ev_snap_p p = {.tgid = TGID, .id = (int32_t)i, .p = 0xc800000000 + 8 * i};

		feed(&b, &p.h, EV_SNAP_P, sizeof(p));
	}
	CU_ASSERT_EQUAL(HASH_COUNT(replay_processes(b.r)->procs), MOST);
	close_bench(&b, BEYOND_PROCS, MANY - MOST, "more Ps than");
}

static void test_stacks(void)
{
	uint64_t room[sizeof(struct ev_stack) / 8 + 16] = {0};
	struct ev_stack *s = (void *)room;
	unsigned int kept = 0;
	struct bench b;

	open_bench(&b);
	for (unsigned int i = 0; i < MANY; i++) {
		s->tgid = TGID;
		s->id = i + 1;
		s->n = 16;
		feed(&b, &s->h, EV_STACK, sizeof(room));
	}
	for (unsigned int i = 0; i < MANY; i++)
		kept += symbols_has_stack(replay_symbols(b.r), TGID, i + 1);
	CU_ASSERT(kept > 0 && kept <= BYTES / (16 * 8));
	close_bench(&b, BEYOND_STACKS, MANY - kept, "more different stacks than");
}

static void test_strings(void)
{
	uint64_t room[sizeof(struct ev_string) / 8 + 13] = {0};
	struct ev_string *s = (void *)room;
	unsigned int kept = 0;
	struct bench b;

	open_bench(&b);
	for (unsigned int i = 0; i < MANY; i++) {
		s->tgid = TGID;
		s->kind = STRING_WAIT_REASON;
		s->number = (uint16_t)i;
		memset(s->text, 'x', 99);
		feed(&b, &s->h, EV_STRING, sizeof(room));
	}
	for (unsigned int i = 0; i < replay_processes(b.r)->nstrings[STRING_WAIT_REASON]; i++)
		kept += replay_processes(b.r)->strings[STRING_WAIT_REASON][i] != NULL;
	CU_ASSERT_EQUAL(kept, BYTES / 100);
	close_bench(&b, BEYOND_STRINGS, MANY - kept, "more texts of Go runtimes than");
}

/* More starts than groups: the others are one. */
static void test_groups(void)
{
	struct report_process *rp;
	struct bench b;
	struct replay_limits more = limits;
	const unsigned int n = MOST_GROUPS + 1000;
	struct ev_ready ready = {.tgid = TGID};

	open_bench(&b);
	more.goroutines = n;
	replay_set_limits(b.r, &more);
	for (unsigned int i = 0; i < n; i++) {
		struct ev_snap_g g = {.tgid = TGID, .gp = 0xc000000000 + 8 * i, .status = 1};

		g.goid = i + 1;
		g.start_pc = 0x400000 + i;
		feed(&b, &g.h, EV_SNAP_G, sizeof(g));
	}
	feed(&b, &ready.h, EV_READY, sizeof(ready));
	rp = b.report->processes;
	CU_ASSERT_PTR_NOT_NULL_FATAL(rp);
	CU_ASSERT_EQUAL(HASH_COUNT(rp->goroutines.groups), MOST_GROUPS + 1);
	close_bench(&b, BEYOND_GOROUTINES, 0, "events in");
}

static CU_TestInfo tests[] = {
	{"goroutines", test_goroutines},
	{"threads", test_threads},
	{"processes", test_processes},
	{"Ps", test_procs},
	{"stacks", test_stacks},
	{"strings", test_strings},
	{"starts of goroutines", test_groups},
	CU_TEST_INFO_NULL,
};

UNIT_SUITE("replay/limits", tests);
