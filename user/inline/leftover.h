/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What an earlier gscope left in a process. Everything found there is the process's word: it is read by
 * copy, checked against what the kernel says of the process and against the file its code is from, and
 * looked at in bounded number and time.
 */
#ifndef GSCOPE_INLINE_LEFTOVER_H
#define GSCOPE_INLINE_LEFTOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "user/inline/plant.h"

#define LEFTOVERS_MOST 16 /* there is one, of two gscopes that were killed two */

struct leftovers {
	struct planted v[LEFTOVERS_MOST];
	size_t n;
	size_t named; /* mappings that are called like gscope's */
	size_t seen; /* so many of them were looked at */
};

/*
 * What is to be restored and unmapped: its calls lead to its stubs, and what they were is what the file
 * has. 0, or an error that says why the process cannot be looked at. Free with leftovers_close().
 */
int leftovers_find(struct leftovers *out, const struct target_process *p, struct error *e);
void leftovers_close(struct leftovers *l);

/*
 * Whether the gscope that planted it is alive, and works with it: a process that has it by a fork is not
 * the one that gscope traces.
 */
bool leftover_is_in_use(const struct planted *d);

#endif
