/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What `trace` and `record` share: whom to trace, for how long, and the tracing itself. */
#ifndef GSCOPE_CMD_LIVE_H
#define GSCOPE_CMD_LIVE_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "user/base/error.h"

#define LIVE_MAX_TARGETS 64
#define LIVE_MAX_OVERHEAD 250000 /* the default: 25 % */

struct live_options {
	pid_t pids[LIVE_MAX_TARGETS];
	size_t npids;
	bool system_wide;
	bool goroutines; /* a process without is refused */
	bool kernel; /* level "kernel" */
	bool full; /* level "full" */
	bool inlined; /* redirect calls instead of probing them */
	unsigned int sample_rate; /* of CPU samples, Hz; 0: the default */
	bool no_stacks;
	bool no_kernel; /* goroutines alone */
	uint32_t sample_goroutines; /* stacks of one in so many; 0: of all */
	uint32_t max_overhead; /* millionths; 0: no limit */
	bool verbose; /* say what was found out about the processes */
	uint64_t duration_ns;
	uint64_t buffer_bytes; /* 0: the default */
	void (*begun)(void *ctx); /* called when the capture holds something; may be NULL */
	void *begun_ctx;
};

/* The options both have, to be a child of the command's own; input: struct live_options. */
extern const struct argp live_argp;

/* Processes whose calls are not back yet, because threads of them do not stop. */
struct live_rest;

/*
 * Trace as asked and write the capture to fd. Returns 0, or a negative errno with *e filled.
 * After 0 *status is the exit status: that Ctrl-C ended it early, or that something is left in a process,
 * which a message has said by then. *rest, NULL for none, is for live_finish(), whatever is returned.
 */
int live_capture(const struct live_options *o, int fd, int *status, struct live_rest **rest,
		 struct error *e);

/*
 * When all is written: wait until they are as they were, or for Ctrl-C. Takes NULL. Returns the exit status:
 * `status` if it went well.
 */
int live_finish(struct live_rest *rest, int status);

#endif
