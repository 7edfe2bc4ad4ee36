// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/target/globals.h"

#include <string.h>

#include "tests/unit/target/progs.h"
#include "tests/unit/unit.h"

static bool same(const char *path, const char *name, uint64_t symbol, uint64_t code)
{
	if (symbol == code)
		return true;
	printf("\n    %s: runtime.%s is at %#lx, not at %#lx", path, name, symbol, code);
	return false;
}

/* What the code says of a program must be what its symbols say. */
static void compare(const char *path)
{
	const uint64_t bias = 0x7000000;
	struct globals symbols, code;
	struct error e = {0};
	struct prog_file f;

	if (!prog_open(&f, path, bias))
		return;
	globals_by_symbol(&symbols, f.elf, bias);
	CU_ASSERT_NOT_EQUAL(symbols.allp, 0);
	CU_ASSERT_EQUAL(globals_by_code(&code, f.elf, f.pcln, bias, &e), 0);
	CU_ASSERT(same(path, "allglen", symbols.allglen, code.allglen));
	CU_ASSERT(same(path, "allgptr", symbols.allgptr, code.allgptr));
	CU_ASSERT(same(path, "allm", symbols.allm, code.allm));
	CU_ASSERT(same(path, "allp", symbols.allp, code.allp));
	CU_ASSERT(same(path, "sched.goidgen", symbols.goidgen, code.goidgen));
	CU_ASSERT_NOT_EQUAL(symbols.gc_controller, 0);
	CU_ASSERT_NOT_EQUAL(symbols.gc_blacken, 0);
	CU_ASSERT(same(path, "gcController", symbols.gc_controller, code.gc_controller));
	CU_ASSERT(same(path, "gcBlackenEnabled", symbols.gc_blacken, code.gc_blacken));
	CU_ASSERT(same(path, "waitReasonStrings", symbols.wait_reasons, code.wait_reasons));
	CU_ASSERT(same(path, "number of wait reasons", symbols.nwait_reasons, code.nwait_reasons));
	prog_close(&f);
}

static void code_equals_symbols(void)
{
	for (const char *const *r = prog_all_releases; *r; r++) {
		for (const char *const *how = prog_how; *how; how++) {
			const char *path = prog_worth_it(*r, *how) ? prog_path(*r, *how) : NULL;

			if (path)
				compare(path);
		}
	}
}

static CU_TestInfo tests[] = {
	{"code and symbols say the same", code_equals_symbols},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("target/globals", tests);
