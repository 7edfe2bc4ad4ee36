/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A plan of probe sites while it is made: what its parts share. */
#ifndef GSCOPE_TARGET_SITES_PLAN_H
#define GSCOPE_TARGET_SITES_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/target/code.h"
#include "user/target/sites.h"
#include "user/target/sites_rules.h"

/* More functions than that one inside the other the compiler does not inline. */
#define PLAN_MAX_DEPTH 64

struct plan {
	struct sites *out;
	struct elf_file *f;
	const struct buildinfo *b;
	const struct pclntab *pcln;
	uint64_t bias;
	struct code *code;
	uint64_t callee[CALLEES]; /* vaddr; 0: not in this binary */
	unsigned int has; /* RULE_CGO, RULE_CORO */
	uint64_t budget; /* bytes that may still be decoded: a damaged table may have no end */
	uint64_t effort; /* steps that may still be taken, for the same reason: sites_spots.c */
	uint64_t decoded; /* end of the last function decoded */
	size_t *hits; /* sites by rule */
	bool failed; /* out of memory */
};

/* Tell the user. */
__attribute__((format(printf, 2, 3))) void plan_warn(struct plan *p, const char *fmt, ...);

/* Add *site, of which pc and file_off are filled in here. */
void plan_add(struct plan *p, const struct site *site);

/* The rule for a call, counted as one that has a site, or NULL after a warning if one is due. */
const struct site_rule *plan_rule(struct plan *p, const struct site_call *call, const char **func);

/* Decode `func` from its entry on: false, after a warning, if it cannot be read. */
bool plan_decode(struct plan *p, const struct pcln_func *func);

/* Where status changes were inlined, and where their sites are: sites_inlined.c. */
void plan_inlined(struct plan *p);

/* What the runtime does besides, calls of package runtime/trace, coroutines: sites_spots.c. */
void plan_spots(struct plan *p);

/* Which wake-ups are those of GC workers: sites_worker.c. */
void plan_workers(struct plan *p);

/* Creations in Go <= 1.23 whose runqput was inlined. */
void plan_created(struct plan *p);

#endif
