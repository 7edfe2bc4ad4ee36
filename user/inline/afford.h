/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* How much memory a process may still have, before somebody is killed for it or slowed down. */
#ifndef GSCOPE_INLINE_AFFORD_H
#define GSCOPE_INLINE_AFFORD_H

#include <stdint.h>

#include "user/target/process.h"

struct afford {
	uint64_t bytes;
	const char *by; /* what leaves it no more, for a message: "memory.max of its control group" */
};

/*
 * The least of what its control groups (v1 or v2, all the way up), its RLIMIT_AS, strict overcommit and
 * the machine leave it. Where control groups cannot be seen from here it is a small number.
 */
void afford_look(struct afford *out, const struct target_process *p);

/* Bytes of it that are locked in memory: VmLck of /proc/PID/status. 0, too, if that is not known. */
uint64_t afford_locked(const struct target_process *p);

#endif
