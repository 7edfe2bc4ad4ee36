// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/report/annotations.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct open_task {
	uint64_t id;
	uint64_t since;
	struct annotation *type;
	UT_hash_handle hh;
};

struct open_region {
	uint64_t since;
	struct annotation *type;
};

struct open_regions {
	uint64_t serial;
	struct open_region *v; /* innermost last */
	size_t n, room;
	size_t deeper; /* in these there are so many more */
	UT_hash_handle hh;
};

static struct annotation *type_find(const struct annotations *as, const char *name,
				    enum annotation_kind kind)
{
	struct annotation_key key = {name, kind};
	struct annotation *a;

	HASH_FIND(hh, as->types, &key, sizeof(key), a);
	return a;
}

static struct annotation *type_new(struct annotations *as, const char *name,
				   enum annotation_kind kind)
{
	struct annotation *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->key.name = name;
	a->key.kind = kind;
	HASH_ADD(hh, as->types, key, sizeof(a->key), a);
	return a;
}

/* NULL: out of memory. */
static struct annotation *type_get(struct annotations *as, const char *name,
				   enum annotation_kind kind)
{
	bool full = HASH_COUNT(as->types) >= MOST_ANNOTATIONS;
	const char *known = full ? interned_find(*as->names, name) : intern(as->names, name);
	struct annotation *a = known ? type_find(as, known, kind) : NULL;

	if (a)
		return a;
	if (full) {
		known = intern(as->names, OTHER_ANNOTATIONS);
		a = known ? type_find(as, known, kind) : NULL;
	}
	return a || !known ? a : type_new(as, known, kind);
}

static struct open_task *task_find(const struct annotations *as, uint64_t id)
{
	struct open_task *task;

	HASH_FIND(hh, as->tasks, &id, sizeof(id), task);
	return task;
}

static int task_begin(struct annotations *as, const struct user_change *c)
{
	struct annotation *type = type_get(as, c->name, ANNOTATION_TASK);
	struct open_task *task = task_find(as, c->task);

	if (!type)
		return -ENOMEM;
	type->begun++;
	if (task || HASH_COUNT(as->tasks) >= MOST_OPEN_TASKS)
		return 0;
	task = calloc(1, sizeof(*task));
	if (!task)
		return -ENOMEM;
	task->id = c->task;
	task->since = c->time;
	task->type = type;
	HASH_ADD(hh, as->tasks, id, sizeof(task->id), task);
	return 0;
}

static int task_end(struct annotations *as, const struct user_change *c)
{
	struct open_task *task = task_find(as, c->task);
	int err;

	if (!task)
		return 0;
	err = spans_add(&task->type->ended, c->time - task->since, !c->flags);
	HASH_DELETE(hh, as->tasks, task);
	free(task);
	return err;
}

static struct open_regions *regions_find(const struct annotations *as, const struct goroutine *g)
{
	struct open_regions *rs;

	HASH_FIND(hh, as->regions, &g->serial, sizeof(g->serial), rs);
	return rs;
}

static void regions_drop(struct annotations *as, struct open_regions *rs)
{
	HASH_DELETE(hh, as->regions, rs);
	free(rs->v);
	free(rs);
}

/* A place for one more, NULL: out of memory. */
static struct open_region *regions_grow(struct open_regions *rs)
{
	if (rs->n == rs->room) {
		size_t room = rs->room ? 2 * rs->room : 4;
		struct open_region *v = realloc(rs->v, room * sizeof(*v));

		if (!v)
			return NULL;
		rs->v = v;
		rs->room = room;
	}
	return &rs->v[rs->n++];
}

static int region_begin(struct annotations *as, const struct user_change *c)
{
	struct annotation *type = type_get(as, c->name, ANNOTATION_REGION);
	struct open_regions *rs = regions_find(as, c->g);
	struct open_region *r;

	if (!type)
		return -ENOMEM;
	type->begun++;
	if (!rs) {
		rs = calloc(1, sizeof(*rs));
		if (!rs)
			return -ENOMEM;
		rs->serial = c->g->serial;
		HASH_ADD(hh, as->regions, serial, sizeof(rs->serial), rs);
	}
	if (rs->n == MOST_OPEN_REGIONS) {
		rs->deeper++;
		return 0;
	}
	r = regions_grow(rs);
	if (!r)
		return -ENOMEM;
	*r = (struct open_region){c->time, type};
	return 0;
}

/* Of the innermost one: the replay sees to it. */
static int region_end(struct annotations *as, const struct user_change *c)
{
	struct open_regions *rs = regions_find(as, c->g);
	struct open_region *r;
	int err;

	if (!rs)
		return 0; /* it began before it was traced */
	if (rs->deeper) {
		rs->deeper--;
		return 0;
	}
	r = &rs->v[--rs->n];
	err = spans_add(&r->type->ended, c->time - r->since, !c->flags);
	if (!rs->n)
		regions_drop(as, rs);
	return err;
}

static int only_count(struct annotations *as, const struct user_change *c,
		      enum annotation_kind kind)
{
	struct annotation *type = type_get(as, c->name, kind);

	if (!type)
		return -ENOMEM;
	type->begun++;
	return 0;
}

int annotations_add(struct annotations *as, const struct user_change *c)
{
	switch (c->kind) {
	case USER_TASK_BEGIN:
		return task_begin(as, c);
	case USER_TASK_END:
		return task_end(as, c);
	case USER_REGION_BEGIN:
		return region_begin(as, c);
	case USER_REGION_END:
		return region_end(as, c);
	case USER_START_REGION:
		return only_count(as, c, ANNOTATION_REGION_BEGIN);
	case USER_LOG:
		return only_count(as, c, ANNOTATION_LOG);
	default:
		return 0;
	}
}

void annotations_leave(struct annotations *as, const struct goroutine *g)
{
	struct open_regions *rs = regions_find(as, g);

	if (rs)
		regions_drop(as, rs);
}

static int compare(const struct annotation *a, const struct annotation *b)
{
	if (a->ended.ns != b->ended.ns)
		return a->ended.ns > b->ended.ns ? -1 : 1;
	if (a->begun != b->begun)
		return a->begun > b->begun ? -1 : 1;
	if (a->key.kind != b->key.kind)
		return a->key.kind < b->key.kind ? -1 : 1;
	return strcmp(a->key.name, b->key.name);
}

void annotations_close(struct annotations *as)
{
	HASH_SORT(as->types, compare);
}

void annotations_free(struct annotations *as)
{
	struct open_regions *rs, *rstmp;
	struct open_task *task, *tasktmp;
	struct annotation *a, *atmp;

	HASH_ITER(hh, as->regions, rs, rstmp)
		regions_drop(as, rs);
	HASH_ITER(hh, as->tasks, task, tasktmp) {
		HASH_DELETE(hh, as->tasks, task);
		free(task);
	}
	HASH_ITER(hh, as->types, a, atmp) {
		HASH_DELETE(hh, as->types, a);
		spans_free(&a->ended);
		free(a);
	}
}
