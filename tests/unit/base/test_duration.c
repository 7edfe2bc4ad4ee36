// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <errno.h>
#include <string.h>

#include "tests/unit/unit.h"
#include "user/base/duration.h"

static void parses_durations(void)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} good[] = {
		{"1us", 1000},
		{"500ms", 500000000},
		{"5s", 5000000000},
		{"2m", 120000000000},
		{"1h", 3600000000000},
		{"1.5s", 1500000000},
		{"0.5h", 1800000000000},
		{"0.001us", 1},
		{"1m30s", 90000000000},
		{"1.0000000005s", 1000000000}, /* below a nanosecond is cut */
		{"0.99999999999999999999999999s", 999999999},
		{"18446744073s", 18446744073000000000ULL},
	};
	uint64_t ns;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		ns = 0;
		CU_ASSERT_EQUAL(duration_parse(good[i].text, &ns, NULL), 0);
		CU_ASSERT_EQUAL(ns, good[i].ns);
	}
}

static void refuses_what_is_no_duration(void)
{
	static const char *bad[] = {
		"",
		"0s",
		"0.0ms",
		"-5s",
		"+5s",
		"5",
		"s",
		"5x",
		"5 s",
		" 5s",
		"5s ",
		".5s",
		"5.s",
		"5S",
		"1e3s",
		"0x5s",
		"5s5",
		"5ss",
		"1.5.5s",
		"18446744074s",
		"5124096h",
		"inf",
		"99999999999999999999s",
		"18446744073s1s",
	};
	struct error e;
	uint64_t ns = 77;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memset(&e, 0, sizeof(e));
		CU_ASSERT_EQUAL(duration_parse(bad[i], &ns, &e), -EINVAL);
		CU_ASSERT_EQUAL(ns, 77);
		CU_ASSERT_EQUAL(e.status, EXIT_USAGE);
		CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "500ms, 5s"));
	}
}

static void parses_sizes(void)
{
	static const char *bad[] = {"", "0M", "64", "64MB", "M", "-1M", "17179869184G", "1M1K"};
	uint64_t n = 0;

	CU_ASSERT_EQUAL(size_parse("512K", &n, NULL), 0);
	CU_ASSERT_EQUAL(n, 512 << 10);
	CU_ASSERT_EQUAL(size_parse("64M", &n, NULL), 0);
	CU_ASSERT_EQUAL(n, 64 << 20);
	CU_ASSERT_EQUAL(size_parse("1.5G", &n, NULL), 0);
	CU_ASSERT_EQUAL(n, 3ULL << 29);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CU_ASSERT_EQUAL(size_parse(bad[i], &n, NULL), -EINVAL);
	CU_ASSERT_EQUAL(n, 3ULL << 29);
}

static void formats_durations(void)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} cases[] = {
		{0, "0"},
		{1, "1ns"},
		{999, "999ns"},
		{1000, "1.00us"},
		{1234, "1.23us"},
		{1235, "1.24us"},
		{9994, "9.99us"},
		{9995, "10.0us"},
		{99949, "99.9us"},
		{99950, "100us"},
		{999499, "999us"},
		{999500, "1.00ms"},
		{1050000, "1.05ms"},
		{12345678, "12.3ms"},
		{999999999, "1.00s"},
		{123456789012, "123s"},
		{999499999999, "999s"},
		{999500000000, "16m40s"},
		{5999499999999, "99m59s"},
		{5999500000000, "1h40m"},
		{359969499999999, "99h59m"},
		{359969500000000, "4d04h"},
		{8638199499999999, "99d23h"},
		{8638199500000000, "99d"},
		{UINT64_MAX, "213503d"},
	};
	char buf[DURATION_SIZE];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CU_ASSERT_STRING_EQUAL(duration_format(buf, cases[i].ns), cases[i].text);
}

static void formats_sizes(void)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{0, "0B"},
		{999, "999B"},
		{1000, "0.98K"},
		{1024, "1.00K"},
		{10 * 1024, "10.0K"},
		{102348, "99.9K"},
		{102400, "100K"},
		{1023487, "999K"},
		{1023488, "0.98M"},
		{(4 << 20) + (123 << 10), "4.12M"},
		{3ULL << 30, "3.00G"},
		{UINT64_MAX, "16.0E"},
	};
	char buf[DURATION_SIZE];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		CU_ASSERT_STRING_EQUAL(size_format(buf, cases[i].bytes), cases[i].text);
}

/* Powers of two and their neighbours: no value may need more columns than promised. */
static void keeps_to_its_width(void)
{
	char buf[DURATION_SIZE];

	for (int shift = 0; shift < 64; shift++)
		for (int d = -1; d <= 1; d++)
			CU_ASSERT(strlen(duration_format(buf, (1ULL << shift) + (uint64_t)d)) <=
				  DURATION_WIDTH);
}

static CU_TestInfo tests[] = {
	{"parses durations", parses_durations},
	{"refuses what is no duration", refuses_what_is_no_duration},
	{"parses sizes", parses_sizes},
	{"formats durations", formats_durations},
	{"formats sizes", formats_sizes},
	{"keeps to its width", keeps_to_its_width},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("base/duration", tests);
