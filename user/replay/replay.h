/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* One pass over the records of a capture, in time order, into checked transitions. */
#ifndef GSCOPE_REPLAY_REPLAY_H
#define GSCOPE_REPLAY_REPLAY_H

#include "user/replay/sink.h"

struct replay;

int replay_new(struct replay **out, struct error *e);

/*
 * Sinks are called in the order they were added, before the first record; what `sink` points to
 * stays the caller's. At most REPLAY_MAX_SINKS.
 */
#define REPLAY_MAX_SINKS 4
void replay_add_sink(struct replay *r, struct sink sink);

/* Objects that are kept, of all processes together; what comes on top is left out, and counted. */
struct replay_limits {
	uint64_t goroutines; /* that something happens to, */
	uint64_t crowd; /* and those of a process of which it is known only that they wait */
	uint64_t threads, processes, procs, regions;
	uint64_t stack_bytes, symbol_bytes, string_bytes;
};

/* Other ones than from the beginning. Call before the first record. */
void replay_set_limits(struct replay *r, const struct replay_limits *limits);

/* Feed the next record (checked by event_valid()). Returns 0 or what a sink returned. */
int replay_event(struct replay *r, const struct event_head *ev, struct error *e);

/* Close all that is open and tell the sinks the end. Call once, also after an early stop. */
int replay_finish(struct replay *r, struct error *e);

const struct symbols *replay_symbols(const struct replay *r);
const struct replay_totals *replay_totals(const struct replay *r);

/* Walk the model; for sinks that need "all of them now". NULL ends the walk. */
struct process *replay_processes(const struct replay *r); /* uthash list */
struct thread *replay_threads(const struct replay *r); /* uthash list */

void replay_free(struct replay *r);

#endif
