/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Redirecting calls of a running process, and undoing it. The memory shared with the process says
 * all that is needed to undo it (struct inline_header), so anybody can who finds it.
 */
#ifndef GSCOPE_INLINE_PLANT_H
#define GSCOPE_INLINE_PLANT_H

#include <stdbool.h>
#include <stdint.h>

#include "user/base/error.h"
#include "user/inline/plan.h"
#include "user/inline/shared.h"
#include "user/inline/wait.h"
#include "user/target/process.h"

/* What is in a process. */
struct planted {
	const struct target_process *p;
	const struct layout *layout; /* of its runtime; NULL: what is mapped cannot be unmapped */
	struct remote_wait wait; /* how long to wait for its threads */
	int mem_fd; /* its memory, to be written */
	int shared_fd; /* -1 of what was found */
	/* the shared memory, mapped here, too: the process writes it as it likes, and so it is only written here */
	struct inline_header *h;
	uint64_t mapped; /* bytes of it */
	struct inline_header *own; /* what is known of it: gscope's own copy, which is the caller's */
	uint64_t pause_ns; /* for how long all its threads stood still, at most */
	uint32_t threads; /* and how many there were the last time */
};

/* Whether the process is one in which that can be done; the message says why not. */
int plant_possible(const struct target_process *p, struct error *e);

/* The process that is going to read what stubs write: whoever finds it asks for that one. */
struct plant_owner {
	pid_t pid;
	uint64_t start; /* when it was started, in clock ticks since boot */
};

/* This one. */
struct plant_owner plant_owner(void);

/*
 * Map memory, write the stubs, redirect the calls while all threads are stopped. The plan's
 * operands are completed. *own becomes all that is needed to undo it, before anything is changed.
 * EXIT_TARGET errors say why it cannot be done; then nothing is left.
 */
int plant(struct planted *out, const struct target_process *p, struct inline_plan *plan,
	  const struct stub_options *o, const struct plant_owner *owner,
	  const struct remote_wait *wait, struct inline_header *own, struct error *e);

/*
 * Whether the process has mapped this memory and its stubs at the addresses of d->own: what it maps
 * there itself later is not unmapped.
 */
bool plant_is_mapped(const struct planted *d, const struct target_process *p);

/*
 * Where the process has the rings of d->own->inode, if the one who had them mapped did not come so far as to say: false,
 * it has not.
 */
bool plant_find_rings(const struct planted *d);

/* The memory of a process to be written. An EXIT_TARGET error says why it cannot be. */
int plant_open_memory(struct planted *d, const struct target_process *p, struct error *e);

/*
 * Put the operands back of d->own, which knows what they were. -EBUSY: the threads could not be stopped, again may help. Other errors
 * say which operands are neither what was planted nor the original, and were left alone.
 */
int plant_restore(struct planted *d, struct error *e);

/*
 * Unmap the memory, once no thread can be in a stub, which takes looking at one after the other. Only after
 * plant_restore(). -EBUSY: one was, all the time; the memory stays until the process ends, which harms nobody.
 * -EAGAIN: a thread does not stop, again may help.
 */
int plant_unmap(struct planted *d, struct error *e);

/* From now on whoever finds it has to wait for that process. */
void plant_set_owner(struct planted *d, const struct plant_owner *owner);

/* Free what is this process's own, but not d->own. */
void plant_close(struct planted *d);

#endif
