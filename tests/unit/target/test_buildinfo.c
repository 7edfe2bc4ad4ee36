// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/target/progs.h"
#include "tests/unit/unit.h"

static void parses_versions(void)
{
	static const struct {
		const char *text;
		int minor, patch; /* -1: not a version */
	} cases[] = {
		{"go1.22.3", 22, 3},
		{"go1.22", 22, 0},
		{"go1.22.3 X:rangefunc,arenas", 22, 3},
		{"go1.23.1 vendor-suffix", 23, 1},
		{"go1.23.1-vendor.5", 23, 1},
		{"go1.23rc1", 23, 0},
		{"go1.25.0-20250101 +abcdef", 25, 0},
		{"devel go1.24-3f2a1b Tue Sep 3 2024 linux/amd64", 24, 0},
		{"vendor go1.21.13 (Red Hat 1.21.13-1.el9)", 21, 13},
		{"go1.9", 9, 0},
		{"cargo1.77 go1.26.1", 26, 1},
		{"devel +a1b2c3 Mon Jan 1", -1, -1},
		{"go1.", -1, -1},
		{"go1.x", -1, -1},
		{"go2.1", -1, -1},
		{"go1.99999999999999999999", -1, -1},
		{"", -1, -1},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		unsigned int minor = 0, patch = 0;
		bool ok = go_version_parse(cases[i].text, &minor, &patch);

		CU_ASSERT_EQUAL(ok, cases[i].minor >= 0);
		if (ok) {
			CU_ASSERT_EQUAL(minor, (unsigned int)cases[i].minor);
			CU_ASSERT_EQUAL(patch, (unsigned int)cases[i].patch);
		}
	}
}

static void reads_settings(void)
{
	char text[] =
		"path\tx\nbuild\t-buildmode=pie\nbuild\tCGO_ENABLED=0\nbuild\t-ldflags=\"-X a=b\"";
	struct buildinfo b = {.settings = text};
	char value[32];

	CU_ASSERT_TRUE(buildinfo_setting(&b, "-buildmode", value, sizeof(value)));
	CU_ASSERT_STRING_EQUAL(value, "pie");
	CU_ASSERT_TRUE(buildinfo_setting(&b, "CGO_ENABLED", value, sizeof(value)));
	CU_ASSERT_STRING_EQUAL(value, "0");
	CU_ASSERT_TRUE(buildinfo_setting(&b, "-ldflags", value, sizeof(value)));
	CU_ASSERT_STRING_EQUAL(value, "\"-X a=b\"");
	CU_ASSERT_FALSE(buildinfo_setting(&b, "-build", value, sizeof(value)));
	CU_ASSERT_FALSE(buildinfo_setting(&b, "-pgo", value, sizeof(value)));
	CU_ASSERT_FALSE(buildinfo_setting(&b, "-ldflags", value, 4));
}

static void reads_programs(void)
{
	for (const char *const *r = prog_all_releases; *r; r++) {
		for (const char *const *m = prog_modes; *m; m++) {
			const char *path = prog_path(*r, *m);
			struct prog_file f;
			char value[32];

			if (!path || !prog_open(&f, path, 0))
				continue;
			CU_ASSERT_EQUAL(f.build.go_minor, (unsigned int)atoi(*r + 2));
			CU_ASSERT_FALSE(strncmp(f.build.version, "go1.", 4));
			CU_ASSERT_TRUE(strlen(f.build.build_id) > 20);
			CU_ASSERT_TRUE(buildinfo_setting(&f.build, "CGO_ENABLED", value, 32));
			CU_ASSERT_STRING_EQUAL(value, strstr(*m, "cgo") ? "1" : "0");
			if (f.build.go_minor >= 21) { /* older ones do not say */
				CU_ASSERT_TRUE(
					buildinfo_setting(&f.build, "-buildmode", value, 32));
				CU_ASSERT_STRING_EQUAL(value, strstr(*m, "pie") ? "pie" : "exe");
			}
			CU_ASSERT_EQUAL(elf_is_pie(f.elf), !!strstr(*m, "pie"));
			prog_close(&f);
		}
	}
}

/* A copy of a program in memory, to be damaged: its descriptor. */
static int copy_of(const char *path, char **bytes, size_t *size)
{
	FILE *in = fopen(path, "r");
	int fd = memfd_create("prog", MFD_CLOEXEC);

	fseek(in, 0, SEEK_END);
	*size = ftell(in);
	rewind(in);
	*bytes = malloc(*size);
	if (fread(*bytes, 1, *size, in) != *size)
		CU_FAIL("read");
	fclose(in);
	return fd;
}

/* A program that claims to be of another version; what buildinfo_read() says to it. */
static int with_version(const char *version, struct buildinfo *b, struct error *e)
{
	const char *path = prog_path("1.26", "plain");
	char *bytes, *at = NULL, *from;
	struct elf_file *elf;
	size_t size;
	int fd, err;

	if (!path)
		return -ENOENT;
	fd = copy_of(path, &bytes, &size);
	for (from = bytes; (from = memchr(from, 0xff, size - (from - bytes))); from++) {
		if (size - (from - bytes) > 256 && !memcmp(from, "\xff Go buildinf:", 14))
			at = from;
	}
	CU_ASSERT_PTR_NOT_NULL_FATAL(at);
	/* the version, then no settings */
	at[32] = (char)strlen(version);
	strcpy(at + 33, version);
	if (write(fd, bytes, size) != (ssize_t)size)
		CU_FAIL("write");
	free(bytes);
	CU_ASSERT_EQUAL_FATAL(elf_file_open(&elf, fd, "prog", e), 0);
	err = buildinfo_read(b, elf, e);
	elf_file_close(elf);
	close(fd);
	return err;
}

static void judges_versions(void)
{
	static const struct {
		const char *version;
		int minor; /* -1: refused */
		bool known;
	} cases[] = {
		{"go1.18.10", -1, false},
		{"go1.9", -1, false},
		{"devel +ab", -1, false},
		{"go1.19", 19, true},
		{"go1.20.14", 20, true},
		{"go1.27.3", 27, true},
		{"go1.22.5-fips", 22, true},
		{"go1.21.13 (Red Hat 1.21.13-1.el9)", 21, true},
		{"go1.24.4 X:nocoverageredesign", 24, false},
		{"go1.25rc2", 25, false},
		{"go1.27beta1", 27, false},
		{"go1.28", 28, false},
		{"devel go1.28-abcdef Tue Feb 3 2026 linux/amd64", 28, false},
		{"devel go1.26-abcdef", 26, false},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct buildinfo b = {0};
		struct error e = {0};
		int err = with_version(cases[i].version, &b, &e);

		if (err == -ENOENT)
			return;
		if (cases[i].minor < 0) {
			CU_ASSERT_EQUAL(err, -ENOTSUP);
			CU_ASSERT_EQUAL(e.status, EXIT_TARGET);
			CU_ASSERT_PTR_NOT_NULL(strstr(e.text, cases[i].version));
			continue;
		}
		CU_ASSERT_EQUAL(err, 0);
		CU_ASSERT_EQUAL(b.go_minor, (unsigned int)cases[i].minor);
		CU_ASSERT_EQUAL(b.known, cases[i].known);
		CU_ASSERT_STRING_EQUAL(b.version, cases[i].version);
		buildinfo_free(&b);
	}
}

/* Without it, the runtime's own variable tells, where there are symbols. */
static void reads_variable(void)
{
	static const char *const modes[] = {"plain", "pie", "plain-strip", NULL};

	for (const char *const *m = modes; *m; m++) {
		const char *path = prog_path("1.26", *m);
		struct elf_file *elf;
		struct error e = {0};
		struct buildinfo b;
		char *bytes, *at;
		size_t size;
		int fd, err;

		if (!path)
			continue;
		fd = copy_of(path, &bytes, &size);
		while ((at = memmem(bytes, size, "\xff Go buildinf:", 14)))
			at[1] = 'x';
		CU_ASSERT_EQUAL(write(fd, bytes, size), (ssize_t)size);
		free(bytes);
		CU_ASSERT_EQUAL_FATAL(elf_file_open(&elf, fd, "prog", &e), 0);
		err = buildinfo_read(&b, elf, &e);
		CU_ASSERT_EQUAL(err, strstr(*m, "strip") ? -ENOEXEC : 0);
		if (!err) {
			CU_ASSERT_FALSE(strncmp(b.version, "go1.26", 6));
			CU_ASSERT_EQUAL(b.go_minor, 26);
			CU_ASSERT_STRING_EQUAL(b.settings, "");
			buildinfo_free(&b);
		}
		elf_file_close(elf);
		close(fd);
	}
}

/* Without section headers: the same as with them. */
static void needs_no_sections(void)
{
	for (const char *const *r = prog_all_releases; *r; r++) {
		for (const char *const *m = prog_modes; *m; m++) {
			struct prog_file with, without;
			const char *path;
			char mode[32];

			path = prog_path(*r, *m);
			if (!path || !prog_open(&with, path, 0))
				continue;
			snprintf(mode, sizeof(mode), "%s-noshdr", *m);
			path = prog_path(*r, mode);
			if (path && prog_open(&without, path, 0)) {
				CU_ASSERT_STRING_EQUAL(without.build.version, with.build.version);
				CU_ASSERT_STRING_EQUAL(without.build.settings, with.build.settings);
				CU_ASSERT_TRUE(without.build.known);
				prog_close(&without);
			}
			prog_close(&with);
		}
	}
}

static void refuses_what_is_not_go(void)
{
	struct error e = {0};
	struct elf_file *elf;
	struct buildinfo b;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	CU_ASSERT_EQUAL_FATAL(elf_file_open(&elf, fd, "unit", &e), 0);
	CU_ASSERT_EQUAL(buildinfo_read(&b, elf, &e), -ENOEXEC);
	CU_ASSERT_EQUAL(e.status, EXIT_TARGET);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "not a Go program"));
	elf_file_close(elf);
	close(fd);
}

static CU_TestInfo tests[] = {
	{"parses versions, odd ones too", parses_versions},
	{"finds build settings", reads_settings},
	{"reads programs of every release", reads_programs},
	{"tells known versions from others", judges_versions},
	{"needs no section headers", needs_no_sections},
	{"reads the version from the runtime", reads_variable},
	{"refuses what is not Go", refuses_what_is_not_go},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("target/buildinfo", tests);
