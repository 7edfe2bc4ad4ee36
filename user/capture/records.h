/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Records the collector itself makes of what it knows and reads of a target. */
#ifndef GSCOPE_CAPTURE_RECORDS_H
#define GSCOPE_CAPTURE_RECORDS_H

#include <stdint.h>

#include "user/base/error.h"
#include "user/capture/merge.h"
#include "user/target/snapshot.h"
#include "user/target/target.h"

/* Where they go: one source of a merge. */
struct record_sink {
	struct merge *m;
	size_t source;
};

int record_add(const struct record_sink *to, const struct event_head *ev, struct error *e);

/* EV_TARGET and the runtime's strings; EV_PROCESS for a target without goroutines. */
int record_target(const struct record_sink *to, const struct target *t, uint64_t time_ns,
		  struct error *e);

/* EV_TASK for its threads. */
int record_threads(const struct record_sink *to, const struct target *t, struct error *e);

/* EV_TASK for all threads of the machine. */
int record_all_threads(const struct record_sink *to, struct error *e);

/* To be done again and again while something takes long: every few milliseconds or so. 0 or an error. */
struct meanwhile {
	int (*fn)(void *ctx, struct error *e);
	void *ctx;
};

/*
 * Take the snapshot: EV_SNAP_P, EV_SNAP_M, EV_STACK and EV_SNAP_G, as they are read; the sink's source
 * promises what is older. `w` may be NULL, and must not add records to the same sink. An error can leave
 * some of the goroutines behind. -ESRCH: the target is gone.
 */
int record_snapshot(const struct record_sink *to, struct target *t, const struct meanwhile *w,
		    struct error *e);

#endif
