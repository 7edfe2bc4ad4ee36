/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A thread of a Go process that makes system calls for us: one that sleeps, if there is one, and that can
 * make its own call once more. What it needs for that (call.h) is on its stack for signals, which nothing
 * uses before it runs on.
 */
#ifndef GSCOPE_INLINE_CALLER_H
#define GSCOPE_INLINE_CALLER_H

#include <stdint.h>

#include "user/inline/call.h"
#include "user/target/layout.h"

struct caller {
	struct remote r; /* of one thread */
	struct call_way way;
};

/*
 * Stop such a thread; errors as remote_stop_thread(), or -ENOTSUP: there is none. `mem_fd` is the process's
 * memory, to be written.
 */
int caller_stop(struct caller *c, const struct target_process *p, const struct layout *l,
		int mem_fd, const struct remote_wait *wait, struct error *e);

/* One system call: what the kernel returned, or why it was not made. */
int64_t caller_call(struct caller *c, const uint64_t args[7]);

/* It runs on. */
void caller_release(struct caller *c);

#endif
