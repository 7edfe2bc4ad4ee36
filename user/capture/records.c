// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/records.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/control.h"
#include "user/base/clock.h"
#include "user/capture/pcset.h"
#include "user/capture/tasks.h"
#include "user/target/reasons.h"
#include "user/target/snapshot.h"

int record_add(const struct record_sink *to, const struct event_head *ev, struct error *e)
{
	int err = merge_add(to->m, to->source, ev);

	return err ? error_set(e, EXIT_FAILED, err, "out of memory") : 0;
}

/* Copy what fits, NUL-terminated; the rest of `to` is zero already. */
#define COPY(to, from) memcpy(to, from, strnlen(from, sizeof(to) - 1))

static int record_strings(const struct record_sink *to, uint32_t tgid, enum string_kind kind,
			  const struct target_strings *s, uint64_t time_ns, struct error *e)
{
	union {
		struct ev_string ev;
		char bytes[sizeof(struct ev_string) + 512];
	} u;
	int err = 0;

	for (size_t i = 0; i < s->n && i <= UINT16_MAX && !err; i++) {
		size_t len = strnlen(s->v[i], sizeof(u.bytes) - sizeof(u.ev) - 8);

		memset(&u, 0, sizeof(u));
		u.ev.h = (struct event_head){
			.time_ns = time_ns,
			.tid = tgid,
			.type = EV_STRING,
			.size = (uint16_t)(sizeof(u.ev) + ((len + 8) & ~(size_t)7)),
		};
		u.ev.tgid = tgid;
		u.ev.kind = kind;
		u.ev.number = (uint16_t)i;
		memcpy(u.bytes + sizeof(u.ev), s->v[i], len);
		err = record_add(to, &u.ev.h, e);
	}
	return err;
}

static int record_plain(const struct record_sink *to, const struct target *t, uint64_t time_ns,
			struct error *e)
{
	uint32_t tgid = (uint32_t)t->process->pid;
	struct ev_process ev = {
		.h = {.time_ns = time_ns, .tid = tgid, .type = EV_PROCESS, .size = sizeof(ev)},
		.tgid = tgid,
		.start_time = t->process->start_time,
	};

	COPY(ev.comm, t->process->comm);
	COPY(ev.exe, t->process->exe);
	COPY(ev.why, t->plain);
	return record_add(to, &ev.h, e);
}

int record_target(const struct record_sink *to, const struct target *t, uint64_t time_ns,
		  struct error *e)
{
	uint32_t tgid = (uint32_t)t->process->pid;
	struct ev_target ev = {
		.h = {.time_ns = time_ns, .tid = tgid, .type = EV_TARGET, .size = sizeof(ev)},
		.tgid = tgid,
		.go_minor = (uint16_t)t->build.go_minor,
		.go_patch = (uint16_t)t->build.go_patch,
		.start_time = t->process->start_time,
	};
	struct target_strings strings;
	int err;

	if (!target_has_goroutines(t))
		return record_plain(to, t, time_ns, e);
	COPY(ev.go_version, t->build.version);
	COPY(ev.layout, t->layout.rung);
	COPY(ev.build_id, t->build.build_id);
	COPY(ev.comm, t->process->comm);
	COPY(ev.exe, t->process->exe);
	err = record_add(to, &ev.h, e);
	if (!err)
		err = target_wait_reasons(t, &strings, e);
	if (err)
		return err;
	err = record_strings(to, tgid, STRING_WAIT_REASON, &strings, time_ns, e);
	target_strings_free(&strings);
	/* without numbers that stand for them they would be names of nothing */
	if (err || t->layout.m.wait_block_reason < 0)
		return err;
	err = target_block_reasons(t, &strings, e);
	if (err)
		return err;
	err = record_strings(to, tgid, STRING_BLOCK_REASON, &strings, time_ns, e);
	target_strings_free(&strings);
	return err;
}

int record_threads(const struct record_sink *to, const struct target *t, struct error *e)
{
	uint64_t time_ns = now_ns();
	struct target_thread *v;
	size_t n;
	int err = target_process_threads(t->process, t->process->stop, &v, &n, e);

	if (err)
		return err;
	for (size_t i = 0; i < n && !err; i++) {
		struct ev_task_state ev = {
			.h = {.time_ns = time_ns,
			      .tid = (uint32_t)v[i].tid,
			      .type = EV_TASK,
			      .size = sizeof(ev)},
			.tgid = (uint32_t)t->process->pid,
			.state = (unsigned char)v[i].state,
			.sys = (uint16_t)(v[i].sys + 1),
		};

		COPY(ev.comm, v[i].comm);
		err = record_add(to, &ev.h, e);
	}
	free(v);
	return err;
}

struct all_threads {
	const struct record_sink *to;
	struct error *e;
};

static int add_thread(void *ctx, const struct ev_task_state *ev)
{
	const struct all_threads *all = ctx;

	return record_add(all->to, &ev->h, all->e);
}

int record_all_threads(const struct record_sink *to, struct error *e)
{
	struct all_threads all = {to, e};
	int err = tasks_each(add_thread, &all);

	if (err && err != -ENOMEM)
		error_set(e, EXIT_FAILED, err, "cannot read /proc: %s", strerror(-err));
	return err;
}

/* `known`: ids of those that were recorded; most goroutines of a program are somebody's twins. */
static int record_stack(const struct record_sink *to, uint32_t tgid, const struct snapshot_g *g,
			struct pcset *known, uint64_t *id, struct error *e)
{
	union {
		struct ev_stack ev;
		char bytes[sizeof(struct ev_stack) + EVENT_MAX_FRAMES * 8];
	} u;
	uint16_t n = g->npcs < EVENT_MAX_FRAMES ? g->npcs : EVENT_MAX_FRAMES;
	uint64_t hash = stack_id_begin(tgid);

	*id = 0;
	if (!n)
		return 0;
	u.ev = (struct ev_stack){
		.h = {.time_ns = g->time_ns, .type = EV_STACK},
		.tgid = tgid,
		.n = n,
		.flags = g->truncated || g->npcs > n ? STACK_TRUNCATED : 0,
	};
	u.ev.h.size = (uint16_t)(sizeof(u.ev) + n * 8U);
	memcpy(u.bytes + sizeof(u.ev), g->pcs, n * 8U);
	for (uint16_t i = 0; i < n; i++)
		hash = stack_id_add(hash, g->pcs[i]);
	u.ev.id = *id = stack_id_end(stack_id_add(hash, u.ev.flags));
	if (pcset_find(known, *id))
		return 0;
	if (pcset_add(known, *id, 0))
		return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	return record_add(to, &u.ev.h, e);
}

struct snapshot_records {
	const struct record_sink *to;
	uint32_t tgid;
	struct pcset known; /* ids of stacks */
	const struct meanwhile *meanwhile;
};

static int record_goroutine(void *ctx, const struct snapshot_g *g, struct error *e)
{
	struct snapshot_records *r = ctx;
	struct ev_snap_g ev = {
		.h = {.time_ns = g->time_ns, .type = EV_SNAP_G, .size = sizeof(ev)},
		.tgid = r->tgid,
		.status = g->status,
		.wait_reason = g->wait_reason,
		.gp = g->addr,
		.goid = g->goid,
		.m = g->m,
		.wait_since = g->wait_since > 0 ? (uint64_t)g->wait_since : 0,
		.parent_goid = g->parent_goid,
		.start_pc = g->startpc,
		.go_pc = g->gopc,
	};
	uint64_t stack;
	int err = record_stack(r->to, r->tgid, g, &r->known, &stack, e);

	ev.stack = stack;
	return err ? err : record_add(r->to, &ev.h, e);
}

static int record_gc(const struct record_sink *to, uint32_t tgid, const struct snapshot_gc *gc,
		     struct error *e)
{
	struct ev_snap_gc ev = {
		.h = {.time_ns = gc->time_ns, .tid = tgid, .type = EV_SNAP_GC, .size = sizeof(ev)},
		.tgid = tgid,
		.marking = gc->marking,
	};

	return gc->time_ns ? record_add(to, &ev.h, e) : 0;
}

/* All but the goroutines. */
static int record_lists(void *ctx, const struct snapshot *s, struct error *e)
{
	struct snapshot_records *r = ctx;
	int err = record_gc(r->to, r->tgid, &s->gc, e);

	for (size_t i = 0; i < s->np && !err; i++) {
		struct ev_snap_p ev = {
			.h = {.time_ns = s->begin_ns, .type = EV_SNAP_P, .size = sizeof(ev)},
			.tgid = r->tgid,
			.id = s->p[i].id,
			.p = s->p[i].addr,
			.m = s->p[i].m,
			.status = s->p[i].status,
		};

		err = record_add(r->to, &ev.h, e);
	}
	for (size_t i = 0; i < s->nm && !err; i++) {
		struct ev_snap_m ev = {
			.h = {.time_ns = s->begin_ns,
			      .tid = s->m[i].tid,
			      .type = EV_SNAP_M,
			      .size = sizeof(ev)},
			.tgid = r->tgid,
			.m = s->m[i].addr,
			.curg = s->m[i].curg,
			.p = s->m[i].p,
			.oldp = s->m[i].oldp,
			.id = s->m[i].id,
		};

		err = record_add(r->to, &ev.h, e);
	}
	return err;
}

static int go_on(void *ctx, uint64_t now_ns, struct error *e)
{
	const struct snapshot_records *r = ctx;

	merge_promise(r->to->m, r->to->source, now_ns);
	return r->meanwhile ? r->meanwhile->fn(r->meanwhile->ctx, e) : 0;
}

int record_snapshot(const struct record_sink *to, struct target *t, const struct meanwhile *w,
		    struct error *e)
{
	struct snapshot_records r = {.to = to, .tgid = (uint32_t)t->process->pid, .meanwhile = w};
	const struct snapshot_sink sink = {record_lists, record_goroutine, go_on, &r};
	struct snapshot s;
	int err = snapshot_take(&s, t, &sink, e);

	pcset_free(&r.known);
	if (!err)
		snapshot_free(&s);
	return err;
}
