/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A capture as text, one line per record and per transition, for reading and for comparing two
 * captures with diff: fixed order of fields, goids and P ids instead of addresses.
 *
 *	> 0.001234501 T4711 go park G17 P2 running->waiting "chan receive" stack=main.recv<...
 *	0.001234567 M4711 P2 G17 block "chan receive" (chan receive) stack=main.recv<main.worker
 *
 * Records begin with "> ", transitions do not. Times are seconds since the beginning.
 */
#ifndef GSCOPE_EXPORT_DUMP_H
#define GSCOPE_EXPORT_DUMP_H

#include <stdio.h>

#include "user/replay/sink.h"

struct dump;

struct dump_options {
	bool events, transitions; /* what to print; neither: both */
	bool verbose; /* also addresses, whole stacks, processes */
	uint64_t begin_ns; /* what times are relative to; 0: the first record or transition */
};

/* *f stays the caller's. Returns 0 or -ENOMEM. */
int dump_new(struct dump **out, FILE *f, const struct dump_options *options, struct error *e);

/* *symbols outlives the dump; without, stacks are numbers. */
void dump_set_symbols(struct dump *d, const struct symbols *symbols);

/*
 * A record, before it is given to the replay. Call it for every one, even if only transitions are
 * asked for. Returns 0, or a negative errno for a failed write.
 */
int dump_event(struct dump *d, const struct event_head *ev, struct error *e);

/* Transitions, repairs and losses. */
struct sink dump_sink(struct dump *d);

/* Flush; returns the first error of a write. */
int dump_finish(struct dump *d, struct error *e);

/* d may be NULL. */
void dump_free(struct dump *d);

#endif
