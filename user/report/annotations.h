/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Tasks, regions and log messages of one process, by their types. Names are the program's choice:
 * only so many are told apart, and of what never ends only so much is remembered.
 */
#ifndef GSCOPE_REPORT_ANNOTATIONS_H
#define GSCOPE_REPORT_ANNOTATIONS_H

#include "user/base/hash.h"
#include "user/replay/sink.h"
#include "user/report/intern.h"
#include "user/report/spans.h"

#define MOST_ANNOTATIONS 1000 /* types; what comes then is OTHER_ANNOTATIONS of its kind */
#define OTHER_ANNOTATIONS "(others)"
#define MOST_OPEN_TASKS (1U << 17)
#define MOST_OPEN_REGIONS 100 /* of a goroutine */

enum annotation_kind {
	ANNOTATION_TASK,
	ANNOTATION_REGION,
	ANNOTATION_REGION_BEGIN, /* by trace.StartRegion: its end cannot be seen */
	ANNOTATION_LOG,
};

struct annotation {
	struct annotation_key {
		const char *name; /* interned */
		uint64_t kind;
	} key;
	uint64_t begun; /* while traced */
	struct spans ended; /* of them */
	UT_hash_handle hh;
};

struct open_task;
struct open_regions;

struct annotations {
	struct interned **names; /* the report's */
	struct annotation *types;
	struct open_task *tasks; /* by id */
	struct open_regions *regions; /* by the goroutine's serial */
};

/* 0 or -ENOMEM. */
int annotations_add(struct annotations *as, const struct user_change *c);
/* A goroutine has ended, and its regions with it. */
void annotations_leave(struct annotations *as, const struct goroutine *g);
/* Most time first. */
void annotations_close(struct annotations *as);
void annotations_free(struct annotations *as);

#endif
