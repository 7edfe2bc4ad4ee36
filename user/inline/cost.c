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

/* Median, with so many bytes in the ring that are not read. */
static uint64_t time_of(struct mock *m, uint64_t entry, uint64_t unread)
{
	struct inline_ring *ring = mock_ring(m, 1);
	uint64_t times[ROUNDS];

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t begin = now_ns();

		for (int k = 0; k < RUNS; k++) {
			ring->tail = ring->head - unread;
			mock_run(m, entry);
		}
		times[i] = (now_ns() - begin) * 10 / RUNS;
	}
	qsort(times, ROUNDS, sizeof(*times), by_value);
	return (times[ROUNDS / 2] + 5) / 10;
}

void inline_cost(struct inline_cost *out, const struct inline_plan *plan,
		 const struct stub_options *o)
{
	struct stub_site site = {.kind = STUB_PARK, .skip_slot = -1};
	uint64_t waiting;
	struct mock *m;

	*out = (struct inline_cost){0};
	if (!plan->n || mock_new(&m, o, &site, 1, 12))
		return;
	out->hit_ns = time_of(m, site.entry, 0);
	waiting = time_of(m, site.entry, mock_geometry(m)->room / 4 * 3);
	out->wait_ns = waiting > out->hit_ns ? waiting - out->hit_ns : 0;
	mock_free(m);
}
