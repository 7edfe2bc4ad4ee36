// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The runtime asks whether it is being traced at the very place where something happens:
 *
 *	cmpb $0, trace.enabled; jne 1f; xor %ebx, %ebx; jmp 2f
 *	1: call traceAcquireEnabled
 *	2: test %rbx, %rbx; je 3f
 *	mov %rdx, %rcx; call traceLocker.ProcSteal
 *	3:
 *
 * (Go >= 1.22; before, `cmpb $0, trace.enabled; je 3f; call traceGoSysBlock; 3:`.) Found is the
 * branch `je 3f`, which is taken or not each time the event happens: backwards from the call, as
 * long as there is one way only. On that way the argument of the call is in one register or
 * another; at the branch it has to be in one.
 */
#include <string.h>

#include "user/target/sites_spots.h"

/* Far more steps than are between the branch and the call. */
#define MAX_BACK 64

/* Is step `i` code of the rule's event, inlined into the rule's function? */
static bool is_inlined_event(struct plan *p, const struct spot_place *at, size_t i)
{
	const char *names[PLAN_MAX_DEPTH];
	size_t n = pclntab_logical(p->pcln, at->steps.v[i].vaddr + p->bias, names, PLAN_MAX_DEPTH);
	bool event = false;

	if (!spot_effort(p, at))
		return false;
	for (size_t k = 0; k < n; k++) {
		if (event && !strcmp(names[k], at->rule->func))
			return true;
		event |= !strcmp(names[k], at->rule->what);
	}
	return false;
}

/* One step back: the register that had there what `reg` has behind it. */
static int trace_back(const struct spot_place *at, const struct step *s, int reg, bool *is_base)
{
	bool base = at->rule->flags & SPOT_BASE;

	if (reg == NO_REGISTER || !(s->written & 1U << reg))
		return reg;
	if (s->copied != NO_REGISTER)
		return s->copied;
	if (!base || *is_base)
		return NO_REGISTER;
	if (s->scales)
		return reg;
	*is_base = s->loaded != NO_REGISTER;
	return s->loaded;
}

/* Back from step `i`, where the event begins, to its branch. */
static bool guard_of(struct plan *p, const struct spot_place *at, size_t i, bool inlined)
{
	unsigned int conditions = at->rule->flags & SPOT_AND ? 2 : 1;
	int reg = inlined ? NO_REGISTER : at->rule->arg;
	bool is_base = false;

	for (int n = 0; n < MAX_BACK; n++) {
		const struct step *s;

		i = spot_effort(p, at) ? steps_before(&at->steps, i) : NO_STEP;
		if (i == NO_STEP)
			return false;
		s = &at->steps.v[i];
		reg = trace_back(at, s, reg, &is_base);
		if (!s->conditional || (inlined && is_inlined_event(p, at, i)) || --conditions)
			continue;
		if (at->rule->flags & SPOT_BASE && !is_base)
			reg = NO_REGISTER;
		if (!s->cheap || (reg == NO_REGISTER && at->rule->flags & SPOT_NEEDS_ARG))
			return false;
		spot_add(p, at, i, reg);
		return true;
	}
	return false;
}

bool spot_guard(struct plan *p, const struct spot_place *at)
{
	uint64_t steps = at->func.end - at->func.entry;
	bool inlined = pclntab_inlines(p->pcln, at->index, at->rule->what, &steps);
	bool was_event = false, found = false;

	for (size_t i = 0; i < at->steps.n; i++) {
		const struct step *s = &at->steps.v[i];
		bool call = s->call && at->what && s->to == at->what &&
			    spot_is_of(p, at, i, at->rule->func);
		bool event = inlined && is_inlined_event(p, at, i);

		if (call || (event && !was_event))
			found |= guard_of(p, at, i, event);
		was_event = event;
	}
	return found;
}
