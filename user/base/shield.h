/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Mapped memory that others have a hand in: an access may fail (SIGBUS) whatever was checked before.
 * Where one does, a page of zeros takes the place of what was there, and the program goes on.
 */
#ifndef GSCOPE_BASE_SHIELD_H
#define GSCOPE_BASE_SHIELD_H

#include <stdbool.h>
#include <stddef.h>

#define SHIELDS_MAX 256 /* at a time */

/* Shield mapped memory, whole pages: 0, or -ENOSPC. To be ended before it is unmapped. */
int shield_begin(void *start, size_t size);
void shield_end(const void *start);

/* Whether that was needed: of what is there by now, not all is what others wrote. */
bool shield_is_broken(const void *start);

#endif
