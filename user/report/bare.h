/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The goroutines of one process in which nothing was planted: what kernel events prove of them. As
 * in goroutines.h each has a row until another one is seen in its place.
 */
#ifndef GSCOPE_REPORT_BARE_H
#define GSCOPE_REPORT_BARE_H

#include "user/base/hash.h"
#include "user/replay/sink.h"
#include "user/report/histogram.h"
#include "user/report/report.h"
#include "user/report/top.h"

struct bare_stats {
	uint64_t syscalls, syscall_ns;
	uint64_t on_cpu; /* ns */
	uint64_t asleep, waiting; /* ns off CPU: until it could go on, and then for a CPU */
	uint64_t off; /* times its thread left a CPU, */
	uint64_t preempted; /* of them because somebody else got it */
	uint64_t wakes; /* threads it woke */
	struct histogram delay; /* of the waits for a CPU */
};

struct bare_group {
	uint64_t start_pc; /* 0: not known */
	bool system;
	uint64_t count;
	uint64_t key; /* set by bare_close() */
	struct bare_stats s;
	UT_hash_handle hh;
};

struct bare_row {
	uint64_t addr;
	uint64_t serial;
	uint64_t id;
	struct bare_group *group;
	uint64_t key; /* what it is sorted by, once it is finished */
	struct bare_stats s;
	UT_hash_handle hh;
};

/* A stack from which goroutines left their CPU. */
struct bare_stack {
	struct bare_stack_key {
		uint64_t stack; /* 0: not known */
		uint64_t start_pc;
	} key;
	uint64_t times, ns, waiting;
	UT_hash_handle hh;
};

struct bare {
	enum report_sort sort;
	struct bare_row *live; /* by addr */
	struct bare_group *groups; /* by start_pc */
	struct bare_stack *stacks;
	struct top top; /* of struct bare_row */
	uint64_t seen;
	uint64_t on_cpu; /* ns of all threads, for whomever */
};

void bare_init(struct bare *b, enum report_sort sort, unsigned int top);

/* All three: 0 or -ENOMEM. */
int bare_span(struct bare *b, const struct thread_span *s);
int bare_syscall(struct bare *b, const struct syscall_span *s);
/* Finish all rows and sort. */
int bare_close(struct bare *b);

void bare_free(struct bare *b);

#endif
