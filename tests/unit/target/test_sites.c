// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/target/progs.h"
#include "tests/unit/unit.h"
#include "user/target/sites.h"

#define BIAS 0x55550000000ULL

/* How many sites of a kind a program of Go 1.minor has. */
static size_t expected(enum site_kind kind, unsigned int minor, bool cgo)
{
	switch (kind) {
	case SITE_READY: /* ready, injectglist, findRunnableGCWorker, 5 x findRunnable */
		return 8;
	case SITE_CREATE_CAS:
		return minor >= 24;
	case SITE_CREATE_RUNQPUT:
		return minor <= 23;
	case SITE_CREATE_CORO:
		return minor == 23;
	case SITE_SWITCH:
		return minor >= 23;
	case SITE_NEEDM:
	case SITE_DROPM:
		return cgo;
	default:
		return 1;
	}
}

static void check_site(const struct prog_file *f, const struct site *s)
{
	struct pcln_func func;
	uint8_t byte = 0;

	CU_ASSERT_EQUAL(pread(f->fd, &byte, 1, s->file_off), 1);
	CU_ASSERT_EQUAL(byte, s->kind == SITE_SWITCH ? 0x55 : 0xe8);
	CU_ASSERT_EQUAL(s->pc, s->vaddr + BIAS);
	CU_ASSERT_TRUE(pclntab_func(f->pcln, s->pc, &func));
	CU_ASSERT_STRING_EQUAL(func.name, s->func);
	CU_ASSERT_EQUAL(s->must_hit, s->kind == SITE_START || s->kind == SITE_PARK ||
					     !strcmp(s->func, "runtime.ready"));
	/* Go 1.21 uses the argument up before it changes the status */
	if (!strcmp(s->func, "runtime.ready") && f->build.go_minor > 21)
		CU_ASSERT(s->skip_slot >= 0x28 && s->skip_slot <= 0x100 && s->skip_slot % 8 == 0)
	else
		CU_ASSERT_EQUAL(s->skip_slot, -1)
}

static void check_plan(const struct prog_file *f, const char *path)
{
	size_t count[SITE_KINDS] = {0};
	struct error e = {0};
	struct sites s;
	int err = sites_plan(&s, f->elf, &f->build, f->pcln, BIAS, &e);

	CU_ASSERT_EQUAL(err, 0);
	if (err) {
		printf("\n    %s: %s", path, e.text);
		return;
	}
	for (size_t i = 0; i < s.n; i++) {
		check_site(f, &s.v[i]);
		CU_ASSERT(i == 0 || s.v[i - 1].vaddr < s.v[i].vaddr);
		count[s.v[i].kind]++;
	}
	for (int k = 1; k < SITE_KINDS; k++) {
		size_t want = expected(k, f->build.go_minor, strstr(path, "cgo"));

		CU_ASSERT_EQUAL(count[k], want);
		if (count[k] != want)
			printf("\n    %s: %zu sites of kind %s, not %zu", path, count[k],
			       site_kind_name(k), want);
	}
	CU_ASSERT_EQUAL(s.nwarnings, 0);
	for (size_t i = 0; i < s.nwarnings; i++)
		printf("\n    %s: %s", path, s.warnings[i].text);
	sites_free(&s);
}

static void plans_every_release(void)
{
	for (const char *const *r = prog_all_releases; *r; r++) {
		for (const char *const *m = prog_modes; *m; m++) {
			const char *path = prog_path(*r, *m);
			struct prog_file f;

			if (path && prog_open(&f, path, BIAS)) {
				check_plan(&f, path);
				prog_close(&f);
			}
		}
	}
}

/* Where runtime.ready of one release spills RBX, read off the disassembly by hand. */
static void finds_skip_slot(void)
{
	const char *path = prog_path("1.26", "plain");
	struct error e = {0};
	struct prog_file f;
	struct sites s;

	if (!path || !prog_open(&f, path, 0))
		return;
	CU_ASSERT_EQUAL_FATAL(sites_plan(&s, f.elf, &f.build, f.pcln, 0, &e), 0);
	for (size_t i = 0; i < s.n; i++) {
		if (!strcmp(s.v[i].func, "runtime.ready"))
			CU_ASSERT_EQUAL(s.v[i].skip_slot, 0x68);
	}
	sites_free(&s);
	prog_close(&f);
}

/* A program whose wanted calls are elsewhere is refused, not traced with holes. */
static void refuses_inlined(void)
{
	const char *path = prog_path("1.26", "pgo");
	struct error e = {0};
	struct prog_file f;
	struct sites s;

	if (!path || !prog_open(&f, path, 0))
		return;
	CU_ASSERT_EQUAL(sites_plan(&s, f.elf, &f.build, f.pcln, 0, &e), -ENOTSUP);
	CU_ASSERT_EQUAL(e.status, EXIT_TARGET);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "profile.pprof"));
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "rebuild it with -pgo=off"));
	prog_close(&f);
}

/* A plan for another release lacks sites: each is named with what follows from it. */
static void names_missing_sites(void)
{
	const char *path = prog_path("1.26", "plain");
	struct error e = {0};
	struct prog_file f;
	struct sites s;
	bool exits = false;

	if (!path || !prog_open(&f, path, 0))
		return;
	f.build.go_minor = 21;
	CU_ASSERT_EQUAL_FATAL(sites_plan(&s, f.elf, &f.build, f.pcln, 0, &e), 0);
	for (size_t i = 0; i < s.nwarnings; i++)
		exits |= strstr(s.warnings[i].text, "runtime.goexit0") &&
			 strstr(s.warnings[i].text, "goroutine exits will not be seen");
	CU_ASSERT_TRUE(exits);
	sites_free(&s);
	prog_close(&f);
}

static CU_TestInfo tests[] = {
	{"plans all kinds for every release", plans_every_release},
	{"finds where ready keeps its skip count", finds_skip_slot},
	{"refuses programs with inlined status changes", refuses_inlined},
	{"names missing sites and what follows", names_missing_sites},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("target/sites", tests);
