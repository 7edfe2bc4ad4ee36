/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Every distinct name once, so that names compare by pointer and outlive their source. */
#ifndef GSCOPE_REPORT_INTERN_H
#define GSCOPE_REPORT_INTERN_H

struct interned; /* NULL is an empty set */

/* The one copy of `name`; lives until interned_free(). NULL: out of memory. */
const char *intern(struct interned **set, const char *name);
/* The same if there is one already, else NULL. */
const char *interned_find(const struct interned *set, const char *name);
void interned_free(struct interned **set);

#endif
