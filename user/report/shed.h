/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What was left out, as asked for and to keep the budget: a few steps, however many there were. */
#ifndef GSCOPE_REPORT_SHED_H
#define GSCOPE_REPORT_SHED_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/event.h"

#define MOST_SHED_STEPS 12

/* Zeroes are nothing. */
struct shed {
	bool asked; /* what was asked for is known: */
	uint32_t stacks; /* of one goroutine in so many; 0: of none */
	uint64_t budget; /* millionths; 0: none */
	struct ev_shed steps[MOST_SHED_STEPS]; /* the first ones */
	uint64_t nsteps; /* all */
	uint64_t windows; /* times that probes came back */
	uint64_t blind_since; /* ns; 0: probes are on */
	uint64_t blind_ns; /* of time without */
	uint64_t first_off, first_on; /* the first time without; 0: not yet */
	uint64_t foreseen_ns; /* when it was predicted what all would cost; 0: it was not */
	uint64_t foreseen; /* millionths */
	bool measured;
	enum shed_level level; /* at the end, */
	uint64_t overhead; /* and what it all cost: millionths */
};

void shed_note(struct shed *s, const struct ev_shed *ev);

/* The time without probes between `begin` and `end`; what is before `begin` is of the first one. */
uint64_t shed_blind_ns(const struct shed *s, uint64_t begin, uint64_t end);

#endif
