/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the program tells of itself: tasks, regions, logs, labels. The strictest reader
 * (internal/trace/order.go) lets no task begin that has begun, and wants the end of a region to be of
 * the innermost one of its goroutine, if there is one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/replay/internal.h"

/* Of a program that never ends what it begins: what comes on top is not told. */
#define MOST_TASKS (1U << 20)
#define MOST_REGIONS (1U << 12) /* of a goroutine */

/*
 * Leaf frames that the runtime's tracer hides, less its own ones (runtime/traceruntime.go); stacks
 * begin with the caller of the function that package runtime/trace links to.
 */
#define CALLER_SKIP 1

/*
 * A call of trace.StartRegion. If the program traces itself the begin of the region follows at once;
 * otherwise nobody can see where it ends, and only the call itself is told.
 */
struct region_start {
	uint32_t tid;
	uint64_t serial; /* the goroutine's */
	uint64_t time;
	uint64_t stack;
	char *type;
};
#define MOST_STARTS 64
#define START_PATIENCE 100000 /* ns */

static void out_of_memory(struct replay *r)
{
	r->status = -ENOMEM;
}

/* --- calls of StartRegion ------------------------------------------------------------------ */

static void start_take(struct replay *r, size_t i)
{
	free(r->starts[i].type);
	r->starts[i] = r->starts[--r->nstarts];
}

static void start_tell(struct replay *r, size_t i)
{
	const struct region_start *s = &r->starts[i];
	struct thread *t = thread_find(r, s->tid);
	struct goroutine *g = t ? t->g : NULL;

	if (g && g->serial == s->serial && runs_on(g, t)) {
		struct user_change c = {
			.time = s->time,
			.kind = USER_START_REGION,
			.g = g,
			.p = t->p,
			.m = t,
			.name = s->type,
			.text = "",
			.stack = s->stack,
		};

		tell_user(r, &c);
	} else if (t && t->process) {
		tell_repair(r, t->process, "a call of StartRegion by who did not run", NULL, NULL,
			    t);
	}
	start_take(r, i);
}

static void start_note(struct replay *r, const struct actor *a, const struct ev_user *ev,
		       const char *type)
{
	if (!r->starts)
		r->starts = calloc(MOST_STARTS, sizeof(*r->starts));
	if (!r->starts) {
		out_of_memory(r);
		return;
	}
	if (r->nstarts == MOST_STARTS)
		start_tell(r, 0);
	r->starts[r->nstarts] = (struct region_start){
		.tid = a->t->tid,
		.serial = a->g->serial,
		.time = ev->h.time_ns,
		.stack = ev->stack,
		.type = strdup(type),
	};
	if (r->starts[r->nstarts].type)
		r->nstarts++;
	else
		out_of_memory(r);
}

/* Whether this is the begin of the region that was asked for. */
static bool start_traced(const struct region_start *s, const struct event_head *h)
{
	const struct ev_user *ev = (const void *)h;

	return h->type == EV_USER && ev->kind == USER_REGION_BEGIN &&
	       strlen(s->type) == ev->len[0] && !memcmp(s->type, ev->text, ev->len[0]);
}

/* Records about a thread itself, which come in the order of what it does. */
static bool is_of_thread(const struct event_head *h, uint32_t tid)
{
	return h->tid == tid && h->type < EV_USER_FIRST && h->type != EV_STACK;
}

void user_before(struct replay *r, const struct event_head *h)
{
	for (size_t i = 0; i < r->nstarts;) {
		const struct region_start *s = &r->starts[i];
		bool mine = h && is_of_thread(h, s->tid);

		if (mine && start_traced(s, h))
			start_take(r, i);
		else if (!h || mine || r->now > s->time + START_PATIENCE)
			start_tell(r, i);
		else
			i++;
	}
}

void user_free(struct replay *r)
{
	while (r->nstarts)
		start_take(r, 0);
	free(r->starts);
}

/* --- tasks ----------------------------------------------------------------------------------- */

static struct user_task *task_find(struct process *ps, uint64_t id)
{
	struct user_task *task;

	HASH_FIND(hh, ps->tasks, &id, sizeof(id), task);
	return task;
}

static bool task_begin(struct replay *r, const struct actor *a, uint64_t id)
{
	struct user_task *task = task_find(a->ps, id);

	if (task || HASH_COUNT(a->ps->tasks) >= MOST_TASKS) {
		tell_repair(r, a->ps,
			    task ? "a task began twice" : "too many tasks that do not end", a->g,
			    a->p, a->t);
		return false;
	}
	task = calloc(1, sizeof(*task));
	if (!task) {
		out_of_memory(r);
		return false;
	}
	task->id = id;
	HASH_ADD(hh, a->ps->tasks, id, sizeof(task->id), task);
	return true;
}

static void task_end(struct process *ps, uint64_t id)
{
	struct user_task *task = task_find(ps, id);

	if (!task)
		return;
	HASH_DELETE(hh, ps->tasks, task);
	free(task);
}

void user_forget_process(struct process *ps)
{
	struct user_task *task, *tmp;

	HASH_ITER(hh, ps->tasks, task, tmp)
		task_end(ps, task->id);
}

/* --- regions --------------------------------------------------------------------------------- */

static bool region_begin(struct replay *r, const struct actor *a, uint64_t task, const char *type)
{
	struct regions *rs = &a->g->regions;

	if (rs->n == MOST_REGIONS) {
		tell_repair(r, a->ps, "too many regions that do not end", a->g, a->p, a->t);
		return false;
	}
	if (r->nregions >= r->limits.regions) {
		note_beyond(r, BEYOND_REGIONS);
		return false;
	}
	if (rs->n == rs->room) {
		size_t room = rs->room ? rs->room * 2 : 4;
		struct region *v = realloc(rs->v, room * sizeof(*v));

		if (!v) {
			out_of_memory(r);
			return false;
		}
		rs->v = v;
		rs->room = room;
	}
	rs->v[rs->n] = (struct region){.task = task, .type = strdup(type)};
	if (!rs->v[rs->n].type) {
		out_of_memory(r);
		return false;
	}
	rs->n++;
	r->nregions++;
	return true;
}

/* Ends of inner regions were not seen. */
static void end_inner(struct replay *r, const struct actor *a, size_t n)
{
	struct regions *rs = &a->g->regions;

	while (rs->n > n) {
		const struct region *inner = &rs->v[rs->n - 1];
		struct user_change c = {
			.time = r->now,
			.kind = USER_REGION_END,
			.g = a->g,
			.p = a->t->p,
			.m = a->t,
			.task = inner->task,
			.name = inner->type,
			.text = "",
			.flags = CHANGE_REPAIR,
		};

		tell_repair(r, a->ps, "the end of a region was not seen", a->g, a->p, a->t);
		tell_user(r, &c);
		free(inner->type);
		rs->n--;
		r->nregions--;
	}
}

static bool region_end(struct replay *r, const struct actor *a, uint64_t task, const char *type)
{
	struct regions *rs = &a->g->regions;
	size_t i = rs->n;

	if (!i)
		return true; /* it began before it was traced */
	while (i && (rs->v[i - 1].task != task || strcmp(rs->v[i - 1].type, type) != 0))
		i--;
	if (!i) {
		tell_repair(r, a->ps, "the begin of a region was not seen", a->g, a->p, a->t);
		return false;
	}
	end_inner(r, a, i);
	free(rs->v[--rs->n].type);
	r->nregions--;
	return true;
}

void user_forget_goroutine(struct goroutine *g)
{
	g->process->replay->nregions -= g->regions.n;
	while (g->regions.n)
		free(g->regions.v[--g->regions.n].type);
	free(g->regions.v);
}

/* --- labels ---------------------------------------------------------------------------------- */

/* "key\0value\0..." -> "key=value, ..." */
static void label_text(const struct ev_user *ev, char *out)
{
	const char *in = ev->text, *end = ev->text + ev->len[0];
	bool key = true;

	for (; in < end; in++) {
		if (*in) {
			*out++ = *in;
		} else if (key) {
			*out++ = '=';
			key = false;
		} else {
			key = true;
			if (in + 1 < end) {
				*out++ = ',';
				*out++ = ' ';
			}
		}
	}
	*out = 0;
}

static void labels(struct replay *r, const struct actor *a, const struct ev_user *ev)
{
	char text[2 * USER_MAX_TEXT + 1];
	struct label_change c = {.g = a->g, .p = a->p, .m = a->t, .label = text};

	label_text(ev, text);
	tell_label(r, &c);
}

/* --------------------------------------------------------------------------------------------- */

/* Whether it can be told; the model knows of it then. */
static bool note(struct replay *r, const struct actor *a, const struct ev_user *ev,
		 const struct user_change *c)
{
	switch (ev->kind) {
	case USER_TASK_BEGIN:
		return task_begin(r, a, ev->task);
	case USER_TASK_END:
		task_end(a->ps, ev->task);
		return true;
	case USER_REGION_BEGIN:
		return region_begin(r, a, ev->task, c->name);
	case USER_REGION_END:
		return region_end(r, a, ev->task, c->name);
	default:
		return true;
	}
}

void on_user(struct replay *r, const struct ev_user *ev)
{
	char name[USER_MAX_TEXT + 1], text[USER_MAX_TEXT + 1];
	struct user_change c = {
		.time = r->now,
		.kind = ev->kind,
		.task = ev->task,
		.parent = ev->parent,
		.name = name,
		.text = text,
		.stack = ev->stack,
		.skip = ev->kind == USER_TASK_END ? 0 : CALLER_SKIP,
	};
	struct actor a;

	if (!actor_find_thread(r, &a, ev->tgid, ev->h.tid, ev->p) ||
	    !actor_find_goroutine(r, &a, ev->gp, ev->goid) || !actor_runs(r, &a))
		return;
	/* What began before the trace does is nothing a reader knows of. */
	if (!a.ps->ready)
		return;
	c.g = a.g;
	c.p = a.p;
	c.m = a.t;
	if (ev->kind == USER_LABELS) {
		labels(r, &a, ev);
		return;
	}
	memcpy(name, ev->text, ev->len[0]);
	name[ev->len[0]] = 0;
	memcpy(text, ev->text + ev->len[0], ev->len[1]);
	text[ev->len[1]] = 0;
	if (ev->kind == USER_START_REGION)
		start_note(r, &a, ev, name);
	else if (note(r, &a, ev, &c))
		tell_user(r, &c);
}
