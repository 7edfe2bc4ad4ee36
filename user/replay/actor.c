/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Who a record of a probe is about. */
#include "user/replay/internal.h"

bool actor_find_thread(struct replay *r, struct actor *a, uint32_t tgid, uint32_t tid, uint64_t p)
{
	struct process *ps = process_find(r, tgid);

	*a = (struct actor){.ps = ps};
	/* While probes are being attached some goroutines are seen to start and not to end. */
	if (!ps || ps->gone || ps->bare || !ps->snapped)
		return false;
	a->t = thread_get(r, tid, tgid);
	if (!a->t || a->t->process != ps)
		return false;
	a->t->unsettled = false;
	a->p = p ? proc_find(ps, p) : NULL;
	return true;
}

bool actor_find_goroutine(struct replay *r, struct actor *a, uint64_t gp, uint64_t goid)
{
	a->g = gp ? goroutine_find(a->ps, gp) : NULL;
	if (a->g && goid && a->g->id && a->g->id != goid) {
		goroutine_end_unseen(r, a->g, a->t);
		a->g = NULL;
	}
	if (!a->g && gp && goid)
		a->g = goroutine_introduce(r, a->ps, a->t, gp, goid);
	if (a->g)
		a->g->seen = true;
	return a->g;
}

bool actor_runs(struct replay *r, const struct actor *a)
{
	return a->g && a->p && ensure_running(r, a->g, a->t, a->p) && runs_on(a->g, a->t);
}
