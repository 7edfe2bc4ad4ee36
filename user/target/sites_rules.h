/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What a change of a goroutine's status means, by the function of the runtime that makes it. */
#ifndef GSCOPE_TARGET_SITES_RULES_H
#define GSCOPE_TARGET_SITES_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "user/target/sites.h"

/* Functions whose calls are looked for. */
enum callee {
	CAS,
	PREEMPT_SCAN,
	ACQUIREP,
	ACQUIREP_NO_TRACE,
	RUNQPUT,
	ENTERSYSCALL,
	REENTERSYSCALL,
	EXITSYSCALL,
	CALLEES
};

extern const char *const site_callee_names[CALLEES];

/* A status number that was not seen being loaded. */
#define STATUS_UNKNOWN (-1)

/* When a rule applies. */
#define RULE_MUST 1U /* there is nothing to trace without it */
#define RULE_CGO 2U /* only in programs with C code */
#define RULE_CORO 4U /* only in programs with coroutines (iter.Pull) */
#define RULE_BUSY 8U /* a busy program passes here */

struct site_rule {
	const char *func; /* the function that calls; a trailing * stands for anything */
	enum callee callee;
	int old_status, new_status; /* the numbers casgstatus is called with */
	enum site_kind kind;
	unsigned int min, max; /* Go 1.min to 1.max */
	unsigned int flags; /* RULE_* */
	const char *without; /* what is missing without the site */
};

/* One call, or what is left of it where the callee was inlined. */
struct site_call {
	const char *const *names; /* whose code it is, innermost first: pclntab_logical() */
	size_t nnames;
	enum callee callee;
	int old_status, new_status; /* as loaded before, or STATUS_UNKNOWN */
};

/* The rules by number: NULL past the end. */
const struct site_rule *site_rule(size_t i);

/* Number of rules. */
size_t site_rule_count(void);

/* Does a rule apply to Go 1.minor, with (`has`) RULE_CGO, RULE_CORO? */
bool site_rule_applies(const struct site_rule *r, unsigned int minor, unsigned int has);

/*
 * The rule for a call, and in *func whose code it is: the rule whose status numbers were seen being
 * loaded, else the only one that they do not contradict (the compiler may take a number from
 * another register). NULL: none.
 */
const struct site_rule *site_rule_find(const struct site_call *call, unsigned int minor,
				       unsigned int has, const char **func);

/* Is it a change of status that needs no probe? */
bool site_call_harmless(const struct site_call *call);

#endif
