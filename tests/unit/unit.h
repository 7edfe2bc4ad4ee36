/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef GSCOPE_TESTS_UNIT_UNIT_H
#define GSCOPE_TESTS_UNIT_UNIT_H

#include <CUnit/CUnit.h>

/*
 * A file below tests/unit is a suite, and needs no entry anywhere else:
 *
 *	static CU_TestInfo tests[] = {{"finds a symbol", finds_a_symbol}, CU_TEST_INFO_NULL};
 *	UNIT_SUITE("target/pclntab", tests);
 */
struct unit_suite {
	const char *name;
	CU_TestInfo *tests;
	struct unit_suite *next;
};

void unit_suite_add(struct unit_suite *suite);

#define UNIT_SUITE(suite_name, suite_tests)                                                  \
	static void __attribute__((constructor)) unit_suite_register(void)                   \
	{                                                                                    \
		static struct unit_suite suite = {.name = suite_name, .tests = suite_tests}; \
                                                                                             \
		unit_suite_add(&suite);                                                      \
	}                                                                                    \
	_Static_assert(sizeof(suite_tests) > sizeof(suite_tests[0]), suite_name " has no tests")

#endif
