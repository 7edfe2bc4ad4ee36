// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/target/native.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "user/target/native_elf.h"

/* This very process. */
struct setup {
	struct target_process *process;
	struct native *native;
};

static void set_up(struct setup *t)
{
	struct error e = {0};

	CU_ASSERT_EQUAL_FATAL(target_process_open(getpid(), &t->process, &e), 0);
	t->native = native_new(t->process);
	CU_ASSERT_PTR_NOT_NULL_FATAL(t->native);
}

static void tear_down(struct setup *t)
{
	native_free(t->native);
	target_process_close(t->process);
}

/* What the address behind `code` is called: valid until the next call. */
static const char *name_of(struct setup *t, const void *code, const char **file)
{
	struct pcln_frame frame;

	if (native_frame(t->native, (uintptr_t)code + 1, &frame))
		return "";
	CU_ASSERT_EQUAL(frame.pc, (uintptr_t)code);
	CU_ASSERT_EQUAL(frame.line, 0);
	CU_ASSERT_FALSE(frame.wrapper);
	*file = frame.file;
	return frame.func;
}

__attribute__((noinline)) static int static_function(int n)
{
	__asm__ volatile("" : "+r"(n));
	return n;
}

static void functions_of_the_program(void)
{
	const char *file = "";
	struct setup t;

	set_up(&t);
	CU_ASSERT_EQUAL(static_function(1), 1);
	CU_ASSERT_STRING_EQUAL(name_of(&t, static_function, &file), "static_function");
	CU_ASSERT_PTR_NOT_NULL(strstr(file, "/unit"));
	CU_ASSERT_STRING_EQUAL(name_of(&t, native_frame, &file), "native_frame");
	tear_down(&t);
}

static void functions_of_libraries(void)
{
	static const char *const names[] = {"qsort", "nanosleep", "pthread_create", "read",
					    "getpid"};
	struct setup t;

	set_up(&t);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		void *libc = dlopen("libc.so.6", RTLD_LAZY | RTLD_NOLOAD);
		const char *file = "";

		CU_ASSERT_PTR_NOT_NULL_FATAL(libc);
		CU_ASSERT_STRING_EQUAL(name_of(&t, dlsym(libc, names[i]), &file), names[i]);
		CU_ASSERT_PTR_NOT_NULL(strstr(file, "/libc"));
		dlclose(libc);
	}
	tear_down(&t);
}

static void functions_of_the_vdso(void)
{
	void *vdso = dlopen("linux-vdso.so.1", RTLD_LAZY | RTLD_NOLOAD);
	const char *file = "", *name;
	struct setup t;

	CU_ASSERT_PTR_NOT_NULL_FATAL(vdso);
	set_up(&t);
	name = name_of(&t, dlsym(vdso, "__vdso_clock_gettime"), &file);
	/* both are names of it */
	CU_ASSERT(!strcmp(name, "clock_gettime") || !strcmp(name, "__vdso_clock_gettime"));
	CU_ASSERT_STRING_EQUAL(file, "[vdso]");
	dlclose(vdso);
	tear_down(&t);
}

static void places_without_functions(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *anon = mmap(NULL, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *guard = mmap(NULL, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const char *file = "-";
	struct setup t;

	CU_ASSERT_FATAL(anon != MAP_FAILED && guard != MAP_FAILED);
	set_up(&t);
	CU_ASSERT_EQUAL(strncmp(name_of(&t, anon + 0x10, &file), "[anon]+0x", 9), 0);
	CU_ASSERT_STRING_EQUAL(file, "");
	/* the kernel calls what grows by brk(2) the heap */
	if (sbrk((intptr_t)page) != (void *)-1)
		CU_ASSERT_EQUAL(
			strncmp(name_of(&t, (char *)sbrk(0) - page / 2, &file), "[heap]+0x", 9), 0);
	CU_ASSERT_STRING_EQUAL(name_of(&t, (void *)16, &file), "");
	CU_ASSERT_STRING_EQUAL(name_of(&t, (void *)(UINTPTR_MAX - 1), &file), "");
	munmap(guard, page);
	munmap(anon, page);
	tear_down(&t);
}

static const char library_source[] =
	"static int hidden(int n) { __asm__ volatile(\"\" : \"+r\"(n)); return n; }\n"
	"int (*volatile address)(int) = hidden;\n"
	"int shown(int n) { return address(n); }\n"
	"void *where(void) { return (void *)address; }\n";

/* Build a library with `cc` and load it: NULL if that cannot be done. */
static void *load_library(const char *dir, const char *flags, const char *path)
{
	char command[512], source[128];
	FILE *f;

	snprintf(source, sizeof(source), "%s/lib.c", dir);
	f = fopen(source, "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	fputs(library_source, f);
	fclose(f);
	snprintf(command, sizeof(command), "cc -shared -fPIC -O1 %s -o '%s' '%s'", flags, path,
		 source);
	CU_ASSERT_EQUAL_FATAL(system(command), 0);
	unlink(source);
	return dlopen(path, RTLD_NOW | RTLD_LOCAL);
}

static void a_library(const char *flags, bool stripped, bool deleted)
{
	char dir[] = "/tmp/gscope-native-XXXXXX", path[128];
	const char *file = "", *name;
	void *(*where)(void);
	struct setup t;
	void *lib;

	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/libtest.so.1", dir);
	set_up(&t);
	/* the mappings are known before it is there */
	CU_ASSERT_STRING_EQUAL(name_of(&t, static_function, &file), "static_function");
	lib = load_library(dir, flags, path);
	CU_ASSERT_PTR_NOT_NULL_FATAL(lib);
	if (deleted)
		unlink(path);
	*(void **)&where = dlsym(lib, "where");
	CU_ASSERT_PTR_NOT_NULL_FATAL(where);
	name = name_of(&t, where(), &file);
	CU_ASSERT_EQUAL(!strcmp(name, "hidden"), !stripped);
	CU_ASSERT_EQUAL(!strncmp(name, "libtest.so.1+0x", 15), stripped);
	CU_ASSERT_STRING_EQUAL(name_of(&t, dlsym(lib, "shown"), &file), "shown");
	CU_ASSERT_EQUAL(strncmp(file, path, strlen(path)), 0);
	dlclose(lib);
	unlink(path);
	rmdir(dir);
	tear_down(&t);
}

static void functions_of_a_library_loaded_later(void)
{
	a_library("", false, false);
}

static void functions_of_a_stripped_library(void)
{
	a_library("-s", true, false);
}

/* Linux lets only the privileged open a file by its mapping: proc_pid_map_files(5). */
static bool may_open_mapped_files(void)
{
	struct dirent *entry;
	DIR *dir = opendir("/proc/self/map_files");
	int fd = -1;

	while (dir && fd < 0 && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			fd = openat(dirfd(dir), entry->d_name, O_RDONLY | O_CLOEXEC);
	if (dir)
		closedir(dir);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static void functions_of_a_deleted_library(void)
{
	if (may_open_mapped_files())
		a_library("", false, true);
	else
		puts("skipped: needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE");
}

/* --- damage ------------------------------------------------------------------------------- */

struct buffer {
	uint8_t *p;
	size_t n;
};

static int read_buffer(void *ctx, uint64_t off, void *buf, size_t len)
{
	const struct buffer *b = ctx;

	CU_ASSERT_FATAL(off <= b->n && len <= b->n - off);
	memcpy(buf, b->p + off, len);
	return 0;
}

/* Read it, and ask for the function at some addresses. Returns what reading returned. */
static int try_image(struct buffer *b, size_t *named)
{
	struct native_image image = {read_buffer, b, b->n};
	struct native_object o;
	uint64_t vaddr;
	int err = native_object_read(&o, &image);

	for (size_t i = 0; i < b->n && !err; i += b->n / 64 + 1) {
		const char *func =
			native_object_vaddr(&o, i, &vaddr) ? native_object_func(&o, vaddr) : NULL;

		*named += func && strlen(func) < b->n;
	}
	if (!err)
		native_object_free(&o);
	return err;
}

static void load_file(struct buffer *b, const char *path)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	CU_ASSERT_FATAL(fd >= 0 && !fstat(fd, &st));
	b->n = (size_t)st.st_size;
	b->p = malloc(b->n);
	CU_ASSERT_FATAL(b->p && read(fd, b->p, b->n) == (ssize_t)b->n);
	close(fd);
}

static void damaged_files(void)
{
	char dir[] = "/tmp/gscope-native-XXXXXX", path[128];
	struct buffer whole, cut, bent;
	size_t named = 0, ignored = 0;
	unsigned int seed = 1;
	void *lib;

	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/libtest.so.1", dir);
	lib = load_library(dir, "", path);
	CU_ASSERT_PTR_NOT_NULL_FATAL(lib);
	dlclose(lib);
	load_file(&whole, path);
	CU_ASSERT_EQUAL(try_image(&whole, &named), 0);
	CU_ASSERT(named > 0);
	bent = (struct buffer){malloc(whole.n), whole.n};
	CU_ASSERT_PTR_NOT_NULL_FATAL(bent.p);
	for (cut = whole; cut.n > 0; cut.n -= cut.n / 50 + 1)
		try_image(&cut, &ignored);
	for (int round = 0; round < 3000; round++) {
		/* headers and tables of sections have the claims, which are to be lies */
		size_t at = round % 2 ? (size_t)rand_r(&seed) % 1024 :
					whole.n - 1 - (size_t)rand_r(&seed) % 4096;

		memcpy(bent.p, whole.p, whole.n);
		for (int i = 0; i < 8; i++)
			bent.p[(at + (size_t)i) % whole.n] = (uint8_t)rand_r(&seed);
		try_image(&bent, &ignored);
	}
	free(bent.p);
	free(whole.p);
	unlink(path);
	rmdir(dir);
}

static CU_TestInfo tests[] = {
	{"functions of the program", functions_of_the_program},
	{"functions of libraries", functions_of_libraries},
	{"functions of the vdso", functions_of_the_vdso},
	{"places without functions", places_without_functions},
	{"functions of a library loaded later", functions_of_a_library_loaded_later},
	{"functions of a stripped library", functions_of_a_stripped_library},
	{"functions of a deleted library", functions_of_a_deleted_library},
	{"damaged files", damaged_files},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("target/native", tests);
