/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A process of its own plants, waits, and puts everything back: when it is told to, and when
 * whoever started it is gone, however it ended.
 */
#ifndef GSCOPE_INLINE_PLANTER_H
#define GSCOPE_INLINE_PLANTER_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "user/base/error.h"
#include "user/inline/plan.h"
#include "user/inline/plant.h"
#include "user/inline/shared.h"
#include "user/inline/stub.h"
#include "user/target/process.h"

struct planter {
	const struct target_process *process;
	const struct layout *layout; /* of its runtime */
	struct plant_owner owner;
	FILE *messages; /* for one-line warnings, or NULL */
	bool stopped; /* planter_stop() was here */
	bool left; /* by planter_stop(): calls are redirected still */
	pid_t pid; /* 0: none is at work */
	int socket;
	uint64_t looked_ns;
	uint64_t asked_ns; /* when it was asked first to put everything back */
	struct inline_header *own; /* what is known of what was planted; shared with the child */
	struct inline_header *h; /* the memory shared with the target */
	uint64_t mapped;
	uint64_t pause_ns; /* for how long all its threads stood still, at most */
	uint32_t threads;
};

/*
 * plant() in a child. *out is usable only if 0 is returned; end it with planter_stop(). When *stop (which may
 * be NULL) becomes non-zero it is given up: -EINTR.
 */
int planter_start(struct planter *out, const struct target_process *p, struct inline_plan *plan,
		  const struct stub_options *o, const volatile sig_atomic_t *stop, struct error *e);

/* One that was killed is replaced at once, so that calls are put back should gscope be killed, too. */
void planter_look(struct planter *p);

/*
 * Put everything back; waits for it. One that has been killed or does not answer is replaced. The shared memory stays
 * readable here until planter_close(). The longer of the two pauses is in pause_ns. Errors: see plant_restore(),
 * plant_unmap(); p->left tells whether they matter. -EINPROGRESS after a second or so: threads do not stop, or a
 * debugger holds them, e->text says which; call it again, or planter_leave().
 */
int planter_stop(struct planter *p, struct error *e);

/* The child goes on by itself, and ends when it is done: its pid; 0: it is done. */
pid_t planter_leave(struct planter *p);

/* Unmap the shared memory. Stops first, should that not have been done. */
void planter_close(struct planter *p);

#endif
