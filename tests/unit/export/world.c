// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tests/unit/export/world.h"

#include <stdlib.h>
#include <string.h>

#define TELL(w, op, ...)                                                                          \
	do {                                                                                      \
		int err_ = (w)->sink.ops->op ? (w)->sink.ops->op((w)->sink.ctx, __VA_ARGS__) : 0; \
		if (err_ && !(w)->err)                                                            \
			(w)->err = err_;                                                          \
	} while (0)

void world_init(struct world *w, uint64_t begin)
{
	memset(w, 0, sizeof(*w));
	w->now = begin;
	w->symbols = symbols_new();
	w->ps.tgid = 4000;
	for (unsigned int i = 0; i < WORLD_MAX; i++) {
		w->m[i].tid = 4000 + i;
		w->m[i].tgid = w->ps.tgid;
		w->m[i].process = &w->ps;
		w->m[i].sys_nr = -1;
		w->p[i].id = (int)i;
		w->p[i].process = &w->ps;
	}
}

void world_free(struct world *w)
{
	symbols_free(w->symbols);
}

struct proc *world_p(struct world *w, enum p_state state, struct thread *m)
{
	struct proc *p = &w->p[w->np++];

	p->state = state;
	p->m = m;
	if (m)
		m->p = p;
	return p;
}

struct goroutine *world_new_g(struct world *w, uint64_t id)
{
	struct goroutine *g = NULL;

	for (unsigned int i = 0; i < w->ng && !g; i++) {
		if (w->g[i].state == G_DEAD)
			g = &w->g[i];
	}
	if (!g)
		g = &w->g[w->ng++];
	memset(g, 0, sizeof(*g));
	g->id = id;
	g->serial = ++w->serial;
	g->process = &w->ps;
	g->reason = "";
	return g;
}

struct goroutine *world_g(struct world *w, uint64_t id, enum g_state state, struct thread *m)
{
	struct goroutine *g = world_new_g(w, id);

	g->state = state;
	g->m = m;
	if (m)
		m->g = g;
	return g;
}

void world_begin(struct world *w)
{
	TELL(w, process, &w->ps, w->now);
	for (unsigned int i = 0; i < w->np; i++) {
		struct p_change c = {
			.time = w->now,
			.p = &w->p[i],
			.from = P_IDLE,
			.to = w->p[i].state,
			.cause = P_INIT,
			.m = w->p[i].m,
		};

		TELL(w, processor, &c);
	}
	for (unsigned int i = 0; i < w->ng; i++) {
		struct g_change c = {
			.time = w->now,
			.g = &w->g[i],
			.from = G_DEAD,
			.to = w->g[i].state,
			.cause = G_INIT,
			.m = w->g[i].m,
			.p = w->g[i].m ? w->g[i].m->p : NULL,
			.reason = w->g[i].reason,
			.block = "",
			.stack = w->g[i].stack,
		};

		w->g[i].since = w->now;
		TELL(w, goroutine, &c);
	}
	w->now += WORLD_STEP;
}

static enum g_state state_after(enum g_cause cause, enum g_state now)
{
	static const enum g_state to[G_CAUSES] = {
		[G_CREATE] = G_RUNNABLE,
		[G_CREATE_BLOCKED] = G_WAITING,
		[G_START] = G_RUNNING,
		[G_STOP] = G_RUNNABLE,
		[G_BLOCK] = G_WAITING,
		[G_UNBLOCK] = G_RUNNABLE,
		[G_SYSCALL_ENTER] = G_SYSCALL,
		[G_SYSCALL_RETURN] = G_RUNNING,
		[G_SYSCALL_LOST] = G_RUNNABLE,
		[G_SWITCH_OUT] = G_WAITING,
		[G_SWITCH_EXIT] = G_DEAD,
		[G_SWITCH_IN] = G_RUNNING,
		[G_EXIT] = G_DEAD,
		[G_EXTRA_ENTER] = G_SYSCALL,
		[G_EXTRA_LEAVE] = G_DEAD,
	};

	return cause == G_INIT ? now : to[cause];
}

static void step_g(struct world *w, enum g_cause cause, struct goroutine *g, struct thread *m,
		   const struct with *with)
{
	struct g_change c = {
		.time = w->now,
		.since = g->since,
		.g = g,
		.from = g->state,
		.to = state_after(cause, g->state),
		.cause = cause,
		.m = m,
		.p = m ? m->p : NULL,
		.other = with->other,
		.reason = with->reason ? with->reason : "",
		.block = with->block ? with->block : "",
		.stack = with->stack,
		.skip = with->skip,
	};

	if (g->m)
		g->m->g = NULL;
	g->m = NULL;
	if (c.to == G_RUNNING || c.to == G_SYSCALL) {
		g->m = m;
		m->g = g;
	}
	g->state = c.to;
	g->since = c.time;
	if (cause == G_SYSCALL_ENTER)
		m->p->state = P_SYSCALL;
	if (cause == G_SYSCALL_RETURN)
		m->p->state = P_RUNNING;
	TELL(w, goroutine, &c);
}

void world_go(struct world *w, enum g_cause cause, struct goroutine *g, struct thread *m,
	      const struct with *with)
{
	static const struct with nothing;

	if (!with)
		with = &nothing;
	step_g(w, cause, g, m, with);
	if (cause == G_SWITCH_OUT || cause == G_SWITCH_EXIT) {
		const struct with back = {.other = g};

		step_g(w, G_SWITCH_IN, with->other, m, &back);
	}
	w->now += WORLD_STEP;
}

void world_proc(struct world *w, enum p_cause cause, struct proc *p, struct thread *m)
{
	struct p_change c = {
		.time = w->now,
		.p = p,
		.from = p->state,
		.to = cause == P_START ? P_RUNNING : P_IDLE,
		.cause = cause,
		.m = m,
		.victim = cause == P_STEAL ? p->m : NULL,
	};

	if (p->m)
		p->m->p = NULL;
	p->m = NULL;
	if (c.to == P_RUNNING) {
		p->m = m;
		m->p = p;
	}
	p->state = c.to;
	TELL(w, processor, &c);
	w->now += WORLD_STEP;
}

void world_range(struct world *w, struct range_change c)
{
	c.time = w->now;
	c.process = &w->ps;
	c.name = c.name ? c.name : "";
	TELL(w, range, &c);
	w->now += WORLD_STEP;
}

void world_procs(struct world *w, struct procs_change c)
{
	c.time = w->now;
	c.process = &w->ps;
	TELL(w, procs, &c);
	w->now += WORLD_STEP;
}

void world_user(struct world *w, struct user_change c)
{
	c.time = w->now;
	c.name = c.name ? c.name : "";
	c.text = c.text ? c.text : "";
	TELL(w, user, &c);
	w->now += WORLD_STEP;
}

void world_label(struct world *w, struct label_change c)
{
	c.time = w->now;
	TELL(w, label, &c);
	w->now += WORLD_STEP;
}

void world_heap(struct world *w, uint64_t live, uint64_t goal)
{
	struct heap_change c = {.time = w->now, .process = &w->ps, .live = live, .goal = goal};

	TELL(w, heap, &c);
	w->now += WORLD_STEP;
}

void world_sample(struct world *w, struct cpu_sample c)
{
	c.time = w->now;
	TELL(w, sample, &c);
	w->now += WORLD_STEP;
}

void world_lose(struct world *w, enum loss_class class, uint64_t count, uint64_t since)
{
	struct ev_loss l = {
		.h = {.time_ns = w->now, .type = EV_LOSS, .size = sizeof(l)},
		.loss_class = class,
		.count = count,
		.since_ns = since,
	};

	TELL(w, loss, &l);
}

void world_shed(struct world *w, struct ev_shed s)
{
	s.h.time_ns = w->now;
	TELL(w, shed, &s);
}

void world_end(struct world *w)
{
	struct replay_totals totals = {.end_ns = w->now};
	struct error e;

	TELL(w, end, &totals, &e);
}

void world_symbol(struct world *w, uint64_t pc, const char *func, const char *file, uint32_t line)
{
	size_t nfunc = strlen(func), nfile = strlen(file);
	size_t size = sizeof(struct ev_symbol) + sizeof(struct ev_frame) + nfunc + nfile;
	struct ev_symbol *ev = calloc(1, (size + 7) & ~(size_t)7);
	struct ev_frame frame = {
		.pc = pc - 1,
		.line = line,
		.func_len = (uint16_t)nfunc,
		.file_len = (uint16_t)nfile,
	};
	char *at = (char *)(ev + 1);

	ev->tgid = w->ps.tgid;
	ev->n = 1;
	ev->pc = pc;
	memcpy(at, &frame, sizeof(frame));
	memcpy(at + sizeof(frame), func, nfunc);
	memcpy(at + sizeof(frame) + nfunc, file, nfile);
	symbols_add_symbol(w->symbols, ev);
	free(ev);
}

void world_stack(struct world *w, uint64_t id, const uint64_t *pcs, unsigned int n)
{
	struct ev_stack *ev = calloc(1, sizeof(*ev) + n * sizeof(*pcs));

	ev->id = id;
	ev->tgid = w->ps.tgid;
	ev->n = (uint16_t)n;
	memcpy(ev->pc, pcs, n * sizeof(*pcs));
	symbols_add_stack(w->symbols, ev);
	free(ev);
}
