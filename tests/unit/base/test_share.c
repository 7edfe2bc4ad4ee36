// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tests/unit/unit.h"

#include <errno.h>

#include "user/base/share.h"

static void parses_percentages(void)
{
	static const struct {
		const char *text;
		uint32_t millionths;
	} cases[] = {
		{"3%", 30000},     {"25%", 250000},      {"2.5%", 25000},       {"0.0001%", 1},
		{"250%", 2500000}, {"100.25%", 1002500}, {"99999%", 999990000}, {"007%", 70000},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint32_t n = 0;

		CU_ASSERT_EQUAL(percent_parse(cases[i].text, &n, NULL), 0);
		CU_ASSERT_EQUAL(n, cases[i].millionths);
	}
}

static void refuses_what_is_no_percentage(void)
{
	static const char *const texts[] = {
		"",    "%",   "3",    "0%",      "0.0%",         "-3%",      "3 %", "3%%",  ".5%",
		"3.%", "3.5", "1e2%", "100000%", "99999999999%", "1.00001%", "on",  "nan%",
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct error e = {0};
		uint32_t n = 7;

		CU_ASSERT_EQUAL(percent_parse(texts[i], &n, &e), -EINVAL);
		CU_ASSERT_EQUAL(e.status, EXIT_USAGE);
		CU_ASSERT_EQUAL(n, 7);
	}
}

static void parses_one_in_so_many(void)
{
	static const char *const wrong[] = {"",      "1",    "/",    "1/",   "1/0",       "2/3",
					    "1/2/3", "0/10", "1/-5", "1/ 5", "1/1000001", "1/5x"};
	struct error e = {0};
	uint32_t n = 0;

	CU_ASSERT_EQUAL(one_in_parse("1/1", &n, NULL), 0);
	CU_ASSERT_EQUAL(n, 1);
	CU_ASSERT_EQUAL(one_in_parse("1/1000000", &n, NULL), 0);
	CU_ASSERT_EQUAL(n, 1000000);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		CU_ASSERT_EQUAL(one_in_parse(wrong[i], &n, &e), -EINVAL);
		CU_ASSERT_EQUAL(n, 1000000);
	}
}

static CU_TestInfo tests[] = {
	{"parses percentages", parses_percentages},
	{"refuses what is no percentage", refuses_what_is_no_percentage},
	{"parses one in so many", parses_one_in_so_many},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("base/share", tests);
