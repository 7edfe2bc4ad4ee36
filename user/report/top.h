/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The `max` largest of any number of items, in memory for `max` of them. */
#ifndef GSCOPE_REPORT_TOP_H
#define GSCOPE_REPORT_TOP_H

#include <stddef.h>

struct top {
	/* > 0: a is larger; never 0 for different items, or the choice would be arbitrary */
	int (*compare)(const void *a, const void *b);
	size_t max; /* 0: no limit */
	void **items; /* a heap until top_sort(), the smallest first */
	size_t n, room;
	size_t offered; /* so many were */
};

/*
 * Takes `item`. *out is what has no place any more and is the caller's again: `item` itself, another
 * one, or NULL. -ENOMEM: nothing was taken.
 */
int top_offer(struct top *t, void *item, void **out);

/* Order the items, the largest first; no top_offer() may follow. */
void top_sort(struct top *t);

#endif
