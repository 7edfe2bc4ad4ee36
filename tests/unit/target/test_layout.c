// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/target/progs.h"
#include "tests/unit/target/readall.h"
#include "tests/unit/unit.h"
#include "user/target/layout_rungs.h"

#define NONE (-1)

/* As gdb shows them for Go 1.19.8, 1.21.13, 1.22.12, 1.23.5, 1.24.4, 1.25.12, 1.26.11 and 1.27.4. */
static const struct {
	size_t at;
	const char *name;
	int32_t offset[8];
} expected[] = {
#define ROW(field, ...)                                 \
	{                                               \
		offsetof(struct layout, field), #field, \
		{                                       \
			__VA_ARGS__                     \
		}                                       \
	}
	ROW(g.stack_lo, 0, 0, 0, 0, 0, 0, 0, 0),
	ROW(g.stack_hi, 8, 8, 8, 8, 8, 8, 8, 8),
	ROW(g.m, 48, 48, 48, 48, 48, 48, 48, 48),
	ROW(g.sched_sp, 56, 56, 56, 56, 56, 56, 56, 56),
	ROW(g.sched_pc, 64, 64, 64, 64, 64, 64, 64, 64),
	ROW(g.sched_bp, 104, 104, 104, 104, 104, 96, 96, 96),
	ROW(g.syscallsp, 112, 112, 112, 112, 112, 104, 104, 104),
	ROW(g.syscallpc, 120, 120, 120, 120, 120, 112, 112, 112),
	ROW(g.syscallbp, NONE, NONE, NONE, 128, 128, 120, 120, 120),
	ROW(g.atomicstatus, 144, 144, 144, 152, 152, 144, 144, 144),
	ROW(g.goid, 152, 152, 152, 160, 160, 152, 152, 152),
	ROW(g.waitsince, 168, 168, 168, 176, 176, 168, 168, 168),
	ROW(g.waitreason, 176, 176, 176, 184, 184, 176, 176, 176),
	ROW(g.parent_goid, NONE, 272, 272, 280, 280, 272, 280, 280),
	ROW(g.gopc, 296, 280, 280, 288, 288, 280, 288, 288),
	ROW(g.startpc, 312, 296, 296, 304, 304, 296, 304, 304),
	ROW(g.coroarg, NONE, NONE, 368, 384, 384, 376, 384, 384),
	ROW(g.coroexit, NONE, NONE, 187, 195, 195, 187, 187, 187),
	ROW(g.labels, 360, 344, 344, 352, 352, 344, 352, 352),
	ROW(m.g0, 0, 0, 0, 0, 0, 0, 0, 0),
	ROW(m.procid, 72, 72, 72, 72, 72, 64, 64, 64),
	ROW(m.gsignal, 80, 80, 80, 80, 80, 72, 72, 72),
	ROW(m.curg, 192, 192, 192, 192, 192, 184, 184, 184),
	ROW(m.p, 208, 208, 208, 208, 208, 200, 208, 208),
	ROW(m.oldp, 224, 224, 224, 224, 224, 216, 224, 224),
	ROW(m.id, 232, 232, 232, 232, 232, 224, 232, 232),
	ROW(m.incgo, 280, 280, 280, 280, 280, 272, 280, 280),
	ROW(m.alllink, 336, 336, 328, 328, 328, 344, 352, 352),
	ROW(m.wait_block_reason, 648, 648, 936, 736, 736, 752, 784, 784),
	ROW(m.wait_skip, 656, 656, 944, 728, 728, 744, 776, 776),
	ROW(p.id, 0, 0, 0, 0, 0, 0, 0, 0),
	ROW(p.status, 4, 4, 4, 4, 4, 4, 4, 4),
	ROW(p.m, 56, 56, 56, 48, 48, 48, 48, 48),
	ROW(p.goidcache, 384, 384, 384, 376, 376, 376, 384, 384),
	ROW(p.goidcacheend, 392, 392, 392, 384, 384, 384, 392, 392),
	ROW(p.worker_mode, 4656, 4656, 4688, 4664, 4664, 4664, 4672, 4672),
	ROW(coro.gp, NONE, NONE, 0, 0, 0, 0, 0, 0),
#undef ROW
};

/* Of a release's column in the table: there is none for 1.20. */
static size_t column(const struct buildinfo *b)
{
	return b->go_minor == 19 ? 0 : b->go_minor - 20;
}

/* Later patches of 1.24 have another runtime.m: allpSnapshot came with 1.24.9 at the latest. */
static bool comparable(const struct buildinfo *b, const char *name)
{
	return b->go_minor != 24 || b->go_patch <= 4 || name[0] != 'm';
}

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e3 + ts.tv_nsec / 1e6;
}

static void equals_tables(void)
{
	double worst = 0;

	for (const char *const *r = prog_all_releases; *r; r++) {
		for (const char *const *m = prog_modes; *m; m++) {
			const char *path = prog_path(*r, *m);
			struct error e = {0};
			struct prog_file f;
			struct layout l;
			double begin;
			int err;

			if (!path || !prog_open(&f, path, 0))
				continue;
			begin = now_ms();
			err = layout_read(&l, f.elf, &f.build, f.pcln, 0, &e);
			worst = now_ms() - begin > worst ? now_ms() - begin : worst;
			CU_ASSERT_EQUAL(err, 0);
			if (err)
				printf("\n    %s: %s", path, e.text);
			for (size_t i = 0; !err && i < sizeof(expected) / sizeof(expected[0]);
			     i++) {
				int32_t want = expected[i].offset[column(&f.build)];
				int32_t have = *(int32_t *)((char *)&l + expected[i].at);

				if (!comparable(&f.build, expected[i].name))
					continue;
				CU_ASSERT_EQUAL(have, want);
				if (have != want)
					printf("\n    %s: %s is %d, not %d", path, expected[i].name,
					       have, want);
			}
			CU_ASSERT_EQUAL(l.tls_g, -8);
			CU_ASSERT_STRING_EQUAL(l.rung, "dwarf");
			prog_close(&f);
		}
	}
	printf("\n    slowest: %.1f ms ", worst);
}

/* Without DWARF it is the table, for the release itself and for one whose patches are not in it. */
static void takes_the_table(void)
{
	for (const char *const *r = prog_all_releases; *r; r++) {
		const char *path = prog_path(*r, "stripped");
		struct error e = {0};
		struct prog_file f;
		char want[32];
		struct layout l;

		if (!path || !prog_open(&f, path, 0))
			continue;
		snprintf(want, sizeof(want), "table 1.%u.%u", f.build.go_minor, f.build.go_patch);
		CU_ASSERT_EQUAL(layout_read(&l, f.elf, &f.build, f.pcln, 0, &e), 0);
		CU_ASSERT_STRING_EQUAL(l.rung, want);
		CU_ASSERT(l.checked >= 30);
		f.build.go_patch = 99;
		CU_ASSERT_EQUAL(layout_read(&l, f.elf, &f.build, f.pcln, 0, &e), 0);
		CU_ASSERT_EQUAL(strncmp(l.rung, want, strrchr(want, '.') - want), 0);
		prog_close(&f);
	}
}

/*
 * The table's layout of the very release that the code contradicts is an error, that of another
 * patch of it is passed over for the code itself.
 */
static void table_must_agree(void)
{
	const char *path = prog_path("1.26", "stripped");
	struct error e = {0};
	struct prog_file f;
	struct layout l;

	if (!path || !prog_open(&f, path, 0))
		return;
	/* 1.25 has some fields elsewhere */
	f.build.go_minor = 25;
	f.build.go_patch = 12;
	CU_ASSERT_EQUAL(layout_read(&l, f.elf, &f.build, f.pcln, 0, &e), -EPROTO);
	CU_ASSERT_PTR_NOT_NULL(
		strstr(e.text, "table 1.25.12 has runtime.g.parent_goid at 272, its code at 280"));
	f.build.go_patch = 99;
	CU_ASSERT_EQUAL(layout_read(&l, f.elf, &f.build, f.pcln, 0, &e), 0);
	CU_ASSERT_STRING_EQUAL(l.rung, "code");
	CU_ASSERT_EQUAL(l.m.p, 208);
	prog_close(&f);
}

/* Without DWARF and table, the code must do. */
static void climbs_down(void)
{
	const char *path = prog_path("1.26", "stripped");
	struct error e = {0};
	struct prog_file f;
	struct layout l;

	if (!path || !prog_open(&f, path, 0))
		return;
	f.build.go_minor = GO_MINOR_MAX + 1;
	f.build.known = false;
	CU_ASSERT_EQUAL(layout_read(&l, f.elf, &f.build, f.pcln, 0, &e), 0);
	CU_ASSERT_STRING_EQUAL(l.rung, "code");
	CU_ASSERT_EQUAL(l.g.goid, 152);
	prog_close(&f);
}

/* DWARF of one release with the version of another: what is missing is named, nothing guessed. */
static void names_what_is_missing(void)
{
	const char *path = prog_path("1.22", "plain");
	struct error e = {0};
	struct prog_file f;
	struct layout l;

	if (!path || !prog_open(&f, path, 0))
		return;
	f.build.go_minor = 25;
	CU_ASSERT_EQUAL(layout_read(&l, f.elf, &f.build, f.pcln, 0, &e), -ENOENT);
	CU_ASSERT_EQUAL(e.status, EXIT_TARGET);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "runtime.g.syscallbp"));
	/* what a release that is not known has to have is not known either */
	f.build.known = false;
	CU_ASSERT_EQUAL(layout_read(&l, f.elf, &f.build, f.pcln, 0, &e), 0);
	CU_ASSERT_STRING_EQUAL(l.rung, "code");
	prog_close(&f);
}

/* A copy of a program in which gopark puts g.waitreason one byte further. */
static int move_waitreason(const char *path)
{
	static const uint8_t insn[] = {0x41, 0x88, 0x88, 0xb0, 0, 0, 0}; /* mov %cl,0xb0(%r8) */
	struct pcln_func func;
	struct prog_file f;
	struct image im;
	uint64_t off;
	uint8_t *at;
	int fd;

	if (!read_image(&im, path))
		return -1;
	if (!prog_open(&f, path, 0)) {
		free(im.bytes);
		return -1;
	}
	CU_ASSERT_FATAL(pclntab_find(f.pcln, "runtime.gopark", &func));
	CU_ASSERT_FATAL(elf_file_offset(f.elf, func.entry, &off));
	at = memmem(im.bytes + off, func.end - func.entry, insn, sizeof(insn));
	CU_ASSERT_PTR_NOT_NULL_FATAL(at);
	at[3]++;
	fd = memfd_create("moved", MFD_CLOEXEC);
	CU_ASSERT_EQUAL(write(fd, im.bytes, im.size), (ssize_t)im.size);
	prog_close(&f);
	free(im.bytes);
	return fd;
}

/* DWARF that the code contradicts: the field and the two offsets are named. */
static void code_must_agree(void)
{
	const char *path = prog_path("1.26", "plain");
	int fd = path ? move_waitreason(path) : -1;
	char moved[32];
	struct error e = {0};
	struct prog_file f;
	struct layout l;

	snprintf(moved, sizeof(moved), "/proc/self/fd/%d", fd);
	if (fd < 0 || !prog_open(&f, moved, 0))
		return;
	CU_ASSERT_EQUAL(layout_read(&l, f.elf, &f.build, f.pcln, 0, &e), -EPROTO);
	CU_ASSERT_EQUAL(e.status, EXIT_TARGET);
	CU_ASSERT_PTR_NOT_NULL(
		strstr(e.text, "DWARF has runtime.g.waitreason at 176, its code at 177"));
	prog_close(&f);
	close(fd);
}

/* What the code of a program tells must be what its DWARF says; names what it does not tell. */
static void compare_code(const char *path)
{
	struct layout dwarf, code;
	struct error e = {0};
	struct prog_file f;

	if (!prog_open(&f, path, 0))
		return;
	CU_ASSERT_EQUAL(layout_dwarf(&dwarf, f.elf, &f.build, &e), 0);
	CU_ASSERT_EQUAL(layout_code(&code, f.elf, f.pcln, 0, &e), 0);
	for (size_t i = 0; i < layout_nfields; i++) {
		const struct layout_field *field = &layout_fields[i];
		int32_t want = *layout_offset(&dwarf, field);
		int32_t have = *layout_offset(&code, field);

		/* coroutines are not linked into programs of Go 1.22 that were not asked to */
		if (f.build.go_minor == 22 && strstr(field->name, "coro"))
			continue;
		CU_ASSERT_EQUAL(have, want);
		if (have != want)
			printf("\n    %s: %s is %d, not %d", path, field->name, have, want);
	}
	CU_ASSERT_EQUAL(code.tls_slot, 0);
	CU_ASSERT(code.tls_g < 0);
	prog_close(&f);
}

static void code_equals_dwarf(void)
{
	for (const char *const *r = prog_all_releases; *r; r++) {
		for (const char *const *how = prog_how; *how; how++) {
			const char *path = prog_worth_it(*r, *how) ? prog_path(*r, *how) : NULL;

			if (path)
				compare_code(path);
		}
	}
}

static CU_TestInfo tests[] = {
	{"equals the tables of every release", equals_tables},
	{"takes the table of a release", takes_the_table},
	{"refuses a table the code contradicts", table_must_agree},
	{"takes the code of an unknown release", climbs_down},
	{"names a missing field", names_what_is_missing},
	{"refuses DWARF the code contradicts", code_must_agree},
	{"code says what DWARF says", code_equals_dwarf},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("target/layout", tests);
