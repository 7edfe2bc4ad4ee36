/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "user/export/gotrace_state.h"
#include "user/replay/crowd.h"

/* Above any goid of a program that lives for less than a decade, and exact in a float64. */
#define MADE_UP_ID (1ULL << 48)

int wire_contradiction(struct gotrace *t, uint64_t time, const char *what, int64_t id,
		       const char *why)
{
	return error_set(&t->error, EXIT_FAILED, -EPROTO,
			 "the Go trace ends early: at %" PRIu64 " ns %s %" PRId64 " %s, which "
			 "contradicts what was told before; please report this with the capture",
			 time, what, id, why);
}

int wire_no_memory(struct gotrace *t)
{
	return error_set(&t->error, EXIT_FAILED, -ENOMEM, "no memory left for the Go trace");
}

struct wire_m *wire_get_m(struct gotrace *t, const struct thread *thread)
{
	struct wire_m *m;

	HASH_FIND(hh, t->ms, &thread->tid, sizeof(thread->tid), m);
	if (m)
		return m;
	m = calloc(1, sizeof(*m));
	if (!m)
		return NULL;
	m->tid = thread->tid;
	HASH_ADD(hh, t->ms, tid, sizeof(m->tid), m);
	return m;
}

struct wire_p *wire_find_p(struct gotrace *t, const struct proc *proc)
{
	struct wire_p *p;
	int32_t id = proc->id;

	HASH_FIND(hh, t->ps, &id, sizeof(id), p);
	return p;
}

struct wire_g *wire_find_g(struct gotrace *t, const struct goroutine *goroutine)
{
	struct wire_g *g = NULL;

	if (goroutine)
		HASH_FIND(hh, t->gs, &goroutine->serial, sizeof(goroutine->serial), g);
	return g;
}

struct wire_g *wire_new_g(struct gotrace *t, const struct goroutine *goroutine,
			  enum wire_g_status status, struct wire_m *m)
{
	struct wire_g *g = calloc(1, sizeof(*g)), *taken;

	if (!g)
		return NULL;
	g->serial = goroutine->serial;
	g->id = goroutine->id;
	HASH_FIND(hh_id, t->gs_by_id, &g->id, sizeof(g->id), taken);
	if (!g->id || taken || crowd_has_id(t->process->crowd, g->id))
		g->id = MADE_UP_ID + g->serial;
	g->status = status;
	g->m = m;
	g->start_pc = goroutine->start_pc;
	g->stack = goroutine->stack;
	if (m)
		m->g = g;
	HASH_ADD(hh, t->gs, serial, sizeof(g->serial), g);
	HASH_ADD(hh_id, t->gs_by_id, id, sizeof(g->id), g);
	return g;
}

void wire_del_g(struct gotrace *t, struct wire_g *g)
{
	wire_free_regions(g);
	if (g->m)
		g->m->g = NULL;
	HASH_DELETE(hh, t->gs, g);
	HASH_DELETE(hh_id, t->gs_by_id, g);
	free(g);
}

void wire_unbind(struct wire_g *g, enum wire_g_status status)
{
	g->m->g = NULL;
	g->m = NULL;
	g->status = status;
}

void wire_bind(struct wire_g *g, struct wire_m *m, enum wire_g_status status)
{
	g->m = m;
	m->g = g;
	g->status = status;
}

/* --- stacks --------------------------------------------------------------------------------- */

uint64_t stack_of(struct gotrace *t, const struct wire_g *g, uint64_t stack, int skip)
{
	struct stack_ref ref = {.stack = stack, .skip = skip > 0 ? skip : 0};

	if (!stack)
		return 0;
	if (g && g->id == 1)
		ref.flags |= STACK_REF_MAIN;
	return tables_stack(&t->tables, &ref);
}

uint64_t stack_of_start(struct gotrace *t, const struct wire_g *g)
{
	struct stack_ref ref = {.start_pc = g ? g->start_pc : 0, .flags = STACK_REF_START};

	return tables_stack(&t->tables, &ref);
}
