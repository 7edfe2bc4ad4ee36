// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Fields from the functions that make threads and goroutines. */
#include "user/target/layout_code.h"

/* mpreinit(mp), maybe inlined into mcommoninit(mp): mp.gsignal = malg(...) */
void note_mpreinit(void *ctx, const struct flow *fl, const struct flow_event *ev)
{
	struct derive *d = ctx;

	if (ev->kind == FLOW_WRITE && ev->size == 8 && flow_is_entry(fl, ev->base, FLOW_AX) &&
	    flow_is_result(fl, ev->value, "runtime.malg", FLOW_AX))
		derive_put(&d->l->m.gsignal, ev->disp);
}

static void keep_write(struct derive *d, const struct flow_event *ev)
{
	if (d->nwrites < MAX_WRITES)
		d->writes[d->nwrites++] = (struct write){ev->base, ev->value, ev->disp};
}

/* mcommoninit(mp, id): mp.id = id; mp.alllink = allm; atomicstorep(&allm, mp) */
void note_mcommoninit(void *ctx, const struct flow *fl, const struct flow_event *ev)
{
	struct flow_value base = flow_value(fl, ev->base);
	struct derive *d = ctx;
	uint64_t variable;

	note_mpreinit(ctx, fl, ev);
	if (ev->kind == FLOW_WRITE && ev->size == 8 && flow_is_entry(fl, ev->base, FLOW_AX)) {
		keep_write(d, ev);
		if (flow_is_entry(fl, ev->value, FLOW_BX) ||
		    flow_is_result(fl, ev->value, "runtime.mReserveID", FLOW_AX))
			derive_put(&d->l->m.id, ev->disp);
	}
	if (ev->kind != FLOW_ATOMIC || base.kind != FLOW_GLOBAL ||
	    !flow_is_entry(fl, ev->value, FLOW_AX))
		return;
	for (size_t i = 0; i < d->nwrites; i++) {
		if (flow_is_global_load(fl, d->writes[i].value, &variable) &&
		    variable == (uint64_t)base.v)
			derive_put(&d->l->m.alllink, d->writes[i].off);
	}
}

/* newproc1(fn, callergp, callerpc) */
void note_newproc1(void *ctx, const struct flow *fl, const struct flow_event *ev)
{
	struct derive *d = ctx;

	(void)fl;
	if (ev->kind == FLOW_WRITE && ev->size == 8) {
		keep_write(d, ev);
	} else if (ev->kind == FLOW_COMPARE && d->ncompared < MAX_WRITES) {
		d->compared[d->ncompared][0] = ev->base;
		d->compared[d->ncompared++][1] = ev->value;
	}
}

/* Is it a counter, one more than it was? */
static bool is_increment(const struct flow *fl, const struct write *w)
{
	struct flow_value sum = flow_value(fl, w->value);
	flow_id of;
	int64_t off;

	return sum.kind == FLOW_SUM && sum.v == 1 && flow_is_load(fl, sum.of, &of, &off) &&
	       of == w->base && off == w->off;
}

/* newg.goid = pp.goidcache; pp.goidcache++, after comparing it with pp.goidcacheend */
static void derive_goid(struct derive *d, const struct flow *fl, const struct write *counter)
{
	flow_id p, of, cache = 0;
	int64_t off;

	for (size_t i = 0; i < d->nwrites; i++) {
		const struct write *w = &d->writes[i];

		if (!flow_is_load(fl, w->value, &p, &off) || p != counter->base ||
		    off != counter->off || w->base == p)
			continue;
		cache = w->value;
		derive_put(&d->l->g.goid, w->off);
		derive_put(&d->l->p.goidcache, off);
	}
	for (size_t i = 0; cache && i < d->ncompared; i++) {
		for (int k = 0; k < 2; k++) {
			if (d->compared[i][k] == cache &&
			    flow_is_load(fl, d->compared[i][1 - k], &of, &off) &&
			    of == counter->base)
				derive_put(&d->l->p.goidcacheend, off);
		}
	}
}

/* newg.gopc = callerpc; newg.startpc = fn.fn; newg.parentGoid = callergp.goid */
void derive_newg(struct derive *d, const struct flow *fl)
{
	struct layout *l = d->l;
	flow_id of;
	int64_t off;

	for (size_t i = 0; i < d->nwrites; i++) {
		if (is_increment(fl, &d->writes[i]))
			derive_goid(d, fl, &d->writes[i]);
	}
	for (size_t i = 0; i < d->nwrites; i++) {
		const struct write *w = &d->writes[i];

		if (flow_is_entry(fl, w->value, FLOW_CX))
			derive_put(&l->g.gopc, w->off);
		if (!flow_is_load(fl, w->value, &of, &off))
			continue;
		/* the same value may also go to newg.sched.pc (gostartcallfn) */
		if (flow_is_entry(fl, of, FLOW_AX) && !off && w->off != l->g.sched_pc)
			derive_put(&l->g.startpc, w->off);
		else if (flow_is_entry(fl, of, FLOW_BX) && off == l->g.goid && w->off != off)
			derive_put(&l->g.parent_goid, w->off);
	}
}
