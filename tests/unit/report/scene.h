/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A report about a process of two threads, told of every step by hand; one at a time. */
#ifndef GSCOPE_TESTS_UNIT_REPORT_SCENE_H
#define GSCOPE_TESTS_UNIT_REPORT_SCENE_H

#include "user/report/report.h"

#define MS 1000000ULL
#define SECOND (1000 * MS)

extern struct report *report;
extern struct sink sink; /* the report's */
extern struct symbols *symbols;
extern struct process target;
extern struct thread m1, m2;
extern uint64_t now; /* of the next step */

/* Make all of the above; the process is to be told of by the test. */
void begin(const struct report_options *options);

/* One frame. */
void add_symbol(uint64_t pc, const char *func);

/* A goroutine that starts at a symbol of begin(): 0x400000 main.main ... 0x403000. */
struct goroutine goroutine(uint64_t serial, uint64_t id, uint64_t start, bool system);

/* Steps. */
void go(struct goroutine *g, enum g_cause cause, enum g_state to, struct thread *m,
	const char *reason);
void thread_to(struct thread *t, enum t_state to, uint32_t by, const char *comm);
void syscall_took(struct thread *t, struct goroutine *g, int nr, uint64_t ns, int64_t ret);

/* The capture ends. */
void end(struct replay_totals totals);

/* The report, to be freed; everything else is. */
char *print(void);

/* Compare, and show both if they differ. */
void expect(const char *got, const char *want);

#endif
