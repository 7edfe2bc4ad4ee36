/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Records of several sources (one ring per CPU, and the collector itself) into one stream in
 * strict order of time.
 *
 * Each source is nearly in order: a program that was interrupted between taking its place in the
 * ring and looking at the clock has a later time than its successors. What is safe to pass on is
 * what is older than every source's promise.
 */
#ifndef GSCOPE_CAPTURE_MERGE_H
#define GSCOPE_CAPTURE_MERGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/event.h"

struct merge;

/* Promises start at 0: nothing passes before every source has made one. NULL: out of memory. */
struct merge *merge_new(size_t sources);
void merge_free(struct merge *m);

/* Add a copy of *ev, in O(log n) whatever the times are. Returns 0 or -ENOMEM. */
int merge_add(struct merge *m, size_t source, const struct event_head *ev);

/* What is added to `source` from now on has a time of at least `ns`. Never goes back. */
void merge_promise(struct merge *m, size_t source, uint64_t ns);

typedef int (*merge_emit_fn)(void *ctx, struct event_head *ev);

/*
 * Hand over all records that are older than every promise: in order of time, of equal times in
 * order of source, then of arrival. A record that breaks its source's promise gets the time of
 * the last one handed over and is counted. The record may be changed and is valid until the
 * callback returns. Stops at the first non-zero return, which is returned; that record is gone.
 */
int merge_emit(struct merge *m, merge_emit_fn emit, void *ctx);

/* The same for `most` records, of which there may be more then. */
int merge_emit_some(struct merge *m, size_t most, bool *more, merge_emit_fn emit, void *ctx);

/* Records that wait, and those of one source. */
size_t merge_pending(const struct merge *m);
size_t merge_waiting(const struct merge *m, size_t source);

/*
 * Bytes of records that are kept. A source that promises nothing new holds up all others, for ever
 * if it wants: it is for those who add to look here, and to leave their records where they are
 * while it is too much - except for a source that is waited for, see merge_waits_for().
 */
size_t merge_bytes(const struct merge *m);

/*
 * The same of `n` sources from `first` on: what those have who share them. By this one who adds more
 * than can be handed over takes nothing from the others.
 */
size_t merge_bytes_of(const struct merge *m, size_t first, size_t n);

/* No source has promised less than this one: nothing more passes before it promises more. */
bool merge_waits_for(const struct merge *m, size_t source);

/* Records that broke their source's promise so far. */
uint64_t merge_late(const struct merge *m);

#endif
