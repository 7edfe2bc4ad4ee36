// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Damaged programs: errors and unknown PCs, no crash. Meant to be run with the sanitizers, too. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/target/progs.h"
#include "tests/unit/target/readall.h"
#include "tests/unit/unit.h"

static void read_program(const uint8_t *bytes, size_t size, size_t *good)
{
	int fd = memfd_create("prog", MFD_CLOEXEC);

	CU_ASSERT_EQUAL(write(fd, bytes, size), (ssize_t)size);
	*good += read_all(fd);
	close(fd);
}

static void stands_truncation(void)
{
	for (size_t p = 0; p < READALL_PROGS; p++) {
		const char *path = readall_prog(p);
		size_t good = 0, whole = 0;
		struct image im;

		if (!path || !read_image(&im, path))
			continue;
		for (size_t i = 0; i < 60; i++)
			read_program(im.bytes, im.size * i / 60, &good);
		for (size_t i = 0; i < 200; i += 9)
			read_program(im.bytes, i, &good);
		read_program(im.bytes, im.size, &whole);
		CU_ASSERT_EQUAL(whole, 1);
		/* what is cut behind the tables has lost its DWARF and symbols only */
		CU_ASSERT(good < 60);
		free(im.bytes);
	}
}

/* Overwrite `n` bytes somewhere in [from, from + len). */
static void damage(struct image *im, size_t from, size_t len, unsigned int *seed, int n)
{
	if (from >= im->size)
		return;
	if (len > im->size - from)
		len = im->size - from;
	for (int i = 0; i < n; i++)
		im->bytes[from + rand_r(seed) % len] = rand_r(seed);
}

/* Flip bytes where they matter: headers, function table, funcdata, DWARF, symbols, code. */
static void stands_flips(void)
{
	static const char *const sections[] = {".gopclntab", ".debug_info", ".debug_abbrev",
					       ".symtab",    ".strtab",     ".go.buildinfo",
					       ".text",      ".data.rel.ro"};
	unsigned int seed = 20240607;

	for (size_t p = 0; p < READALL_PROGS; p++) {
		const char *path = readall_prog(p);
		struct image im, copy;
		struct prog_file f;
		size_t good = 0;

		if (!path || !read_image(&im, path) || !prog_open(&f, path, 0))
			continue;
		copy = (struct image){malloc(im.size), im.size};
		for (int i = 0; i < 240; i++) {
			struct elf_bytes sec = {0};
			size_t at;

			memcpy(copy.bytes, im.bytes, im.size);
			if (i % 10 == 8) { /* ELF and program headers */
				damage(&copy, 0, 0x200, &seed, 1 + i / 10);
			} else if (i % 10 == 9) { /* section headers are at the end */
				damage(&copy, im.size - 0xa00, 0xa00, &seed, 1 + i / 10);
			} else if (elf_section(f.elf, sections[i % 10], &sec)) {
				const uint8_t *p = memmem(im.bytes, im.size, sec.data, sec.size);

				at = p - im.bytes;
				/* the head of a table alone, then all of it */
				damage(&copy, at, i % 20 < 10 ? 128 : sec.size, &seed,
				       i % 20 < 10 ? 3 : 500);
			}
			read_program(copy.bytes, copy.size, &good);
		}
		/* some damage is to what is never looked at */
		CU_ASSERT(good > 0 && good < 240);
		free(copy.bytes);
		free(im.bytes);
		prog_close(&f);
	}
}

static CU_TestInfo tests[] = {
	{"a program cut anywhere", stands_truncation},
	{"a program with damaged bytes", stands_flips},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("target/damage", tests);
