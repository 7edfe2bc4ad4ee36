/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Whether /proc tells what is wanted of it. */
#ifndef GSCOPE_TARGET_PROCFS_H
#define GSCOPE_TARGET_PROCFS_H

#include <stdbool.h>
#include <sys/types.h>

#include "user/base/error.h"

/*
 * Check that /proc is mounted, and by the PIDs of our own namespace: with those of another one a
 * PID would name somebody else. -ENOTSUP with EXIT_FAILED and what to do.
 */
int procfs_check(struct error *e);

/* Whether process `pid` exists, but /proc does not show it to us (hidepid). */
bool procfs_hides(pid_t pid);

#endif
