/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The times in which events were lost: a few windows, however many losses there were. */
#ifndef GSCOPE_REPORT_GAPS_H
#define GSCOPE_REPORT_GAPS_H

#include <stddef.h>
#include <stdint.h>

#define MOST_GAPS 5

struct gap {
	uint64_t begin, end;
};

/* Zeroes are none. In order of time, apart from each other. */
struct gaps {
	uint64_t near; /* what is not farther apart counts as touching; to be set at the start */
	struct gap v[MOST_GAPS + 1]; /* the last place is for the one that is added */
	size_t n;
};

/* Windows that touch become one; when there are too many, those that are closest do. */
void gaps_add(struct gaps *gaps, uint64_t begin, uint64_t end);

#endif
