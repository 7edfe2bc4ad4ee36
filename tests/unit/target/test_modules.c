// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Programs whose Go code is in another file, or in several. */
#include "user/target/modules.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/target/progs.h"
#include "tests/unit/unit.h"
#include "user/target/nogo.h"

/* A running program and its modules. */
struct world {
	struct prog prog;
	struct target_process *process;
	struct modules *modules;
	struct buildinfo build;
};

static char *absolute(const char *release, const char *mode)
{
	const char *path = prog_path(release, mode);

	return path ? realpath(path, NULL) : NULL;
}

/* Have it load a file: what it answers goes into `line`. */
static bool load(struct prog *p, const char *path, char *line, size_t size)
{
	fprintf(p->in, "%s\n", path);
	fflush(p->in);
	return fgets(line, size, p->out);
}

static int look(struct world *w, struct error *e)
{
	int err = target_process_open(w->prog.pid, &w->process, e);

	return err ? err : modules_open(&w->modules, w->process, &w->build, e);
}

static void leave(struct world *w)
{
	modules_close(w->modules);
	buildinfo_free(&w->build);
	target_process_close(w->process);
	prog_stop(&w->prog);
	memset(w, 0, sizeof(*w));
}

/* The runtime is in the library: its code is where the file and the load address say. */
static void check_library(struct world *w, const char *path, const char *release)
{
	const struct module *m = w->modules->v[0];
	struct pcln_func func, same;
	uint8_t a[16], b[16];

	CU_ASSERT_STRING_EQUAL(elf_file_name(m->elf), path);
	CU_ASSERT_EQUAL(w->build.go_minor, (unsigned int)atoi(release + 2));
	CU_ASSERT_NOT_EQUAL(m->bias, 0);
	CU_ASSERT_TRUE_FATAL(pclntab_find(m->pcln, "runtime.gopark", &func));
	CU_ASSERT_EQUAL(elf_read(m->elf, func.entry - m->bias, a, sizeof(a)), 0);
	CU_ASSERT_EQUAL(target_process_read(w->process, func.entry, b, sizeof(b)), 0);
	CU_ASSERT_FALSE(memcmp(a, b, sizeof(a)));
	CU_ASSERT_TRUE(modules_func(w->modules, func.entry + 1, &same));
	CU_ASSERT_STRING_EQUAL(same.name, "runtime.gopark");
	CU_ASSERT_FALSE(modules_func(w->modules, 0x1000, &same));
}

static void finds_library(void)
{
	for (const char *const *r = prog_all_releases; *r; r++) {
		char *library = absolute(*r, "cshared"), line[64];
		struct world w = {0};
		struct error e = {0};

		if (library && prog_start(&w.prog, prog_path(*r, "host"), NULL, NULL, true)) {
			CU_ASSERT_EQUAL(look(&w, &e), -ENOEXEC);
			CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "not a Go program"));
			CU_ASSERT_EQUAL(e.status, EXIT_TARGET);
			target_process_close(w.process);
			CU_ASSERT_TRUE(load(&w.prog, library, line, sizeof(line)));
			CU_ASSERT_EQUAL_FATAL(look(&w, &e), 0);
			CU_ASSERT_EQUAL(w.modules->n, 1);
			CU_ASSERT_STRING_EQUAL(w.modules->warning, "");
			check_library(&w, library, *r);
			leave(&w);
		}
		free(library);
	}
}

/* A copy of a file, which is another file to the dynamic linker: its path is the caller's. */
static char *copy_of(const char *path)
{
	char copy[] = "/tmp/gscope-unit-XXXXXX";
	int in = open(path, O_RDONLY | O_CLOEXEC), out = mkstemp(copy);
	struct stat st;

	CU_ASSERT_EQUAL(fstat(in, &st), 0);
	CU_ASSERT_EQUAL(sendfile(out, in, NULL, st.st_size), st.st_size);
	close(in);
	close(out);
	return strdup(copy);
}

static void warns_of_two_runtimes(void)
{
	char *library = absolute("1.27", "cshared"), *copy, line[64];
	struct world w = {0};
	struct error e = {0};

	if (!library)
		return;
	copy = copy_of(library);
	if (prog_start(&w.prog, prog_path("1.27", "host"), NULL, NULL, true)) {
		CU_ASSERT_TRUE(load(&w.prog, library, line, sizeof(line)));
		CU_ASSERT_TRUE(load(&w.prog, copy, line, sizeof(line)));
		CU_ASSERT_EQUAL_FATAL(look(&w, &e), 0);
		CU_ASSERT_EQUAL(w.modules->n, 2);
		CU_ASSERT_TRUE(w.modules->v[1]->stranger);
		CU_ASSERT_PTR_NOT_NULL(strstr(w.modules->warning, library));
		CU_ASSERT_PTR_NOT_NULL(strstr(w.modules->warning, copy));
		leave(&w);
	}
	unlink(copy);
	free(copy);
	free(library);
}

/* What the plugin answered: a PC of its own in `name`. */
static void check_plugin(struct world *w, const char *answer)
{
	struct pcln_frame frame;
	char name[64] = "";
	uint64_t pc = 0;

	CU_ASSERT_EQUAL(sscanf(answer, "%" SCNx64 " %63s", &pc, name), 2);
	CU_ASSERT(modules_frames(w->modules, pc + 1, &frame, 1) == 1);
	CU_ASSERT_STRING_EQUAL(frame.func, name);
	CU_ASSERT_PTR_NOT_NULL(strstr(name, "Start"));
	CU_ASSERT(modules_pcsp(w->modules, pc) > 0);
	CU_ASSERT_EQUAL(w->modules->n, 2);
}

static void finds_plugins(void)
{
	for (const char *const *r = prog_all_releases; *r; r++) {
		char *plugin = absolute(*r, "plugin"), line[128];
		struct world w = {0};
		struct error e = {0};

		for (int later = 0; plugin && later < 2; later++) {
			if (!prog_start(&w.prog, prog_path(*r, "plughost"), NULL, NULL, true))
				continue;
			if (!later)
				CU_ASSERT_TRUE(load(&w.prog, plugin, line, sizeof(line)));
			CU_ASSERT_EQUAL_FATAL(look(&w, &e), 0);
			CU_ASSERT_EQUAL(w.modules->n, later ? 1 : 2);
			CU_ASSERT_PTR_NOT_NULL(strstr(elf_file_name(w.modules->v[0]->elf), "host"));
			CU_ASSERT_STRING_EQUAL(w.modules->warning, "");
			if (later) {
				CU_ASSERT_TRUE(load(&w.prog, plugin, line, sizeof(line)));
			} else {
				CU_ASSERT_TRUE(w.modules->v[1]->runtime);
				CU_ASSERT_FALSE(w.modules->v[1]->stranger);
			}
			check_plugin(&w, line);
			leave(&w);
		}
		free(plugin);
	}
}

/* PCs that are in nothing do not make it read the mappings again and again. */
static void refreshes_seldom(void)
{
	const char *path = prog_path("1.26", "plain");
	struct world w = {0};
	struct error e = {0};
	struct pcln_frame frame;

	if (!path || !prog_start(&w.prog, path, "park", "1", true))
		return;
	CU_ASSERT_EQUAL_FATAL(look(&w, &e), 0);
	for (uint64_t pc = 0x1000; pc < 0x1000 + 100000; pc++)
		CU_ASSERT_EQUAL(modules_frames(w.modules, pc, &frame, 1), -ENOENT);
	CU_ASSERT(w.modules->refreshes < 8);
	leave(&w);
}

static void refuses(const char *file, const char *name, const char *text)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	struct elf_file *f = NULL;
	struct error e = {0};

	CU_ASSERT_EQUAL_FATAL(elf_file_open(&f, fd, name, &e), 0);
	CU_ASSERT_EQUAL(nogo_refuse(f, &e), -ENOEXEC);
	CU_ASSERT_EQUAL(e.status, EXIT_TARGET);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, name));
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, text));
	if (!strstr(e.text, text))
		printf("\n    %s", e.text);
	elf_file_close(f);
	close(fd);
}

/* A program with `len` bytes at `at` replaced: its path below /proc. */
static const char *changed(const char *path, long at, const char *bytes, size_t len)
{
	static char name[64];
	int in = open(path, O_RDONLY | O_CLOEXEC), fd = memfd_create("changed", MFD_CLOEXEC);
	struct stat st;

	CU_ASSERT_EQUAL(fstat(in, &st), 0);
	CU_ASSERT_EQUAL(sendfile(fd, in, NULL, st.st_size), st.st_size);
	CU_ASSERT_EQUAL(pwrite(fd, bytes, len, at), (ssize_t)len);
	close(in);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	return name;
}

static void names_what_is_not_go(void)
{
	const char *host = prog_path("1.27", "host"), *path;

	if (!host)
		return;
	refuses(host, "some/program", "(C or C++, dynamically linked by /lib64/ld-linux");
	refuses(host, "/usr/bin/python3.11", "it runs Python programs");
	refuses(host, "/bin/sh", "it runs shell scripts");
	path = changed(host, 0xec, "UPX!", 4);
	refuses(path, "packed", "upx -d");
	path = prog_path("1.27", "plain-noshdr");
	if (path)
		refuses(path, "some/go", "without build information");
}

static CU_TestInfo tests[] = {
	{"finds the Go library of a C program", finds_library},
	{"warns of two Go runtimes", warns_of_two_runtimes},
	{"finds plugins, now and later", finds_plugins},
	{"reads the mappings seldom", refreshes_seldom},
	{"names what is not Go", names_what_is_not_go},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("target/modules", tests);
