/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* GOMAXPROCS of one process, and what its Ps were used for. */
#ifndef GSCOPE_REPORT_PROCS_H
#define GSCOPE_REPORT_PROCS_H

#include "user/replay/sink.h"

/* Zeroes are a process of which nothing is known. */
struct procs {
	unsigned int n; /* GOMAXPROCS; 0: not told */
	unsigned int min, max;
	uint64_t changes;
	unsigned int known; /* Ps that exist, in use or not */
	unsigned int running, syscall; /* of them */
	uint64_t since; /* up to here the times are complete */
	/* summed over Ps, ns; a P that runs may be with a goroutine, or look for one */
	uint64_t all_ns, running_ns, syscall_ns;
};

void procs_set(struct procs *ps, const struct procs_change *c);
void procs_change(struct procs *ps, const struct p_change *c);
/* Goroutines take their P along into system calls. */
void procs_goroutine(struct procs *ps, const struct g_change *c);
void procs_close(struct procs *ps, uint64_t time);

#endif
