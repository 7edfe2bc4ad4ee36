/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Inside of the report:
 *
 *   report.c       the sink: sorts what the replay tells to where it is counted
 *   goroutines.c   goroutines of one process       (account.c: where one's time went)
 *   bare.c         goroutines of one in which nothing was planted
 *   tasks.c        threads and processes           (kernel.c: system calls, antagonists)
 *   gc.c           garbage collection, stop-the-world, the heap
 *   annotations.c  tasks, regions, logs
 *   procs.c        Ps
 *   samples.c      CPU samples
 *   gaps.c         when events were lost
 *   shed.c         what was left out
 *   print.c        text: print_goroutines.c, print_bare.c, print_kernel.c, print_gc.c, print_user.c,
 *                  print_shed.c, print_footer.c
 */
#ifndef GSCOPE_REPORT_INTERNAL_H
#define GSCOPE_REPORT_INTERNAL_H

#include "user/base/hash.h"
#include "user/report/annotations.h"
#include "user/report/bare.h"
#include "user/report/gaps.h"
#include "user/report/gc.h"
#include "user/report/goroutines.h"
#include "user/report/notices.h"
#include "user/report/procs.h"
#include "user/report/report.h"
#include "user/report/samples.h"
#include "user/report/shed.h"
#include "user/report/tasks.h"

/* One target. */
struct report_process {
	uint32_t tgid;
	struct process *process; /* that has a crowd; NULL: no goroutines, or none that change */
	struct ev_target info;
	const char *plain; /* why it has no goroutines; NULL: it has */
	uint64_t begin, end; /* of its trace */
	bool gone;
	enum gone_how how;
	struct shed shed; /* of it alone */
	struct goroutines goroutines;
	bool is_bare;
	struct bare bare; /* instead of goroutines, if it is */
	bool no_kernel; /* goroutines alone */
	struct gc gc;
	struct annotations annotations;
	struct procs procs;
	struct samples samples;
	struct kernel_view view;
	struct ev_damage damage; /* found is 0: none */
	struct top threads; /* of one without goroutines: struct task */
	UT_hash_handle hh; /* in the order they came */
};

struct report_repair {
	const char *what; /* a fixed text */
	uint64_t count;
};

#define PROBE_KINDS USER_KINDS

/* Hits of all probe sites of one target, by what they tell. */
struct report_probes {
	uint32_t tgid;
	uint64_t hits[PROBE_KINDS];
};

#define MOST_MISSING 8

struct report {
	struct report_options options;
	const struct symbols *symbols;
	struct interned *names;
	struct report_process *processes; /* by tgid */
	struct tasks tasks;
	struct kernel_view system;
	struct ev_site *sites; /* never hit, but for sure to be passed */
	size_t nsites;
	struct report_probes *probes;
	size_t nprobes;
	struct report_repair *repairs;
	size_t nrepairs;
	struct gaps gaps;
	struct shed shed;
	struct ev_missing missing[MOST_MISSING]; /* of one capture there are no more */
	size_t nmissing;
	struct notices notices;
	struct replay_totals totals;
	char *damage;
};

#endif
