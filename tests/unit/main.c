// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tests/unit/unit.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <string.h>

static struct unit_suite *suites;

/* sorted by name: what the linker puts first should not show */
void unit_suite_add(struct unit_suite *suite)
{
	struct unit_suite **at = &suites;

	while (*at && strcmp((*at)->name, suite->name) < 0)
		at = &(*at)->next;
	suite->next = *at;
	*at = suite;
}

static int register_suites(const char *filter)
{
	for (const struct unit_suite *s = suites; s; s = s->next) {
		CU_SuiteInfo info[] = {{.pName = s->name, .pTests = s->tests}, CU_SUITE_INFO_NULL};

		if (!strstr(s->name, filter))
			continue;
		if (CU_register_suites(info) != CUE_SUCCESS) {
			fprintf(stderr, "unit: cannot register %s: %s\n", s->name,
				CU_get_error_msg());
			return -1;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *filter = argc > 1 ? argv[1] : "";
	unsigned int run, failed;

	if (argc > 2) {
		fprintf(stderr, "Usage: %s [PART OF A SUITE'S NAME]\n", argv[0]);
		return 2;
	}
	if (CU_initialize_registry() != CUE_SUCCESS || register_suites(filter))
		return 1;

	CU_basic_set_mode(CU_BRM_VERBOSE);
	CU_basic_run_tests();
	run = CU_get_number_of_tests_run();
	puts("");
	failed = CU_get_number_of_failure_records();
	CU_cleanup_registry();
	if (!run)
		fprintf(stderr, "unit: no test was run\n");
	return !run || failed;
}
