// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"
#include "user/base/table.h"
#include "user/base/text.h"

static void expect_fit(const char *s, size_t width, const char *want)
{
	char *got = text_fit(s, width);

	CU_ASSERT_PTR_NOT_NULL_FATAL(got);
	CU_ASSERT_STRING_EQUAL(got, want);
	if (width)
		CU_ASSERT(text_width(got) <= width);
	free(got);
}

static void widths_are_those_of_a_terminal(void)
{
	CU_ASSERT_EQUAL(text_width(""), 0);
	CU_ASSERT_EQUAL(text_width("abc"), 3);
	CU_ASSERT_EQUAL(text_width("größe"), 5);
	CU_ASSERT_EQUAL(text_width("東京"), 4);
	CU_ASSERT_EQUAL(text_width("e\xcc\x81"), 1); /* e and a combining acute accent */
	CU_ASSERT_EQUAL(text_width("main.(*…).f·1"), 13);
}

static void text_is_made_printable(void)
{
	expect_fit("plain", 0, "plain");
	expect_fit("\033[31mred\n", 0, "?[31mred?");
	expect_fit("a\x80"
		   "b\xff",
		   0, "a?b?");
	expect_fit("\xc0\xaf\xe0\x80\xaf", 0, "?????"); /* overlong */
	expect_fit("\xed\xa0\x80", 0, "???"); /* a surrogate */
	expect_fit("\xf4\x90\x80\x80", 0, "????"); /* beyond Unicode */
	expect_fit("\xe2\x82", 0, "??"); /* cut off */
	expect_fit("\xc2\x9b"
		   "31m",
		   0, "?31m"); /* CSI in one character */
	expect_fit("\xe2\x80\xae"
		   "txt",
		   0, "?txt"); /* right-to-left override */
	expect_fit("größe 東京", 0, "größe 東京");
}

static void check_escaped(const char *text, size_t n, const char *want)
{
	char *got = NULL;
	size_t size;
	FILE *f = open_memstream(&got, &size);

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	text_escape(text, n, f);
	fclose(f);
	CU_ASSERT_STRING_EQUAL(got, want);
	free(got);
}

static void text_is_escaped(void)
{
	check_escaped("", 0, "");
	check_escaped("größe 東京", sizeof("größe 東京") - 1, "größe 東京");
	check_escaped("a \"b\" \\ c", 9, "a \\x22b\\x22 \\x5c c");
	check_escaped("\033[2J\n\0x", 7, "\\x1b[2J\\x0a\\x00x");
	/* C1, and a mark that turns the direction of writing */
	check_escaped("\xc2\x9b"
		      "2J\xe2\x80\xae!",
		      8, "\\xc2\\x9b2J\\xe2\\x80\\xae!");
	/* no UTF-8: a byte alone, too long a form, cut at the end */
	check_escaped("\xff\xc0\x80", 3, "\\xff\\xc0\\x80");
	check_escaped("ö", 1, "\\xc3");
}

static void long_text_loses_its_beginning(void)
{
	expect_fit("net/http.(*conn).serve", 22, "net/http.(*conn).serve");
	expect_fit("net/http.(*conn).serve", 21, "…t/http.(*conn).serve");
	expect_fit("net/http.(*conn).serve", 6, "…serve");
	expect_fit("abc", 1, "…");
	expect_fit("größe", 4, "…öße");
	expect_fit("東京都", 5, "…京都");
	expect_fit("東京都", 4, "…都");
	expect_fit("xe\xcc\x81yz", 3, "…yz"); /* no accent on the ellipsis */
}

static void columns_line_up(void)
{
	static const struct column columns[] = {
		{"goroutine", COLUMN_COUNT, 0},
		{"name", COLUMN_TEXT, 10},
		{"time", COLUMN_TIME, 0},
		{"state", COLUMN_TEXT, 0},
	};
	struct table *t = table_new(columns, 4);
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	CU_ASSERT_PTR_NOT_NULL_FATAL(t);
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	CU_ASSERT_EQUAL(table_rows(t), 0);
	table_count(t, 1);
	table_text(t, "größe");
	table_time(t, 1234567);
	table_text(t, "running");
	table_count(t, 12345678901);
	table_text(t, "main.a.very.long.name");
	table_time(t, 0);
	table_none(t);
	table_none(t);
	table_text(t, "東京");
	table_none(t);
	table_text(t, "x");
	table_none(t);
	table_text(t, "y");
	table_time(t, 1);
	table_text(t, "");
	CU_ASSERT_EQUAL(table_rows(t), 4);
	CU_ASSERT_EQUAL(table_print(t, f), 0);
	fclose(f);
	CU_ASSERT_STRING_EQUAL(text, "    goroutine  name           time  state\n"
				     "            1  größe        1.23ms  running\n"
				     "  12345678901  …long.name        -\n"
				     "            -  東京              -  x\n"
				     "            -  y               1ns\n");
	free(text);
	table_free(t);
}

static CU_TestInfo tests[] = {
	{"widths are those of a terminal", widths_are_those_of_a_terminal},
	{"text is made printable", text_is_made_printable},
	{"text is escaped", text_is_escaped},
	{"long text loses its beginning", long_text_loses_its_beginning},
	{"columns line up", columns_line_up},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("base/table", tests);
