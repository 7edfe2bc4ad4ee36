// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/inline/cost.h"

#include "user/inline/mock.h"

#define ROUNDS 15
#define RUNS 400

#include <stdlib.h>

#include "user/base/clock.h"

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

uint64_t inline_cost(const struct inline_plan *plan, const struct stub_options *o)
{
	struct stub_site site = {.kind = STUB_PARK, .skip_slot = -1};
	uint64_t times[ROUNDS];
	struct mock *m;

	if (!plan->n || mock_new(&m, o, &site, 1, 12))
		return 0;
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t begin = now_ns();

		for (int k = 0; k < RUNS; k++)
			mock_run(m, site.entry);
		times[i] = (now_ns() - begin) * 10 / RUNS;
		mock_empty(m);
	}
	mock_free(m);
	qsort(times, ROUNDS, sizeof(*times), by_value);
	return (times[ROUNDS / 2] + 5) / 10;
}
