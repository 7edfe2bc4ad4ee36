// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "user/target/overlay.h"

static void layers(const char *options, const char *want)
{
	char got[256] = "", layer[32];
	size_t at = 0, n = 0;

	while (n++ < 10 && overlay_next_layer(options, &at, layer, sizeof(layer))) {
		strcat(got, "[");
		strcat(got, layer);
		strcat(got, "]");
	}
	CU_ASSERT_STRING_EQUAL(got, want);
	if (strcmp(got, want))
		printf("\n    %s: %s, not %s", options, got, want);
}

static void finds_layers(void)
{
	layers("rw,lowerdir=/a,upperdir=/u,workdir=/w,uuid=on", "[/a]");
	layers("rw,lowerdir=/a:/b/c:/d,upperdir=/u:/v", "[/a][/b/c][/d]");
	layers("rw,lowerdir+=/a,lowerdir+=/b,datadir+=/c", "[/a][/b]");
	layers("lowerdir=/a", "[/a]");
	layers("rw,upperdir=/u", "");
	layers("rw,xlowerdir=/a", "");
	layers("", "");
}

static void unescapes_layers(void)
{
	layers("rw,lowerdir=/a\\040b:/c\\:d:/e\\\\f,x", "[/a b][/c:d][/e\\f]");
	layers("rw,lowerdir=/comma\\054here,x", "[/comma,here]");
	layers("rw,lowerdir=/back\\134slash,x", "[/back\\slash]");
	layers("rw,lowerdir=/end\\", "[/end\\]");
}

/* What cannot be used is passed over, not misread. */
static void passes_over_other_layers(void)
{
	layers("lowerdir=relative:/a::/b", "[][/a][][/b]");
	layers("lowerdir=/thirty-two-bytes-are-too-many-xx:/a", "[][/a]");
	layers("lowerdir=", "[]");
	layers("lowerdir=:", "[][]");
}

/* Which the unit tests themselves are not on, or they are and run what their path says. */
static void finds_nothing_elsewhere(void)
{
	struct target_process *p;
	char path[PATH_MAX];
	struct error e = {0};

	CU_ASSERT_EQUAL_FATAL(target_process_open(getpid(), &p, &e), 0);
	CU_ASSERT_FALSE(overlay_lower_file(p, p->exe, p->exe_fd, path, 1));
	CU_ASSERT_FALSE(overlay_lower_file(p, "no slash", p->exe_fd, path, sizeof(path)));
	CU_ASSERT_FALSE(overlay_lower_file(p, p->exe, -1, path, sizeof(path)));
	target_process_close(p);
}

static CU_TestInfo tests[] = {
	{"finds the layers of a mount", finds_layers},
	{"unescapes their paths", unescapes_layers},
	{"passes over what is of no use", passes_over_other_layers},
	{"finds nothing where there is no overlay", finds_nothing_elsewhere},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("target/overlay", tests);
