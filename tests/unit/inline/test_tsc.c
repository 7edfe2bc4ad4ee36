// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What is asserted holds however long this process is kept from a CPU: a time that is converted is
 * between two that were read, give or take the bound.
 */
#include <errno.h>
#include <time.h>
#include <x86intrin.h>

#include "tests/unit/unit.h"
#include "user/base/clock.h"
#include "user/inline/tsc.h"

#define ALLOWED_NS 200 /* a rate that the kernel corrects meanwhile */

static bool usable(void)
{
	struct error e = {0};
	int err = tsc_usable(&e);

	CU_ASSERT(err == 0 || (err == -ENOTSUP && e.text[0]));
	return !err;
}

static void rest(long ns)
{
	const struct timespec ts = {.tv_nsec = ns};

	nanosleep(&ts, NULL);
}

static void test_begin(void)
{
	struct tsc_clock c;

	if (!usable())
		return;
	tsc_begin(&c);
	CU_ASSERT_EQUAL(c.pairs, 2);
	CU_ASSERT(c.ns_per_tick > 0.1 && c.ns_per_tick < 2);
	CU_ASSERT_EQUAL(tsc_ns(&c, c.to.tsc), c.to.ns);
	CU_ASSERT(c.to.ns > c.from.ns && c.to.tsc > c.from.tsc);
}

/* Readings of both clocks around each other, over a while with pairs taken now and then. */
static void test_bound(void)
{
	struct tsc_clock c;
	unsigned int off = 0;

	if (!usable())
		return;
	tsc_begin(&c);
	for (int i = 0; i < 60; i++) {
		uint64_t before[20], tsc[20], after[20];

		for (int k = 0; k < 20; k++) {
			before[k] = now_ns();
			tsc[k] = __rdtsc();
			after[k] = now_ns();
		}
		rest(3000000);
		tsc_sample(&c);
		/* the first lines are short */
		if (i < 10)
			continue;
		for (int k = 0; k < 20; k++) {
			uint64_t ns = tsc_ns(&c, tsc[k]), bound = tsc_bound_ns(&c) + ALLOWED_NS;

			off += ns + bound < before[k] || ns > after[k] + bound;
		}
	}
	CU_ASSERT(c.pairs > 50);
	CU_ASSERT_EQUAL(off, 0);
}

/* Under one line later is later; and far from it there is no overflow. */
static void test_monotonic(void)
{
	struct tsc_clock c;
	uint64_t last, base;

	if (!usable())
		return;
	tsc_begin(&c);
	base = c.to.tsc - 1000000000;
	last = tsc_ns(&c, base);
	for (uint64_t i = 0; i < 2000000000; i += 99991) {
		uint64_t ns = tsc_ns(&c, base + i);

		if (ns < last) {
			CU_FAIL("time goes back");
			break;
		}
		last = ns;
	}
}

/* Pairs made by hand: a clock that runs at another rate, and one that jumps. */
static void test_line(void)
{
	struct tsc_clock c = {
		.from = {1000000, 500000},
		.to = {2000000, 1000000},
		.ns_per_tick = 0.5,
		.bracket_ns = 40,
		.error_ns = 30,
	};

	CU_ASSERT_EQUAL(tsc_ns(&c, 2000000), 1000000);
	CU_ASSERT_EQUAL(tsc_ns(&c, 2000002), 1000001);
	CU_ASSERT_EQUAL(tsc_ns(&c, 1000000), 500000);
	CU_ASSERT_EQUAL(tsc_ns(&c, 4000000000000), 2000000000000);
	CU_ASSERT_EQUAL(tsc_bound_ns(&c), 50);
}

/* A clock whose line is wrong finds out by how much. */
static void test_error(void)
{
	struct tsc_clock c;
	uint64_t told;

	if (!usable())
		return;
	tsc_begin(&c);
	for (int i = 0; i < 8; i++) {
		rest(5000000);
		tsc_sample(&c);
	}
	/* as if it had been a millisecond in advance */
	c.to.ns += 1000000;
	c.from.ns += 1000000;
	c.next.ns += 1000000;
	told = tsc_bound_ns(&c);
	CU_ASSERT(told < 1000000);
	do {
		rest(5000000);
		tsc_sample(&c);
	} while (c.to.ns < c.from.ns + 1);
	CU_ASSERT(tsc_bound_ns(&c) > 900000);
}

static CU_TestInfo tests[] = {
	{"the first pairs", test_begin},    {"within the bound", test_bound},
	{"later is later", test_monotonic}, {"a line", test_line},
	{"an error is found", test_error},  CU_TEST_INFO_NULL,
};

UNIT_SUITE("inline/tsc", tests);
