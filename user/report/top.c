// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/report/top.h"

#include <errno.h>
#include <stdlib.h>

static void swap(struct top *t, size_t a, size_t b)
{
	void *item = t->items[a];

	t->items[a] = t->items[b];
	t->items[b] = item;
}

static void sift_up(struct top *t, size_t i)
{
	for (; i && t->compare(t->items[i], t->items[(i - 1) / 2]) < 0; i = (i - 1) / 2)
		swap(t, i, (i - 1) / 2);
}

static void sift_down(struct top *t, size_t i, size_t n)
{
	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= n)
			return;
		if (child + 1 < n && t->compare(t->items[child + 1], t->items[child]) < 0)
			child++;
		if (t->compare(t->items[i], t->items[child]) <= 0)
			return;
		swap(t, i, child);
		i = child;
	}
}

int top_offer(struct top *t, void *item, void **out)
{
	*out = NULL;
	t->offered++;
	if (t->max && t->n == t->max) {
		if (t->compare(item, t->items[0]) < 0) {
			*out = item;
			return 0;
		}
		*out = t->items[0];
		t->items[0] = item;
		sift_down(t, 0, t->n);
		return 0;
	}
	if (t->n == t->room) {
		size_t room = t->room ? 2 * t->room : 32;
		void **items = realloc(t->items, room * sizeof(*items));

		if (!items)
			return -ENOMEM;
		t->items = items;
		t->room = room;
	}
	t->items[t->n++] = item;
	sift_up(t, t->n - 1);
	return 0;
}

/* The smallest goes to the end, again and again. */
void top_sort(struct top *t)
{
	for (size_t n = t->n; n > 1; n--) {
		swap(t, 0, n - 1);
		sift_down(t, 0, n - 1);
	}
}
