/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* CPU samples: a clock per CPU, whose program looks at what runs there. */
#ifndef GSCOPE_CAPTURE_SAMPLE_H
#define GSCOPE_CAPTURE_SAMPLE_H

#include <stdio.h>

#include "user/capture/attach.h"

#define SAMPLE_RATE 100 /* Hz: that of Go's own profiler, runtime/pprof/pprof.go */
#define SAMPLE_RATE_MAX 10000

/*
 * Have every CPU that has a ring sampled `rate` times a second of its time. What cannot be sampled
 * is said in one line on `messages` (may be NULL): there are less samples then, or none. Returns 0,
 * or -ENOMEM.
 */
int sample_attach(struct links *l, const struct programs *p, unsigned int rate, FILE *messages);

#endif
