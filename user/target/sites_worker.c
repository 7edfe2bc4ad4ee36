// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * findRunnable wakes up what the network is ready for, the reader of the trace and, when there is
 * nothing else to do, a GC worker: after `pp.gcMarkWorkerMode = gcMarkWorkerIdleMode`.
 */
#include <string.h>

#include "user/target/sites_steps.h"

#define IDLE_MODE 3 /* gcMarkWorkerIdleMode: runtime/mgc.go of Go 1.19 to 1.27 */

void plan_workers(struct plan *p)
{
	for (size_t i = 0; i < p->out->n; i++) {
		struct site *site = &p->out->v[i];
		struct pcln_func func;
		struct steps s;

		if (site->kind != SITE_READY || strcmp(site->func, "runtime.findRunnable") != 0 ||
		    !pclntab_func(p->pcln, site->pc, &func) || !steps_decode(p, &func, &s))
			continue;
		for (size_t k = 0; k < s.n; k++) {
			if (s.v[k].vaddr == site->vaddr &&
			    steps_stored_before(&s, k, IDLE_MODE, &p->effort))
				site->kind = SITE_READY_WORKER;
		}
		steps_free(&s);
	}
}
