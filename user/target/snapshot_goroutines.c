// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Goroutines. The target runs on while they are read. runtime.allgs only grows and a g is never
 * freed, so its address stays good (runtime/proc.go: allgs, forEachGRace); what a g says is read
 * twice, before and after its stack, and believed when both agree.
 */
#include "user/target/snapshot_read.h"

#include <errno.h>
#include <stdlib.h>

#include "user/base/clock.h"

/* A struct g has more bytes than this, and its stack comes on top. */
#define LEAST_BYTES 256

/* Goroutines whose stacks are in memory at the same time. */
#define BATCH 512
/* Most stacks are shorter; what is left of longer ones is read afterwards. */
#define FIRST_READ 2048U
/* How often a goroutine that changes while it is read is tried again. */
#define ATTEMPTS 3

struct reader {
	struct target *t;
	struct snapshot *s;
	size_t g_size; /* bytes of a struct g that are of interest */
	struct walker walker;
	struct pending *v; /* BATCH of them */
	uint8_t *g_bytes, *g_again, *stacks, *deep;
	struct target_piece *pieces;
	uint64_t addrs[BATCH];
};

/* The fields of interest are near the start of the struct: leave out what is behind them. */
static size_t g_head(const struct layout *l)
{
	const int32_t offsets[] = {
		l->g.stack_lo,   l->g.stack_hi,     l->g.m,         l->g.sched_sp,
		l->g.sched_pc,   l->g.sched_bp,     l->g.syscallsp, l->g.syscallpc,
		l->g.syscallbp,  l->g.atomicstatus, l->g.goid,      l->g.waitsince,
		l->g.waitreason, l->g.parent_goid,  l->g.gopc,      l->g.startpc,
	};
	size_t size = 0;

	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++)
		size = max_size(size, offsets[i], 8);
	return size;
}

/* A goroutine there is something to say about. */
static bool is_live(const struct layout *l, const uint8_t *g)
{
	switch (status_of(l, g)) {
	case GO_RUNNABLE:
	case GO_RUNNING:
	case GO_SYSCALL:
	case GO_WAITING:
	case GO_COPYSTACK:
	case GO_PREEMPTED:
	case GO_LEAKED:
		return get64(g, l->g.goid) != 0;
	default:
		return false;
	}
}

static void read_pieces(struct reader *r, size_t n)
{
	target_process_read_pieces(r->t->process, r->pieces, n);
}

/* Read the structs of the unsettled ones of a batch. */
static void read_structs(struct reader *r, size_t n, uint8_t *into)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		if (!r->v[i].settled)
			r->pieces[k++] = (struct target_piece){r->v[i].addr, into + i * r->g_size,
							       r->g_size, false};
	}
	read_pieces(r, k);
	/* one that cannot be read is no goroutine: its status of 0 says so */
	for (size_t i = 0; i < k; i++) {
		if (!r->pieces[i].done)
			memset(r->pieces[i].buf, 0, r->g_size);
	}
}

static void read_stacks(struct reader *r, size_t n)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		struct pending *p = &r->v[i];

		p->size = 0;
		if (p->settled || !p->live || !p->pc)
			continue;
		p->stack = r->stacks + i * FIRST_READ;
		p->base = p->sp;
		p->size = p->hi - p->sp < FIRST_READ ? p->hi - p->sp : FIRST_READ;
		r->pieces[k++] = (struct target_piece){p->sp, p->stack, p->size, false};
	}
	read_pieces(r, k);
	k = 0;
	for (size_t i = 0; i < n; i++) {
		struct pending *p = &r->v[i];

		if (p->size && !r->pieces[k++].done)
			p->size = 0;
	}
}

/* Read more of a stack whose walk did not reach its end. */
static void walk_deep(struct reader *r, struct pending *p)
{
	if (p->sp + p->size < p->hi && !p->broken && p->npcs < SNAPSHOT_MAX_FRAMES)
		snapshot_walk(r->t, &r->walker, p, r->deep);
}

/* Has a goroutine stayed where it was between two reads of its struct? */
static bool same_place(const struct layout *l, const uint8_t *a, const uint8_t *b)
{
	return status_of(l, a) == status_of(l, b) && get64(a, l->g.goid) == get64(b, l->g.goid) &&
	       get64(a, l->g.stack_hi) == get64(b, l->g.stack_hi) &&
	       get64(a, l->g.sched_sp) == get64(b, l->g.sched_sp) &&
	       get64(a, l->g.sched_pc) == get64(b, l->g.sched_pc) &&
	       get64(a, l->g.sched_bp) == get64(b, l->g.sched_bp) &&
	       get64(a, l->g.syscallpc) == get64(b, l->g.syscallpc);
}

/* One attempt at the unsettled ones of a batch. */
static void attempt(struct reader *r, size_t n, bool last)
{
	const struct layout *l = &r->t->layout;
	uint64_t time_ns = now_ns();

	read_structs(r, n, r->g_bytes);
	for (size_t i = 0; i < n; i++) {
		struct pending *p = &r->v[i];

		if (p->settled)
			continue;
		p->time_ns = time_ns;
		p->g = r->g_bytes + i * r->g_size;
		p->live = is_live(l, p->g);
		if (p->live)
			snapshot_find_stack(r->t, p);
	}
	read_stacks(r, n);
	for (size_t i = 0; i < n; i++) {
		struct pending *p = &r->v[i];

		if (p->settled || !p->live)
			continue;
		snapshot_walk(r->t, &r->walker, p, NULL);
		if (p->truncated)
			walk_deep(r, p);
	}
	read_structs(r, n, r->g_again);
	for (size_t i = 0; i < n; i++) {
		struct pending *p = &r->v[i];

		if (p->settled)
			continue;
		p->settled = !p->live || same_place(l, p->g, r->g_again + i * r->g_size);
		/* it may have run and come back to the same place while its stack was read */
		if (p->broken && p->live && !last)
			p->settled = false;
	}
}

static int hand_over(struct reader *r, const struct pending *p, const struct snapshot_sink *to,
		     struct error *e)
{
	const struct layout *l = &r->t->layout;
	bool stack = p->settled && p->npcs;
	const struct snapshot_g g = {
		.time_ns = p->time_ns,
		.addr = p->addr,
		.goid = get64(p->g, l->g.goid),
		.m = get64(p->g, l->g.m),
		.wait_since = get64(p->g, l->g.waitsince),
		.parent_goid = get64(p->g, l->g.parent_goid),
		.gopc = get64(p->g, l->g.gopc),
		.startpc = get64(p->g, l->g.startpc),
		.status = status_of(l, p->g),
		.wait_reason = p->g[l->g.waitreason],
		.truncated = stack && p->truncated,
		.npcs = stack ? p->npcs : 0,
		.pcs = p->pcs,
	};

	return to->goroutine ? to->goroutine(to->ctx, &g, e) : 0;
}

static int read_batch(struct reader *r, size_t n, const struct snapshot_sink *to, struct error *e)
{
	int err = 0;

	for (size_t i = 0; i < n; i++) {
		r->v[i].addr = r->addrs[i];
		r->v[i].settled = false;
	}
	for (int i = 0; i < ATTEMPTS; i++)
		attempt(r, n, i == ATTEMPTS - 1);
	for (size_t i = 0; i < n && !err; i++) {
		struct pending *p = &r->v[i];

		if (!p->live)
			continue;
		/* what never stood still is kept as it was at the last look, without its stack */
		r->s->unstable += !p->settled;
		err = hand_over(r, p, to, e);
	}
	return err;
}

/*
 * Addresses [first, first + n) of the list. It grows at its end only, but is moved as it does, and its
 * old place may then be used for something else (runtime/proc.go: allgadd): so it must not have moved
 * while it was read.
 */
static int read_addrs(struct reader *r, size_t first, size_t n, struct error *e)
{
	const struct target *t = r->t;
	uint64_t array, now;
	int err = 0;

	for (int i = 0; i < ATTEMPTS && !err; i++) {
		int failed;

		err = snapshot_variable(t, t->globals.allgptr, "runtime.allgptr", &array,
					sizeof(array), e);
		if (err)
			return err;
		failed = target_process_read(t->process, array + first * sizeof(*r->addrs),
					     r->addrs, n * sizeof(*r->addrs));
		err = snapshot_variable(t, t->globals.allgptr, "runtime.allgptr", &now, sizeof(now),
					e);
		if (!err && array == now)
			return failed ? snapshot_unreadable(t, "runtime.allgptr", failed, e) : 0;
	}
	return err ? err : snapshot_senseless(t, "runtime.allgptr", e);
}

static int read_all(struct reader *r, size_t n, const struct snapshot_sink *to, struct error *e)
{
	int err = 0;

	r->v = calloc(BATCH, sizeof(*r->v));
	r->g_bytes = malloc(BATCH * r->g_size);
	r->g_again = malloc(BATCH * r->g_size);
	r->stacks = malloc(BATCH * FIRST_READ);
	r->deep = malloc(DEEP_READ);
	r->pieces = calloc(BATCH, sizeof(*r->pieces));
	if (!r->v || !r->g_bytes || !r->g_again || !r->stacks || !r->deep || !r->pieces)
		return snapshot_no_memory(e);
	for (size_t i = 0; i < n && !err; i += BATCH) {
		size_t part = n - i < BATCH ? n - i : BATCH;
		uint64_t since = now_ns();

		err = snapshot_go_on(r->s, r->t, e);
		if (!err && to->meanwhile)
			err = to->meanwhile(to->ctx, since, e);
		if (!err)
			err = read_addrs(r, i, part, e);
		if (!err)
			err = read_batch(r, part, to, e);
	}
	return err;
}

int snapshot_goroutines(struct snapshot *s, struct target *t, const struct snapshot_sink *to,
			struct error *e)
{
	struct reader r = {.t = t, .s = s, .g_size = g_head(&t->layout)};
	uint64_t n;
	int err;

	callback_find(&r.walker.callback, t->pcln);
	/* the length first, then the array: it is published the other way round (allgadd) */
	err = snapshot_variable(t, t->globals.allglen, "runtime.allglen", &n, sizeof(n), e);
	if (err)
		return err;
	if (!snapshot_plausible(t, n, LEAST_BYTES))
		return snapshot_senseless(t, "runtime.allglen", e);
	err = read_all(&r, n, to, e);
	free(r.v);
	free(r.g_bytes);
	free(r.g_again);
	free(r.stacks);
	free(r.deep);
	free(r.pieces);
	return err;
}
