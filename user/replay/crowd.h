/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Goroutines that waited when the trace began and have done nothing since: most of those of a program
 * that has very many. Each takes a few words here; it becomes a struct goroutine once a record names it.
 */
#ifndef GSCOPE_REPLAY_CROWD_H
#define GSCOPE_REPLAY_CROWD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct crowd;
struct goroutine;

/*
 * Add one, of which address, id, parent, start, stack, reason and whether it is the system's are kept;
 * *crowd is made if it is NULL. 0; -EEXIST: its id cannot stand for it alone; -ENOMEM.
 */
int crowd_add(struct crowd **crowd, const struct goroutine *g);

/* Remove the one at `addr`, and fill *out as crowd_next() does; false: there is none. */
bool crowd_take(struct crowd *c, uint64_t addr, struct goroutine *out);

bool crowd_has_id(const struct crowd *c, uint64_t id);
size_t crowd_count(const struct crowd *c);

/* Their serials are `first` and those behind it; how many these are. */
size_t crowd_number(struct crowd *c, uint64_t first);

/*
 * One after the other, in the order they came; *at begins with 0. Of *out everything is set but process
 * and since.
 */
bool crowd_next(const struct crowd *c, size_t *at, struct goroutine *out);

/* All take NULL for an empty one. */
void crowd_free(struct crowd *c);

#endif
