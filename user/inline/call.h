/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * System calls made by a stopped thread of another process, by two pieces of code it has anyway.
 *
 * Before its registers change, a frame for rt_sigreturn(2) with all that the thread is goes to memory it
 * has to spare, and its registers become: at `syscall; ret`, with a stack pointer at that frame. From
 * then on, whatever becomes of this process, the thread makes the call, returns into the other piece, and
 * is what it was. So there is no step, no breakpoint, and no moment at which it needs us.
 */
#ifndef GSCOPE_INLINE_CALL_H
#define GSCOPE_INLINE_CALL_H

#include <stdint.h>

#include "user/inline/remote.h"

/* Code of the process. */
struct call_code {
	uint64_t call; /* syscall; ret */
	uint64_t back; /* mov $15, %rax; syscall */
};

/*
 * Find both in what the process has mapped to be executed; every Go program has them. -ENOENT: it
 * does not.
 */
int call_code_find(const struct target_process *p, struct call_code *out);

/* How a thread makes a call. */
struct call_way {
	int mem_fd; /* of the process, to be written */
	struct call_code code;
	uint64_t lo, hi; /* memory nothing else uses until the thread runs on */
};

/*
 * *result is what the kernel returned. 0, or a negative errno: -EBUSY: the thread
 * does not get on, and the call was not made or, if it is held up in the middle, will be once it goes on; -ENOTSUP,
 * -ENOSPC: the thread cannot; -ESRCH it has ended. The thread is what it was, and what was in the memory, too.
 */
int remote_call(struct remote *r, size_t thread, const struct call_way *way, const uint64_t call[7],
		int64_t *result);

#endif
