/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Memory that others can take away while it is mapped here, as a file that is cut: SIGBUS for what
 * looks there next. For guarded memory the handler lays zeros over all of it and notes that; every
 * other fault ends the program as before.
 */
#ifndef GSCOPE_INLINE_FAULT_H
#define GSCOPE_INLINE_FAULT_H

#include <stdbool.h>
#include <stddef.h>

struct fault_guard;

/*
 * Guard whole pages at `at`, until fault_forget(), which has to come before they are unmapped. 0, or
 * -ENOSPC: too many are guarded. Thread-safe.
 */
int fault_guard(struct fault_guard **out, void *at, size_t size);
void fault_forget(struct fault_guard *g);

/* Whether it was taken away: what is there now are zeros of our own. */
bool fault_happened(const struct fault_guard *g);

#endif
