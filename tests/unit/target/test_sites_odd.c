// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Plans of binaries that are not as they should be. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/target/plans.h"
#include "tests/unit/target/progs.h"
#include "tests/unit/unit.h"
#include "user/target/flow.h"

/* Without a branch that is understood another instruction is taken, and that it is dear is said. */
static void takes_the_result(void)
{
	const char *path = prog_path("1.26", "pgo");
	struct prog_file f, copy;
	const struct site *v;
	struct error e = {0};
	uint8_t test[3];
	uint64_t off;
	struct sites s;

	if (!path || !prog_open(&f, path, 0))
		return;
	CU_ASSERT_EQUAL_FATAL(sites_plan(&s, f.elf, &f.build, f.pcln, 0, &e), 0);
	v = plan_find(&s, SITE_PARK, "runtime.park_m");
	CU_ASSERT_PTR_NOT_NULL_FATAL(v);
	off = v->file_off - 3;
	sites_free(&s);
	/* `test %r8b, %r8b` becomes `or`, which sets the same flags */
	CU_ASSERT_EQUAL(pread(f.fd, test, 3, off), 3);
	CU_ASSERT_EQUAL_FATAL(test[1], 0x84);
	test[1] = 0x08;
	if (plan_open_patched(&copy, &f, off, test, 3)) {
		CU_ASSERT_EQUAL_FATAL(sites_plan(&s, copy.elf, &copy.build, copy.pcln, 0, &e), 0);
		v = plan_find(&s, SITE_PARK, "runtime.park_m");
		CU_ASSERT_PTR_NOT_NULL_FATAL(v);
		CU_ASSERT_EQUAL(v->place, SITE_SWAP_RESULT);
		CU_ASSERT_EQUAL(v->old_status, 2);
		CU_ASSERT_EQUAL(v->new_status, 4);
		/* `sete %r8b` */
		CU_ASSERT_EQUAL(v->file_off, off - 4);
		CU_ASSERT_EQUAL(pread(copy.fd, test, 3, v->file_off + 1), 3);
		CU_ASSERT_EQUAL(memcmp(test, "\x0f\x94", 2), 0);
		CU_ASSERT_EQUAL_FATAL(s.nwarnings, 1);
		CU_ASSERT_PTR_NOT_NULL(strstr(s.warnings[0].text, "runtime.park_m"));
		CU_ASSERT_PTR_NOT_NULL(strstr(s.warnings[0].text, "slow it down"));
		sites_free(&s);
		prog_close(&copy);
	}
	prog_close(&f);
}

/* A program without one of the functions that matter most is refused, not traced with holes. */
static void refuses_by_name(void)
{
	const char *path = prog_path("1.26", "plain");
	struct prog_file f, copy;
	struct error e = {0};
	struct elf_bytes tab;
	const uint8_t *name;
	struct sites s;
	uint64_t off;

	if (!path || !prog_open(&f, path, 0))
		return;
	CU_ASSERT_TRUE_FATAL(elf_section(f.elf, ".gopclntab", &tab));
	name = memmem(tab.data, tab.size, "runtime.park_m", 15);
	CU_ASSERT_PTR_NOT_NULL_FATAL(name);
	CU_ASSERT_TRUE(elf_file_offset(f.elf, tab.vaddr, &off));
	off += name - tab.data;
	if (plan_open_patched(&copy, &f, off, "runtime.pork_m", 15)) {
		CU_ASSERT_EQUAL(sites_plan(&s, copy.elf, &copy.build, copy.pcln, 0, &e), -ENOTSUP);
		CU_ASSERT_EQUAL(e.status, EXIT_TARGET);
		CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "runtime.park_m"));
		CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "blocking cannot be seen"));
		prog_close(&copy);
	}
	prog_close(&f);
}

/* Of what a program does not use nothing is missing. */
static void needs_no_annotations(void)
{
	static const char name[] = "runtime/trace.userLog";
	const char *path = prog_path("1.26", "plain");
	struct prog_file f, copy;
	struct error e = {0};
	struct elf_bytes tab;
	const uint8_t *at;
	struct sites s;
	uint64_t off;

	if (!path || !prog_open(&f, path, 0))
		return;
	CU_ASSERT_TRUE_FATAL(elf_section(f.elf, ".gopclntab", &tab));
	at = memmem(tab.data, tab.size, name, sizeof(name));
	CU_ASSERT_PTR_NOT_NULL_FATAL(at);
	CU_ASSERT_TRUE(elf_file_offset(f.elf, tab.vaddr, &off));
	if (plan_open_patched(&copy, &f, off + (at - tab.data), "runtime/trace.userFog", 21)) {
		CU_ASSERT_EQUAL_FATAL(sites_plan(&s, copy.elf, &copy.build, copy.pcln, 0, &e), 0);
		CU_ASSERT_EQUAL(s.nwarnings, 0);
		CU_ASSERT_PTR_NULL(plan_find(&s, SITE_LOG, "runtime/trace.userLog"));
		CU_ASSERT_PTR_NOT_NULL(plan_find(&s, SITE_REGION, "runtime/trace.userRegion"));
		sites_free(&s);
		prog_close(&copy);
	}
	prog_close(&f);
}

/* Of what every program has, one line says what is missing, however many places it had. */
static void says_once_what_is_missing(void)
{
	static const char name[] = "runtime.traceLocker.ProcSteal";
	const char *path = prog_path("1.25", "plain");
	struct prog_file f, copy;
	struct error e = {0};
	struct elf_bytes tab;
	const uint8_t *at;
	struct sites s;
	uint64_t off;

	if (!path || !prog_open(&f, path, 0))
		return;
	CU_ASSERT_TRUE_FATAL(elf_section(f.elf, ".gopclntab", &tab));
	at = memmem(tab.data, tab.size, name, sizeof(name));
	CU_ASSERT_PTR_NOT_NULL_FATAL(at);
	CU_ASSERT_TRUE(elf_file_offset(f.elf, tab.vaddr, &off));
	if (plan_open_patched(&copy, &f, off + (at - tab.data), "runtime.traceLocker.ProcSteel",
			      29)) {
		const struct site *v;

		CU_ASSERT_EQUAL_FATAL(sites_plan(&s, copy.elf, &copy.build, copy.pcln, 0, &e), 0);
		CU_ASSERT_EQUAL(s.nwarnings, 1);
		CU_ASSERT_PTR_NOT_NULL(strstr(s.warnings[0].text, "Ps taken from threads"));
		/* the next best place: `call handoffp`, whose argument it is */
		v = plan_find(&s, SITE_PROC_STEAL, "runtime.retake");
		CU_ASSERT_PTR_NOT_NULL_FATAL(v);
		CU_ASSERT_EQUAL(v->reg, FLOW_AX);
		CU_ASSERT_PTR_NULL(plan_find(&s, SITE_PROC_STEAL, "runtime.stopTheWorldWithSema"));
		sites_free(&s);
		prog_close(&copy);
	}
	prog_close(&f);
}

/* A release nobody knows yet is planned like the newest one that is known. */
static void plans_the_unknown(void)
{
	const char *path = prog_path("1.27", "plain");
	struct sites known, unknown;
	struct error e = {0};
	struct prog_file f;

	if (!path || !prog_open(&f, path, 0))
		return;
	CU_ASSERT_EQUAL_FATAL(sites_plan(&known, f.elf, &f.build, f.pcln, 0, &e), 0);
	f.build.go_minor = 31;
	CU_ASSERT_EQUAL_FATAL(sites_plan(&unknown, f.elf, &f.build, f.pcln, 0, &e), 0);
	CU_ASSERT_EQUAL(unknown.nwarnings, 0);
	CU_ASSERT_EQUAL_FATAL(unknown.n, known.n);
	for (size_t i = 0; i < known.n; i++) {
		CU_ASSERT_EQUAL(unknown.v[i].vaddr, known.v[i].vaddr);
		CU_ASSERT_EQUAL(unknown.v[i].kind, known.v[i].kind);
	}
	sites_free(&known);
	sites_free(&unknown);
	prog_close(&f);
}

/*
 * A plan for another release lacks sites. Without some there would be goroutines that never end:
 * it is refused.
 */
static void refuses_another_release(void)
{
	const char *path = prog_path("1.26", "plain");
	struct error e = {0};
	struct prog_file f;
	struct sites s;

	if (!path || !prog_open(&f, path, 0))
		return;
	f.build.go_minor = 21;
	CU_ASSERT_EQUAL(sites_plan(&s, f.elf, &f.build, f.pcln, 0, &e), -ENOTSUP);
	CU_ASSERT_EQUAL(e.status, EXIT_TARGET);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "runtime.goexit0"));
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "goroutine exits cannot be seen"));
	prog_close(&f);
}

/* The others are named, with what follows from it. */
static void names_missing_sites(void)
{
	const char *path = prog_path("1.26", "plain");
	struct error e = {0};
	struct prog_file f;
	struct sites s;
	bool waits = false;

	if (!path || !prog_open(&f, path, 0))
		return;
	f.build.go_minor = 25;
	CU_ASSERT_EQUAL_FATAL(sites_plan(&s, f.elf, &f.build, f.pcln, 0, &e), 0);
	for (size_t i = 0; i < s.nwarnings; i++)
		waits |= strstr(s.warnings[i].text, "runtime.exitsyscall0") &&
			 strstr(s.warnings[i].text, "waiting for a P after a syscall will not be");
	CU_ASSERT_TRUE(waits);
	sites_free(&s);
	prog_close(&f);
}

static CU_TestInfo tests[] = {
	{"takes a dear instruction where the branch is not known", takes_the_result},
	{"refuses by name what nothing replaces", refuses_by_name},
	{"needs no annotations", needs_no_annotations},
	{"says once what is missing", says_once_what_is_missing},
	{"plans an unknown release like the newest", plans_the_unknown},
	{"refuses a plan without exits", refuses_another_release},
	{"names missing sites and what follows", names_missing_sites},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("target/sites odd", tests);
