// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/report/procs.h"

static void advance(struct procs *ps, uint64_t time)
{
	uint64_t ns = ps->since && time > ps->since ? time - ps->since : 0;

	ps->all_ns += ns * (ps->n ? ps->n : ps->known);
	ps->running_ns += ns * ps->running;
	ps->syscall_ns += ns * ps->syscall;
	if (time > ps->since)
		ps->since = time;
}

static void move(struct procs *ps, enum p_state from, enum p_state to)
{
	ps->running -= from == P_RUNNING && ps->running;
	ps->syscall -= from == P_SYSCALL && ps->syscall;
	ps->running += to == P_RUNNING;
	ps->syscall += to == P_SYSCALL;
}

void procs_set(struct procs *ps, const struct procs_change *c)
{
	advance(ps, c->time);
	if (!ps->n) {
		ps->min = ps->max = c->n;
	} else if (ps->n != c->n) {
		ps->changes++;
		ps->min = c->n < ps->min ? c->n : ps->min;
		ps->max = c->n > ps->max ? c->n : ps->max;
	}
	ps->n = c->n;
}

void procs_change(struct procs *ps, const struct p_change *c)
{
	advance(ps, c->time);
	ps->known += c->cause == P_INIT;
	move(ps, c->cause == P_INIT ? P_IDLE : c->from, c->to);
}

void procs_goroutine(struct procs *ps, const struct g_change *c)
{
	if (c->cause != G_SYSCALL_ENTER && c->cause != G_SYSCALL_RETURN)
		return;
	advance(ps, c->time);
	if (c->cause == G_SYSCALL_ENTER)
		move(ps, P_RUNNING, P_SYSCALL);
	else
		move(ps, P_SYSCALL, P_RUNNING);
}

void procs_close(struct procs *ps, uint64_t time)
{
	advance(ps, time);
}
