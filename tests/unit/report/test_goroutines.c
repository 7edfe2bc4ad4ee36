// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Where time goes, against a model that adds up every tick. */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"
#include "user/report/internal.h"

#define THREADS 4
#define GOROUTINES 24
#define MAX_SERIAL 20000
#define BEGIN 1000

static const char *const reasons[] = {"chan receive", "select", "sync.Mutex.Lock", ""};

struct world {
	struct report *report;
	struct sink sink;
	struct process process;
	struct thread threads[THREADS];
	struct goroutine gs[GOROUTINES];
	uint64_t now;
	uint64_t serial;
	uint64_t random;
	/* by serial; what the report has to find out */
	uint64_t part[MAX_SERIAL][PARTS];
	uint64_t starts[MAX_SERIAL];
	uint64_t delays, blocked[4];
};

static unsigned int draw(struct world *w, unsigned int n)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return (unsigned int)(w->random % n);
}

static enum part part_of(const struct goroutine *g)
{
	switch (g->state) {
	case G_RUNNING:
		return g->m->state == T_RUNNING || g->m->state == T_UNKNOWN ? PART_RUNNING :
									      PART_OFF_CPU;
	case G_RUNNABLE:
		return PART_RUNNABLE;
	case G_SYSCALL:
		return PART_SYSCALL;
	default:
		return PART_BLOCKED;
	}
}

/* Let time pass, and everybody age. */
static void pass(struct world *w, uint64_t ns)
{
	w->now += ns;
	for (int i = 0; i < GOROUTINES; i++) {
		const struct goroutine *g = &w->gs[i];

		if (!g->serial)
			continue;
		w->part[g->serial][part_of(g)] += ns;
		for (size_t k = 0; k < 4; k++)
			if (g->state == G_WAITING && g->reason == reasons[k])
				w->blocked[k] += ns;
	}
}

static void step(struct world *w, struct goroutine *g, enum g_cause cause, enum g_state to,
		 struct thread *m)
{
	struct g_change c = {
		.time = w->now,
		.since = g->since,
		.g = g,
		.from = g->state,
		.to = to,
		.cause = cause,
		.m = m,
		.reason = "",
		.block = "",
	};

	if (g->m)
		g->m->g = NULL;
	g->m = NULL;
	if (to == G_RUNNING || to == G_SYSCALL) {
		g->m = m;
		m->g = g;
	}
	if (to == G_WAITING)
		c.reason = reasons[draw(w, 4)];
	g->reason = c.reason;
	g->state = to;
	w->delays += cause == G_START;
	w->starts[g->serial] += cause == G_START;
	g->since = w->now;
	CU_ASSERT_EQUAL(w->sink.ops->goroutine(w->sink.ctx, &c), 0);
	if (to == G_DEAD)
		memset(g, 0, sizeof(*g));
}

static struct goroutine *create(struct world *w, int slot, enum g_cause cause, enum g_state to,
				struct thread *m)
{
	struct goroutine *g = &w->gs[slot];

	g->addr = 0x1000 + (uint64_t)slot; /* used again and again */
	g->serial = ++w->serial;
	g->id = g->serial;
	g->process = &w->process;
	g->start_pc = 0x400000 + (uint64_t)slot % 5;
	g->system = slot % 5 == 4;
	g->state = G_DEAD;
	step(w, g, cause, to, m);
	return g;
}

static void switch_thread(struct world *w, struct thread *t, enum t_state to)
{
	struct t_change c = {
		.time = w->now,
		.since = t->since,
		.t = t,
		.from = t->state,
		.to = to,
		.by_tid = 99,
		.by_comm = "other",
	};

	t->state = to;
	t->since = w->now;
	CU_ASSERT_EQUAL(w->sink.ops->thread(w->sink.ctx, &c), 0);
}

static struct thread *free_thread(struct world *w)
{
	for (int i = 0; i < THREADS; i++)
		if (!w->threads[i].g)
			return &w->threads[i];
	return NULL;
}

/* One step that the rules allow. */
static void anything(struct world *w)
{
	int slot = (int)draw(w, GOROUTINES);
	struct goroutine *g = &w->gs[slot];
	struct thread *t = free_thread(w);

	if (!draw(w, 3)) {
		switch_thread(w, &w->threads[draw(w, THREADS)],
			      (enum t_state)(T_RUNNING + draw(w, 3)));
		return;
	}
	if (!g->serial) {
		if (draw(w, 10))
			create(w, slot, G_CREATE, G_RUNNABLE, &w->threads[0]);
		else if (t)
			create(w, slot, G_EXTRA_ENTER, G_SYSCALL, t);
		return;
	}
	/* sometimes the end is never told, and another one comes in its place */
	if (!g->m && !draw(w, 50)) {
		memset(g, 0, sizeof(*g));
		create(w, slot, G_CREATE, G_RUNNABLE, &w->threads[0]);
		return;
	}
	switch (g->state) {
	case G_RUNNABLE:
		if (t)
			step(w, g, G_START, G_RUNNING, t);
		break;
	case G_RUNNING:
		switch (draw(w, 4)) {
		case 0:
			step(w, g, G_STOP, G_RUNNABLE, g->m);
			break;
		case 1:
			step(w, g, G_BLOCK, G_WAITING, g->m);
			break;
		case 2:
			step(w, g, G_SYSCALL_ENTER, G_SYSCALL, g->m);
			break;
		default:
			step(w, g, G_EXIT, G_DEAD, g->m);
		}
		break;
	case G_SYSCALL:
		if (draw(w, 2))
			step(w, g, G_SYSCALL_RETURN, G_RUNNING, g->m);
		else
			step(w, g, G_SYSCALL_LOST, G_RUNNABLE, g->m);
		break;
	case G_WAITING:
		step(w, g, G_UNBLOCK, G_RUNNABLE, &w->threads[0]);
		break;
	default:
		CU_FAIL("a dead goroutine has a serial");
	}
}

static struct world *world_new(unsigned int top)
{
	struct report_options options = {.top = top};
	struct world *w = calloc(1, sizeof(*w));

	CU_ASSERT_PTR_NOT_NULL_FATAL(w);
	w->random = 88172645463325252ULL;
	w->now = BEGIN;
	w->process.tgid = 7;
	CU_ASSERT_EQUAL_FATAL(report_new(&w->report, &options, NULL, NULL), 0);
	w->sink = report_sink(w->report);
	CU_ASSERT_EQUAL(w->sink.ops->process(w->sink.ctx, &w->process, w->now), 0);
	for (int i = 0; i < THREADS; i++) {
		w->threads[i].tid = 10 + (uint32_t)i;
		w->threads[i].tgid = 7;
		w->threads[i].process = &w->process;
		switch_thread(w, &w->threads[i], T_RUNNING);
	}
	for (int i = 0; i < 3; i++)
		create(w, i, G_INIT, G_WAITING, NULL);
	create(w, 3, G_INIT, G_RUNNING, &w->threads[0]);
	return w;
}

static void world_end(struct world *w)
{
	struct replay_totals totals = {.begin_ns = BEGIN, .end_ns = w->now};

	CU_ASSERT_EQUAL(w->sink.ops->end(w->sink.ctx, &totals, NULL), 0);
}

static void world_free(struct world *w)
{
	report_free(w->report);
	free(w);
}

static void the_parts_are_those_of_the_model(void)
{
	struct world *w = world_new(0);
	const struct goroutines *gs;
	uint64_t wrong = 0, sums[PARTS] = {0}, grouped[PARTS] = {0}, delays = 0, count = 0;
	uint64_t waited = 0, expected = 0;
	struct group *group, *tmp;

	for (int i = 0; i < 100000; i++) {
		pass(w, draw(w, 50));
		anything(w);
	}
	pass(w, 10);
	world_end(w);

	gs = &w->report->processes->goroutines;
	CU_ASSERT_PTR_NULL(gs->live);
	CU_ASSERT_EQUAL(gs->seen, w->serial);
	CU_ASSERT_EQUAL(gs->top.n, w->serial);
	CU_ASSERT_EQUAL(gs->at_start, 4);
	for (size_t i = 0; i < gs->top.n; i++) {
		const struct goroutine_row *row = gs->top.items[i];

		/* not one nanosecond too much, or lost */
		wrong += account_total(&row->a) != row->since - row->begin;
		wrong += memcmp(row->a.part, w->part[row->serial], sizeof(row->a.part)) != 0;
		wrong += row->a.starts != w->starts[row->serial];
		wrong += row->id != row->serial;
		for (int p = 0; p < PARTS; p++)
			sums[p] += row->a.part[p];
	}
	CU_ASSERT_EQUAL(wrong, 0);
	HASH_ITER(hh, gs->groups, group, tmp) {
		for (int p = 0; p < PARTS; p++)
			grouped[p] += group->a.part[p];
		for (size_t i = 0; i < group->a.nwaits; i++)
			waited += group->a.waits[i].ns;
		delays += group->a.delay.count;
		count += group->count;
	}
	CU_ASSERT_EQUAL(HASH_COUNT(gs->groups), 6);
	CU_ASSERT_EQUAL(count, w->serial);
	CU_ASSERT_EQUAL(memcmp(sums, grouped, sizeof(sums)), 0);
	for (size_t k = 0; k < 4; k++)
		expected += w->blocked[k];
	CU_ASSERT_EQUAL(waited, expected);
	CU_ASSERT_EQUAL(waited, sums[PART_BLOCKED]);
	for (int p = 0; p < PARTS; p++)
		CU_ASSERT(sums[p] > 0);
	/* those of no more than a nanosecond are left out */
	CU_ASSERT(delays > w->delays * 9 / 10 && delays < w->delays);
	world_free(w);
}

/* With room for a few, the same ones are kept. */
static void the_top_ones_are_kept(void)
{
	struct world *all = world_new(0), *few = world_new(5);

	for (int i = 0; i < 5000; i++) {
		pass(all, draw(all, 50));
		anything(all);
		pass(few, draw(few, 50));
		anything(few);
	}
	world_end(all);
	world_end(few);
	CU_ASSERT_EQUAL_FATAL(few->report->processes->goroutines.top.n, 5);
	CU_ASSERT(all->report->processes->goroutines.top.n > 100);
	for (size_t i = 0; i < 5; i++) {
		struct goroutine_row *a = all->report->processes->goroutines.top.items[i];
		struct goroutine_row *b = few->report->processes->goroutines.top.items[i];

		CU_ASSERT_EQUAL(a->serial, b->serial);
		CU_ASSERT_EQUAL(a->key, b->key);
		CU_ASSERT_EQUAL(a->key, a->a.part[PART_BLOCKED] + a->a.part[PART_RUNNABLE]);
	}
	world_free(all);
	world_free(few);
}

/* After the process is gone nothing counts any more. */
static void gone_is_gone(void)
{
	struct world *w = world_new(0);
	const struct report_process *rp;

	pass(w, 100);
	CU_ASSERT_EQUAL(w->sink.ops->gone(w->sink.ctx, &w->process, GONE_EXIT, w->now), 0);
	pass(w, 1000);
	step(w, &w->gs[0], G_UNBLOCK, G_RUNNABLE, &w->threads[0]);
	world_end(w);
	rp = w->report->processes;
	CU_ASSERT_EQUAL(rp->end, BEGIN + 100);
	CU_ASSERT_EQUAL_FATAL(rp->goroutines.top.n, 4);
	for (size_t i = 0; i < 4; i++) {
		const struct goroutine_row *row = rp->goroutines.top.items[i];

		CU_ASSERT_EQUAL(account_total(&row->a), 100);
	}
	world_free(w);
}

static const struct account *account_of(const struct world *w, uint64_t serial)
{
	const struct goroutines *gs = &w->report->processes->goroutines;

	for (size_t i = 0; i < gs->top.n; i++) {
		const struct goroutine_row *row = gs->top.items[i];

		if (row->serial == serial)
			return &row->a;
	}
	CU_FAIL_FATAL("no such goroutine");
	return NULL;
}

static void delays_are_those_that_were_seen(void)
{
	struct world *w = world_new(0);
	struct goroutine *g = create(w, 10, G_INIT, G_RUNNABLE, NULL);
	struct g_change c = {.g = g, .from = G_RUNNABLE, .to = G_RUNNING, .cause = G_START};
	struct thread *t = &w->threads[1];

	/* when it became runnable is not known */
	pass(w, 500);
	step(w, g, G_START, G_RUNNING, t);
	step(w, g, G_STOP, G_RUNNABLE, t);
	pass(w, 70);
	step(w, g, G_START, G_RUNNING, t);
	/* two steps at one moment */
	step(w, g, G_SYSCALL_ENTER, G_SYSCALL, t);
	step(w, g, G_SYSCALL_LOST, G_RUNNABLE, t);
	pass(w, 1);
	step(w, g, G_START, G_RUNNING, t);
	step(w, g, G_STOP, G_RUNNABLE, t);
	/* a start that was not seen itself */
	pass(w, 900);
	c.time = w->now;
	c.m = t;
	c.flags = CHANGE_INFERRED;
	CU_ASSERT_EQUAL(w->sink.ops->goroutine(w->sink.ctx, &c), 0);
	world_end(w);
	CU_ASSERT_EQUAL(account_of(w, g->serial)->starts, 4);
	CU_ASSERT_EQUAL(account_of(w, g->serial)->delay.count, 1);
	CU_ASSERT_EQUAL(account_of(w, g->serial)->delay.max, 70);
	world_free(w);
}

static void who_did_it_is_counted(void)
{
	struct world *w = world_new(0);
	struct goroutine *waker = &w->gs[3], *waiter = &w->gs[0];
	struct goroutine child = {.addr = 0x2000, .serial = 500, .process = &w->process};
	struct g_change wake = {.time = w->now,
				.g = waiter,
				.from = G_WAITING,
				.to = G_RUNNABLE,
				.cause = G_UNBLOCK,
				.other = waker};
	struct g_change make = {.time = w->now,
				.g = &child,
				.from = G_DEAD,
				.to = G_RUNNABLE,
				.cause = G_CREATE,
				.other = waker};

	CU_ASSERT_EQUAL(w->sink.ops->goroutine(w->sink.ctx, &wake), 0);
	CU_ASSERT_EQUAL(w->sink.ops->goroutine(w->sink.ctx, &make), 0);
	world_end(w);
	CU_ASSERT_EQUAL(account_of(w, waker->serial)->wakes, 1);
	CU_ASSERT_EQUAL(account_of(w, waker->serial)->creates, 1);
	CU_ASSERT_EQUAL(account_of(w, waiter->serial)->wakes, 0);
	world_free(w);
}

static CU_TestInfo tests[] = {
	{"the parts are those of the model", the_parts_are_those_of_the_model},
	{"the top ones are kept", the_top_ones_are_kept},
	{"gone is gone", gone_is_gone},
	{"delays are those that were seen", delays_are_those_that_were_seen},
	{"who did it is counted", who_did_it_is_counted},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("report/goroutines", tests);
