/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Threads caught between a probe and what it announces. */
#ifndef GSCOPE_TARGET_SETTLE_H
#define GSCOPE_TARGET_SETTLE_H

#include "user/base/error.h"
#include "user/target/process.h"

/*
 * Wait until every thread of the process that is in the middle of something now has run on, or
 * sleeps: then all steps that a probe announced before the call have been made. Takes no longer
 * than a clock tick or two, and a second where a thread gets no CPU. -ESRCH: the process has ended.
 */
int target_settle(const struct target_process *p, struct error *e);

#endif
