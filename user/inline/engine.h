/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The second probe engine: calls of a running process are redirected to stubs that write events into
 * shared memory. From the target to the merge:
 *
 *   plan.c     which sites take a stub, and how large the rings are
 *   x86.c      instructions
 *   stub.c     the stubs
 *   room.c     where they go
 *   remote.c   threads held still (wait.c: for how long)
 *   call.c     system calls made by them (sigframe.c: how they find back, gadget.c: by what code)
 *   caller.c   which of them does
 *   afford.c   how much memory a target may still have
 *   memory.c   the memory shared with it: proven, sealed, mapped here
 *   plant.c    memory mapped, operands changed; and back
 *   leftover.c what a gscope that was killed has left (stray.c: a descriptor)
 *   forked.c   what children of a target have by a fork
 *   planter.c  the process that does this, and undoes it whatever becomes of gscope
 *   border.c   what is read of the shared memory is checked, once and for all (tsc.c: times)
 *   reader.c   rings -> records
 *   cost.c     what a stub takes
 *   engine.c   all of it for one target
 */
#ifndef GSCOPE_INLINE_ENGINE_H
#define GSCOPE_INLINE_ENGINE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "bpf/event.h"
#include "user/base/error.h"
#include "user/capture/merge.h"
#include "user/inline/border.h"
#include "user/inline/wait.h"
#include "user/target/target.h"

struct inline_engine;

/*
 * Look whether it can be done with this target, and plan it; nothing is changed yet. `bytes` for all
 * rings, 0: a default; `taken` of the memory at hand by the targets before it. EXIT_TARGET errors say
 * why not. Free with inline_close().
 */
int inline_open(struct inline_engine **out, const struct target *t, uint64_t bytes, uint64_t taken,
		struct error *e);

/* Sources of the merge it takes. */
uint32_t inline_rings(const struct inline_engine *x);

/* Bytes that the shared memory takes, of which a page is used once something is written there. */
uint64_t inline_bytes(const struct inline_engine *x);

struct inline_start {
	uint32_t first_site; /* number of the target's first site */
	struct merge *m;
	size_t first_source;
	uint64_t stack_limit; /* bpf/control.h, stack_choice() */
	bool off; /* stubs do nothing before inline_enable() */
	FILE *messages; /* for one-line warnings, or NULL */
	const volatile sig_atomic_t *stop; /* gives it up when it becomes non-zero; may be NULL */
};

/* Plant. EXIT_TARGET errors: it was not possible, and the target is as it was. */
int inline_plant(struct inline_engine *x, const struct inline_start *start, struct error *e);

/* Whether that was done. */
bool inline_is_planted(const struct inline_engine *x);

/* Whether a site of the target (by its number among them) was taken. */
bool inline_has(const struct inline_engine *x, size_t site);

/* Whether the target had that site when this was opened. */
bool inline_knows(const struct inline_engine *x, size_t site);

/* Whether that tells when goroutines begin system calls, and calls of C. */
bool inline_tells_syscalls(const struct inline_engine *x);

/* Of which goroutines stacks are walked from now on; whether stubs do anything. */
void inline_choose_stacks(struct inline_engine *x, uint64_t limit);
void inline_enable(struct inline_engine *x, bool on);

/* Records so far, of all sites, and what one has taken on average, ns: as far as the target says so. */
uint64_t inline_all_hits(const struct inline_engine *x);
uint64_t inline_hit_ns(const struct inline_engine *x);

/* Records -> merge; `last`: after inline_end(). 0 or -ENOMEM; nothing if it was not planted. */
int inline_pass(struct inline_engine *x, bool last);

/* How soon the next pass has to be, ns: so that no ring is filled. 0: there is more to take. */
uint64_t inline_patience(const struct inline_engine *x);

/* What was lost since the last call; hits of a site. */
uint64_t inline_lost(struct inline_engine *x);
uint64_t inline_hits(const struct inline_engine *x, size_t site);

/* What was found in the rings that no stub writes, so far. */
struct inline_damage inline_damage(const struct inline_engine *x);

/*
 * Put everything back. EXIT_FAILED errors say what could not be. The records that are in the rings
 * stay there.
 * -EINPROGRESS: threads do not stop, e->text says which; stubs do nothing any more. Call it again to wait on.
 */
int inline_end(struct inline_engine *x, struct error *e);

/* A process goes on to do that, and ends when it has: its pid, or 0 if it is done. */
pid_t inline_leave(struct inline_engine *x);

/* Whether calls are redirected still after inline_end(). */
bool inline_is_left(const struct inline_engine *x);

/* What is to be told of it, once it has ended. */
struct ev_inline inline_summary(const struct inline_engine *x, uint64_t time_ns);

void inline_close(struct inline_engine *x);

/*
 * Take away what an earlier gscope that was killed has left in a process: 1 if there was something, 0 if
 * not; e->text says what stays all the same, or is "". -EBUSY: another gscope is at work with it, or a
 * thread does not stop in the time given. Takes some seconds at most, whatever the process has there, and what
 * `wait` allows. Other errors: plant_restore().
 */
int inline_clean(const struct target_process *p, const struct remote_wait *wait, struct error *e);

#endif
