// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <stdlib.h>

#include "tests/unit/unit.h"
#include "user/capture/targets.h"

static void expect_own_slots(const uint32_t *tgids, size_t n)
{
	uint32_t factor = targets_factor(tgids, n);

	for (size_t i = 0; i < n; i++) {
		CU_ASSERT(target_slot(tgids[i], factor) < TARGET_SLOTS);
		for (size_t k = 0; k < i; k++)
			CU_ASSERT_NOT_EQUAL(target_slot(tgids[i], factor),
					    target_slot(tgids[k], factor));
	}
}

static void every_target_has_a_slot_of_its_own(void)
{
	uint32_t tgids[MAX_TARGETS] = {0};

	expect_own_slots(tgids, 0);
	for (uint32_t first = 1; first < 4000000; first += 99991) {
		for (uint32_t i = 0; i < MAX_TARGETS; i++)
			tgids[i] = first + i;
		expect_own_slots(tgids, MAX_TARGETS);
	}
	srand(1);
	for (int round = 0; round < 200; round++) {
		/* all different, as processes are */
		for (uint32_t i = 0; i < MAX_TARGETS; i++)
			tgids[i] = i * 65536 + (uint32_t)rand() % 65536 + 1;
		expect_own_slots(tgids, MAX_TARGETS);
	}
}

static CU_TestInfo tests[] = {
	{"every target has a slot of its own", every_target_has_a_slot_of_its_own},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("capture/targets", tests);
