/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the program says of itself: tasks, regions, log messages and labels.
 *
 * The reader refuses a task that begins while it is open, and a region that ends while another one
 * is the innermost (internal/trace/order.go, advanceUserTaskBegin and endRegion). If ends were lost
 * the inner regions end with the outer one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/export/gotrace_state.h"

#define REGIONS_MAX 4096 /* of one goroutine; who opens more does not end them */
#define NO_TASK UINT64_MAX /* internal/trace: NoTask; 0 is the background task */

/* --- tasks ----------------------------------------------------------------------------------- */

static struct wire_task *find_task(struct gotrace *t, uint64_t id)
{
	struct wire_task *task;

	HASH_FIND(hh, t->tasks, &id, sizeof(id), task);
	return task;
}

int wire_open_task(struct gotrace *t, uint64_t id)
{
	struct wire_task *task;

	if (!id || id == NO_TASK || find_task(t, id))
		return 0;
	task = malloc(sizeof(*task));
	if (!task)
		return wire_no_memory(t);
	task->id = id;
	HASH_ADD(hh, t->tasks, id, sizeof(task->id), task);
	return 1;
}

void wire_close_task(struct gotrace *t, uint64_t id)
{
	struct wire_task *task = find_task(t, id);

	if (!task)
		return;
	HASH_DEL(t->tasks, task);
	free(task);
}

void wire_free_tasks(struct gotrace *t)
{
	struct wire_task *task, *next;

	HASH_ITER(hh, t->tasks, task, next) {
		HASH_DEL(t->tasks, task);
		free(task);
	}
}

/* --- regions --------------------------------------------------------------------------------- */

static int region_begin(struct gotrace *t, struct wire_m *m, const struct user_change *c)
{
	size_t len = strnlen(c->name, WIRE_STRING_MAX);
	struct wire_region *r;

	if (m->g->nregions == REGIONS_MAX) {
		m->g->unsaid_regions++;
		return 0;
	}
	r = malloc(sizeof(*r) + len + 1);
	if (!r)
		return wire_no_memory(t);
	r->below = m->g->regions;
	r->task = c->task;
	memcpy(r->type, c->name, len);
	r->type[len] = 0;
	m->g->regions = r;
	m->g->nregions++;
	WIRE_EMIT(t, m, c->time, WIRE_REGION_BEGIN, c->task, tables_string(&t->tables, r->type),
		  stack_of(t, m->g, c->stack, c->skip));
	return 0;
}

static bool same_region(const struct wire_region *r, const struct user_change *c)
{
	return r->task == c->task && !strncmp(r->type, c->name, WIRE_STRING_MAX);
}

static void pop_region(struct wire_g *g)
{
	struct wire_region *r = g->regions;

	g->regions = r->below;
	g->nregions--;
	free(r);
}

static void region_end(struct gotrace *t, struct wire_m *m, const struct user_change *c)
{
	uint64_t stack = stack_of(t, m->g, c->stack, c->skip);
	const struct wire_region *r = m->g->regions;
	bool last = false;

	if (m->g->unsaid_regions) {
		m->g->unsaid_regions--;
		return;
	}
	while (r && !same_region(r, c))
		r = r->below;
	if (!r && m->g->regions)
		return;
	if (!r)
		/* it began before the trace: readers take that */
		WIRE_EMIT(t, m, c->time, WIRE_REGION_END, c->task,
			  tables_string(&t->tables, c->name), stack);
	while (r && !last) {
		struct wire_region *top = m->g->regions;

		WIRE_EMIT(t, m, c->time, WIRE_REGION_END, top->task,
			  tables_string(&t->tables, top->type), stack);
		last = top == r;
		pop_region(m->g);
	}
}

void wire_free_regions(struct wire_g *g)
{
	while (g->regions)
		pop_region(g);
}

/* --- all ------------------------------------------------------------------------------------- */

int wire_user(struct gotrace *t, const struct user_change *c)
{
	struct wire_m *m = wire_speaker(t, c->m);
	struct tables *tables = &t->tables;
	uint64_t stack;
	int err;

	/* the reader has no place for it */
	if (!m || m->g != wire_find_g(t, c->g))
		return 0;
	if (c->kind == USER_REGION_BEGIN)
		return region_begin(t, m, c);
	if (c->kind == USER_REGION_END) {
		region_end(t, m, c);
		return 0;
	}
	stack = stack_of(t, m->g, c->stack, c->skip);
	switch (c->kind) {
	case USER_TASK_BEGIN:
		err = wire_open_task(t, c->task);
		if (err <= 0)
			return err;
		WIRE_EMIT(t, m, c->time, WIRE_TASK_BEGIN, c->task, c->parent,
			  tables_string(tables, c->name), stack);
		break;
	case USER_TASK_END:
		wire_close_task(t, c->task);
		WIRE_EMIT(t, m, c->time, WIRE_TASK_END, c->task, stack);
		break;
	case USER_LOG:
		WIRE_EMIT(t, m, c->time, WIRE_USER_LOG, c->task, tables_string(tables, c->name),
			  tables_string(tables, c->text), stack);
		break;
	case USER_START_REGION:
		/* an end that nobody can see would have to be made up: say what is known */
		WIRE_EMIT(t, m, c->time, WIRE_USER_LOG, c->task,
			  tables_string(tables, "trace.StartRegion"),
			  tables_string(tables, c->name), stack);
		break;
	default:
		break;
	}
	return 0;
}

void wire_label(struct gotrace *t, const struct label_change *c)
{
	struct wire_m *m = wire_speaker(t, c->m);

	/* viewers take who has such a label for a worker of the collector: internal/trace/gc.go */
	if (!c->gc_worker && !strncmp(c->label, "GC ", 3))
		return;
	if (m && m->g == wire_find_g(t, c->g))
		WIRE_EMIT(t, m, c->time, WIRE_GO_LABEL, tables_string(&t->tables, c->label));
}
