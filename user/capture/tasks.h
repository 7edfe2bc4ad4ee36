/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef GSCOPE_CAPTURE_TASKS_H
#define GSCOPE_CAPTURE_TASKS_H

#include "bpf/event.h"

/*
 * Tell `fn` of every thread of this machine, as /proc has it now. Threads that end meanwhile are
 * left out. Returns 0, -errno if /proc cannot be read, or the first non-zero return of `fn`.
 */
int tasks_each(int (*fn)(void *ctx, const struct ev_task_state *ev), void *ctx);

/*
 * Parse a line of /proc/PID/stat, whose second field, in brackets, may have anything in it, into
 * .comm and .state: 0 or -EINVAL.
 */
int task_parse_stat(const char *line, struct ev_task_state *ev);

#endif
