/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What this kernel can do, and whether it lets us. */
#ifndef GSCOPE_CAPTURE_FEATURES_H
#define GSCOPE_CAPTURE_FEATURES_H

#include <stdbool.h>

#include "user/base/error.h"

struct features {
	bool typed; /* tracepoints are tp_btf programs, else raw_tp */
	bool steady; /* system calls by perf tracepoints, whose programs are never preempted */
	bool multi; /* many uprobes per link */
	bool switch_has_state, exit_has_last; /* arguments that tracepoints have got over time */
};

/* Whether tracing can work at all here: -EPERM or -ENOTSUP, with what to do. */
int features_allowed(struct error *e);

/* Find out by trying. An error: the kernel's types cannot be read. */
int features_find(struct features *f, struct error *e);

#endif
