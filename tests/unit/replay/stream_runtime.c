/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The part of a made-up capture that is about the runtime and the program's annotations. */
#include <stdlib.h>
#include <string.h>

#include "tests/unit/replay/stream_check.h"

static const char *mark(unsigned int flags)
{
	return flags & CHANGE_INITIAL ? "^" : flags & CHANGE_REPAIR ? "!" : "";
}

static int g_id(const struct goroutine *g)
{
	return g ? (int)g->id : 0;
}

static bool by_runner(struct stream *s, const struct goroutine *g, const struct proc *p,
		      const struct thread *m)
{
	return g && p && m && stream_runs(s, g_id(g), m->tid) && s->check->m[m->tid].p == p->id + 1;
}

static void alternate(struct stream *s, bool *open, bool begin, const char *what)
{
	if (*open == begin)
		stream_broken(s, "%s %s twice", what, begin ? "begins" : "ends");
	*open = begin;
}

static void check_range(struct stream *s, const struct range_change *c)
{
	bool initial = c->flags & CHANGE_INITIAL, runs = by_runner(s, c->g, c->p, c->m);
	struct check *k = s->check;
	int g = g_id(c->g);

	if (!c->begin && (!c->since || c->since >= c->time))
		stream_broken(s, "a range ends before it begins");
	switch (c->kind) {
	case RANGE_GC:
		alternate(s, &k->gc, c->begin, "GC");
		if (!initial && !runs)
			stream_broken(s, "GC by nobody");
		break;
	case RANGE_STW:
		alternate(s, &k->stw, c->begin, "STW");
		alternate(s, &k->g[g].stw, c->begin, "STW");
		if (!runs)
			stream_broken(s, "STW of G%d, which does not run", g);
		break;
	case RANGE_MARK_ASSIST:
		alternate(s, &k->g[g].assist, c->begin, "assist");
		if (!initial && !runs)
			stream_broken(s, "assist of G%d, which does not run", g);
		break;
	case RANGE_SWEEP:
		alternate(s, &k->p[c->p->id].sweeps, c->begin, "sweep");
		if (k->m[c->m->tid].p != c->p->id + 1)
			stream_broken(s, "P%d sweeps, which M%u has not", c->p->id, c->m->tid);
		break;
	}
}

int stream_on_range(void *ctx, const struct range_change *c)
{
	static const char *const names[] = {"stw", "gc", "assist", "sweep"};
	struct stream *s = ctx;

	stream_check_time(s, c->time, c->flags & CHANGE_INITIAL);
	check_range(s, c);
	stream_say(s, "%s%s %s", mark(c->flags), names[c->kind], c->begin ? "begin" : "end");
	if (c->kind == RANGE_SWEEP)
		stream_say(s, " P%d", c->p->id);
	else if (c->g)
		stream_say(s, " G%d", g_id(c->g));
	if (*c->name)
		stream_say(s, " (%s)", c->name);
	if (c->swept)
		stream_say(s, " %d/%d", (int)c->swept, (int)c->reclaimed);
	stream_say(s, "\n");
	return 0;
}

int stream_on_procs(void *ctx, const struct procs_change *c)
{
	struct stream *s = ctx;

	if (c->flags & CHANGE_INITIAL)
		return 0;
	stream_check_time(s, c->time, false);
	if (!by_runner(s, c->g, c->p, c->m))
		stream_broken(s, "GOMAXPROCS changed by nobody");
	stream_say(s, "procs %u\n", c->n);
	return 0;
}

static void check_user(struct stream *s, const struct user_change *c)
{
	struct check *k = s->check;
	int g = g_id(c->g), n;

	if (!by_runner(s, c->g, c->p, c->m))
		stream_broken(s, "G%d annotates, but does not run", g);
	switch (c->kind) {
	case USER_TASK_BEGIN:
		alternate(s, &k->task[c->task % 64], true, "task");
		break;
	case USER_TASK_END:
		k->task[c->task % 64] = false;
		break;
	case USER_REGION_BEGIN:
		n = k->g[g].nregions++;
		if (n >= MAX_REGIONS)
			break;
		k->g[g].region[n].task = c->task;
		k->g[g].region[n].type = strdup(c->name);
		break;
	case USER_REGION_END:
		n = --k->g[g].nregions;
		if (n < 0)
			k->g[g].nregions = 0;
		if (n < 0 || n >= MAX_REGIONS)
			break;
		if (k->g[g].region[n].task != c->task || strcmp(k->g[g].region[n].type, c->name))
			stream_broken(s, "G%d: region %s ends in %s", g, c->name,
				      k->g[g].region[n].type);
		free(k->g[g].region[n].type);
		break;
	default:
		break;
	}
}

int stream_on_user(void *ctx, const struct user_change *c)
{
	static const char *const names[] = {
		[USER_TASK_BEGIN] = "task-begin",
		[USER_TASK_END] = "task-end",
		[USER_REGION_BEGIN] = "region-begin",
		[USER_REGION_END] = "region-end",
		[USER_LOG] = "log",
		[USER_START_REGION] = "start-region",
	};
	struct stream *s = ctx;

	stream_check_time(s, c->time, false);
	check_user(s, c);
	stream_say(s, "%sG%d %s %d '%s'", mark(c->flags), g_id(c->g), names[c->kind], (int)c->task,
		   c->name);
	if (c->text && *c->text)
		stream_say(s, " '%s'", c->text);
	stream_say(s, "\n");
	return 0;
}

int stream_on_label(void *ctx, const struct label_change *c)
{
	struct stream *s = ctx;

	stream_check_time(s, c->time, false);
	if (!by_runner(s, c->g, c->p, c->m))
		stream_broken(s, "G%d is labelled, but does not run", g_id(c->g));
	stream_say(s, "G%d label%s '%s'\n", g_id(c->g), c->gc_worker ? " worker" : "", c->label);
	return 0;
}

int stream_on_heap(void *ctx, const struct heap_change *c)
{
	struct stream *s = ctx;

	stream_check_time(s, c->time, false);
	stream_say(s, "heap %d/%d\n", (int)c->live, (int)c->goal);
	return 0;
}

int stream_on_sample(void *ctx, const struct cpu_sample *c)
{
	struct stream *s = ctx;

	if (c->time < s->check->last)
		stream_broken(s, "a sample is before the last transition");
	stream_say(s, "sample M%u G%d P%d\n", c->t->tid, g_id(c->g), c->p ? c->p->id : -1);
	return 0;
}

void stream_check_end(struct stream *s, int g)
{
	struct check *k = s->check;

	if (k->g[g].stw)
		k->stw = false;
	k->g[g].stw = k->g[g].assist = false;
	for (int n = 0; n < k->g[g].nregions && n < MAX_REGIONS; n++)
		free(k->g[g].region[n].type);
	k->g[g].nregions = 0;
}

void stream_check_free(struct check *k)
{
	struct stream s = {.check = k};

	for (int g = 0; g < MAX_ID; g++)
		stream_check_end(&s, g);
	free(k);
}

void stream_runtime(struct stream *s, enum runtime_kind kind, uint32_t tid, int p, int g,
		    uint64_t arg)
{
	ADD(s, EV_RUNTIME, tid,
	    (struct ev_runtime){.tgid = STREAM_TGID,
				.gp = g_addr(g),
				.goid = g < 0 ? 0 : (__u64)g,
				.p = p_addr(p),
				.arg = {arg, arg / 2},
				.kind = (__u8)kind});
}

void stream_runtime_proc(struct stream *s, enum runtime_kind kind, uint32_t tid, int p, int g,
			 int other)
{
	stream_runtime(s, kind, tid, p, g, p_addr(other));
}

static void add_user(struct stream *s, enum user_kind kind, uint32_t tid, int p, int g,
		     uint64_t task, const char *a, size_t na, const char *b, size_t nb)
{
	static union {
		struct ev_user ev;
		char bytes[sizeof(struct ev_user) + 2 * USER_MAX_TEXT];
	} u;

	memset(&u, 0, sizeof(u));
	u.ev = (struct ev_user){
		.tgid = STREAM_TGID,
		.gp = g_addr(g),
		.goid = (__u64)g,
		.p = p_addr(p),
		.task = task,
		.kind = (__u8)kind,
		.len = {(__u16)na, (__u16)nb},
	};
	memcpy(u.bytes + sizeof(u.ev), a, na);
	memcpy(u.bytes + sizeof(u.ev) + na, b, nb);
	stream_add(s, &u.ev.h, EV_USER, (sizeof(u.ev) + na + nb + 7) & ~(size_t)7, tid);
}

void stream_user(struct stream *s, enum user_kind kind, uint32_t tid, int p, int g, uint64_t task,
		 const char *name, const char *text)
{
	name = name ? name : "";
	text = text ? text : "";
	add_user(s, kind, tid, p, g, task, name, strlen(name), text, strlen(text));
}

void stream_labels(struct stream *s, uint32_t tid, int p, int g, const char *pairs, size_t len)
{
	add_user(s, USER_LABELS, tid, p, g, 0, pairs, len, "", 0);
}
