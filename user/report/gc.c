// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/report/gc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct pause *pause_get(struct gc *gc, const char *reason)
{
	struct pause *p;

	/* the runtime knows about twenty */
	for (size_t i = 0; i < gc->npauses; i++)
		if (gc->pauses[i].reason == reason)
			return &gc->pauses[i];
	p = realloc(gc->pauses, (gc->npauses + 1) * sizeof(*p));
	if (!p)
		return NULL;
	gc->pauses = p;
	p += gc->npauses++;
	*p = (struct pause){.reason = reason};
	return p;
}

static int end_cycle(struct gc *gc, uint64_t time, bool seen)
{
	struct open_range o = gc->cycle;

	gc->cycle = (struct open_range){0};
	return o.since ? spans_add(&gc->cycles, time - o.since, o.whole && seen) : 0;
}

static int end_stw(struct gc *gc, uint64_t time, bool seen)
{
	struct open_range o = gc->stw;
	struct pause *p;

	gc->stw = (struct open_range){0};
	if (!o.since)
		return 0;
	p = pause_get(gc, o.name);
	return p ? spans_add(&p->spans, time - o.since, o.whole && seen) : -ENOMEM;
}

int gc_range(struct gc *gc, const struct range_change *c)
{
	struct open_range o = {.since = c->time, .whole = !(c->flags & CHANGE_INITIAL)};
	bool seen = !(c->flags & CHANGE_REPAIR);
	int err = 0;

	switch (c->kind) {
	case RANGE_GC:
		err = end_cycle(gc, c->time, seen);
		if (c->begin)
			gc->cycle = o;
		break;
	case RANGE_STW:
		err = end_stw(gc, c->time, seen);
		if (!c->begin || err)
			break;
		o.name = intern(gc->names, c->name ? c->name : "");
		if (!o.name)
			return -ENOMEM;
		gc->stw = o;
		break;
	case RANGE_SWEEP:
		if (c->begin)
			break;
		gc->sweeps++;
		gc->swept += c->swept;
		break;
	case RANGE_MARK_ASSIST:
		break;
	}
	return err;
}

void gc_heap(struct gc *gc, const struct heap_change *c)
{
	if (!gc->heap_known || c->live < gc->live_min)
		gc->live_min = c->live;
	if (c->live > gc->live_max)
		gc->live_max = c->live;
	gc->live = c->live;
	gc->goal = c->goal;
	gc->heap_known = true;
}

int gc_close(struct gc *gc, uint64_t time)
{
	int err = end_cycle(gc, time, false), err2 = end_stw(gc, time, false);

	return err ? err : err2;
}

void gc_free(struct gc *gc)
{
	for (size_t i = 0; i < gc->npauses; i++)
		spans_free(&gc->pauses[i].spans);
	free(gc->pauses);
	spans_free(&gc->cycles);
}

/* As runtime/trace.go names them; the same in Go 1.19 to 1.27. */
enum gc_worker gc_worker_of(const char *label)
{
	static const char *const labels[] = {
		[GC_WORKER_DEDICATED] = "GC (dedicated)",
		[GC_WORKER_FRACTIONAL] = "GC (fractional)",
		[GC_WORKER_IDLE] = "GC (idle)",
	};

	for (unsigned int i = GC_WORKER_DEDICATED; i <= GC_WORKER_IDLE; i++)
		if (!strcmp(label, labels[i]))
			return (enum gc_worker)i;
	return GC_WORKER_NONE;
}
