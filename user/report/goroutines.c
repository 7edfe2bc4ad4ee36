// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/report/goroutines.h"

#include <errno.h>
#include <stdlib.h>

#include "user/replay/crowd.h"
#include "user/report/gc.h"

static uint64_t sort_key(enum report_sort sort, const struct account *a, uint64_t count)
{
	switch (sort) {
	case REPORT_SORT_TOTAL:
		return account_total(a);
	case REPORT_SORT_RUNNING:
		return a->part[PART_RUNNING];
	case REPORT_SORT_OFF_CPU:
		return a->part[PART_OFF_CPU];
	case REPORT_SORT_RUNNABLE:
		return a->part[PART_RUNNABLE];
	case REPORT_SORT_SYSCALL:
		return a->part[PART_SYSCALL];
	case REPORT_SORT_BLOCKED:
		return a->part[PART_BLOCKED];
	case REPORT_SORT_DELAY:
		return histogram_percentile(&a->delay, 990);
	case REPORT_SORT_COUNT:
		return count;
	case REPORT_SORT_WAIT:
		break;
	}
	return a->part[PART_BLOCKED] + a->part[PART_RUNNABLE];
}

/* The runtime's own come last: what they wait for is work, and nobody waits for them. */
static int compare_rows(const void *a, const void *b)
{
	const struct goroutine_row *x = a, *y = b;

	if (x->group->system != y->group->system)
		return x->group->system ? -1 : 1;
	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->serial > y->serial ? -1 : x->serial < y->serial;
}

void goroutines_init(struct goroutines *gs, enum report_sort sort, unsigned int top,
		     struct interned **names, uint64_t begin)
{
	*gs = (struct goroutines){
		.sort = sort,
		.names = names,
		.turned = begin,
		.top = {.compare = compare_rows, .max = top},
	};
}

static void row_free(struct goroutine_row *row)
{
	if (row)
		account_free(&row->a);
	free(row);
}

static struct group *group_get(struct goroutines *gs, uint64_t start_pc, bool system)
{
	struct group *group;

	HASH_FIND(hh, gs->groups, &start_pc, sizeof(start_pc), group);
	if (group)
		return group;
	if (HASH_COUNT(gs->groups) >= MOST_GROUPS && start_pc != START_OTHERS)
		return group_get(gs, START_OTHERS, false);
	group = calloc(1, sizeof(*group));
	if (!group)
		return NULL;
	group->start_pc = start_pc;
	group->system = system;
	HASH_ADD(hh, gs->groups, start_pc, sizeof(group->start_pc), group);
	return group;
}

static struct goroutine_row *row_find(const struct goroutines *gs, const struct goroutine *g)
{
	struct goroutine_row *row;

	HASH_FIND(hh, gs->live, &g->addr, sizeof(g->addr), row);
	return row;
}

/* The row of a goroutine met for the first time at `time`. */
static struct goroutine_row *row_new(struct goroutines *gs, const struct g_change *c)
{
	struct goroutine_row *row = calloc(1, sizeof(*row));
	uint64_t start = c->cause == G_EXTRA_ENTER ? START_C_THREAD : c->g->start_pc;

	if (!row)
		return NULL;
	row->group = group_get(gs, start, c->g->system);
	if (!row->group) {
		free(row);
		return NULL;
	}
	row->addr = c->g->addr;
	row->serial = c->g->serial;
	row->id = c->g->id;
	row->begin = c->time;
	row->since = c->time;
	HASH_ADD(hh, gs->live, addr, sizeof(row->addr), row);
	gs->seen++;
	gs->at_start += c->cause == G_INIT;
	return row;
}

/* Account the time since the last step to the part it was in, if that is known. */
static int row_advance(const struct goroutines *gs, struct goroutine_row *row, uint64_t time)
{
	uint64_t ns = time > row->since ? time - row->since : 0;

	row->since += ns;
	if (gs->blind) {
		row->unseen_ns += ns;
		return 0;
	}
	row->a.part[row->part] += ns;
	if (row->part == PART_BLOCKED) {
		struct wait *w = account_wait(&row->a, row->reason);

		if (!w)
			return -ENOMEM;
		w->ns += ns;
	}
	return 0;
}

static int assist_end(struct goroutine_row *row, uint64_t time, bool seen)
{
	uint64_t since = row->assist_since;

	row->assist_since = 0;
	row->group->assist_ns += row->a.part[PART_RUNNING] - row->assist_ran;
	return spans_add(&row->group->assists, time - since, row->assist_whole && seen);
}

static void worker_end(struct goroutines *gs, struct goroutine_row *row)
{
	gs->worker_ns[row->worker] += row->a.part[PART_RUNNING] - row->worker_ran;
	row->worker_ran = row->a.part[PART_RUNNING];
}

static int row_finish(struct goroutines *gs, struct goroutine_row *row, uint64_t time)
{
	void *out;
	int err = row_advance(gs, row, time);

	if (row->assist_since && !err)
		err = assist_end(row, time, false);
	worker_end(gs, row);
	HASH_DELETE(hh, gs->live, row);
	row->group->count++;
	row->key = sort_key(gs->sort, &row->a, row->a.starts);
	if (!err)
		err = account_merge(&row->group->a, &row->a);
	if (!err)
		err = top_offer(&gs->top, row, &out);
	row_free(err ? row : out);
	return err;
}

static enum part running_part(enum t_state state)
{
	/* not known counts as on: a thread that never leaves its CPU is never told of */
	return state == T_RUNNABLE || state == T_SLEEPING || state == T_DEAD ? PART_OFF_CPU :
									       PART_RUNNING;
}

static int begin_wait(struct goroutines *gs, struct goroutine_row *row, const struct g_change *c)
{
	const char *reason = c->reason && *c->reason ? c->reason : "(not known)";
	struct wait *w;

	row->reason = intern(gs->names, reason);
	if (!row->reason)
		return -ENOMEM;
	w = account_wait(&row->a, row->reason);
	if (!w)
		return -ENOMEM;
	w->count++;
	row->a.blocks += c->cause != G_INIT;
	row->part = PART_BLOCKED;
	return 0;
}

static int begin_running(struct goroutine_row *row, const struct g_change *c)
{
	uint64_t delay = c->time - row->runnable_since;

	row->part = running_part(c->m ? c->m->state : T_UNKNOWN);
	row->a.starts += c->cause == G_START || c->cause == G_SWITCH_IN;
	/*
	 * A start that was only inferred says nothing about when it was; and two steps at one
	 * moment, which the replay tells a nanosecond apart, are no wait for a processor.
	 */
	if (c->cause != G_START || !row->runnable_since || delay <= 1 || c->flags)
		return 0;
	return histogram_add(&row->a.delay, delay);
}

static int row_enter(struct goroutines *gs, struct goroutine_row *row, const struct g_change *c)
{
	int err = 0;

	row->state = c->to;
	switch (c->to) {
	case G_RUNNING:
		err = begin_running(row, c);
		row->runnable_since = 0;
		break;
	case G_RUNNABLE:
		row->part = PART_RUNNABLE;
		row->runnable_since = c->cause == G_INIT ? 0 : c->time;
		break;
	case G_SYSCALL:
		row->part = PART_SYSCALL;
		break;
	case G_WAITING:
		err = begin_wait(gs, row, c);
		break;
	case G_DEAD:
		err = row_finish(gs, row, c->time);
		break;
	}
	return err;
}

/* What the other side of a change did. */
static void credit(const struct goroutines *gs, const struct g_change *c)
{
	struct goroutine_row *row = c->other ? row_find(gs, c->other) : NULL;

	if (!row || row->serial != c->other->serial)
		return;
	row->a.wakes += c->cause == G_UNBLOCK;
	row->a.creates += c->cause == G_CREATE || c->cause == G_CREATE_BLOCKED;
}

/* One of the crowd is told of when something happens to it: up to the last turn nothing did. */
static int catch_up(const struct goroutines *gs, struct goroutine_row *row)
{
	struct wait *w = account_wait(&row->a, row->reason);

	if (!w)
		return -ENOMEM;
	w->ns += gs->seen_ns;
	row->a.part[row->part] += gs->seen_ns;
	row->unseen_ns += gs->unseen_ns;
	row->since = gs->turned;
	return 0;
}

int goroutines_change(struct goroutines *gs, const struct g_change *c)
{
	struct goroutine_row *row = row_find(gs, c->g);
	int err = 0;

	credit(gs, c);
	/* another goroutine in the same place: the end of the old one was not seen */
	if (row && row->serial != c->g->serial) {
		err = row_finish(gs, row, c->time);
		row = NULL;
	}
	if (err)
		return err;
	if (!row) {
		if (c->to == G_DEAD)
			return 0;
		row = row_new(gs, c);
		if (!row)
			return -ENOMEM;
	} else {
		err = row_advance(gs, row, c->time);
	}
	if (!err)
		err = row_enter(gs, row, c);
	if (!err && c->cause == G_INIT && row->part == PART_BLOCKED && gs->turned > row->since)
		err = catch_up(gs, row);
	return err;
}

int goroutines_thread(struct goroutines *gs, const struct t_change *c)
{
	const struct goroutine *g = c->t->g;
	struct goroutine_row *row;
	int err;

	if (!g || g->state != G_RUNNING)
		return 0;
	row = row_find(gs, g);
	if (!row || row->serial != g->serial || row->state != G_RUNNING)
		return 0;
	err = row_advance(gs, row, c->time);
	row->part = running_part(c->to);
	return err;
}

/* The row of a goroutine as it is now; NULL: it is not known. */
static struct goroutine_row *row_now(const struct goroutines *gs, const struct goroutine *g)
{
	struct goroutine_row *row = g ? row_find(gs, g) : NULL;

	return row && row->serial == g->serial ? row : NULL;
}

int goroutines_assist(struct goroutines *gs, const struct range_change *c)
{
	struct goroutine_row *row = row_now(gs, c->g);
	int err = row ? row_advance(gs, row, c->time) : 0;

	if (!row || err)
		return err;
	if (row->assist_since)
		err = assist_end(row, c->time, !(c->flags & CHANGE_REPAIR));
	if (c->begin) {
		row->assist_since = c->time;
		row->assist_whole = !(c->flags & CHANGE_INITIAL);
		row->assist_ran = row->a.part[PART_RUNNING];
	}
	return err;
}

int goroutines_worker(struct goroutines *gs, const struct label_change *c)
{
	struct goroutine_row *row = row_now(gs, c->g);
	int err = row ? row_advance(gs, row, c->time) : 0;

	if (!row || err)
		return err;
	worker_end(gs, row);
	row->worker = gc_worker_of(c->label);
	return 0;
}

bool goroutines_sample(struct goroutines *gs, const struct goroutine *g)
{
	struct goroutine_row *row = row_now(gs, g);

	if (row)
		row->group->samples++;
	return row;
}

int goroutines_blind(struct goroutines *gs, bool blind, uint64_t time)
{
	struct goroutine_row *row, *tmp;
	int err = 0;

	HASH_ITER(hh, gs->live, row, tmp) {
		int e = row_advance(gs, row, time);

		/* how long it waits for a processor is not known */
		row->runnable_since = 0;
		err = err ? err : e;
	}
	*(gs->blind ? &gs->unseen_ns : &gs->seen_ns) += time > gs->turned ? time - gs->turned : 0;
	gs->turned = time > gs->turned ? time : gs->turned;
	gs->blind = blind;
	return err;
}

/* Rows of those that nothing has happened to are made and added up one by one. */
static int close_crowd(struct goroutines *gs, struct process *ps, uint64_t time)
{
	struct goroutine quiet;
	size_t at = 0;
	int err = 0;

	while (!err && crowd_next(ps->crowd, &at, &quiet)) {
		const struct g_change c = {
			.time = ps->ready_ns,
			.g = &quiet,
			.from = G_DEAD,
			.to = quiet.state,
			.cause = G_INIT,
			.reason = quiet.reason,
		};

		quiet.process = ps;
		err = goroutines_change(gs, &c);
		gs->at_end++;
		if (!err)
			err = row_finish(gs, row_find(gs, &quiet), time);
	}
	return err;
}

int goroutines_close(struct goroutines *gs, struct process *ps, uint64_t time)
{
	struct goroutine_row *row, *tmp;
	struct group *group, *gtmp;
	int err = ps && ps->crowd ? close_crowd(gs, ps, time) : 0;

	HASH_ITER(hh, gs->live, row, tmp) {
		int e = row_finish(gs, row, time);

		gs->at_end++;
		err = err ? err : e;
	}
	HASH_ITER(hh, gs->groups, group, gtmp)
		group->key = sort_key(gs->sort, &group->a, group->count);
	top_sort(&gs->top);
	return err;
}

void goroutines_free(struct goroutines *gs)
{
	struct goroutine_row *row, *tmp;
	struct group *group, *gtmp;

	HASH_ITER(hh, gs->live, row, tmp) {
		HASH_DELETE(hh, gs->live, row);
		row_free(row);
	}
	for (size_t i = 0; i < gs->top.n; i++)
		row_free(gs->top.items[i]);
	free(gs->top.items);
	HASH_ITER(hh, gs->groups, group, gtmp) {
		HASH_DELETE(hh, gs->groups, group);
		account_free(&group->a);
		spans_free(&group->assists);
		free(group);
	}
}
