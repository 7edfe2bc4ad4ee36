/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A capture in memory, and damaged copies of it. */
#ifndef GSCOPE_TESTS_SOAK_RECORDS_H
#define GSCOPE_TESTS_SOAK_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/event.h"

struct records {
	const struct event_head **v; /* time order */
	size_t n, room;
	size_t first; /* after EV_READY */
	void **memory; /* what v points into */
	size_t nmemory;
};

/* Exits with a message if that is no capture, or has no records behind its snapshot. */
void records_read(struct records *rs, const char *path);
void records_add(struct records *rs, const struct event_head *ev);
/* A record of its own, the memory zero. */
struct event_head *records_new(struct records *rs, size_t size);
void records_free(struct records *rs);

/* Whether BPF programs wrote it, so that it can be lost. */
bool record_is_of_ring(const struct event_head *ev);
enum loss_class record_class(const struct event_head *ev);

/* --- damage.c --- */

struct random {
	uint64_t state;
};
uint64_t rnd(struct random *r, uint64_t n); /* 0..n-1 */

/*
 * A damaged copy: losses (single, in bursts, of some classes, told or not), duplicates, records
 * that changed places or times, a cut. About `most` records behind the snapshot are kept.
 */
void damage(struct records *out, const struct records *in, uint64_t seed, size_t most);

/* Losses between records [from, to) alone, with records of them. */
void damage_window(struct records *out, const struct records *in, uint64_t seed, size_t from,
		   size_t to);

/* --- settle.c --- */

/*
 * Lose records in windows, and see when the states are right again. Prints how long that takes.
 * False if something that was seen again is wrong at the end.
 */
bool settle(const struct records *rs, const char *name, uint64_t seed, unsigned int rounds);

#endif
