/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Threads and processes as the kernel schedules them. Live threads have a row, and processes with
 * one; of those that ended only the top ones are kept.
 */
#ifndef GSCOPE_REPORT_TASKS_H
#define GSCOPE_REPORT_TASKS_H

#include "user/report/intern.h"
#include "user/report/kernel.h"
#include "user/report/top.h"

struct task_process {
	uint32_t tgid;
	char comm[EVENT_COMM_LEN]; /* of its main thread, or of the first one seen */
	unsigned int live; /* threads with a row */
	uint64_t threads;
	uint64_t serial;
	struct kernel_view *view; /* a target's own, or NULL; outlives this */
	struct top *rows; /* its threads', if they are wanted; outlives this */
	struct task_stats stats; /* of the threads that ended */
	UT_hash_handle hh;
};

struct task {
	uint32_t tid;
	char comm[EVENT_COMM_LEN];
	struct task_process *process;
	uint32_t tgid; /* its process may be gone when it is printed */
	uint64_t serial;
	enum t_state state;
	uint64_t since; /* when it entered the state */
	int asleep; /* while asleep: sleep_key() */
	const char *taken_by; /* while runnable, if its CPU was taken away */
	const char *taken_by_name; /* the same, without regard to whose thread it is */
	struct task_stats stats;
	UT_hash_handle hh;
};

struct tasks {
	struct interned **names; /* the report's */
	struct kernel_view *system; /* also gets all that happens; NULL: not asked for */
	struct task *live; /* by tid */
	struct task_process *processes; /* by tgid */
	struct top top, top_processes;
	uint64_t serial;
	uint64_t begin; /* nothing is accounted before */
};

/* Rows of ended threads and processes are kept only for a system-wide report. */
void tasks_init(struct tasks *ts, unsigned int top, struct kernel_view *system,
		struct interned **names);

/*
 * A target: what happens to its threads is added to `view`, too. One without goroutines has `rows`,
 * from tasks_rows_init(), for its threads and what they sleep in; else NULL.
 */
int tasks_target(struct tasks *ts, uint32_t tgid, struct kernel_view *view, struct top *rows);
void tasks_rows_init(struct top *rows, unsigned int top);
void tasks_rows_free(struct top *rows);

/* All: 0 or -ENOMEM. */
int tasks_change(struct tasks *ts, const struct t_change *c);
int tasks_syscall(struct tasks *ts, const struct syscall_span *s);

/* A process ends, with all its threads. */
int tasks_close_process(struct tasks *ts, uint32_t tgid, uint64_t time);
/* The capture ends: finish all rows and sort. */
int tasks_close(struct tasks *ts, uint64_t time);
void tasks_free(struct tasks *ts);

#endif
