/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Children that were forked and have executed no other program: they have the redirected calls in a copy of
 * their own, and the rings in common with the target, in which only one of them may write.
 */
#ifndef GSCOPE_INLINE_FORKED_H
#define GSCOPE_INLINE_FORKED_H

#include "user/inline/plant.h"

/*
 * Put back what children of the target have that are there now; nothing is said of those with which that
 * is not possible: the next look may do. Cheap where there are none.
 */
void forked_clean_children(const struct planted *d);

/* The same for all processes that run the target's program, whatever has become of their parents. */
void forked_clean_all(const struct planted *d);

/* forked_clean_children(), and after how many ms that is due again, so that it takes little of the time. */
int forked_watch(const struct planted *d);

#endif
