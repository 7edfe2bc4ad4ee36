/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the runtime does besides: stop the world, collect garbage, change the number of Ps.
 *
 * The reader wants a goroutine that runs with a P behind most of these, and begins and ends that
 * alternate (internal/trace/order.go, advanceGoRangeBegin and its like). What comes at another
 * moment waits for the next one that suits; an end of what was not begun says nothing.
 */
#include <stdio.h>

#include "user/export/gotrace_state.h"

/* --- stop-the-world: by a goroutine, which runs all the time --------------------------------- */

static void stw_end(struct gotrace *t, uint64_t time)
{
	if (t->stw)
		WIRE_EMIT(t, t->stw->m, time, WIRE_STW_END);
	t->stw = NULL;
}

static void stw(struct gotrace *t, const struct range_change *c)
{
	struct wire_m *m = wire_speaker(t, c->m);

	stw_end(t, c->time);
	if (!c->begin || !m || m->g != wire_find_g(t, c->g))
		return;
	/* runtime/proc.go: stwReasonStrings */
	snprintf(t->stw_kind, sizeof(t->stw_kind), "%s", c->name[0] ? c->name : "unknown");
	t->stw = m->g;
	t->stw_string = tables_string(&t->tables, t->stw_kind);
	WIRE_EMIT(t, m, c->time, WIRE_STW_BEGIN, t->stw_string,
		  stack_of(t, m->g, c->stack, c->skip));
}

/* --- marking --------------------------------------------------------------------------------- */

static void tell_gc(struct gotrace *t, struct wire_m *m, uint64_t time, uint64_t stack)
{
	struct wire_gc *gc = &t->gc;

	if (gc->marks == gc->told && (!gc->told || gc->told_gen == t->gen))
		return;
	gc->seq++;
	if (!gc->marks)
		WIRE_EMIT(t, m, time, WIRE_GC_END, gc->seq);
	else if (gc->told || (gc->initially && t->gen == 1))
		WIRE_EMIT(t, m, time, WIRE_GC_ACTIVE, gc->seq);
	else
		WIRE_EMIT(t, m, time, WIRE_GC_BEGIN, gc->seq, stack);
	gc->told = gc->marks;
	gc->told_gen = t->gen;
	gc->initially = false;
}

static void gc(struct gotrace *t, const struct range_change *c)
{
	struct wire_m *m = wire_speaker(t, c->m);

	t->gc.marks = c->begin;
	t->gc.initially = c->begin && !t->gen;
	if (m)
		tell_gc(t, m, c->time, c->begin ? stack_of(t, m->g, c->stack, c->skip) : 0);
}

/* --- assist: by a goroutine, which may stop meanwhile ---------------------------------------- */

static void tell_assist_over(struct gotrace *t, struct wire_m *m, uint64_t time)
{
	if (!m->g->assist_over)
		return;
	m->g->assists = m->g->assist_over = false;
	WIRE_EMIT(t, m, time, WIRE_ASSIST_END);
}

static void assist(struct gotrace *t, const struct range_change *c)
{
	struct wire_m *m = wire_speaker(t, c->m);
	struct wire_g *g = wire_find_g(t, c->g);

	if (!g)
		return;
	if (!c->begin) {
		g->assist_over = g->assists;
		if (m && m->g == g)
			tell_assist_over(t, m, c->time);
	} else if (!t->gen) {
		/* announced together with g; a repair would begin one in a system call */
		g->assists = g->status != WIRE_G_SYSCALL;
	} else if (m && m->g == g && !g->assists) {
		g->assists = true;
		WIRE_EMIT(t, m, c->time, WIRE_ASSIST_BEGIN, stack_of(t, g, c->stack, c->skip));
	}
}

void range_stop_g(struct gotrace *t, struct wire_g *g, uint64_t time)
{
	if (t->stw == g)
		stw_end(t, time);
}

void range_enter_syscall(struct gotrace *t, struct wire_g *g, uint64_t time)
{
	range_stop_g(t, g, time);
	range_stop_p(t, g->m->p, time);
	/* viewers look for the P it stops on, which it may lose there: gc.go, MutatorUtilizationV2 */
	g->assist_over = g->assists;
	tell_assist_over(t, g->m, time);
}

/* --- sweep: by a P, which runs all the time -------------------------------------------------- */

static void sweep_end(struct gotrace *t, struct wire_p *p, uint64_t time, uint64_t swept,
		      uint64_t reclaimed)
{
	if (p->sweeps)
		WIRE_EMIT(t, p->m, time, WIRE_SWEEP_END, swept, reclaimed);
	p->sweeps = false;
}

static void sweep(struct gotrace *t, const struct range_change *c)
{
	struct wire_p *p = c->p ? wire_find_p(t, c->p) : NULL;

	if (!p || p->status != WIRE_P_RUNNING)
		return;
	if (!c->begin) {
		sweep_end(t, p, c->time, c->swept, c->reclaimed);
	} else if (t->gen && !p->sweeps) {
		p->sweeps = true;
		WIRE_EMIT(t, p->m, c->time, WIRE_SWEEP_BEGIN,
			  stack_of(t, p->m->g, c->stack, c->skip));
	}
}

void range_stop_p(struct gotrace *t, struct wire_p *p, uint64_t time)
{
	sweep_end(t, p, time, 0, 0);
}

void wire_range(struct gotrace *t, const struct range_change *c)
{
	struct wire_m *m = wire_speaker(t, c->m);

	/* what waits for it is older */
	if (m)
		gen_running(t, m, c->time);
	switch (c->kind) {
	case RANGE_STW:
		stw(t, c);
		break;
	case RANGE_GC:
		gc(t, c);
		break;
	case RANGE_MARK_ASSIST:
		assist(t, c);
		break;
	case RANGE_SWEEP:
		sweep(t, c);
		break;
	}
}

/* --- numbers --------------------------------------------------------------------------------- */

/* A thread on which a goroutine runs, whichever. */
static struct wire_m *anyone(const struct gotrace *t)
{
	struct wire_p *p, *next;

	HASH_ITER(hh, t->ps, p, next) {
		if (p->status == WIRE_P_RUNNING && p->m->g && wire_is_running(p->m->g))
			return p->m;
	}
	return NULL;
}

static void tell_procs(struct gotrace *t, struct wire_m *m, uint64_t time, uint64_t stack)
{
	/* in each generation, as the runtime: go tool trace cannot draw /mmu without */
	if (t->procs == t->told_procs && t->told_procs_gen == t->gen)
		return;
	t->told_procs = t->procs;
	t->told_procs_gen = t->gen;
	WIRE_EMIT(t, m, time, WIRE_PROCS_CHANGE, t->procs, stack);
}

/* Viewers take the number for the size of an array: internal/trace/gc.go, MutatorUtilizationV2. */
static void cover_running(struct gotrace *t, const struct wire_p *but)
{
	const struct wire_p *p, *next;

	HASH_ITER(hh, t->ps, p, next) {
		if (p->m && p != but && (unsigned int)p->id >= t->procs)
			t->procs = (unsigned int)p->id + 1;
	}
}

void range_start_p(struct gotrace *t, const struct wire_p *p, uint64_t time)
{
	struct wire_m *m;

	if ((unsigned int)p->id < t->procs)
		return;
	t->procs = (unsigned int)p->id + 1;
	m = anyone(t);
	if (m)
		tell_procs(t, m, time, 0);
}

void wire_procs(struct gotrace *t, const struct procs_change *c)
{
	struct wire_m *m = wire_speaker(t, c->m);

	t->procs = c->n;
	/* also if it does not change: the runtime tells it whenever the world goes on */
	t->told_procs_gen = 0;
	/* the one it is done with may be one too many until the world goes on */
	cover_running(t, m ? m->p : NULL);
	if (m)
		tell_procs(t, m, c->time, stack_of(t, m->g, c->stack, c->skip));
}

static void tell_heap(struct gotrace *t, struct wire_m *m, uint64_t time)
{
	if (t->heap.new_live)
		WIRE_EMIT(t, m, time, WIRE_HEAP_ALLOC, t->heap.live);
	if (t->heap.new_goal)
		WIRE_EMIT(t, m, time, WIRE_HEAP_GOAL, t->heap.goal);
	t->heap.new_live = t->heap.new_goal = false;
}

/* On whatever thread can say it: sampled from outside, it is nobody's in particular. */
void wire_heap(struct gotrace *t, const struct heap_change *c)
{
	struct wire_m *m = anyone(t);

	t->heap.new_live |= c->live != t->heap.live;
	t->heap.new_goal |= c->goal != t->heap.goal;
	t->heap.live = c->live;
	t->heap.goal = c->goal;
	if (m)
		tell_heap(t, m, c->time);
}

void tell_runtime(struct gotrace *t, struct wire_m *m, uint64_t time)
{
	tell_procs(t, m, time, 0);
	tell_gc(t, m, time, 0);
	tell_heap(t, m, time);
	tell_assist_over(t, m, time);
}
