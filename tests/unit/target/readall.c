// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tests/unit/target/readall.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/target/progs.h"
#include "tests/unit/unit.h"
#include "user/target/globals.h"
#include "user/target/layout.h"
#include "user/target/native_elf.h"
#include "user/target/sites.h"

#define MAX_FRAMES 32

bool read_image(struct image *im, const char *path)
{
	FILE *in = fopen(path, "r");

	CU_ASSERT_PTR_NOT_NULL_FATAL(in);
	fseek(in, 0, SEEK_END);
	im->size = ftell(in);
	rewind(in);
	im->bytes = malloc(im->size);
	CU_ASSERT_EQUAL(fread(im->bytes, 1, im->size, in), im->size);
	fclose(in);
	return true;
}

/* Ask for everything at many PCs; what comes out must at least be readable. */
static size_t use_table(struct pclntab *t)
{
	struct pcln_frame frames[MAX_FRAMES];
	struct pcln_func func;
	size_t known = 0;

	for (size_t i = 0; pclntab_at(t, i, &func); i += 7) {
		for (uint64_t pc = func.entry; pc < func.entry + 64; pc += 13) {
			int n = pclntab_frames(t, pc, frames, MAX_FRAMES);

			for (int k = 0; k < n; k++)
				known += strlen(frames[k].func) + strlen(frames[k].file) > 0;
			pclntab_pcsp(t, pc);
			pclntab_inlined(t, pc, "runtime.casgstatus");
			pclntab_start_pc(t, pc);
			CU_ASSERT(n <= MAX_FRAMES);
		}
	}
	pclntab_find(t, "no such function", &func);
	return known;
}

static int read_fd(void *ctx, uint64_t off, void *buf, size_t len)
{
	return pread(*(int *)ctx, buf, len, (off_t)off) == (ssize_t)len ? 0 : -EIO;
}

/* As an object with C functions in it; what it may be refused for is nobody's fault. */
static void read_native(int fd)
{
	struct native_image image = {.read = read_fd, .ctx = &fd};
	struct native_object o;
	struct stat st;

	CU_ASSERT_EQUAL_FATAL(fstat(fd, &st), 0);
	image.size = (uint64_t)st.st_size;
	if (native_object_read(&o, &image))
		return;
	for (size_t i = 0; i < o.n; i += 31)
		native_object_func(&o, o.v[i].begin);
	native_object_free(&o);
}

bool read_all(int fd)
{
	struct elf_file *elf = NULL;
	struct pclntab *t = NULL;
	struct buildinfo b = {0};
	struct error e = {0};
	struct globals g;
	struct layout l;
	struct sites s;
	int err = elf_file_open(&elf, fd, "prog", &e);

	if (!err)
		err = buildinfo_read(&b, elf, &e);
	if (!err)
		err = pclntab_open(&t, elf, b.go_minor, 0, &e);
	if (!err) {
		use_table(t);
		err = layout_read(&l, elf, &b, t, 0, &e);
	}
	if (!err)
		err = globals_find(&g, elf, t, 0, &e);
	if (!err)
		err = sites_plan(&s, elf, &b, t, 0, &e);
	if (!err) {
		sites_free(&s);
	} else {
		CU_ASSERT(err < 0);
		CU_ASSERT_NOT_EQUAL(e.text[0], 0);
		CU_ASSERT_EQUAL(e.status, EXIT_TARGET);
	}
	pclntab_close(t);
	buildinfo_free(&b);
	elf_file_close(elf);
	read_native(fd);
	return !err;
}

const char *readall_prog(size_t number)
{
	return number ? prog_path("1.22", "cgopie") : prog_path("1.26", "plain");
}
