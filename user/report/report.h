/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The latency report: where the time of goroutines and threads went, and who took it. */
#ifndef GSCOPE_REPORT_REPORT_H
#define GSCOPE_REPORT_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "user/replay/sink.h"

enum report_sort {
	REPORT_SORT_WAIT, /* blocked + runnable */
	REPORT_SORT_TOTAL,
	REPORT_SORT_RUNNING,
	REPORT_SORT_OFF_CPU,
	REPORT_SORT_RUNNABLE,
	REPORT_SORT_SYSCALL,
	REPORT_SORT_BLOCKED,
	REPORT_SORT_DELAY, /* 99th percentile */
	REPORT_SORT_COUNT, /* goroutines of a group; starts of a goroutine */
};

/* "wait", "total", "running", "offcpu", ... -EINVAL with the list of them. */
int report_sort_parse(const char *text, enum report_sort *sort, struct error *e);

#define REPORT_TOP_DEFAULT 20

struct report_options {
	enum report_sort sort;
	unsigned int top; /* rows of each table; 0: all */
	bool system_wide; /* the capture is: tables of processes and threads, too */
};

struct report;

/* The symbols are the replay's and must live as long as the report. 0 or -ENOMEM with *e. */
int report_new(struct report **out, const struct report_options *options,
	       const struct symbols *symbols, struct error *e);

/* To be added to the replay. */
struct sink report_sink(struct report *r);

/* What capture_reader_damage() says, for the footer; NULL for a whole capture. Copied. */
void report_set_damage(struct report *r, const char *damage);

/* After replay_finish(), and before replay_free(). -ENOMEM or -EIO with *e. */
int report_print(struct report *r, FILE *out, struct error *e);

void report_free(struct report *r);

#endif
