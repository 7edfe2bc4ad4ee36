/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Garbage collection of one process, and other times in which its world was stopped. What
 * goroutines did for it is with them: struct group and struct goroutines.
 */
#ifndef GSCOPE_REPORT_GC_H
#define GSCOPE_REPORT_GC_H

#include "user/replay/sink.h"
#include "user/report/intern.h"
#include "user/report/spans.h"

/* Times in which the world was stopped, or about to be, for one reason. */
struct pause {
	const char *reason; /* interned; "" if the release does not tell */
	struct spans spans;
};

/* One that is under way. */
struct open_range {
	uint64_t since; /* 0: there is none */
	bool whole; /* it began while traced */
	const char *name; /* interned */
};

struct gc {
	struct interned **names; /* the report's */
	struct open_range cycle, stw;
	struct spans cycles;
	struct pause *pauses;
	size_t npauses;
	uint64_t sweeps, swept; /* bytes */
	bool heap_known;
	uint64_t live_min, live_max, live, goal; /* bytes; the last two at the end */
};

/* Goroutines' own ranges are not for this. Both: 0 or -ENOMEM. */
int gc_range(struct gc *gc, const struct range_change *c);
void gc_heap(struct gc *gc, const struct heap_change *c);
int gc_close(struct gc *gc, uint64_t time);
void gc_free(struct gc *gc);

/* Of a label of a GC worker; GC_WORKER_NONE if it is none. */
enum gc_worker gc_worker_of(const char *label);

#endif
