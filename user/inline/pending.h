/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * System calls that a thread has still to make for a gscope that was killed: it was given the registers for
 * one (call.h), and makes it as soon as it gets a CPU. What it maps then has to be seen by those who clean up.
 */
#ifndef GSCOPE_INLINE_PENDING_H
#define GSCOPE_INLINE_PENDING_H

#include "user/inline/wait.h"

/*
 * Wait until no thread has one to make; each that may have is stopped for a moment, for which `wait` gives the time. 0,
 * or an EXIT_TARGET error: -EBUSY: one does not get on with it for ten seconds; -EINTR; or as remote_stop_thread().
 */
int pending_wait(const struct target_process *p, const struct remote_wait *wait, struct error *e);

#endif
