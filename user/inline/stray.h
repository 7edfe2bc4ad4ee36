/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A descriptor of the shared memory, which a process has for a moment while it is being mapped. */
#ifndef GSCOPE_INLINE_STRAY_H
#define GSCOPE_INLINE_STRAY_H

#include "user/base/error.h"
#include "user/target/layout.h"
#include "user/target/process.h"

/* One that a gscope which was killed in that moment has left: its number, -1: there is none. */
int stray_find(const struct target_process *p);

/* Have the process close it: 0, or as caller_stop(). */
int stray_close(const struct target_process *p, const struct layout *l, int fd, struct error *e);

#endif
