/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A process of its own plants, waits, and puts everything back: when it is told to, and when
 * whoever started it is gone, however it ended.
 */
#ifndef GSCOPE_INLINE_PLANTER_H
#define GSCOPE_INLINE_PLANTER_H

#include <stdint.h>
#include <sys/types.h>

#include "user/base/error.h"
#include "user/inline/plan.h"
#include "user/inline/shared.h"
#include "user/inline/stub.h"
#include "user/target/process.h"

struct planter {
	pid_t pid;
	int socket;
	struct inline_header *h; /* the memory shared with the target */
	uint64_t mapped;
	uint64_t pause_ns; /* for how long all its threads stood still, at most */
	uint32_t threads;
};

/* plant() in a child. *out is usable only if 0 is returned; end it with planter_stop(). */
int planter_start(struct planter *out, const struct target_process *p, struct inline_plan *plan,
		  const struct stub_options *o, struct error *e);

/*
 * Put everything back; waits for it. The shared memory stays readable here until planter_close().
 * The longer of the two pauses is in pause_ns. Errors: see plant_restore(), plant_unmap().
 */
int planter_stop(struct planter *p, struct error *e);

/* Unmap the shared memory. Stops first, should that not have been done. */
void planter_close(struct planter *p);

#endif
