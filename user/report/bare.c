// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/report/bare.h"

#include <errno.h>
#include <stdlib.h>

#include "user/report/goroutines.h"

/* Places from which they leave their CPU; what comes then is of none that is known. */
#define MOST_BARE_STACKS (1U << 18)

static uint64_t sort_key(enum report_sort sort, const struct bare_stats *s)
{
	switch (sort) {
	case REPORT_SORT_RUNNING:
		return s->on_cpu;
	case REPORT_SORT_RUNNABLE:
		return s->waiting;
	case REPORT_SORT_SYSCALL:
		return s->syscall_ns;
	case REPORT_SORT_BLOCKED:
		return s->asleep;
	case REPORT_SORT_DELAY:
		return histogram_percentile(&s->delay, 990);
	case REPORT_SORT_COUNT:
		return s->syscalls;
	case REPORT_SORT_TOTAL:
		return s->on_cpu + s->asleep + s->waiting;
	case REPORT_SORT_OFF_CPU:
	case REPORT_SORT_WAIT:
		break;
	}
	return s->asleep + s->waiting;
}

/* The runtime's own come last, as in goroutines.c. */
static int compare_rows(const void *a, const void *b)
{
	const struct bare_row *x = a, *y = b;

	if (x->group->system != y->group->system)
		return x->group->system ? -1 : 1;
	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->serial > y->serial ? -1 : x->serial < y->serial;
}

void bare_init(struct bare *b, enum report_sort sort, unsigned int top)
{
	*b = (struct bare){.sort = sort, .top = {.compare = compare_rows, .max = top}};
}

static void row_free(struct bare_row *row)
{
	if (row)
		histogram_free(&row->s.delay);
	free(row);
}

static int stats_merge(struct bare_stats *to, const struct bare_stats *from)
{
	to->syscalls += from->syscalls;
	to->syscall_ns += from->syscall_ns;
	to->on_cpu += from->on_cpu;
	to->asleep += from->asleep;
	to->waiting += from->waiting;
	to->off += from->off;
	to->preempted += from->preempted;
	to->wakes += from->wakes;
	return histogram_merge(&to->delay, &from->delay);
}

static int row_finish(struct bare *b, struct bare_row *row)
{
	void *out;
	int err;

	HASH_DELETE(hh, b->live, row);
	row->group->count++;
	row->key = sort_key(b->sort, &row->s);
	err = stats_merge(&row->group->s, &row->s);
	if (!err)
		err = top_offer(&b->top, row, &out);
	row_free(err ? row : out);
	return err;
}

static struct bare_group *group_get(struct bare *b, const struct goroutine *g)
{
	struct bare_group *group;

	HASH_FIND(hh, b->groups, &g->start_pc, sizeof(g->start_pc), group);
	if (group)
		return group;
	if (HASH_COUNT(b->groups) >= MOST_GROUPS && g->start_pc != START_OTHERS)
		return group_get(b, &(struct goroutine){.start_pc = START_OTHERS});
	group = calloc(1, sizeof(*group));
	if (!group)
		return NULL;
	group->start_pc = g->start_pc;
	group->system = g->system;
	HASH_ADD(hh, b->groups, start_pc, sizeof(group->start_pc), group);
	return group;
}

static struct bare_row *row_new(struct bare *b, const struct goroutine *g)
{
	struct bare_group *group = group_get(b, g);
	struct bare_row *row = group ? calloc(1, sizeof(*row)) : NULL;

	if (!row)
		return NULL;
	row->group = group;
	row->addr = g->addr;
	row->serial = g->serial;
	row->id = g->id;
	HASH_ADD(hh, b->live, addr, sizeof(row->addr), row);
	b->seen++;
	return row;
}

/* NULL: out of memory. */
static struct bare_row *row_get(struct bare *b, const struct goroutine *g)
{
	struct bare_row *row;

	HASH_FIND(hh, b->live, &g->addr, sizeof(g->addr), row);
	if (row && row->serial == g->serial)
		return row;
	if (row && row_finish(b, row))
		return NULL;
	return row_new(b, g);
}

static int add_stack(struct bare *b, const struct thread_span *s, uint64_t waiting)
{
	struct bare_stack_key key = {.stack = s->stack, .start_pc = s->g->start_pc};
	struct bare_stack *st;

	HASH_FIND(hh, b->stacks, &key, sizeof(key), st);
	if (!st && HASH_COUNT(b->stacks) >= MOST_BARE_STACKS) {
		key = (struct bare_stack_key){.start_pc = START_OTHERS};
		HASH_FIND(hh, b->stacks, &key, sizeof(key), st);
	}
	if (!st) {
		st = calloc(1, sizeof(*st));
		if (!st)
			return -ENOMEM;
		st->key = key;
		HASH_ADD(hh, b->stacks, key, sizeof(st->key), st);
	}
	st->times++;
	st->ns += s->end - s->begin;
	st->waiting += waiting;
	return 0;
}

static int add_off_cpu(struct bare *b, struct bare_row *row, const struct thread_span *s)
{
	uint64_t waiting = s->runnable_since ? s->end - s->runnable_since : 0;

	row->s.waiting += waiting;
	row->s.asleep += s->end - s->begin - waiting;
	row->s.off++;
	row->s.preempted += s->preempted;
	if (s->runnable_since && histogram_add(&row->s.delay, waiting))
		return -ENOMEM;
	return add_stack(b, s, waiting);
}

int bare_span(struct bare *b, const struct thread_span *s)
{
	struct bare_row *row;

	if (s->kind == SPAN_ON_CPU)
		b->on_cpu += s->end - s->begin;
	if (!s->g)
		return 0;
	row = row_get(b, s->g);
	if (!row)
		return -ENOMEM;
	switch (s->kind) {
	case SPAN_ON_CPU:
		row->s.on_cpu += s->end - s->begin;
		break;
	case SPAN_OFF_CPU:
		return add_off_cpu(b, row, s);
	case SPAN_WAKE:
		row->s.wakes++;
		break;
	}
	return 0;
}

int bare_syscall(struct bare *b, const struct syscall_span *s)
{
	struct bare_row *row = s->g ? row_get(b, s->g) : NULL;

	if (!row)
		return s->g ? -ENOMEM : 0;
	row->s.syscalls++;
	row->s.syscall_ns += s->end > s->begin ? s->end - s->begin : 0;
	return 0;
}

int bare_close(struct bare *b)
{
	struct bare_group *group, *gtmp;
	struct bare_row *row, *tmp;
	int err = 0;

	HASH_ITER(hh, b->live, row, tmp) {
		int e = row_finish(b, row);

		err = err ? err : e;
	}
	HASH_ITER(hh, b->groups, group, gtmp)
		group->key = b->sort == REPORT_SORT_COUNT ? group->count :
							    sort_key(b->sort, &group->s);
	top_sort(&b->top);
	return err;
}

void bare_free(struct bare *b)
{
	struct bare_group *group, *gtmp;
	struct bare_stack *st, *stmp;
	struct bare_row *row, *tmp;

	HASH_ITER(hh, b->live, row, tmp) {
		HASH_DELETE(hh, b->live, row);
		row_free(row);
	}
	for (size_t i = 0; i < b->top.n; i++)
		row_free(b->top.items[i]);
	free(b->top.items);
	HASH_ITER(hh, b->stacks, st, stmp) {
		HASH_DELETE(hh, b->stacks, st);
		free(st);
	}
	HASH_ITER(hh, b->groups, group, gtmp) {
		HASH_DELETE(hh, b->groups, group);
		histogram_free(&group->s.delay);
		free(group);
	}
}
