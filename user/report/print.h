/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the parts of the printing share. */
#ifndef GSCOPE_REPORT_PRINT_H
#define GSCOPE_REPORT_PRINT_H

#include <stdio.h>

#include "user/base/table.h"
#include "user/report/internal.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Good for four calls, those of size_text() included. */
const char *time_text(uint64_t ns);
const char *size_text(uint64_t bytes);
/* A share of `all`, 0 if there is none. */
double percent(uint64_t part, uint64_t all);
/* "s", or "" for one */
const char *plural(uint64_t n);
/* Made printable. */
void print_text(const char *text, FILE *out);
/* How many of n rows to show. */
size_t shown(const struct report *r, size_t n);

/* Print the table with a title, if it has rows, and free it: 0 or -ENOMEM. */
int table_end(struct table *t, size_t left_out, const char *title, FILE *out);

/* --- print_goroutines.c --- */

/* Where a group's goroutines start. */
const char *start_name(const struct report *r, const struct report_process *rp,
		       const struct group *g, char buf[32]);
/* The tables of goroutines: 0 or -ENOMEM. */
int print_goroutines(const struct report *r, const struct report_process *rp, FILE *out);

/* --- print_bare.c --- */

/* Lines about the goroutines of a bare process, and what is not known of them. */
void print_bare_header(const struct report_process *rp, FILE *out);
/* Their tables: 0 or -ENOMEM. */
int print_bare(const struct report *r, struct report_process *rp, FILE *out);

/* --- print_gc.c --- */

/* Lines about Ps, garbage collection and the heap, for what is known. */
void print_runtime(const struct report_process *rp, FILE *out);
/* Tables of stop-the-world pauses and of mark assists: 0 or -ENOMEM. */
int print_gc(const struct report *r, struct report_process *rp, FILE *out);

/* --- print_user.c: both 0 or -ENOMEM --- */
int print_annotations(const struct report *r, const struct report_process *rp, FILE *out);
int print_samples(const struct report *r, struct report_process *rp, FILE *out);

/* --- print_shed.c: lines about what was left out; about the overhead --- */
void print_shed(const struct report *r, FILE *out);
void print_notices(const struct report *r, FILE *out);
void print_overhead(const struct report *r, FILE *out);

/* --- print_footer.c --- */
void print_footer(const struct report *r, FILE *out);

/* --- print_kernel.c: all 0 or -ENOMEM --- */
int print_antagonists(struct kernel_view *v, FILE *out);
/* go: tell calls for goroutines from the runtime's own */
int print_syscalls(const struct report *r, struct kernel_view *v, bool go, FILE *out);
int print_sleeps(const struct report *r, struct kernel_view *v, FILE *out);
/* Threads of one process, in order. */
int print_threads(const struct top *rows, FILE *out);
/* Processes and threads of the system. */
int print_tasks(const struct report *r, FILE *out);

#endif
