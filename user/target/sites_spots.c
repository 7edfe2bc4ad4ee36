// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The compiler may have inlined the functions the rules speak of, so first it is found out which
 * functions have their code; then the rules are applied to each of these.
 */
#include "user/target/sites_spots.h"

#include <stdlib.h>
#include <string.h>

#include "user/target/flow.h"

/* A function that has the code of others in it: of those whose rules have their bit set. */
struct holder {
	size_t index;
	uint64_t rules;
};

struct holders {
	struct holder *v;
	size_t n, room;
	uint64_t found; /* bits of the function that is being looked at */
};

/* Arguments: the registers of the ABI, that no entry may have written before its site. */
#define ARGUMENTS                                                                        \
	(1U << FLOW_AX | 1U << FLOW_BX | 1U << FLOW_CX | 1U << FLOW_DI | 1U << FLOW_SI | \
	 1U << FLOW_R8 | 1U << FLOW_R9 | 1U << FLOW_R10 | 1U << FLOW_R11)

void spot_add(struct plan *p, const struct spot_place *at, size_t i, int reg)
{
	plan_add(p, &(struct site){
			    .vaddr = at->steps.v[i].vaddr,
			    .kind = at->rule->kind,
			    .place = reg == NO_REGISTER ? SITE_AT_CALL : SITE_REGISTER,
			    .func = at->rule->func,
			    .skip_slot = -1,
			    .reg = (uint8_t)(reg == NO_REGISTER ? 0 : reg),
			    .old_status = SITE_STATUS_UNKNOWN,
			    .new_status = SITE_STATUS_UNKNOWN,
		    });
}

bool spot_effort(struct plan *p, const struct spot_place *at)
{
	if (p->effort < at->steps.n)
		return false;
	p->effort -= at->steps.n;
	return true;
}

bool spot_is_of(const struct plan *p, const struct spot_place *at, size_t i, const char *func)
{
	const char *names[PLAN_MAX_DEPTH];
	size_t n = pclntab_logical(p->pcln, at->steps.v[i].vaddr + p->bias, names, PLAN_MAX_DEPTH);

	for (size_t k = 0; k < n; k++) {
		if (!strcmp(names[k], func))
			return true;
	}
	return false;
}

/*
 * The `push %rbp` behind the stack check, which is reached once per call. Go <= 1.20 has none: what
 * there is is the branch of the check itself, `jbe`, and that is passed again once the stack has
 * grown. (That of the system stack never is.)
 */
bool spot_entry(struct plan *p, const struct spot_place *at)
{
	size_t check = NO_STEP, i;

	/* only the function itself has an entry */
	if (strcmp(at->func.name, at->rule->func) != 0)
		return false;
	for (i = 0; i < at->steps.n && !(at->steps.v[i].written & ARGUMENTS); i++) {
		const struct step *s = &at->steps.v[i];

		if (s->pushes_bp) {
			spot_add(p, at, i, at->rule->arg);
			return true;
		}
		if (s->checks_stack && check == NO_STEP)
			check = i;
	}
	if (check == NO_STEP)
		return false;
	spot_add(p, at, check, at->rule->arg);
	return true;
}

bool spot_call(struct plan *p, const struct spot_place *at)
{
	bool found = false;

	for (size_t i = 0; i < at->steps.n; i++) {
		const struct step *s = &at->steps.v[i];

		if (s->call && at->what && s->to == at->what &&
		    spot_is_of(p, at, i, at->rule->func)) {
			spot_add(p, at, i, at->rule->arg);
			found = true;
		}
	}
	return found;
}

/* Apply rule `r` to one function. */
static bool apply(struct plan *p, const struct spot_rule *r, size_t index)
{
	struct spot_place at = {.rule = r, .index = index};
	struct pcln_func what;
	bool found = false;

	if (!pclntab_at(p->pcln, index, &at.func) || !steps_decode(p, &at.func, &at.steps))
		return false;
	if (r->what && pclntab_find(p->pcln, r->what, &what))
		at.what = what.entry - p->bias;
	switch (r->how) {
	case SPOT_GUARD:
		found = spot_guard(p, &at);
		break;
	case SPOT_ENTRY:
		found = spot_entry(p, &at);
		break;
	case SPOT_CALL:
		found = spot_call(p, &at);
		break;
	}
	steps_free(&at.steps);
	return found;
}

static bool applies(const struct plan *p, const struct spot_rule *r)
{
	unsigned int minor = p->b->go_minor;

	return minor >= r->min && minor <= r->max &&
	       (!(r->flags & RULE_CGO) || p->has & RULE_CGO) &&
	       (!(r->flags & RULE_CORO) || p->has & RULE_CORO);
}

/* Add to h->found the rules that speak of the function `name`. */
static bool note_name(const char *name, void *ctx)
{
	struct holders *h = ctx;

	if (strncmp(name, "runtime", 7) != 0)
		return false;
	for (size_t i = 0; i < spot_nrules; i++) {
		if (!strcmp(name, spot_rules[i].func))
			h->found |= 1ULL << i;
	}
	return false;
}

/* Find all functions with code of those the rules speak of. */
static void find_holders(struct plan *p, struct holders *h)
{
	uint64_t steps = p->budget;
	struct pcln_func func;

	for (size_t i = 0; pclntab_at(p->pcln, i, &func); i++) {
		h->found = 0;
		note_name(func.name, h);
		pclntab_inlines_any(p->pcln, i, note_name, h, &steps);
		if (!h->found)
			continue;
		if (h->n == h->room) {
			struct holder *v;

			h->room = h->room ? 2 * h->room : 64;
			v = realloc(h->v, h->room * sizeof(*v));
			if (!v) {
				p->failed = true;
				return;
			}
			h->v = v;
		}
		h->v[h->n++] = (struct holder){i, h->found};
	}
}

/* Apply rule number `k` everywhere. */
static bool apply_everywhere(struct plan *p, const struct holders *h, size_t k, bool *linked)
{
	bool found = false;

	*linked = false;
	for (size_t i = 0; i < h->n; i++) {
		if (!(h->v[i].rules >> k & 1))
			continue;
		*linked = true;
		found |= apply(p, &spot_rules[k], h->v[i].index);
	}
	return found;
}

/* Tell the user once of everything that is missing, and why it is. */
static void warn_missing(struct plan *p, uint64_t missing)
{
	for (size_t k = 0; k < spot_nrules; k++) {
		const struct spot_rule *r = &spot_rules[k];

		if (!(missing >> k & 1))
			continue;
		plan_warn(p, "%s has no place to probe: %s", r->func, r->without);
		for (size_t i = k; i < spot_nrules; i++) {
			if (spot_rules[i].without && !strcmp(spot_rules[i].without, r->without))
				missing &= ~(1ULL << i);
		}
	}
}

void plan_spots(struct plan *p)
{
	struct holders h = {0};
	uint64_t missing = 0;
	size_t first = 0; /* of the rules of which one will do */
	bool done = true;

	find_holders(p, &h);
	for (size_t k = 0; k < spot_nrules; k++) {
		const struct spot_rule *r = &spot_rules[k];
		bool linked;

		if (!applies(p, r) || (r->flags & SPOT_OTHERWISE && done))
			continue;
		if (!(r->flags & SPOT_OTHERWISE))
			first = k;
		done = apply_everywhere(p, &h, k, &linked) ||
		       (!linked && r->flags & SPOT_IF_LINKED);
		if (done)
			missing &= ~(1ULL << first);
		else
			missing |= 1ULL << first;
	}
	warn_missing(p, missing);
	free(h.v);
}
