// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tests/unit/export/random.h"

uint64_t rnd(struct random *r, uint64_t n)
{
	/* splitmix64, Sebastiano Vigna, public domain */
	uint64_t z = r->seed += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (z ^ z >> 31) % n;
}

struct thread *any_thread(struct random *r)
{
	return &r->w.m[rnd(r, THREADS)];
}

struct goroutine *any_g(struct random *r, enum g_state state)
{
	uint64_t from = rnd(r, GOROUTINES);

	for (unsigned int i = 0; i < r->w.ng; i++) {
		struct goroutine *g = &r->w.g[(from + i) % r->w.ng];

		if (g->state == state)
			return g;
	}
	return NULL;
}

static struct proc *any_p(struct random *r, enum p_state state)
{
	uint64_t from = rnd(r, PROCS);

	for (unsigned int i = 0; i < r->w.np; i++) {
		struct proc *p = &r->w.p[(from + i) % r->w.np];

		if (p->state == state)
			return p;
	}
	return NULL;
}

static bool room_for_g(const struct random *r)
{
	if (r->w.ng < GOROUTINES)
		return true;
	for (unsigned int i = 0; i < r->w.ng; i++) {
		if (r->w.g[i].state == G_DEAD)
			return true;
	}
	return false;
}

static struct with with_stack(struct random *r)
{
	static const char *const blocks[] = {"chan receive", "network", "select", "sync", ""};

	return (struct with){
		.stack = rnd(r, STACKS + 20), /* some are none, some unknown */
		.skip = (int)rnd(r, 4) - 1,
		.block = blocks[rnd(r, 5)],
	};
}

static bool create(struct random *r, struct thread *m, enum g_cause cause)
{
	struct with with = with_stack(r);
	struct goroutine *g;

	if (!room_for_g(r) || !m->p || m->p->state != P_RUNNING)
		return false;
	g = world_new_g(&r->w, rnd(r, 50) ? ++r->goid : 0);
	g->start_pc = rnd(r, 3) ? 0x10001 + rnd(r, 300) : 0;
	with.other = m->g;
	world_go(&r->w, cause, g, m, &with);
	return true;
}

bool is_worker(const struct goroutine *g)
{
	return g->id % 16 == 5;
}

/* A goroutine runs on m. */
static bool step_running(struct random *r, struct thread *m)
{
	struct with with = with_stack(r);
	struct goroutine *g = m->g, *other = any_g(r, G_WAITING);

	switch (rnd(r, 12)) {
	case 0:
	case 1:
		return create(r, m, G_CREATE);
	case 2:
		world_go(&r->w, G_STOP, g, m, &with);
		return true;
	case 3:
	case 4:
	case 5:
		world_go(&r->w, G_BLOCK, g, m, &with);
		return true;
	case 6:
		if (rnd(r, 3))
			return false;
		world_go(&r->w, G_EXIT, g, m, &with);
		return true;
	case 7:
	case 8:
		if (is_worker(g))
			return false;
		world_go(&r->w, G_SYSCALL_ENTER, g, m, &with);
		return true;
	case 9:
		return r->coroutines && create(r, m, G_CREATE_BLOCKED);
	default:
		if (!r->coroutines || !other)
			return false;
		with.other = other;
		world_go(&r->w, rnd(r, 4) ? G_SWITCH_OUT : G_SWITCH_EXIT, g, m, &with);
		return true;
	}
}

/* A goroutine is in a syscall on m. */
static bool step_syscall(struct random *r, struct thread *m)
{
	struct with with = with_stack(r);
	struct thread *thief = any_thread(r);
	struct goroutine *g = m->g;
	struct proc *p = any_p(r, P_IDLE);

	if (m->p && m->p->state == P_SYSCALL) {
		switch (rnd(r, 5)) {
		case 0:
			world_proc(&r->w, P_STOP, m->p, m);
			return true;
		case 1:
			world_proc(&r->w, P_STEAL, m->p, rnd(r, 4) ? thief : NULL);
			return true;
		case 2:
			if (rnd(r, 5))
				return false;
			/* the P stays with the thread; see step_left() */
			world_go(&r->w, G_EXTRA_LEAVE, g, m, &with);
			return true;
		default:
			world_go(&r->w, G_SYSCALL_RETURN, g, m, &with);
			return true;
		}
	}
	switch (rnd(r, 3)) {
	case 0:
		if (m->p || !p)
			return false;
		world_proc(&r->w, P_START, p, m);
		return true;
	case 1:
		if (m->p || rnd(r, 10))
			return false;
		world_go(&r->w, G_EXTRA_LEAVE, g, m, &with);
		return true;
	default:
		world_go(&r->w, G_SYSCALL_LOST, g, m, &with);
		return true;
	}
}

/* A thread that left Go with its P: it comes back to it, or the P is taken. */
static bool step_left(struct random *r, struct thread *m)
{
	struct with with = with_stack(r);

	switch (rnd(r, 4)) {
	case 0:
		world_proc(&r->w, P_STEAL, m->p, rnd(r, 4) ? any_thread(r) : m);
		return true;
	case 1:
		world_proc(&r->w, P_STOP, m->p, m);
		return true;
	default:
		if (!room_for_g(r))
			return false;
		world_go(&r->w, G_EXTRA_ENTER, world_new_g(&r->w, ++r->goid), m, &with);
		return true;
	}
}

/* No goroutine on m. */
static bool step_free(struct random *r, struct thread *m)
{
	struct with with = with_stack(r);
	struct goroutine *g;
	struct proc *p = any_p(r, P_IDLE);

	if (m->p && m->p->state == P_SYSCALL)
		return step_left(r, m);
	switch (rnd(r, 8)) {
	case 0:
		if (!m->p)
			return false;
		world_proc(&r->w, P_STOP, m->p, m);
		return true;
	case 1:
		return create(r, m, G_CREATE);
	case 2:
		if (m->p || !room_for_g(r) || rnd(r, 10))
			return false;
		world_go(&r->w, G_EXTRA_ENTER, world_new_g(&r->w, ++r->goid), m, &with);
		return true;
	default:
		if (!m->p) {
			if (!p)
				return false;
			world_proc(&r->w, P_START, p, m);
			return true;
		}
		g = any_g(r, G_RUNNABLE);
		if (!g)
			return false;
		world_go(&r->w, G_START, g, m, &with);
		return true;
	}
}

static bool step_other(struct random *r)
{
	struct with with = with_stack(r);
	struct goroutine *g = any_g(r, G_WAITING);
	struct thread *m = any_thread(r);

	if (!rnd(r, 100)) {
		/* within this generation or long before */
		world_lose(&r->w, rnd(r, LOSS_CLASSES), 1 + rnd(r, 1000),
			   r->w.now - rnd(r, rnd(r, 2) ? 100000000 : r->w.now));
		return false;
	}
	if (r->w.np < PROCS && !rnd(r, 200)) {
		struct p_change c = {.time = r->w.now, .p = world_p(&r->w, P_IDLE, NULL)};

		if (r->w.sink.ops->processor(r->w.sink.ctx, &c))
			r->w.err = -1;
		r->w.now += WORLD_STEP;
		return true;
	}
	if (!g)
		return false;
	with.other = m->g;
	world_go(&r->w, G_UNBLOCK, g, rnd(r, 5) ? m : NULL, &with);
	return true;
}

void random_step(struct random *r)
{
	struct thread *m = any_thread(r);
	bool done;

	/* mostly busy, sometimes nothing for milliseconds, rarely for seconds */
	r->w.now += rnd(r, 20) ? rnd(r, 50000) : rnd(r, 5000000);
	if (!rnd(r, 3000))
		r->w.now += rnd(r, 5000000000);
	if (!rnd(r, 4))
		random_besides(r);
	if (!rnd(r, 3))
		done = step_other(r);
	else if (!m->g)
		done = step_free(r, m);
	else if (m->g->state == G_RUNNING)
		done = step_running(r, m);
	else
		done = step_syscall(r, m);
	r->steps += done;
}
