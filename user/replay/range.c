/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What goes on for a while: the world is stopped, a GC cycle, a mark assist, a sweep. Readers of Go
 * traces want begins and ends to alternate, for the process, each goroutine and each P, and those of
 * goroutines to be told while they run (internal/trace/order.go).
 */
#include "user/replay/tell.h"

static struct range *range_of(struct process *ps, const struct range_change *c)
{
	switch (c->kind) {
	case RANGE_STW:
		return c->g ? &c->g->stw : NULL;
	case RANGE_GC:
		return &ps->gc;
	case RANGE_MARK_ASSIST:
		return c->g ? &c->g->assist : NULL;
	case RANGE_SWEEP:
		return c->p ? &c->p->sweep : NULL;
	}
	return NULL;
}

static void tell(struct replay *r, struct process *ps, struct range_change *c, uint64_t time)
{
	c->process = ps;
	c->time = time;
	if (!c->name)
		c->name = "";
	TELL(r, range, c);
}

static void repair(struct replay *r, struct process *ps, struct range_change c)
{
	static const char *const what[] = {
		[RANGE_STW] = "the world was not seen to start again",
		[RANGE_GC] = "the end of a GC cycle was not seen",
		[RANGE_MARK_ASSIST] = "the end of a mark assist was not seen",
		[RANGE_SWEEP] = "the end of a sweep was not seen",
	};

	/* without probes that was not to be seen */
	if (is_blind(r, ps) || range_of(ps, &c)->since <= blind_until(r, ps))
		r->totals.recovered++;
	else
		tell_repair(r, ps, what[c.kind], c.g, c.p, c.m);
	c.stack = 0;
	c.skip = 0;
	c.flags = CHANGE_REPAIR;
	range_end(r, ps, &c);
}

/* Only one goroutine stops the world at a time. */
static void end_other_stw(struct replay *r, struct process *ps, const struct goroutine *but)
{
	struct goroutine *g = ps->stopper;

	if (!g || g == but)
		return;
	if (g->m && runs_on(g, g->m))
		repair(r, ps,
		       (struct range_change){.kind = RANGE_STW, .g = g, .m = g->m, .p = g->m->p});
	g->stw.open = false;
	ps->stopper = NULL;
}

void range_begin(struct replay *r, struct process *ps, struct range_change *c)
{
	struct range *range = range_of(ps, c);

	if (!range)
		return;
	if (range->open)
		repair(r, ps, *c);
	if (c->kind == RANGE_STW) {
		end_other_stw(r, ps, c->g);
		ps->stopper = c->g;
	}
	range->open = true;
	range->since = r->now;
	range->name = c->name;
	if (!loud(ps))
		return;
	range->since = stamp(r);
	c->begin = true;
	tell(r, ps, c, range->since);
}

void range_end(struct replay *r, struct process *ps, struct range_change *c)
{
	struct range *range = range_of(ps, c);

	if (!range || !range->open)
		return;
	range->open = false;
	if (c->kind == RANGE_STW)
		ps->stopper = NULL;
	if (!loud(ps))
		return;
	c->begin = false;
	c->since = range->since;
	c->name = range->name;
	tell(r, ps, c, stamp(r));
}

/*
 * Who stops the world runs until it has started it again - but for procresize, which lets it pretend
 * to yield. An assist may wait. Nothing outlasts its goroutine.
 */
void ranges_leave_g(struct replay *r, struct goroutine *g, enum g_cause cause, unsigned int flags)
{
	struct range_change c = {.g = g, .m = g->m, .p = g->m->p};
	bool dies = cause == G_EXIT || cause == G_SWITCH_EXIT;

	if (g->stw.open && !(cause == G_STOP && flags & CHANGE_INFERRED)) {
		c.kind = RANGE_STW;
		repair(r, g->process, c);
	}
	if (g->assist.open && dies) {
		c.kind = RANGE_MARK_ASSIST;
		repair(r, g->process, c);
	}
}

void ranges_leave_p(struct replay *r, struct proc *p)
{
	if (p->sweep.open)
		repair(r, p->process,
		       (struct range_change){.kind = RANGE_SWEEP, .g = p->m->g, .m = p->m, .p = p});
}

void ranges_go_blind(struct replay *r, struct process *ps)
{
	struct proc *p, *tmp;

	end_other_stw(r, ps, NULL);
	HASH_ITER(hh, ps->procs, p, tmp) {
		if (p->m)
			ranges_leave_p(r, p);
	}
}

static void at_start(struct replay *r, struct process *ps, struct range_change c, uint64_t time)
{
	struct range *range = range_of(ps, &c);

	if (!range->open)
		return;
	range->since = time;
	c.begin = true;
	c.name = range->name;
	c.flags = CHANGE_INITIAL;
	tell(r, ps, &c, time);
}

void ranges_at_start(struct replay *r, struct process *ps, uint64_t time)
{
	struct goroutine *g, *gtmp;
	struct proc *p, *ptmp;

	at_start(r, ps, (struct range_change){.kind = RANGE_GC}, time);
	HASH_ITER(hh, ps->procs, p, ptmp) {
		if (!p->m)
			p->sweep.open = false;
		at_start(
			r, ps,
			(struct range_change){
				.kind = RANGE_SWEEP, .p = p, .m = p->m, .g = p->m ? p->m->g : NULL},
			time);
	}
	HASH_ITER(hh, ps->goroutines, g, gtmp) {
		struct range_change c = {
			.kind = RANGE_STW, .g = g, .m = g->m, .p = g->m ? g->m->p : NULL};

		if (g->stw.open && !(g->m && runs_on(g, g->m))) {
			g->stw.open = false;
			ps->stopper = NULL;
		}
		at_start(r, ps, c, time);
		c.kind = RANGE_MARK_ASSIST;
		at_start(r, ps, c, time);
	}
}
