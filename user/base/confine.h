/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What reads a capture or a target's file may be attacked by it. It runs in a process of its own that
 * has no capability and may make few system calls: it reads and writes the descriptors it was given,
 * and opens, executes and connects to nothing.
 */
#ifndef GSCOPE_BASE_CONFINE_H
#define GSCOPE_BASE_CONFINE_H

#include <stddef.h>

#include "user/base/error.h"

/*
 * Run `work` in a child that is confined, and wait for it: what `work` returns, with its message in *e. What
 * it writes to memory is lost but for the `size` bytes at `result` (NULL: none). A child that a signal ended is
 * an error with a message: EXIT_INTERRUPTED for Ctrl-C; by a closed pipe this process ends, too.
 */
int confine_run(int (*work)(void *ctx, void *result, struct error *e), void *ctx, void *result,
		size_t size, struct error *e);

/*
 * Give up, for all threads, the system calls by which a tracer that was taken over would get further: executing
 * programs, sockets, mounts, other users' ids. 0, or a negative errno with a message.
 */
int confine_tracer(struct error *e);

/* Confine this process: 0, or a negative errno with a message. */
int confine_self(struct error *e);

#endif
