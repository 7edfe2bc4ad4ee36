/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Breakpoints that a tracer left behind: the kernel does not remove those of one that is killed while
 * it attaches or detaches, and nothing else does.
 */
#ifndef GSCOPE_CAPTURE_BREAKPOINTS_H
#define GSCOPE_CAPTURE_BREAKPOINTS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "user/base/error.h"
#include "user/target/process.h"

struct breakpoints_left {
	size_t removed;
	size_t in_use; /* of a tracer that is at work: left alone */
	size_t refused; /* the kernel takes no probe there, so it removes none */
	bool partly; /* there is more to look at, or to remove, than the time allows */
};

/*
 * Remove them from the code of all files a process has mapped: bytes that are a breakpoint in memory and
 * are none in the file. To remove one, a uprobe is attached there and detached, which puts back what the
 * file has; where another tracer has one, the kernel keeps it. It takes at most ten seconds or so, or
 * until *stop (may be NULL): a removal is not to be interrupted.
 * EXIT_TARGET errors: -EBUSY a debugger traces the process, whose breakpoints look the same.
 */
int breakpoints_remove(const struct target_process *p, const volatile sig_atomic_t *stop,
		       struct breakpoints_left *out, struct error *e);

#endif
