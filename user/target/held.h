/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Whether a process is kept from running: by a signal, a debugger, or the freezer of its cgroup. */
#ifndef GSCOPE_TARGET_HELD_H
#define GSCOPE_TARGET_HELD_H

#include "user/target/process.h"

enum held { HELD_NOT, HELD_STOPPED, HELD_TRACED, HELD_FROZEN };

/* A file that tells of the freezer: of cgroup v2 (cgroup.events) or v1 (freezer.state). */
struct held_watch {
	int fd[2]; /* -1: there is none, or it cannot be seen from here */
};

/* Begin to watch; close with held_close(), which takes a zeroed watch whose fds are -1. */
void held_open(struct held_watch *w, const struct target_process *p);
void held_close(struct held_watch *w);

/* How it is now. One that cannot be looked at is not held. */
enum held held_look(const struct held_watch *w, const struct target_process *p);

#endif
