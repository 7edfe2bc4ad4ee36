/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Transitions of processors into events; see gotrace_go.c. */
#include <errno.h>
#include <stdlib.h>

#include "user/export/gotrace_state.h"

static int p_contradiction(struct gotrace *t, const struct p_change *c, const char *why)
{
	return wire_contradiction(t, c->time, "P", c->p->id, why);
}

void wire_steal(struct gotrace *t, struct wire_p *p, struct wire_m *thief, uint64_t time)
{
	uint32_t victim = p->m ? p->m->tid : p->abandoned_by;

	WIRE_EMIT(t, thief, time, WIRE_PROC_STEAL, (uint64_t)p->id, ++p->seq, victim);
	if (p->m)
		p->m->p = NULL;
	p->m = NULL;
	p->status = WIRE_P_IDLE;
}

void wire_start_p(struct gotrace *t, struct wire_p *p, struct wire_m *m, uint64_t time)
{
	range_start_p(t, p, time);
	WIRE_EMIT(t, m, time, WIRE_PROC_START, (uint64_t)p->id, ++p->seq);
	p->status = WIRE_P_RUNNING;
	p->m = m;
	m->p = p;
}

static int p_init(struct gotrace *t, const struct p_change *c)
{
	struct wire_m *m = NULL;
	struct wire_p *p;

	if (wire_find_p(t, c->p))
		return p_contradiction(t, c, "is there twice");
	if (c->to != P_IDLE) {
		m = c->m ? wire_get_m(t, c->m) : NULL;
		if (!m || m->p)
			return p_contradiction(t, c, "is on no thread, or one that has a P");
	}
	p = calloc(1, sizeof(*p));
	if (!p)
		return wire_no_memory(t);
	p->id = c->p->id;
	p->status = c->to == P_IDLE    ? WIRE_P_IDLE :
		    c->to == P_RUNNING ? WIRE_P_RUNNING :
					 WIRE_P_SYSCALL;
	p->m = m;
	if (m)
		m->p = p;
	HASH_ADD(hh, t->ps, id, sizeof(p->id), p);
	if (t->gen)
		wire_announce_p(t, p, c->time);
	return 0;
}

static int p_start(struct gotrace *t, struct wire_p *p, const struct p_change *c)
{
	struct wire_m *m = c->m ? wire_get_m(t, c->m) : NULL;

	if (!m || m->p)
		return p_contradiction(t, c, "starts on no thread, or one that has a P");
	if (p->status == WIRE_P_ABANDONED)
		wire_steal(t, p, m, c->time);
	if (p->status != WIRE_P_IDLE)
		return p_contradiction(t, c, "starts but is not idle");
	wire_start_p(t, p, m, c->time);
	return 0;
}

static int p_stop(struct gotrace *t, struct wire_p *p, const struct p_change *c)
{
	struct wire_m *m = c->m ? wire_get_m(t, c->m) : p->m;

	if (m && p->status == WIRE_P_ABANDONED) {
		wire_steal(t, p, m, c->time);
		return 0;
	}
	if (!p->m || p->m != m)
		return p_contradiction(t, c, "stops on a thread that does not have it");
	if (m->g && m->g->status == WIRE_G_RUNNING)
		return p_contradiction(t, c, "stops under a running goroutine");
	range_stop_p(t, p, c->time);
	WIRE_EMIT(t, m, c->time, WIRE_PROC_STOP);
	m->p = NULL;
	p->m = NULL;
	p->status = WIRE_P_IDLE;
	return 0;
}

static int p_steal(struct gotrace *t, struct wire_p *p, const struct p_change *c)
{
	struct wire_m *thief = c->m ? wire_get_m(t, c->m) : NULL;

	if (p->status != WIRE_P_SYSCALL && p->status != WIRE_P_ABANDONED)
		return p_contradiction(t, c, "is taken away but is in no system call");
	if (p->m && c->victim && p->m->tid != c->victim->tid)
		return p_contradiction(t, c, "is taken from a thread that does not have it");
	/* without a thief it is as if the thread had given it up itself */
	if (!thief)
		thief = p->m;
	if (!thief && c->victim)
		thief = wire_get_m(t, c->victim);
	if (!thief)
		return p_contradiction(t, c, "is taken away by nobody");
	wire_steal(t, p, thief, c->time);
	return 0;
}

int wire_change_p(struct gotrace *t, const struct p_change *c)
{
	struct wire_p *p = wire_find_p(t, c->p);

	if (c->cause == P_INIT)
		return p_init(t, c);
	if (!p)
		return p_contradiction(t, c, "is not known");
	switch (c->cause) {
	case P_START:
		return p_start(t, p, c);
	case P_STOP:
		return p_stop(t, p, c);
	case P_STEAL:
		return p_steal(t, p, c);
	default:
		return p_contradiction(t, c, "changes for an unknown cause");
	}
}
