// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/base/error.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/unit.h"

static void is_one_line(void)
{
	struct error e;
	char longer[2 * sizeof(e.text)];

	CU_ASSERT_EQUAL(error_set(&e, EXIT_TARGET, -ENOENT, "%s: no", "/srv/\x1b[2J\na\tb\x7f"),
			-ENOENT);
	CU_ASSERT_EQUAL(e.status, EXIT_TARGET);
	CU_ASSERT_STRING_EQUAL(e.text, "/srv/?[2J?a?b?: no");
	error_set(&e, EXIT_TARGET, -ENOENT, "gr\xc3\xbc\xc3\x9f");
	CU_ASSERT_STRING_EQUAL(e.text, "gr\xc3\xbc\xc3\x9f");
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = 0;
	error_set(&e, EXIT_FAILED, -EIO, "%s", longer);
	CU_ASSERT_EQUAL(strlen(e.text), sizeof(e.text) - 1);
	CU_ASSERT_EQUAL(error_set(NULL, EXIT_FAILED, -EIO, "nobody listens"), -EIO);
}

static CU_TestInfo tests[] = {
	{"is one line that no terminal obeys", is_one_line},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("base/error", tests);
