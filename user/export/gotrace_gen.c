/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Generations. In each, every G and P has to be announced with its status before its first event.
 *
 * The reader gives events of one time different times, a nanosecond apart, and so pushes later
 * ones away. With a hundred thousand goroutines announced in one moment that would show, so:
 *   - the first generation announces those that are not running just before the trace begins;
 *   - later ones announce what is bound to a thread in the gap before their first event, a
 *     waiting goroutine with its first event, and the others spread over the generation.
 */
#include "user/export/gotrace_state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/replay/crowd.h"

#define GEN_NS 1000000000ULL /* as the runtime: runtime/trace.go, traceAdvancePeriod */
#define GEN_BYTES (32U << 20) /* a generation is kept in memory until it is whole */

static bool loose_reserve(struct gotrace *t)
{
	size_t size = t->loose_size ? t->loose_size * 2 : 64;
	struct loose_event *events;

	if (t->nloose < t->loose_size)
		return true;
	events = realloc(t->loose, size * sizeof(*events));
	if (!events) {
		t->out.failed = true;
		return false;
	}
	t->loose = events;
	t->loose_size = size;
	return true;
}

void wire_emit(struct gotrace *t, struct wire_m *m, uint64_t time, enum wire_type type,
	       unsigned int nargs, const uint64_t *args)
{
	struct loose_event *ev;

	if (time > t->last)
		t->last = time;
	if (m) {
		batch_event(&m->batch, &t->out, t->gen, m->tid, time, type, args, nargs);
		return;
	}
	if (!loose_reserve(t))
		return;
	ev = &t->loose[t->nloose++];
	*ev = (struct loose_event){.time = time, .type = type, .nargs = nargs};
	if (nargs)
		memcpy(ev->args, args, nargs * sizeof(*args));
}

/*
 * With its stack, where that is known and can be said. The runtime gives one to those that did not
 * run: viewers then know their names.
 */
static struct loose_event status_of(struct gotrace *t, const struct wire_g *g)
{
	struct loose_event ev = {
		.type = WIRE_GO_STATUS,
		.nargs = 3,
		.args = {g->id, g->m ? g->m->tid : WIRE_NO_THREAD, g->status},
	};

	if (t->minor < 23 || g->status == WIRE_G_RUNNING || !(g->stack || g->start_pc))
		return ev;
	ev.type = WIRE_GO_STATUS_STACK;
	ev.args[ev.nargs++] = g->stack ? stack_of(t, g, g->stack, g->skip) : stack_of_start(t, g);
	return ev;
}

void wire_announce(struct gotrace *t, struct wire_g *g, struct wire_m *m, uint64_t time)
{
	struct loose_event ev;

	if (g->gen == t->gen)
		return;
	g->gen = t->gen;
	g->seq = 0;
	ev = status_of(t, g);
	wire_emit(t, m, time, ev.type, ev.nargs, ev.args);
	if (g->assists)
		WIRE_EMIT(t, m, time, WIRE_ASSIST_ACTIVE, g->id);
}

static void p_status(struct gotrace *t, const struct wire_p *p, uint64_t time)
{
	WIRE_EMIT(t, p->m, time, WIRE_PROC_STATUS, (uint64_t)p->id, p->status);
}

void wire_announce_p(struct gotrace *t, struct wire_p *p, uint64_t time)
{
	p->seq = 0;
	p_status(t, p, time);
	if (p->sweeps)
		WIRE_EMIT(t, p->m, time, WIRE_SWEEP_ACTIVE, (uint64_t)p->id);
}

/* --- what needs a running goroutine --------------------------------------------------------- */

void gen_running(struct gotrace *t, struct wire_m *m, uint64_t time)
{
	if (!m->g || !wire_is_running(m->g))
		return;
	gap_mark(t, m, time);
	tell_runtime(t, m, time);
	tell_gap(t, m, time);
}

struct wire_m *wire_speaker(struct gotrace *t, const struct thread *thread)
{
	struct wire_m *m = NULL;

	if (thread && t->gen)
		HASH_FIND(hh, t->ms, &thread->tid, sizeof(thread->tid), m);
	return m && m->g && wire_is_running(m->g) ? m : NULL;
}

/* --- begin ---------------------------------------------------------------------------------- */

static void announce_bound(struct gotrace *t, uint64_t from, uint64_t until)
{
	struct wire_m *m, *next_m;
	struct wire_p *p, *next_p;

	HASH_ITER(hh, t->ps, p, next_p) {
		if (!p->m)
			wire_announce_p(t, p, from < until ? from++ : until);
	}
	HASH_ITER(hh, t->ms, m, next_m) {
		if (m->p)
			wire_announce_p(t, m->p, from < until ? from++ : until);
		if (m->g)
			wire_announce(t, m->g, m, from < until ? from++ : until);
	}
}

static uint64_t loose_gs(const struct gotrace *t)
{
	uint64_t n = crowd_count(t->process->crowd);
	struct wire_g *g, *next;

	HASH_ITER(hh, t->gs, g, next) {
		if (!g->m && g->gen != t->gen)
			n++;
	}
	return n;
}

/* What the reader knows of one of the crowd: only that it waits. */
static struct wire_g wire_of_crowd(const struct goroutine *quiet)
{
	return (struct wire_g){
		.id = quiet->id,
		.status = WIRE_G_WAITING,
		.start_pc = quiet->start_pc,
		.stack = quiet->stack,
	};
}

static void loose_write(struct gotrace *t, const struct loose_event *ev)
{
	batch_event(&t->unbound, &t->out, t->gen, WIRE_NO_THREAD, ev->time, ev->type, ev->args,
		    ev->nargs);
}

static void write_status(struct gotrace *t, const struct wire_g *g, uint64_t time)
{
	struct loose_event status = status_of(t, g);
	const struct loose_event active = {
		.type = WIRE_ASSIST_ACTIVE, .time = time, .nargs = 1, .args = {g->id}};

	status.time = time;
	loose_write(t, &status);
	if (g->assists)
		loose_write(t, &active);
}

/* All that is bound to no thread, before the trace begins. Nothing is kept of it: that may be much. */
static void announce_loose(struct gotrace *t, uint64_t time)
{
	struct goroutine quiet;
	struct wire_g *g, *next;
	size_t at = 0;

	HASH_ITER(hh, t->gs, g, next) {
		if (g->m || g->gen == t->gen)
			continue;
		g->gen = t->gen;
		g->seq = 0;
		write_status(t, g, time < t->begin ? time++ : t->begin);
	}
	while (crowd_next(t->process->crowd, &at, &quiet)) {
		struct wire_g waits = wire_of_crowd(&quiet);

		write_status(t, &waits, time < t->begin ? time++ : t->begin);
	}
	t->preamble = t->out.len;
}

static void begin_first(struct gotrace *t)
{
	struct wire_m *m, *next_m;
	uint64_t time, n;

	t->gen = 1;
	if (!t->procs)
		t->procs = HASH_COUNT(t->ps);
	n = loose_gs(t);
	time = t->begin > n ? t->begin - n : 1; /* readers take 0 for "unknown" */
	t->gen_begin = time;
	t->last = t->begin;
	announce_loose(t, time);
	announce_bound(t, t->begin, t->begin);
	HASH_ITER(hh, t->ms, m, next_m)
		gen_running(t, m, t->begin);
}

static void begin_next(struct gotrace *t, uint64_t time)
{
	uint64_t gap = time > t->last ? time - t->last - 1 : 0;
	uint64_t n = HASH_COUNT(t->ps) + HASH_COUNT(t->ms);
	uint64_t from = time - (n < gap ? n : gap);

	t->gen++;
	t->gen_begin = from;
	announce_bound(t, from, time);
}

/* What waits for the generation to be whole. */
static size_t gen_bytes(const struct gotrace *t)
{
	return t->out.len - t->preamble + t->tables.bytes + t->nloose * sizeof(*t->loose);
}

int gen_for(struct gotrace *t, uint64_t time)
{
	int err;

	if (!t->gen)
		begin_first(t);
	/* in the next one nobody may be there who could say what is still to be said */
	if ((time < t->gen_begin + GEN_NS || ((t->blind_since || t->nnotes) && t->nmarks)) &&
	    gen_bytes(t) < GEN_BYTES)
		return 0;
	err = gen_end(t, t->last, false);
	if (!err)
		begin_next(t, time);
	return err;
}

/* --- end ------------------------------------------------------------------------------------ */

/* Viewers draw until the last event: repeat a status, which says nothing new, at the end. */
static void mark_end(struct gotrace *t, uint64_t time)
{
	struct wire_p *p, *next;

	if (time <= t->last)
		return;
	HASH_ITER(hh, t->ps, p, next) {
		if (p->m)
			continue;
		p_status(t, p, time);
		return;
	}
	if (t->ps)
		p_status(t, t->ps, time);
}

/* Announcements spread over the generation, and the events between them. */
struct spread {
	uint64_t time, step;
	size_t next; /* of t->loose */
};

static void spread_status(struct gotrace *t, struct spread *s, const struct wire_g *g)
{
	s->time += s->step;
	for (; s->next < t->nloose && t->loose[s->next].time <= s->time; s->next++)
		loose_write(t, &t->loose[s->next]);
	write_status(t, g, s->time);
}

/* Events without a thread, merged with the announcements of all that nothing happened to. */
static void write_loose(struct gotrace *t)
{
	uint64_t n = loose_gs(t), span = t->last - t->gen_begin;
	struct spread s = {.time = t->gen_begin, .step = n ? span / n : 0};
	struct goroutine quiet;
	struct wire_g *g, *next;
	size_t at = 0;

	HASH_ITER(hh, t->gs, g, next) {
		if (g->m || g->gen == t->gen)
			continue;
		g->gen = t->gen;
		spread_status(t, &s, g);
	}
	/* the first generation begins with them */
	while (t->gen > 1 && crowd_next(t->process->crowd, &at, &quiet)) {
		struct wire_g waits = wire_of_crowd(&quiet);

		spread_status(t, &s, &waits);
	}
	for (; s.next < t->nloose; s.next++)
		loose_write(t, &t->loose[s.next]);
	batch_flush(&t->unbound, &t->out, t->gen, WIRE_NO_THREAD);
	t->nloose = 0;
}

static void write_threads(struct gotrace *t)
{
	struct wire_m *m, *next;

	HASH_ITER(hh, t->ms, m, next) {
		batch_flush(&m->batch, &t->out, t->gen, m->tid);
		if (m->g || m->p)
			continue;
		/* a thread that does nothing, or is gone; it comes back with its next event */
		HASH_DEL(t->ms, m);
		bytes_free(&m->batch.data);
		free(m);
	}
}

/* How times are to be read: runtime/tracetime.go, traceSyncBatch; before Go 1.25 the unit alone. */
static void write_sync(struct gotrace *t)
{
	uint64_t base = batch_exact_time(t->gen_begin);
	uint64_t wall = t->options.wall_ns + (t->gen_begin - t->options.mono_ns);
	struct bytes data = {0};

	if (t->minor >= 25)
		bytes_byte(&data, WIRE_SYNC);
	bytes_byte(&data, WIRE_FREQUENCY);
	bytes_uvarint(&data, 1000000000);
	if (t->minor >= 25) {
		bytes_byte(&data, WIRE_CLOCK_SNAPSHOT);
		bytes_uvarint(&data, t->gen_begin - base);
		bytes_uvarint(&data, t->gen_begin);
		bytes_uvarint(&data, wall / 1000000000);
		bytes_uvarint(&data, wall % 1000000000);
	}
	batch_write(&t->out, t->gen, WIRE_NO_THREAD, base, &data);
	bytes_free(&data);
}

int gen_end(struct gotrace *t, uint64_t time, bool last)
{
	int err;

	if (!t->gen)
		return 0;
	if (last) {
		tell_last_gap(t);
		mark_end(t, time);
	}
	write_loose(t);
	write_threads(t);
	samples_flush(t);
	tables_write(&t->tables, t->symbols, t->tgid, t->gen, batch_exact_time(t->gen_begin),
		     &t->out);
	write_sync(t);
	if (t->minor >= 26)
		bytes_byte(&t->out, WIRE_END_OF_GENERATION);
	if (t->out.failed)
		err = error_set(&t->error, EXIT_FAILED, -ENOMEM,
				"no memory left for a second of the Go trace");
	else
		err = out_write(&t->file, t->minor, &t->out, &t->error);
	tables_clear(&t->tables);
	/* the reader looks up the kind by its old number when it ends: order.go, advanceGoRangeEnd */
	if (t->stw)
		tables_keep_string(&t->tables, t->stw_kind, t->stw_string);
	t->out.len = 0;
	t->preamble = 0;
	t->nmarks = 0;
	return err;
}
