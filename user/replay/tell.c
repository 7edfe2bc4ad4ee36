/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What is told besides the steps of apply.c, and the first state of a process. */
#include "user/replay/tell.h"

#include "user/replay/crowd.h"

bool is_blind(const struct replay *r, const struct process *ps)
{
	return r->blind || (ps && ps->blind);
}

uint64_t blind_until(const struct replay *r, const struct process *ps)
{
	return ps && ps->blind_until > r->blind_until ? ps->blind_until : r->blind_until;
}

bool is_sure(const struct replay *r, const struct goroutine *g)
{
	uint64_t blind = blind_until(r, g->process);

	return !is_blind(r, g->process) && g->since > r->lost_until && g->since > blind &&
	       (!blind || g->proven > blind);
}

/* Without probes anything may have happened, with goroutines nobody has heard of, too. */
static bool is_expected(const struct replay *r, const struct process *ps, const struct goroutine *g,
			const struct proc *p)
{
	uint64_t blind = blind_until(r, ps);

	if (is_blind(r, ps) || !blind)
		return is_blind(r, ps);
	if (g)
		return g->proven <= blind;
	return !p || p->since <= blind;
}

void tell_repair(struct replay *r, struct process *ps, const char *what, struct goroutine *g,
		 struct proc *p, struct thread *t)
{
	struct repair rep = {.process = ps, .what = what, .g = g, .p = p, .m = t};

	if (!loud(ps))
		return;
	if (is_expected(r, ps, g, p)) {
		r->totals.recovered++;
		return;
	}
	rep.time = stamp(r);
	r->totals.repairs++;
	TELL(r, repair, &rep);
}

void tell_syscall(struct replay *r, const struct syscall_span *s)
{
	if (s->t->process ? loud(s->t->process) : r->system_ready)
		TELL(r, syscall, s);
}

void tell_span(struct replay *r, const struct thread_span *s)
{
	if (loud(s->t->process))
		TELL(r, span, s);
}

void tell_procs(struct replay *r, const struct procs_change *c)
{
	struct procs_change change = *c;

	if (!loud(c->process))
		return;
	change.time = stamp(r);
	TELL(r, procs, &change);
}

void tell_user(struct replay *r, const struct user_change *c)
{
	struct user_change change = *c;

	if (!loud(c->g->process))
		return;
	change.time = stamp_at(r, c->time);
	TELL(r, user, &change);
}

void tell_label(struct replay *r, const struct label_change *c)
{
	struct label_change change = *c;

	if (!loud(c->g->process))
		return;
	change.time = stamp(r);
	TELL(r, label, &change);
}

void tell_heap(struct replay *r, const struct ev_heap *ev)
{
	struct process *ps = process_find(r, ev->tgid);
	struct heap_change c = {.process = ps, .live = ev->live, .goal = ev->goal};

	if (!ps || !loud(ps))
		return;
	c.time = stamp(r);
	TELL(r, heap, &c);
}

/* Beside the transitions, as those of threads. */
void tell_sample(struct replay *r, const struct cpu_sample *c)
{
	struct cpu_sample sample = *c;

	if (!(c->t->process ? loud(c->t->process) : r->system_ready))
		return;
	sample.time = r->now > r->last ? r->now : r->last;
	TELL(r, sample, &sample);
}

/* GOMAXPROCS grew. */
void tell_new_proc(struct replay *r, struct proc *p)
{
	struct p_change c = {.p = p, .from = P_IDLE, .to = P_IDLE, .cause = P_INIT};

	if (!loud(p->process) || p->process->bare)
		return;
	c.time = p->since = stamp(r);
	TELL(r, processor, &c);
}

void tell_gone(struct replay *r, struct process *ps, enum gone_how how)
{
	if (!loud(ps))
		return;
	TELL(r, gone, ps, how, stamp(r));
	ps->gone = true;
}

void tell_loss(struct replay *r, const struct ev_loss *l)
{
	struct ev_loss told = *l;

	r->totals.lost += l->count;
	if (l->loss_class != LOSS_STACK && l->loss_class != LOSS_SAMPLE)
		r->lost_until = r->now;
	r->totals.loss_by_class[l->loss_class] += l->count;
	/* A window that begins after its end, or before anything, says nothing. */
	if (told.since_ns > told.h.time_ns)
		told.since_ns = told.h.time_ns;
	TELL(r, loss, &told);
}

void tell_notice(struct replay *r, const struct ev_notice *n)
{
	TELL(r, notice, n);
}

void tell_shed(struct replay *r, const struct ev_shed *s)
{
	TELL(r, shed, s);
}

void tell_missing(struct replay *r, const struct ev_missing *m)
{
	TELL(r, missing, m);
}

void tell_site(struct replay *r, const struct ev_site *s)
{
	TELL(r, site, s);
}

void tell_end(struct replay *r, struct error *e)
{
	TELL(r, end, &r->totals, e);
}

static void tell_threads_at_start(struct replay *r, const struct process *ps, uint64_t time)
{
	struct thread *t, *tmp;

	HASH_ITER(hh, r->threads, t, tmp) {
		struct t_change c = {
			.time = time,
			.since = time,
			.t = t,
			.from = T_UNKNOWN,
			.to = t->state,
			.cpu = t->cpu,
			.by_comm = "",
		};

		if (t->process != ps)
			continue;
		t->since = time;
		TELL(r, thread, &c);
	}
}

static void tell_init(struct replay *r, struct goroutine *g, uint64_t time, bool knows_crowd)
{
	const struct g_change c = {
		.time = time,
		.g = g,
		.from = G_DEAD,
		.to = g->state,
		.cause = G_INIT,
		.m = g->m,
		.p = g->m ? g->m->p : NULL,
		.reason = g->reason,
		.block = g->state == G_WAITING ? reason_block(g->reason) : "",
		.stack = g->stack,
	};

	for (size_t i = 0; i < r->nsinks && !r->status; i++) {
		const struct sink *s = &r->sinks[i];
		int err = 0;

		if (s->ops->goroutine && s->ops->knows_crowd == knows_crowd)
			err = s->ops->goroutine(s->ctx, &c);
		if (err < 0)
			r->status = err;
	}
}

void tell_late(struct replay *r, struct goroutine *g)
{
	if (loud(g->process))
		tell_init(r, g, g->process->ready_ns, true);
}

static void tell_goroutines_at_start(struct replay *r, struct process *ps, uint64_t time)
{
	struct goroutine *g, *tmp, quiet;
	size_t at = 0;

	r->serial += crowd_number(ps->crowd, r->serial + 1);
	HASH_ITER(hh, ps->goroutines, g, tmp) {
		g->since = time;
		tell_init(r, g, time, true);
		tell_init(r, g, time, false);
	}
	while (!r->status && crowd_next(ps->crowd, &at, &quiet)) {
		quiet.process = ps;
		quiet.since = time;
		tell_init(r, &quiet, time, false);
	}
}

/* The process's first state is complete: tell all of it, at one moment. */
void tell_ready(struct replay *r, struct process *ps)
{
	uint64_t time;
	unsigned int n = 0;
	struct proc *p, *ptmp;

	ps->ready = true;
	process_forget_ends(ps);
	time = stamp(r);
	ps->ready_ns = time;
	TELL(r, process, ps, time);
	if (ps->bare) {
		tell_threads_at_start(r, ps, time);
		return;
	}
	HASH_ITER(hh, ps->procs, p, ptmp) {
		struct p_change c = {
			.time = time,
			.p = p,
			.from = P_IDLE,
			.to = p->state,
			.cause = P_INIT,
			.m = p->m,
		};

		if (p->spare)
			continue;
		n++;
		p->since = time;
		TELL(r, processor, &c);
	}
	if (!ps->no_kernel)
		tell_threads_at_start(r, ps, time);
	tell_goroutines_at_start(r, ps, time);
	ranges_at_start(r, ps, time);
	if (n) {
		struct procs_change c = {
			.time = time, .process = ps, .n = n, .flags = CHANGE_INITIAL};

		TELL(r, procs, &c);
	}
}
