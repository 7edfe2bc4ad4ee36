/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* From the rings that stubs write into the merge: the same records as probes make. */
#ifndef GSCOPE_INLINE_READER_H
#define GSCOPE_INLINE_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "user/base/error.h"
#include "user/capture/merge.h"
#include "user/inline/border.h"
#include "user/inline/shared.h"
#include "user/target/target.h"

struct inline_reader;

struct reader_options {
	const struct target *t;
	void *memory; /* shared with it: guarded (fault.h) until reader_free() */
	struct inline_geometry geometry;
	const bool *has_stub; /* by number of the target's sites */
	uint64_t since_ns; /* no record is older */
	uint32_t first_site; /* number of the target's first site */
	struct merge *m;
	size_t first_source; /* of the merge: ring i is this one + i */
};

/* Free with reader_free(). -ENOMEM. */
int reader_new(struct inline_reader **out, const struct reader_options *o);
void reader_free(struct inline_reader *r);

/*
 * Move into the merge what is in the rings, of each not more than suits the CPU's cache, and promise as
 * much as can be; of a target no more than lets others have their turn. `last`: nobody writes any more,
 * what is not complete is never going to be, and all is taken; later calls do nothing. 0 or -ENOMEM.
 */
int reader_pass(struct inline_reader *r, bool last);

/* Whether there is more to be taken at once, now that there was something. */
bool reader_has_more(const struct inline_reader *r);

/* Fullest ring of the last pass, in percent. */
unsigned int reader_fill(const struct inline_reader *r);

/* Records that found no room, or were none, since the last call. */
uint64_t reader_lost(struct inline_reader *r);

/* Records of a site so far, by its number among the target's. */
uint64_t reader_hits(const struct inline_reader *r, size_t site);

/* How often a stub waited for us so far. */
uint64_t reader_waits(struct inline_reader *r);

/* CPU time of the target since reader_new(), ns. */
uint64_t reader_cpu_ns(struct inline_reader *r);

/* What was found that no stub writes, so far. */
struct inline_damage reader_damage(const struct inline_reader *r);

/* What a record's time may be off, ns. */
uint64_t reader_clock_bound(const struct inline_reader *r);

#endif
