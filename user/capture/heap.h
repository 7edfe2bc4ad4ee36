/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The size of the targets' heaps: read by the collector, now and then. */
#ifndef GSCOPE_CAPTURE_HEAP_H
#define GSCOPE_CAPTURE_HEAP_H

#include "user/base/error.h"
#include "user/capture/records.h"
#include "user/capture/stage.h"

#define HEAP_MIN_NS 1000000 /* it is not looked at more often */
#define HEAP_MAX_NS 10000000 /* nor more seldom */

/* What is known of a target's heap. */
struct heap_watch {
	uint64_t live, goal; /* as recorded last */
	bool known;
};

/* Read the heap of a target; add EV_HEAP if it is another than the last time. */
int heap_look(struct heap_watch *w, const struct traced *t, const struct record_sink *to,
	      struct error *e);

#endif
