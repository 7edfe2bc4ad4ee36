/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the runtime does besides. Each record is written where the runtime's own tracer writes its
 * event, and proves, but for Ps that change hands, that gp runs on the thread with m.p.
 */
#include "user/replay/internal.h"

#define MOST_PROCS 100000 /* more than any machine has CPUs */

/*
 * Leaf frames that the runtime's tracer hides, less its own ones: runtime/traceruntime.go. Stacks of
 * what happens on the system stack begin with systemstack_switch, others with the function itself.
 */
#define STW_SKIP 2
#define GC_SKIP 1
#define PROCS_SKIP 1

/* runtime.stwReasonStrings, the same from Go 1.21, which brought it, to 1.27 */
static const char *stw_reason(uint64_t n)
{
	static const char *const reasons[] = {
		"unknown",
		"GC mark termination",
		"GC sweep termination",
		"write heap dump",
		"goroutine profile",
		"goroutine profile cleanup",
		"all goroutines stack trace",
		"read mem stats",
		"AllThreadsSyscall",
		"GOMAXPROCS",
		"start trace",
		"stop trace",
		"CountPagesInUse (test)",
		"ReadMetricsSlow (test)",
		"ReadMemStatsSlow (test)",
		"PageCachePagesLeaked (test)",
		"ResetDebugLog (test)",
	};

	return n < sizeof(reasons) / sizeof(reasons[0]) ? reasons[n] : "";
}

static struct range_change range(const struct actor *a, const struct ev_runtime *ev,
				 enum range_kind kind)
{
	return (struct range_change){
		.kind = kind, .g = a->g, .p = a->p, .m = a->t, .stack = ev->stack};
}

static void stw_begin(struct replay *r, struct actor *a, const struct ev_runtime *ev)
{
	struct range_change c = range(a, ev, RANGE_STW);

	if (!actor_runs(r, a))
		return;
	c.name = stw_reason(ev->arg[0]);
	c.skip = STW_SKIP;
	range_begin(r, a->ps, &c);
	procs_of_syscalls_stop(r, a->ps, a->t);
}

static void stw_end(struct replay *r, struct actor *a, const struct ev_runtime *ev)
{
	struct range_change c = range(a, ev, RANGE_STW);

	if (actor_runs(r, a))
		range_end(r, a->ps, &c);
}

static void gc_begin(struct replay *r, struct actor *a, const struct ev_runtime *ev)
{
	struct range_change c = range(a, ev, RANGE_GC);

	if (!actor_runs(r, a))
		return;
	a->ps->gc_known = true;
	c.skip = GC_SKIP;
	range_begin(r, a->ps, &c);
}

static void gc_end(struct replay *r, struct actor *a, const struct ev_runtime *ev)
{
	struct range_change c = range(a, ev, RANGE_GC);

	if (!actor_runs(r, a))
		return;
	a->ps->gc_known = true;
	range_end(r, a->ps, &c);
}

/* Told again while it goes on, which may be longer than the cycle it began in. */
static void assist_begin(struct replay *r, struct actor *a, const struct ev_runtime *ev)
{
	struct range_change c = range(a, ev, RANGE_MARK_ASSIST);

	if (actor_runs(r, a) && !a->g->assist.open)
		range_begin(r, a->ps, &c);
}

/* The runtime passes here without having helped, too. */
static void assist_end(struct replay *r, struct actor *a, const struct ev_runtime *ev)
{
	struct range_change c = range(a, ev, RANGE_MARK_ASSIST);

	if (a->g && a->g->assist.open && actor_runs(r, a))
		range_end(r, a->ps, &c);
}

/* Memory is allocated on the system stack, too, for no goroutine. */
static bool sweeps(struct replay *r, struct actor *a, const struct ev_runtime *ev)
{
	if (ev->gp)
		return actor_runs(r, a);
	if (!a->p)
		return false;
	ensure_thread_free(r, a->t, NULL);
	return ensure_thread_proc(r, a->t, a->p, CHANGE_INFERRED);
}

static void sweep_begin(struct replay *r, struct actor *a, const struct ev_runtime *ev)
{
	struct range_change c = range(a, ev, RANGE_SWEEP);

	if (sweeps(r, a, ev))
		range_begin(r, a->ps, &c);
}

static void sweep_end(struct replay *r, struct actor *a, const struct ev_runtime *ev)
{
	struct range_change c = range(a, ev, RANGE_SWEEP);

	c.swept = ev->arg[0];
	c.reclaimed = ev->arg[1];
	if (sweeps(r, a, ev))
		range_end(r, a->ps, &c);
}

static void start(struct replay *r, struct actor *a, const struct ev_runtime *ev)
{
	struct proc *p = proc_find(a->ps, ev->arg[0]);

	if (p)
		proc_start(r, a, p);
}

static void stop(struct replay *r, struct actor *a, const struct ev_runtime *ev)
{
	struct proc *p = proc_find(a->ps, ev->arg[0]);

	if (p)
		proc_stop(r, a, p, ev->stack);
}

static void steal(struct replay *r, struct actor *a, const struct ev_runtime *ev)
{
	struct proc *p = proc_find(a->ps, ev->arg[0]);

	if (p)
		proc_steal(r, a, p);
}

static void procs(struct replay *r, struct actor *a, const struct ev_runtime *ev)
{
	struct procs_change c = {
		.process = a->ps,
		.n = (unsigned int)ev->arg[0],
		.g = a->g,
		.p = a->p,
		.m = a->t,
		.stack = ev->stack,
		.skip = PROCS_SKIP,
	};

	if (ev->arg[0] && ev->arg[0] <= MOST_PROCS && actor_runs(r, a))
		tell_procs(r, &c);
}

void on_runtime(struct replay *r, const struct ev_runtime *ev)
{
	static const struct {
		void (*fn)(struct replay *r, struct actor *a, const struct ev_runtime *ev);
		bool about_p; /* gp is not proven to run */
	} kinds[] = {
		[RT_STW_BEGIN] = {stw_begin, false},       [RT_STW_END] = {stw_end, false},
		[RT_GC_BEGIN] = {gc_begin, false},         [RT_GC_END] = {gc_end, false},
		[RT_ASSIST_BEGIN] = {assist_begin, false}, [RT_ASSIST_END] = {assist_end, false},
		[RT_SWEEP_BEGIN] = {sweep_begin, false},   [RT_SWEEP_END] = {sweep_end, false},
		[RT_PROC_START] = {start, true},           [RT_PROC_STOP] = {stop, true},
		[RT_PROC_STEAL] = {steal, true},           [RT_PROCS] = {procs, false},
	};
	struct actor a;

	if (ev->kind >= sizeof(kinds) / sizeof(kinds[0]) || !kinds[ev->kind].fn ||
	    !actor_find_thread(r, &a, ev->tgid, ev->h.tid, ev->p))
		return;
	if (kinds[ev->kind].about_p)
		a.g = goroutine_find(a.ps, ev->gp);
	else if (ev->gp && !actor_find_goroutine(r, &a, ev->gp, ev->goid))
		return;
	kinds[ev->kind].fn(r, &a, ev);
}

void on_snap_gc(struct replay *r, const struct ev_snap_gc *ev)
{
	struct process *ps = process_find(r, ev->tgid);

	if (!ps || ps->ready || ps->gc_known)
		return;
	ps->gc.open = ev->marking == 1;
	ps->gc.since = r->now;
}

void worker_started(struct replay *r, struct goroutine *g)
{
	static const char *const labels[] = {
		[GC_WORKER_DEDICATED] = "GC (dedicated)",
		[GC_WORKER_FRACTIONAL] = "GC (fractional)",
		[GC_WORKER_IDLE] = "GC (idle)",
	};
	struct label_change c = {
		.g = g, .p = g->m->p, .m = g->m, .label = labels[g->worker], .gc_worker = true};

	if (c.label)
		tell_label(r, &c);
	g->worker = GC_WORKER_NONE;
}

void on_sample(struct replay *r, const struct ev_sample *ev)
{
	struct thread *t = thread_get(r, ev->h.tid, ev->tgid);
	struct cpu_sample c = {
		.t = t,
		.cpu = (int)ev->cpu,
		.stack = ev->stack,
		.in_kernel = ev->flags & SAMPLE_KERNEL,
	};

	if (!t)
		return;
	if (t->g && t->g->addr == ev->ctx.curg)
		c.g = t->g;
	if (t->p && t->p->addr == ev->ctx.p)
		c.p = t->p;
	tell_sample(r, &c);
}
