/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Where the runtime does what its own tracer would tell: collects garbage, stops the world, hands
 * its Ps around.
 */
#ifndef GSCOPE_TARGET_SITES_SPOTS_H
#define GSCOPE_TARGET_SITES_SPOTS_H

#include "user/target/sites_steps.h"

enum spot_how {
	/*
	 * The conditional jump that leads to the call of `what`, a function of the runtime's
	 * tracer: reached exactly when the event happens, whether or not somebody traces.
	 */
	SPOT_GUARD,
	SPOT_ENTRY, /* of func, with the arguments in their registers */
	SPOT_CALL, /* calls of `what` */
};

/* Flags beside RULE_CGO and RULE_CORO. */
#define SPOT_OTHERWISE 0x100U /* tried only if the rule before found nothing */
#define SPOT_NEEDS_ARG 0x200U /* nothing is found where the argument is in no register */
#define SPOT_BASE 0x400U /* the argument is the object whose field is passed, maybe scaled */
#define SPOT_AND 0x800U /* GUARD: by two conditions, of which the first is whether one traces */
#define SPOT_IF_LINKED 0x1000U /* not in every program */

struct spot_rule {
	enum site_kind kind;
	enum spot_how how;
	const char *func; /* whose code it is, inlined or not */
	const char *what;
	int arg; /* register of the argument: of the call of `what`, or at the entry */
	unsigned int min, max; /* Go 1.min to 1.max */
	unsigned int flags;
	const char *without; /* what is missing without the site; NULL: as the rule before */
};

extern const struct spot_rule spot_rules[];
extern const size_t spot_nrules;

/* A function that has the code of a rule's `func` in it. */
struct spot_place {
	const struct spot_rule *rule;
	struct pcln_func func;
	size_t index; /* of the function, for pclntab_at() */
	struct steps steps;
	uint64_t what; /* vaddr, 0: not in this program */
};

/* Plan all sites of one rule in one function. True: there is at least one. */
bool spot_guard(struct plan *p, const struct spot_place *at);
bool spot_entry(struct plan *p, const struct spot_place *at);
bool spot_call(struct plan *p, const struct spot_place *at);

/* Take as many steps as the function has: false if that is too much for this program. */
bool spot_effort(struct plan *p, const struct spot_place *at);

/* Plan the site at step `i`, `reg` has the argument, or is NO_REGISTER. */
void spot_add(struct plan *p, const struct spot_place *at, size_t i, int reg);

/* Is step `i` code of `func`, inlined or not? */
bool spot_is_of(const struct plan *p, const struct spot_place *at, size_t i, const char *func);

#endif
