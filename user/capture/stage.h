/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The last stage before the file: takes records in order of time, puts in front of each what it
 * needs to be understood (symbols, new Ps), and notices which targets are gone.
 */
#ifndef GSCOPE_CAPTURE_STAGE_H
#define GSCOPE_CAPTURE_STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/base/error.h"
#include "user/capture/file.h"
#include "user/capture/pcset.h"
#include "user/capture/symbolize.h"
#include "user/target/target.h"

/* One target, while it is traced. */
struct traced {
	struct target *t;
	uint32_t tgid;
	uint32_t first_site; /* its sites are numbered from here, */
	uint32_t may_have; /* and not more of them, whatever it loads */
	struct symbolizer *symbolizer;
	struct native *native; /* of the symbolizer */
	struct pcset procs; /* Ps that are in the capture */
	uint64_t last_proc; /* the one seen last: most records need no look-up */
	uint64_t traces; /* records of tracepoints that are of it */
	bool gone; /* EV_GONE was written */
};

struct stage {
	struct capture_writer *w;
	struct traced *v;
	size_t n;
	struct traced *last; /* the last record's */
	size_t gone;
	uint64_t events; /* records from the rings */
	uint64_t traces; /* those of tracepoints */
	uint64_t lost, lost_traces;
	void (*begun)(void *ctx); /* called once the file holds how a target was at its begin */
	void *begun_ctx;
	uint64_t until_ns; /* ring records from here on are dropped: detaching had begun */
	struct error *e;
};

/* merge_emit_fn; ctx: struct stage. */
int stage_record(void *ctx, struct event_head *ev);

/* Write a record as it is. */
int stage_write(struct stage *st, const struct event_head *ev);

/* Set up symbolizers. Returns 0 or -ENOMEM. */
int stage_init(struct stage *st);
void stage_free(struct stage *st);

/* The target with this tgid, or NULL. */
struct traced *stage_find(struct stage *st, uint32_t tgid);

/* Write EV_GONE, once. */
int stage_gone(struct stage *st, struct traced *t, uint64_t time_ns, enum gone_how how);

#endif
