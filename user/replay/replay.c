/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "user/replay/replay.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/replay/internal.h"
#include "user/replay/tell.h"

static const struct replay_limits usual_limits = {
	.goroutines = 1U << 21,
	.crowd = 1U << 24,
	.threads = 1U << 20,
	.processes = 1U << 12,
	.procs = 1U << 16,
	.regions = 1U << 18,
	.stack_bytes = 256U << 20,
	.symbol_bytes = 256U << 20,
	.string_bytes = 16U << 20,
};

void replay_set_limits(struct replay *r, const struct replay_limits *limits)
{
	r->limits = *limits;
	symbols_limit(r->symbols, limits->stack_bytes, limits->symbol_bytes);
}

int replay_new(struct replay **out, struct error *e)
{
	struct replay *r = calloc(1, sizeof(*r));

	if (r)
		r->symbols = symbols_new();
	if (!r || !r->symbols) {
		free(r);
		return error_set(e, EXIT_FAILED, -ENOMEM, "replay: out of memory");
	}
	replay_set_limits(r, &usual_limits);
	*out = r;
	return 0;
}

void replay_add_sink(struct replay *r, struct sink sink)
{
	assert(r->nsinks < REPLAY_MAX_SINKS);
	r->sinks[r->nsinks++] = sink;
}

/* What threads did as it began is worth nothing where nobody will see them do something else. */
static void forget_threads(struct replay *r, const struct process *ps)
{
	struct thread *t, *tmp;

	HASH_ITER(hh, r->threads, t, tmp) {
		if (t->process != ps || t->state == T_DEAD)
			continue;
		t->state = T_UNKNOWN;
		t->asleep = 0;
		t->sys_nr = -1;
		t->cut.nr = -1;
	}
}

static void begin(struct replay *r, struct process *ps, bool no_kernel)
{
	ps->no_kernel = no_kernel;
	if (no_kernel)
		forget_threads(r, ps);
	tell_ready(r, ps);
}

static void on_ready(struct replay *r, const struct ev_ready *ev)
{
	struct process *ps = process_find(r, ev->tgid);

	if (!r->begun) {
		r->begun = true;
		r->totals.begin_ns = r->now;
	}
	if (!ev->tgid)
		r->system_ready = true;
	else if (ps && !ps->ready && ev->flags & READY_BARE)
		bare_begin(r, ps);
	else if (ps && !ps->ready)
		begin(r, ps, ev->flags & READY_NO_KERNEL);
}

static void on_string(struct replay *r, const struct ev_string *ev)
{
	struct process *ps = process_find(r, ev->tgid);

	if (ps)
		process_set_string(ps, ev->kind, ev->number, ev->text);
}

static void on_end(struct replay *r, const struct ev_end *ev)
{
	r->totals.ended = true;
	r->totals.why = ev->why;
}

static void worst(__u64 *of, __u64 other)
{
	*of = other > *of ? other : *of;
}

static void on_inline(struct replay *r, const struct ev_inline *ev)
{
	struct ev_inline *sum = &r->totals.inlined;

	sum->sites += ev->sites;
	sum->hits += ev->hits;
	sum->memory_kib += ev->memory_kib;
	sum->threads = ev->pause_ns > sum->pause_ns ? ev->threads : sum->threads;
	worst(&sum->hit_ns, ev->hit_ns);
	worst(&sum->pause_ns, ev->pause_ns);
	worst(&sum->clock_ns, ev->clock_ns);
}

static void on_damage(struct replay *r, const struct ev_damage *ev)
{
	struct process *ps = process_find(r, ev->tgid);

	if (ps)
		TELL(r, damage, ps, ev);
}

static void on_gone(struct replay *r, const struct ev_gone *ev)
{
	struct process *ps = process_find(r, ev->tgid);

	if (ps)
		tell_gone(r, ps, ev->how);
}

static void on_loss(struct replay *r, const struct ev_loss *ev)
{
	if (ev->loss_class < LOSS_CLASSES)
		tell_loss(r, ev);
}

/* What probes announced and nobody will see done is not waited for; NULL: in all processes. */
static void go_blind(struct replay *r, struct process *only)
{
	struct process *ps, *ptmp;
	struct thread *t, *ttmp;

	HASH_ITER(hh, r->processes, ps, ptmp)
		if (!only || ps == only)
			ranges_go_blind(r, ps);
	HASH_ITER(hh, r->threads, t, ttmp) {
		if (only && t->process != only)
			continue;
		t->unsettled = false;
		t->switched_off = 0;
	}
}

static void on_shed(struct replay *r, const struct ev_shed *ev)
{
	bool turns = ev->what == SHED_PROBES_OFF || ev->what == SHED_PROBES_ON;
	bool off = ev->what == SHED_PROBES_OFF;
	struct process *ps = ev->h.tid ? process_find(r, ev->h.tid) : NULL;

	tell_shed(r, ev);
	if (!turns || (ev->h.tid && !ps))
		return;
	*(ps ? &ps->blind : &r->blind) = off;
	if (off)
		go_blind(r, ps);
	*(ps ? &ps->blind_until : &r->blind_until) = r->now;
	if (!ps)
		r->lost_until = r->now;
}

static void note_kept(struct replay *r, enum beyond what, int err)
{
	if (err == -ENOSPC)
		note_beyond(r, what);
	else if (err)
		r->status = err;
}

int replay_event(struct replay *r, const struct event_head *ev, struct error *e)
{
	/* The file is in time order; a stray record must not turn time back. */
	if (ev->time_ns > r->now)
		r->now = ev->time_ns;
	if (ev->type < EV_USER_FIRST)
		r->totals.events++;
	if (r->nstarts)
		user_before(r, ev);

	switch (ev->type) {
	case EV_SWITCH:
		on_switch(r, (const void *)ev);
		break;
	case EV_WAKEUP:
		on_wakeup(r, (const void *)ev);
		break;
	case EV_FORK:
	case EV_EXEC:
	case EV_EXIT:
		on_task(r, (const void *)ev);
		break;
	case EV_SYS_ENTER:
		on_sys_enter(r, (const void *)ev);
		break;
	case EV_SYS_EXIT:
		on_sys_exit(r, (const void *)ev);
		break;
	case EV_GOROUTINE:
		on_goroutine_seen(r, (const void *)ev);
		break;
	case EV_OFF_CPU:
		on_off_cpu(r, (const void *)ev);
		break;
	case EV_GO:
	case EV_GO_CREATE:
		on_go(r, (const void *)ev);
		break;
	case EV_RUNTIME:
		on_runtime(r, (const void *)ev);
		break;
	case EV_USER:
		on_user(r, (const void *)ev);
		break;
	case EV_SAMPLE:
		on_sample(r, (const void *)ev);
		break;
	case EV_STACK:
		note_kept(r, BEYOND_STACKS, symbols_add_stack(r->symbols, (const void *)ev));
		break;
	case EV_TARGET:
		on_target(r, (const void *)ev);
		break;
	case EV_PROCESS:
		on_process(r, (const void *)ev);
		break;
	case EV_STRING:
		on_string(r, (const void *)ev);
		break;
	case EV_TASK:
		on_task_state(r, (const void *)ev);
		break;
	case EV_SNAP_P:
		on_snap_p(r, (const void *)ev);
		break;
	case EV_SNAP_M:
		on_snap_m(r, (const void *)ev);
		break;
	case EV_SNAP_G:
		on_snap_g(r, (const void *)ev);
		break;
	case EV_SNAP_GC:
		on_snap_gc(r, (const void *)ev);
		break;
	case EV_HEAP:
		tell_heap(r, (const void *)ev);
		break;
	case EV_SHED:
		on_shed(r, (const void *)ev);
		break;
	case EV_MISSING:
		tell_missing(r, (const void *)ev);
		break;
	case EV_NOTICE:
		tell_notice(r, (const void *)ev);
		break;
	case EV_READY:
		on_ready(r, (const void *)ev);
		break;
	case EV_LOSS:
		on_loss(r, (const void *)ev);
		break;
	case EV_SYMBOL:
		note_kept(r, BEYOND_SYMBOLS, symbols_add_symbol(r->symbols, (const void *)ev));
		break;
	case EV_GONE:
		on_gone(r, (const void *)ev);
		break;
	case EV_SITE:
		tell_site(r, (const void *)ev);
		break;
	case EV_COST:
		r->totals.cost = *(const struct ev_cost *)ev;
		break;
	case EV_INLINE:
		on_inline(r, (const void *)ev);
		break;
	case EV_DAMAGE:
		on_damage(r, (const void *)ev);
		break;
	case EV_END:
		on_end(r, (const void *)ev);
		break;
	}
	if (r->status == -ENOMEM)
		return error_set(e, EXIT_FAILED, -ENOMEM, "replay: out of memory");
	if (r->status)
		return error_set(e, EXIT_FAILED, r->status, "replay: an output failed: %s",
				 strerror(-r->status));
	return 0;
}

int replay_finish(struct replay *r, struct error *e)
{
	user_before(r, NULL);
	r->totals.end_ns = r->now > r->last ? r->now : r->last;
	if (!r->begun)
		r->totals.begin_ns = r->totals.end_ns;
	tell_end(r, e);
	return r->status;
}

const struct symbols *replay_symbols(const struct replay *r)
{
	return r->symbols;
}

const struct replay_totals *replay_totals(const struct replay *r)
{
	return &r->totals;
}

struct process *replay_processes(const struct replay *r)
{
	return r->processes;
}

struct thread *replay_threads(const struct replay *r)
{
	return r->threads;
}

void replay_free(struct replay *r)
{
	if (!r)
		return;
	user_free(r);
	model_free(r);
	symbols_free(r->symbols);
	free(r);
}
