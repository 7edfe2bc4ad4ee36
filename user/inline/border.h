/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The border to the memory a target shares with gscope. The target may write there, at any time, whatever
 * it likes, so all that is read there is read here: copied first, checked then, and bounded by what is
 * possible. What gscope has to know itself (where it is in a ring, how the memory is divided, which
 * sites have stubs) is kept here and never read back.
 *
 * What stubs could not have written is counted, and left out. What is left out counts as lost.
 */
#ifndef GSCOPE_INLINE_BORDER_H
#define GSCOPE_INLINE_BORDER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "user/inline/shared.h"
#include "user/inline/tsc.h"

/* What was found that no stub writes. */
struct inline_damage {
	uint32_t kinds; /* DAMAGE_*; 0: nothing */
	uint64_t found; /* records, positions and counters */
};

struct border_ring {
	struct inline_ring *shared;
	uint64_t tail; /* read so far */
	uint64_t head; /* written, when it was looked at, */
	uint64_t now_ns; /* at this time; */
	bool busy; /* and more was on its way */
	uint64_t lost, waits; /* as they were shown last */
	uint64_t floor_ns; /* no record that is still to come is older */
	/* what is written from this position on is not older than this, but for one under way */
	uint64_t mark, mark_ns;
	bool marked, mark_busy;
	uint64_t held, held_ns; /* position and time since when nothing but that one is missing */
	unsigned int overtaken; /* so many times it was not waited for any longer, */
	bool catches_up; /* and what comes now may be older than its floor */
};

struct border {
	struct inline_geometry g;
	struct border_ring *ring;
	const bool *sites; /* that have stubs */
	size_t nsites;
	struct tsc_clock clock;
	uint64_t begin_ns; /* of the pass */
	bool last; /* nobody writes any more */
	bool pressed; /* others wait, and have much */
	unsigned int unfinished; /* records of ring 0 at the end */
	/* how many records there can be at most, by the CPU time the process had */
	clockid_t cpu_clock;
	uint64_t cpu_begin, cpu_ns, cpu_seen_ns;
	uint64_t cpus;
	uint64_t most; /* as it was last computed */
	uint64_t taken, lost, waits;
	struct inline_damage damage;
	/* the copy of the record at hand */
	uint64_t record[INLINE_RECORD_MAX / 8];
};

_Static_assert(INLINE_RECORD_MAX % 8 == 0, "whole words");

struct border_options {
	void *memory;
	struct inline_geometry geometry;
	const bool *sites; /* by number: it has a stub; stays the caller's, and there */
	size_t nsites;
	pid_t pid;
	uint64_t since_ns; /* no record is older */
};

/* Free with border_close() in any case. -ENOMEM. */
int border_open(struct border *b, const struct border_options *o);
void border_close(struct border *b);

/* A pass begins. `last`: the last one. `pressed`: what others wait with is more than it should be. */
void border_begin(struct border *b, bool last, bool pressed);

/* Look how far a ring is written. Bytes there are to read. */
uint64_t border_look(struct border *b, uint32_t i);

/*
 * The next record of a ring, up to where it was written when it was looked at; NULL: none, or it is
 * not complete. Valid until the next call. Its time is the ring's floor_ns at least, and of other rings
 * than 0 becomes that.
 */
const struct inline_record *border_next(struct border *b, uint32_t i, uint64_t *time_ns);

/* What border_next() gave last was none after all: what it says is not so. */
void border_refuse(struct border *b);

/* Let the stubs have what was read, and raise the ring's floor_ns as far as can be. */
void border_done(struct border *b, uint32_t i);

/* The memory was taken away. */
void border_cut(struct border *b);

/* Records that were lost so far, those left out included; how often stubs have waited. */
uint64_t border_lost(struct border *b);
uint64_t border_waits(struct border *b);

/* CPU time the process has used since border_open(), ns: at most, if it has ended. */
uint64_t border_cpu_ns(struct border *b);

#endif
