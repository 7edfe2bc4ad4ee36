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

void wire_announce(struct gotrace *t, struct wire_g *g, struct wire_m *m, uint64_t time)
{
	if (g->gen == t->gen)
		return;
	g->gen = t->gen;
	g->seq = 0;
	WIRE_EMIT(t, m, time, WIRE_GO_STATUS, g->id, g->m ? g->m->tid : WIRE_NO_THREAD, g->status);
}

void wire_announce_p(struct gotrace *t, struct wire_p *p, uint64_t time)
{
	p->seq = 0;
	WIRE_EMIT(t, p->m, time, WIRE_PROC_STATUS, (uint64_t)p->id, p->status);
}

/* --- what needs a running goroutine --------------------------------------------------------- */

static void tell_procs(struct gotrace *t, struct wire_m *m, uint64_t time)
{
	unsigned int n = HASH_COUNT(t->ps);

	/* without the number of Ps, go tool trace cannot draw /mmu */
	if (n == t->told_procs)
		return;
	t->told_procs = n;
	WIRE_EMIT(t, m, time, WIRE_PROCS_CHANGE, n, stack_of_start(t, m->g));
}

static void tell_losses(struct gotrace *t, struct wire_m *m, uint64_t time)
{
	static const char *const what[LOSS_CLASSES] = {
		[LOSS_SCHED] = "thread switches", [LOSS_SYSCALL] = "system calls",
		[LOSS_GO] = "goroutine events",   [LOSS_STACK] = "stacks",
		[LOSS_SAMPLE] = "CPU samples",
	};
	char text[200] = "lost:";
	size_t len = strlen(text);
	bool any = false;

	for (int i = 0; i < LOSS_CLASSES; i++) {
		if (!t->lost[i])
			continue;
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s %s %" PRIu64,
					any ? "," : "", what[i], t->lost[i]);
		any = true;
		t->lost[i] = 0;
	}
	if (any)
		WIRE_EMIT(t, m, time, WIRE_USER_LOG, 0, tables_string(&t->tables, "gscope"),
			  tables_string(&t->tables, text), stack_of_start(t, m->g));
}

void gen_running(struct gotrace *t, struct wire_m *m, uint64_t time)
{
	if (!m->g || m->g->status != WIRE_G_RUNNING || !m->p)
		return;
	tell_procs(t, m, time);
	tell_losses(t, m, time);
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

static unsigned int loose_gs(const struct gotrace *t)
{
	struct wire_g *g, *next;
	unsigned int n = 0;

	HASH_ITER(hh, t->gs, g, next) {
		if (!g->m && g->gen != t->gen)
			n++;
	}
	return n;
}

static void begin_first(struct gotrace *t)
{
	struct wire_g *g, *next_g;
	struct wire_m *m, *next_m;
	uint64_t time;
	unsigned int n;

	t->gen = 1;
	n = loose_gs(t);
	time = t->begin > n ? t->begin - n : 1; /* readers take 0 for "unknown" */
	t->gen_begin = time;
	t->last = t->begin;
	HASH_ITER(hh, t->gs, g, next_g) {
		if (!g->m)
			wire_announce(t, g, NULL, time < t->begin ? time++ : t->begin);
	}
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

int gen_for(struct gotrace *t, uint64_t time)
{
	int err;

	if (!t->gen)
		begin_first(t);
	if (time < t->gen_begin + GEN_NS && t->out.len < GEN_BYTES)
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
		wire_announce_p(t, p, time);
		return;
	}
	if (t->ps)
		wire_announce_p(t, t->ps, time);
}

static void loose_write(struct gotrace *t, struct batch *b, const struct loose_event *ev)
{
	batch_event(b, &t->out, t->gen, WIRE_NO_THREAD, ev->time, ev->type, ev->args, ev->nargs);
}

/* Events without a thread, merged with the announcements of all that nothing happened to. */
static void write_loose(struct gotrace *t)
{
	uint64_t n = loose_gs(t), span = t->last - t->gen_begin, step = n ? span / n : 0;
	uint64_t time = t->gen_begin;
	struct batch batch = {0};
	struct wire_g *g, *next;
	size_t i = 0;

	HASH_ITER(hh, t->gs, g, next) {
		struct loose_event status = {.type = WIRE_GO_STATUS, .nargs = 3};

		if (g->m || g->gen == t->gen)
			continue;
		g->gen = t->gen;
		time += step;
		for (; i < t->nloose && t->loose[i].time <= time; i++)
			loose_write(t, &batch, &t->loose[i]);
		status.time = time;
		status.args[0] = g->id;
		status.args[1] = WIRE_NO_THREAD;
		status.args[2] = g->status;
		loose_write(t, &batch, &status);
	}
	for (; i < t->nloose; i++)
		loose_write(t, &batch, &t->loose[i]);
	batch_flush(&batch, &t->out, t->gen, WIRE_NO_THREAD);
	bytes_free(&batch.data);
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

static void write_frequency(struct gotrace *t)
{
	struct bytes data = {0};

	bytes_byte(&data, WIRE_FREQUENCY);
	bytes_uvarint(&data, 1000000000);
	batch_write(&t->out, t->gen, WIRE_NO_THREAD, batch_exact_time(t->gen_begin), &data);
	bytes_free(&data);
}

int gen_end(struct gotrace *t, uint64_t time, bool last)
{
	int err;

	if (!t->gen)
		return 0;
	if (last)
		mark_end(t, time);
	write_loose(t);
	write_threads(t);
	tables_write(&t->tables, t->symbols, t->tgid, t->gen, batch_exact_time(t->gen_begin),
		     &t->out);
	write_frequency(t);
	if (t->out.failed)
		err = error_set(&t->error, EXIT_FAILED, -ENOMEM,
				"no memory left for a second of the Go trace");
	else
		err = out_write(&t->file, t->minor, &t->out, &t->error);
	tables_clear(&t->tables);
	t->out.len = 0;
	return err;
}
