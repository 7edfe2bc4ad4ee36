// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The last rung, and the check of the others: where fields are, from what functions of the runtime
 * do with them. Which function does what is from src/runtime of Go 1.19 to 1.27 (proc.go,
 * asm_amd64.s, os_linux.go, coro.go, cgocall.go); flow.h sees to registers and stack slots.
 * A field that two places in the code put at different offsets is not known.
 */
#include <stdio.h>
#include <string.h>

#include "user/target/layout_code.h"

void derive_put(int32_t *field, int64_t off)
{
	if (off < 0 || off > INT16_MAX || *field == CONTRADICTED)
		return;
	*field = *field == -1 || *field == off ? (int32_t)off : CONTRADICTED;
}

static void add_candidate(struct derive *d, int64_t off)
{
	if (d->ncandidates < MAX_CANDIDATES)
		d->candidates[d->ncandidates++] = off;
}

static void forget_candidates(struct derive *d, const struct flow *fl)
{
	(void)fl;
	d->ncandidates = 0;
}

static bool is_candidate(const struct derive *d, int64_t off)
{
	for (size_t i = 0; i < d->ncandidates; i++) {
		if (d->candidates[i] == off)
			return true;
	}
	return false;
}

bool derive_is_g(const struct flow *fl, flow_id id)
{
	return flow_is_entry(fl, id, FLOW_R14);
}

/* The thread's m: g.m, also as acquirem() returns it. */
bool derive_is_m(const struct derive *d, const struct flow *fl, flow_id id)
{
	flow_id of;
	int64_t off;

	if (flow_is_result(fl, id, "runtime.acquirem", FLOW_AX))
		return true;
	return flow_is_load(fl, id, &of, &off) && derive_is_g(fl, of) && off == d->l->g.m;
}

/* Is it what `m` has at some offset? */
static bool is_load_of_m(const struct derive *d, const struct flow *fl, flow_id id, int64_t *off)
{
	flow_id of;

	return flow_is_load(fl, id, &of, off) && derive_is_m(d, fl, of);
}

static bool is_caller(const struct flow *fl, flow_id id, int64_t off)
{
	struct flow_value x = flow_value(fl, id);

	return x.kind == FLOW_CALLER && x.v == off;
}

static bool is_stack(const struct flow *fl, flow_id id, int64_t off)
{
	struct flow_value x = flow_value(fl, id);

	return x.kind == FLOW_STACK && x.v == off;
}

/* --- functions ---------------------------------------------------------------------------- */

/* mcall saves the caller's PC, SP and BP in g.sched, and makes g.m.g0 the thread's g. */
static void note_mcall(void *ctx, const struct flow *fl, const struct flow_event *ev)
{
	struct derive *d = ctx;
	struct flow_value base = flow_value(fl, ev->base);
	flow_id m, g;
	int64_t g0, at;

	if (ev->kind == FLOW_WRITE && derive_is_g(fl, ev->base) && ev->size == 8) {
		if (is_caller(fl, ev->value, 0))
			derive_put(&d->l->g.sched_pc, ev->disp);
		else if (is_stack(fl, ev->value, 8))
			derive_put(&d->l->g.sched_sp, ev->disp);
		else if (flow_is_entry(fl, ev->value, FLOW_BP))
			derive_put(&d->l->g.sched_bp, ev->disp);
	} else if (ev->kind == FLOW_TLS_WRITE && flow_is_load(fl, ev->value, &m, &g0) &&
		   flow_is_load(fl, m, &g, &at) && derive_is_g(fl, g)) {
		derive_put(&d->l->g.m, at);
		derive_put(&d->l->m.g0, g0);
		if (base.kind == FLOW_CONST && !ev->disp && base.v == (int32_t)base.v)
			d->l->tls_g = (int32_t)base.v;
		else if (!ev->disp)
			flow_is_global_load(fl, ev->base, &d->tls_slot);
	}
}

/* casgstatus(gp, old, new) */
static void note_casgstatus(void *ctx, const struct flow *fl, const struct flow_event *ev)
{
	struct derive *d = ctx;

	if (ev->kind == FLOW_ATOMIC && ev->size == 4 && flow_is_entry(fl, ev->base, FLOW_AX) &&
	    flow_is_entry(fl, ev->value, FLOW_CX))
		derive_put(&d->l->g.atomicstatus, ev->disp);
}

/* gopark(unlockf, lock, reason, traceReason, traceskip): mp.curg.waitreason = reason, ... */
static void note_gopark(void *ctx, const struct flow *fl, const struct flow_event *ev)
{
	struct derive *d = ctx;
	int64_t curg;

	if (ev->kind != FLOW_WRITE)
		return;
	if (ev->size == 1 && flow_is_entry(fl, ev->value, FLOW_CX) &&
	    is_load_of_m(d, fl, ev->base, &curg)) {
		derive_put(&d->l->g.waitreason, ev->disp);
		derive_put(&d->l->m.curg, curg);
	} else if (derive_is_m(d, fl, ev->base)) {
		if (ev->size == 1 && flow_is_entry(fl, ev->value, FLOW_DI))
			derive_put(&d->l->m.wait_block_reason, ev->disp);
		else if (ev->size == 8 && flow_is_entry(fl, ev->value, FLOW_SI))
			derive_put(&d->l->m.wait_skip, ev->disp);
	}
}

/*
 * execute(gp): mp.curg = gp; gp.waitsince = 0, and what an inlined casgstatus clears; of these,
 * goroutineheader(gp) prints for how long it waited.
 */
static void note_execute(void *ctx, const struct flow *fl, const struct flow_event *ev)
{
	struct derive *d = ctx;

	if (ev->kind != FLOW_WRITE || ev->size != 8)
		return;
	if (derive_is_m(d, fl, ev->base) && flow_is_entry(fl, ev->value, FLOW_AX))
		derive_put(&d->l->m.curg, ev->disp);
	else if (flow_is_entry(fl, ev->base, FLOW_AX) && flow_is_const(fl, ev->value, 0))
		add_candidate(d, ev->disp);
}

static void note_goroutineheader(void *ctx, const struct flow *fl, const struct flow_event *ev)
{
	struct derive *d = ctx;

	if (ev->kind == FLOW_READ && ev->size == 8 && flow_is_entry(fl, ev->base, FLOW_AX) &&
	    is_candidate(d, ev->disp))
		derive_put(&d->l->g.waitsince, ev->disp);
}

/* wirep(pp), acquirep(pp): m.p = pp; pp.m = m; pp.status = _Prunning */
static void note_wirep(void *ctx, const struct flow *fl, const struct flow_event *ev)
{
	struct derive *d = ctx;

	if (ev->kind != FLOW_WRITE)
		return;
	if (ev->size == 8 && derive_is_m(d, fl, ev->base) && flow_is_entry(fl, ev->value, FLOW_AX))
		derive_put(&d->l->m.p, ev->disp);
	else if (ev->size == 8 && flow_is_entry(fl, ev->base, FLOW_AX) &&
		 derive_is_m(d, fl, ev->value))
		derive_put(&d->l->p.m, ev->disp);
	else if (ev->size == 4 && flow_is_entry(fl, ev->base, FLOW_AX) &&
		 flow_is_const(fl, ev->value, 1))
		derive_put(&d->l->p.status, ev->disp);
}

/* (*p).init(pp, id): pp.id = id, and others; of these, pidleput(pp) marks pp.id as idle. */
static void note_p_init(void *ctx, const struct flow *fl, const struct flow_event *ev)
{
	struct derive *d = ctx;

	if (ev->kind == FLOW_WRITE && ev->size == 4 && flow_is_entry(fl, ev->base, FLOW_AX) &&
	    flow_is_entry(fl, ev->value, FLOW_BX))
		add_candidate(d, ev->disp);
}

static void note_pidleput(void *ctx, const struct flow *fl, const struct flow_event *ev)
{
	struct derive *d = ctx;

	if (ev->kind == FLOW_READ && ev->size == 4 && flow_is_entry(fl, ev->base, FLOW_AX) &&
	    is_candidate(d, ev->disp))
		derive_put(&d->l->p.id, ev->disp);
}

/*
 * reentersyscall(pc, sp, bp): g.syscall* = what was passed, as g.sched.* (in save, which may be
 * inlined), m.oldp = m.p. entersyscall passes its caller's, entersyscallblock copies g.sched.
 */
static void note_syscall(struct derive *d, const struct flow *fl, const struct flow_event *ev,
			 bool pc, bool sp, bool bp)
{
	struct layout *l = d->l;
	int64_t off;

	if (derive_is_m(d, fl, ev->base) && is_load_of_m(d, fl, ev->value, &off) && off == l->m.p &&
	    ev->disp != l->m.p)
		derive_put(&l->m.oldp, ev->disp);
	if (!derive_is_g(fl, ev->base))
		return;
	if (pc && ev->disp != l->g.sched_pc)
		derive_put(&l->g.syscallpc, ev->disp);
	else if (sp && ev->disp != l->g.sched_sp)
		derive_put(&l->g.syscallsp, ev->disp);
	else if (bp && ev->disp != l->g.sched_bp)
		derive_put(&l->g.syscallbp, ev->disp);
}

static void note_reentersyscall(void *ctx, const struct flow *fl, const struct flow_event *ev)
{
	if (ev->kind == FLOW_WRITE && ev->size == 8)
		note_syscall(ctx, fl, ev, flow_is_entry(fl, ev->value, FLOW_AX),
			     flow_is_entry(fl, ev->value, FLOW_BX),
			     flow_is_entry(fl, ev->value, FLOW_CX));
}

static void note_entersyscall(void *ctx, const struct flow *fl, const struct flow_event *ev)
{
	if (ev->kind == FLOW_WRITE && ev->size == 8)
		note_syscall(ctx, fl, ev, is_caller(fl, ev->value, 0), is_stack(fl, ev->value, 8),
			     flow_is_entry(fl, ev->value, FLOW_BP));
}

static void note_entersyscallblock(void *ctx, const struct flow *fl, const struct flow_event *ev)
{
	const struct layout *l = ((struct derive *)ctx)->l;
	flow_id of;
	int64_t off;

	if (ev->kind == FLOW_WRITE && ev->size == 8 && flow_is_load(fl, ev->value, &of, &off) &&
	    derive_is_g(fl, of))
		note_syscall(ctx, fl, ev, off == l->g.sched_pc, off == l->g.sched_sp,
			     off == l->g.sched_bp);
}

/* minit: m.procid = gettid() */
static void note_minit(void *ctx, const struct flow *fl, const struct flow_event *ev)
{
	struct derive *d = ctx;

	if (ev->kind == FLOW_WRITE && ev->size == 8 && derive_is_m(d, fl, ev->base) &&
	    flow_is_result(fl, ev->value, "runtime.gettid", FLOW_STACK_RESULT))
		derive_put(&d->l->m.procid, ev->disp);
}

/* stackfree(gp.stack) */
static void note_stackfree(void *ctx, const struct flow *fl, const struct flow_event *ev)
{
	struct derive *d = ctx;
	flow_id a, b;
	int64_t lo, hi;

	if (ev->kind == FLOW_CALL && ev->callee && !strcmp(ev->callee, "runtime.stackfree") &&
	    flow_is_load(fl, ev->args[FLOW_AX], &a, &lo) &&
	    flow_is_load(fl, ev->args[FLOW_BX], &b, &hi) && a == b && hi == lo + 8) {
		derive_put(&d->l->g.stack_lo, lo);
		derive_put(&d->l->g.stack_hi, hi);
	}
}

/* coroswitch_m(gp): gp.coroarg.gp.cas(...); gp.coroexit = false */
static void note_coroswitch(void *ctx, const struct flow *fl, const struct flow_event *ev)
{
	struct derive *d = ctx;
	flow_id of;
	int64_t off;

	if (ev->kind == FLOW_ATOMIC && ev->size == 8 && flow_is_load(fl, ev->base, &of, &off) &&
	    flow_is_entry(fl, of, FLOW_AX)) {
		derive_put(&d->l->g.coroarg, off);
		derive_put(&d->l->coro.gp, ev->disp);
	} else if (ev->kind == FLOW_WRITE && ev->size == 1 && flow_is_const(fl, ev->value, 0) &&
		   flow_is_entry(fl, ev->base, FLOW_AX)) {
		derive_put(&d->l->g.coroexit, ev->disp);
	}
}

/* cgocall: mp.incgo = true */
static void note_cgocall(void *ctx, const struct flow *fl, const struct flow_event *ev)
{
	struct derive *d = ctx;

	if (ev->kind == FLOW_WRITE && ev->size == 1 && derive_is_m(d, fl, ev->base) &&
	    flow_is_const(fl, ev->value, 1))
		derive_put(&d->l->m.incgo, ev->disp);
}

/*
 * findRunnableGCWorker, since 1.26 also assignWaitingGCWorker: pp.gcMarkWorkerMode = 1 (dedicated),
 * or 2 (fractional)
 */
static void note_worker(void *ctx, const struct flow *fl, const struct flow_event *ev)
{
	struct derive *d = ctx;

	if (ev->kind == FLOW_WRITE && ev->size == 8 && d->nwrites < MAX_WRITES &&
	    (flow_is_const(fl, ev->value, 1) || flow_is_const(fl, ev->value, 2)))
		d->writes[d->nwrites++] = (struct write){ev->base, ev->value, ev->disp};
}

static void derive_worker(struct derive *d, const struct flow *fl)
{
	for (size_t i = 0; i < d->nwrites; i++) {
		for (size_t k = 0; k < d->nwrites; k++) {
			if (d->writes[i].off == d->writes[k].off &&
			    flow_is_const(fl, d->writes[i].value, 1) &&
			    flow_is_const(fl, d->writes[k].value, 2))
				derive_put(&d->l->p.worker_mode, d->writes[i].off);
		}
	}
}

/* runtime_setProfLabel(labels): getg().labels = labels */
static void note_labels(void *ctx, const struct flow *fl, const struct flow_event *ev)
{
	struct derive *d = ctx;

	if (ev->kind == FLOW_WRITE && ev->size == 8 && derive_is_g(fl, ev->base) &&
	    flow_is_entry(fl, ev->value, FLOW_AX))
		derive_put(&d->l->g.labels, ev->disp);
}

int layout_code(struct layout *l, struct elf_file *f, const struct pclntab *pcln, uint64_t bias,
		struct error *e)
{
	/* in this order: later ones build on what earlier ones found */
	static const struct {
		const char *func;
		flow_visitor note;
		void (*derive)(struct derive *d, const struct flow *fl);
	} rules[] = {
		{"runtime.mcall", note_mcall, NULL},
		{"runtime.casgstatus", note_casgstatus, NULL},
		{"runtime.gopark", note_gopark, NULL},
		{"runtime.execute", note_execute, NULL},
		{"runtime.goroutineheader", note_goroutineheader, forget_candidates},
		{"runtime.wirep", note_wirep, NULL},
		{"runtime.acquirep", note_wirep, NULL},
		{"runtime.(*p).init", note_p_init, NULL},
		{"runtime.pidleput", note_pidleput, forget_candidates},
		{"runtime.reentersyscall", note_reentersyscall, NULL},
		{"runtime.entersyscall", note_entersyscall, NULL},
		{"runtime.entersyscallblock", note_entersyscallblock, NULL},
		{"runtime.minit", note_minit, NULL},
		{"runtime.mpreinit", note_mpreinit, NULL},
		{"runtime.mcommoninit", note_mcommoninit, NULL},
		{"runtime.newproc1", note_newproc1, derive_newg},
		{"runtime.gfput", note_stackfree, NULL},
		{"runtime.coroswitch_m", note_coroswitch, NULL},
		{"runtime.cgocall", note_cgocall, NULL},
		{"runtime.(*gcControllerState).findRunnableGCWorker", note_worker, derive_worker},
		{"runtime.(*gcControllerState).assignWaitingGCWorker", note_worker, derive_worker},
		{"runtime/pprof.runtime_setProfLabel", note_labels, NULL},
	};
	struct derive d = {.l = l};
	struct flow *fl;
	int err = flow_open(&fl, f, pcln, bias, e);

	layout_clear(l);
	if (err)
		return err;
	snprintf(l->rung, sizeof(l->rung), "code");
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		d.nwrites = d.ncompared = 0;
		flow_run(fl, rules[i].func, rules[i].note, &d);
		if (rules[i].derive)
			rules[i].derive(&d, fl);
	}
	flow_close(fl);
	if (d.tls_slot)
		l->tls_slot = d.tls_slot + bias;
	for (size_t i = 0; i < layout_nfields; i++) {
		int32_t *off = layout_offset(l, &layout_fields[i]);

		if (*off == CONTRADICTED)
			*off = -1;
	}
	return 0;
}
