// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/report/gaps.h"

#include <string.h>

/* Make one of gap i and the next. */
static void join(struct gaps *gaps, size_t i)
{
	if (gaps->v[i + 1].end > gaps->v[i].end)
		gaps->v[i].end = gaps->v[i + 1].end;
	gaps->n--;
	memmove(&gaps->v[i + 1], &gaps->v[i + 2], (gaps->n - i - 1) * sizeof(gaps->v[0]));
}

static size_t closest(const struct gaps *gaps)
{
	size_t best = 0;

	for (size_t i = 1; i + 1 < gaps->n; i++) {
		if (gaps->v[i + 1].begin - gaps->v[i].end <
		    gaps->v[best + 1].begin - gaps->v[best].end)
			best = i;
	}
	return best;
}

void gaps_add(struct gaps *gaps, uint64_t begin, uint64_t end)
{
	size_t at = gaps->n;

	while (at && gaps->v[at - 1].begin > begin)
		at--;
	memmove(&gaps->v[at + 1], &gaps->v[at], (gaps->n - at) * sizeof(gaps->v[0]));
	gaps->v[at] = (struct gap){begin, end > begin ? end : begin};
	gaps->n++;
	for (size_t i = at ? at - 1 : 0; i + 1 < gaps->n && i <= at;) {
		if (gaps->v[i + 1].begin <= gaps->v[i].end + gaps->near)
			join(gaps, i);
		else
			i++;
	}
	if (gaps->n > MOST_GAPS)
		join(gaps, closest(gaps));
}
