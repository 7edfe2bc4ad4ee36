// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tests/unit/unit.h"

#include <string.h>

#include "user/capture/predict.h"

#define TRAP_NS 500

static struct work work_after(uint64_t ns)
{
	return (struct work){.time_ns = 1000 + ns, .cpu_ns = 77 + ns};
}

static void nothing_costs_nothing(void)
{
	const struct work before = work_after(0), after = work_after(100000000);
	struct predict_load load = {0};
	struct prediction p;

	predict_add(&load, &before, &after);
	p = predict(&load, TRAP_NS, true);
	CU_ASSERT_EQUAL(load.cpu_ns, 1e8);
	CU_ASSERT_EQUAL(load.span_ns, 1e8);
	CU_ASSERT_EQUAL(predict_added(&p, PREDICT_UPROBE, true), 0);
}

static void a_start_is_three_hits(void)
{
	struct work before = work_after(0), after = work_after(100000000);
	struct predict_load load = {0};
	struct prediction p;
	double full, bare;

	before.starts = 800;
	after.starts = 100800;
	predict_add(&load, &before, &after);
	p = predict(&load, TRAP_NS, true);
	CU_ASSERT_EQUAL(p.hits, 300000);
	full = predict_added(&p, PREDICT_UPROBE, true);
	bare = predict_added(&p, PREDICT_UPROBE, false);
	CU_ASSERT(full > bare && bare > 300000.0 * TRAP_NS);
	CU_ASSERT(predict_added(&p, PREDICT_INLINE, true) < full / 5);
}

/* Each counter alone tells less than there was. */
static void the_larger_of_both_counters_counts(void)
{
	struct work before = work_after(0), after = work_after(100000000);
	struct predict_load load = {0};

	before.ticks = 0xffffff00U;
	after.ticks = 0x100;
	after.starts = 8;
	predict_add(&load, &before, &after);
	CU_ASSERT_EQUAL(load.starts, 0x200);
	load = (struct predict_load){0};
	after.starts = 8000;
	predict_add(&load, &before, &after);
	CU_ASSERT_EQUAL(load.starts, 8000);
}

static void kernel_events_can_be_left_out(void)
{
	struct work before = work_after(0), after = work_after(100000000);
	struct predict_load load = {0};
	struct prediction with, without;

	after.syscalls = 1000;
	after.switches = 100;
	predict_add(&load, &before, &after);
	with = predict(&load, TRAP_NS, true);
	without = predict(&load, TRAP_NS, false);
	CU_ASSERT_EQUAL(with.events, 2400);
	CU_ASSERT_EQUAL(without.events, 0);
	CU_ASSERT_EQUAL(with.hits, without.hits);
}

/* A target can write what it wants into its counters, but not use less CPU time. */
static void counters_that_lie_are_not_believed(void)
{
	struct work before = work_after(0), after = work_after(1000000);
	struct predict_load load = {0};

	after.starts = UINT64_MAX;
	after.ticks = after.syscalls = UINT32_MAX;
	after.switches = UINT64_MAX;
	predict_add(&load, &before, &after);
	CU_ASSERT(load.starts <= 1e6 / 20 && load.syscalls <= 1e6 / 20 &&
		  load.switches <= 1e6 / 20);
	load = (struct predict_load){0};
	predict_add(&load, &after, &before);
	CU_ASSERT(load.starts == 0 && load.cpu_ns == 0 && load.switches == 0);
}

static void targets_add_up(void)
{
	struct work before = work_after(0), after = work_after(100000000);
	struct predict_load load = {0};

	after.starts = 80000;
	predict_add(&load, &before, &after);
	predict_add(&load, &before, &after);
	CU_ASSERT_EQUAL(load.starts, 160000);
	CU_ASSERT_EQUAL(load.cpu_ns, 2e8);
	CU_ASSERT_EQUAL(load.span_ns, 1e8);
}

static CU_TestInfo tests[] = {
	{"nothing costs nothing", nothing_costs_nothing},
	{"a start is three hits", a_start_is_three_hits},
	{"the larger of both counters counts", the_larger_of_both_counters_counts},
	{"kernel events can be left out", kernel_events_can_be_left_out},
	{"counters that lie are not believed", counters_that_lie_are_not_believed},
	{"targets add up", targets_add_up},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("capture/predict", tests);
