// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/report/account.h"

#include <errno.h>
#include <stdlib.h>

uint64_t account_total(const struct account *a)
{
	uint64_t sum = 0;

	for (int i = 0; i < PARTS; i++)
		sum += a->part[i];
	return sum;
}

struct wait *account_wait(struct account *a, const char *reason)
{
	struct wait *w;

	/* a goroutine knows few reasons, the runtime about forty */
	for (size_t i = 0; i < a->nwaits; i++)
		if (a->waits[i].reason == reason)
			return &a->waits[i];
	w = realloc(a->waits, (a->nwaits + 1) * sizeof(*w));
	if (!w)
		return NULL;
	a->waits = w;
	w += a->nwaits++;
	*w = (struct wait){.reason = reason};
	return w;
}

int account_merge(struct account *to, const struct account *from)
{
	for (size_t i = 0; i < from->nwaits; i++) {
		struct wait *w = account_wait(to, from->waits[i].reason);

		if (!w)
			return -ENOMEM;
		w->ns += from->waits[i].ns;
		w->count += from->waits[i].count;
	}
	for (int i = 0; i < PARTS; i++)
		to->part[i] += from->part[i];
	to->starts += from->starts;
	to->blocks += from->blocks;
	to->wakes += from->wakes;
	to->creates += from->creates;
	return histogram_merge(&to->delay, &from->delay);
}

void account_free(struct account *a)
{
	histogram_free(&a->delay);
	free(a->waits);
	*a = (struct account){0};
}
