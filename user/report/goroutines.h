/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The goroutines of one process. Each live one has a row; a finished one is added to the group of
 * its start function and kept as a row only while it is among the top ones.
 */
#ifndef GSCOPE_REPORT_GOROUTINES_H
#define GSCOPE_REPORT_GOROUTINES_H

#include "user/base/hash.h"
#include "user/replay/sink.h"
#include "user/report/account.h"
#include "user/report/intern.h"
#include "user/report/report.h"
#include "user/report/spans.h"
#include "user/report/top.h"

/* Stands for the start of a C thread's goroutine, which has none. */
#define START_C_THREAD 1

/* There are so many starts that the others are not told apart: a group of this. */
#define START_OTHERS 2
#define MOST_GROUPS (1U << 16)

/* All goroutines that start at one PC. */
struct group {
	uint64_t start_pc;
	bool system;
	uint64_t count;
	uint64_t key; /* set by goroutines_close() */
	struct account a;
	struct spans assists; /* made to help the garbage collector; they may block meanwhile */
	uint64_t assist_ns; /* they ran for it */
	uint64_t samples;
	UT_hash_handle hh;
};

struct goroutine_row {
	uint64_t addr;
	uint64_t serial;
	uint64_t id;
	struct group *group;
	uint64_t begin;
	uint64_t since; /* up to here the parts and the time unseen are complete */
	uint64_t unseen_ns; /* what it did was not seen: of no part */
	enum part part; /* that it is in since then */
	uint64_t runnable_since; /* 0: not known */
	enum g_state state; /* G_DEAD: it ended */
	const char *reason; /* while waiting */
	uint64_t assist_since; /* 0: it does not assist */
	bool assist_whole; /* it began while traced */
	uint64_t assist_ran; /* how long it had run when it began */
	enum gc_worker worker; /* since it had run for ... */
	uint64_t worker_ran;
	uint64_t key; /* what it is sorted by, once it is finished */
	struct account a;
	UT_hash_handle hh;
};

struct goroutines {
	enum report_sort sort;
	struct interned **names; /* the report's */
	struct goroutine_row *live; /* by addr */
	struct group *groups; /* by start_pc */
	struct top top; /* of struct goroutine_row */
	uint64_t seen, at_start, at_end;
	bool blind; /* what they do is not seen: that time is nobody's */
	uint64_t turned; /* ns: that changed, or the trace began; until then: */
	uint64_t seen_ns, unseen_ns;
	uint64_t worker_ns[GC_WORKER_IDLE + 1]; /* GC workers ran, by enum gc_worker */
};

void goroutines_init(struct goroutines *gs, enum report_sort sort, unsigned int top,
		     struct interned **names, uint64_t begin);

/* All but the one of a bool: 0 or -ENOMEM. */
int goroutines_change(struct goroutines *gs, const struct g_change *c);
/* The thread of a running goroutine goes on or off a CPU. */
int goroutines_thread(struct goroutines *gs, const struct t_change *c);

/* A goroutine begins or ends to assist. */
int goroutines_assist(struct goroutines *gs, const struct range_change *c);
/* A GC worker was started for another kind of work. */
int goroutines_worker(struct goroutines *gs, const struct label_change *c);
/* A goroutine was on a CPU: whether it is known. */
bool goroutines_sample(struct goroutines *gs, const struct goroutine *g);

/* What they do is not seen from here on, or is again. */
int goroutines_blind(struct goroutines *gs, bool blind, uint64_t time);

/* The trace of the process ends: finish all rows, and those of the crowd, and sort. */
int goroutines_close(struct goroutines *gs, struct process *ps, uint64_t time);

void goroutines_free(struct goroutines *gs);

#endif
