// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <stdlib.h>

#include "tests/unit/unit.h"
#include "user/report/histogram.h"

static void small_values_are_exact(void)
{
	struct histogram h = {0};

	CU_ASSERT_EQUAL(histogram_percentile(&h, 500), 0);
	for (uint64_t v = 0; v < 16; v++)
		CU_ASSERT_EQUAL(histogram_add(&h, v), 0);
	CU_ASSERT_EQUAL(h.count, 16);
	CU_ASSERT_EQUAL(h.max, 15);
	CU_ASSERT_EQUAL(histogram_percentile(&h, 0), 0);
	CU_ASSERT_EQUAL(histogram_percentile(&h, 500), 7); /* the 8th of 16 */
	CU_ASSERT_EQUAL(histogram_percentile(&h, 501), 8);
	CU_ASSERT_EQUAL(histogram_percentile(&h, 1000), 15);
	histogram_free(&h);
	CU_ASSERT_EQUAL(h.count, 0);
}

/* A single other value above keeps the maximum from hiding the bucket's end. */
static uint64_t read_back(uint64_t value)
{
	struct histogram h = {0};
	uint64_t got;

	CU_ASSERT_EQUAL(histogram_add(&h, value), 0);
	CU_ASSERT_EQUAL(histogram_add(&h, UINT64_MAX), 0);
	CU_ASSERT_EQUAL(h.max, UINT64_MAX);
	got = histogram_percentile(&h, 500);
	histogram_free(&h);
	return got;
}

static void errors_are_bounded(void)
{
	unsigned int wrong = 0;

	for (int shift = 0; shift < 64; shift++) {
		for (int k = 0; k < 50; k++) {
			uint64_t v = (1ULL << shift) + (uint64_t)k * (1ULL << shift) / 50, got;

			got = read_back(v);
			wrong += got < v || got - v > v / 16;
		}
	}
	CU_ASSERT_EQUAL(wrong, 0);
	CU_ASSERT_EQUAL(read_back(UINT64_MAX), UINT64_MAX);
	CU_ASSERT_EQUAL(read_back(UINT64_MAX - 1), UINT64_MAX);
	CU_ASSERT_EQUAL(read_back(31), 31);
	CU_ASSERT_EQUAL(read_back(32), 33);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Against sorting; in two halves that are merged, too. */
static void percentiles_are_those_of_the_values(void)
{
	static uint64_t v[5000];
	struct histogram all = {0}, half[2] = {{0}};
	uint64_t x = 88172645463325252ULL;

	for (size_t i = 0; i < 5000; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		v[i] = x >> (x % 50);
		CU_ASSERT_EQUAL(histogram_add(&all, v[i]), 0);
		CU_ASSERT_EQUAL(histogram_add(&half[i % 3 == 0], v[i]), 0);
	}
	CU_ASSERT_EQUAL(histogram_merge(&half[0], &half[1]), 0);
	CU_ASSERT_EQUAL(half[0].count, 5000);
	qsort(v, 5000, sizeof(v[0]), by_value);
	for (unsigned int p = 1; p <= 1000; p++) {
		uint64_t want = v[(5000 * p + 999) / 1000 - 1], got = histogram_percentile(&all, p);

		CU_ASSERT(got >= want && got - want <= want / 16);
		CU_ASSERT_EQUAL(histogram_percentile(&half[0], p), got);
	}
	CU_ASSERT_EQUAL(histogram_percentile(&all, 1000), v[4999]);
	histogram_free(&all);
	histogram_free(&half[0]);
	histogram_free(&half[1]);
}

static void merging_empty_ones_changes_nothing(void)
{
	struct histogram a = {0}, b = {0};

	CU_ASSERT_EQUAL(histogram_merge(&a, &b), 0);
	CU_ASSERT_EQUAL(a.count, 0);
	CU_ASSERT_EQUAL(histogram_add(&b, 1000), 0);
	CU_ASSERT_EQUAL(histogram_merge(&a, &b), 0);
	CU_ASSERT_EQUAL(a.count, 1);
	CU_ASSERT_EQUAL(histogram_percentile(&a, 500), 1000);
	histogram_free(&a);
	histogram_free(&b);
}

static CU_TestInfo tests[] = {
	{"small values are exact", small_values_are_exact},
	{"errors are bounded", errors_are_bounded},
	{"percentiles are those of the values", percentiles_are_those_of_the_values},
	{"merging empty ones changes nothing", merging_empty_ones_changes_nothing},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("report/histogram", tests);
