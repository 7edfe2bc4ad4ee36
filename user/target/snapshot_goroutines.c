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

/* Far above what a process can have; stops a list that makes no sense. */
#define MAX_GOROUTINES (64U << 20)

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
	struct callback callback;
	struct pending *v; /* BATCH of them */
	uint8_t *g_bytes, *g_again, *stacks, *deep;
	struct target_piece *pieces;
	size_t room_g, room_pool, npool;
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
		snapshot_walk(r->t, &r->callback, p, r->deep);
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
		snapshot_walk(r->t, &r->callback, p, NULL);
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

static int keep(struct reader *r, const struct pending *p)
{
	const struct layout *l = &r->t->layout;
	struct snapshot *s = r->s;
	bool stack = p->settled && p->npcs;

	if (s->ng == r->room_g) {
		struct snapshot_g *v;

		r->room_g = r->room_g ? 2 * r->room_g : 256;
		v = realloc(s->g, r->room_g * sizeof(*v));
		if (!v)
			return -ENOMEM;
		s->g = v;
	}
	if (r->npool + SNAPSHOT_MAX_FRAMES > r->room_pool) {
		uint64_t *v;

		r->room_pool = r->room_pool ? 2 * r->room_pool : 16 * SNAPSHOT_MAX_FRAMES;
		v = realloc(s->pool, r->room_pool * sizeof(*v));
		if (!v)
			return -ENOMEM;
		s->pool = v;
	}
	s->g[s->ng++] = (struct snapshot_g){
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
		/* an index until the pool has its final place */
		.pcs = (const uint64_t *)(uintptr_t)r->npool,
	};
	if (stack) {
		memcpy(s->pool + r->npool, p->pcs, p->npcs * sizeof(*p->pcs));
		r->npool += p->npcs;
	}
	return 0;
}

static int read_batch(struct reader *r, const uint64_t *addrs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		r->v[i].addr = addrs[i];
		r->v[i].settled = false;
	}
	for (int i = 0; i < ATTEMPTS; i++)
		attempt(r, n, i == ATTEMPTS - 1);
	for (size_t i = 0; i < n; i++) {
		struct pending *p = &r->v[i];
		int err;

		if (!p->live)
			continue;
		/* what never stood still is kept as it was at the last look, without its stack */
		r->s->unstable += !p->settled;
		err = keep(r, p);
		if (err)
			return err;
	}
	return 0;
}

static int read_all(struct reader *r, const uint64_t *addrs, size_t n, const struct meanwhile *w,
		    struct error *e)
{
	r->v = calloc(BATCH, sizeof(*r->v));
	r->g_bytes = malloc(BATCH * r->g_size);
	r->g_again = malloc(BATCH * r->g_size);
	r->stacks = malloc(BATCH * FIRST_READ);
	r->deep = malloc(DEEP_READ);
	r->pieces = calloc(BATCH, sizeof(*r->pieces));
	if (!r->v || !r->g_bytes || !r->g_again || !r->stacks || !r->deep || !r->pieces)
		return snapshot_no_memory(e);
	for (size_t i = 0; i < n; i += BATCH) {
		if (read_batch(r, addrs + i, n - i < BATCH ? n - i : BATCH))
			return snapshot_no_memory(e);
		meanwhile(w);
	}
	return 0;
}

int snapshot_goroutines(struct snapshot *s, struct target *t, const struct meanwhile *w,
			struct error *e)
{
	struct reader r = {.t = t, .s = s, .g_size = g_head(&t->layout)};
	uint64_t n, array, *addrs;
	int err;

	callback_find(&r.callback, t->pcln);
	/* the length first, then the array: it is published the other way round (allgadd) */
	err = snapshot_variable(t, t->globals.allglen, "runtime.allglen", &n, sizeof(n), e);
	if (!err)
		err = snapshot_variable(t, t->globals.allgptr, "runtime.allgptr", &array,
					sizeof(array), e);
	if (err)
		return err;
	if (!n || n > MAX_GOROUTINES)
		return snapshot_senseless(t, "runtime.allglen", e);
	addrs = malloc(n * sizeof(*addrs));
	if (!addrs)
		return snapshot_no_memory(e);
	err = target_process_read(t->process, array, addrs, n * sizeof(*addrs));
	if (err)
		err = snapshot_unreadable(t, "runtime.allgptr", err, e);
	else
		err = read_all(&r, addrs, n, w, e);
	for (size_t i = 0; i < s->ng; i++)
		s->g[i].pcs = s->pool + (uintptr_t)s->g[i].pcs;
	free(r.v);
	free(r.g_bytes);
	free(r.g_again);
	free(r.stacks);
	free(r.deep);
	free(r.pieces);
	free(addrs);
	return err;
}
