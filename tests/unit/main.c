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

/* Those of a suite's tests whose name has `filter` in it come first; how many they are. */
static size_t filter_tests(CU_TestInfo *tests, const char *filter)
{
	size_t n = 0;

	for (const CU_TestInfo *t = tests; t->pName; t++) {
		if (strstr(t->pName, filter))
			tests[n++] = *t;
	}
	tests[n] = (CU_TestInfo)CU_TEST_INFO_NULL;
	return n;
}

static int register_suites(const char *filter, const char *test)
{
	for (const struct unit_suite *s = suites; s; s = s->next) {
		CU_SuiteInfo info[] = {{.pName = s->name, .pTests = s->tests}, CU_SUITE_INFO_NULL};

		if (!strstr(s->name, filter) || !filter_tests(s->tests, test))
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
	const char *filter = argc > 1 ? argv[1] : "", *test = argc > 2 ? argv[2] : "";
	unsigned int run, failed;

	if (argc > 3) {
		fprintf(stderr, "Usage: %s [PART OF A SUITE'S NAME [PART OF A TEST'S]]\n", argv[0]);
		return 2;
	}
	if (CU_initialize_registry() != CUE_SUCCESS || register_suites(filter, test))
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
