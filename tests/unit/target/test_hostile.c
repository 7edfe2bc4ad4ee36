// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Files that are hostile on purpose: an error within a second of CPU time and 256 MiB of memory. */
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "tests/unit/target/readall.h"
#include "tests/unit/unit.h"

#define MEMORY (256ULL << 20)

/* Sections and segments that seem to hold 64 GiB, in a file that has them: as one hole. */
#define SPARSE (64ULL << 30)

/* The sanitizers are slow, reserve addresses without end, and keep what was freed. */
#ifdef __SANITIZE_ADDRESS__
#define SANITIZED true
#define CPU_SECONDS 20
#else
#define SANITIZED false
#define CPU_SECONDS 1
#endif

static Elf64_Ehdr *header(struct image *im)
{
	return (Elf64_Ehdr *)im->bytes;
}

static Elf64_Shdr *sections(struct image *im)
{
	return (Elf64_Shdr *)(im->bytes + header(im)->e_shoff);
}

static Elf64_Phdr *segments(struct image *im)
{
	return (Elf64_Phdr *)(im->bytes + header(im)->e_phoff);
}

static Elf64_Shdr *section(struct image *im, const char *name)
{
	const char *names =
		(const char *)im->bytes + sections(im)[header(im)->e_shstrndx].sh_offset;

	for (unsigned int i = 1; i < header(im)->e_shnum; i++) {
		if (!strcmp(names + sections(im)[i].sh_name, name))
			return &sections(im)[i];
	}
	return NULL;
}

static void fill(struct image *im, const char *name, int byte)
{
	Elf64_Shdr *s = section(im, name);

	if (s && s->sh_type != SHT_NOBITS)
		memset(im->bytes + s->sh_offset, byte, s->sh_size);
}

static void far_sections(struct image *im)
{
	header(im)->e_shoff = 1ULL << 62;
}

static void no_sections(struct image *im)
{
	header(im)->e_shoff = 0;
	header(im)->e_shnum = 0;
	header(im)->e_shstrndx = 0;
}

static void countless_sections(struct image *im)
{
	sections(im)[0].sh_size = UINT64_MAX / 64; /* their number, when e_shnum is 0 */
	header(im)->e_shnum = 0;
}

static void countless_segments(struct image *im)
{
	sections(im)[0].sh_info = UINT32_MAX; /* their number, when e_phnum is PN_XNUM */
	header(im)->e_phnum = PN_XNUM;
}

static void endless_sections(struct image *im)
{
	for (unsigned int i = 1; i < header(im)->e_shnum; i++)
		sections(im)[i].sh_size = UINT64_MAX / 2;
}

static void size_sections(struct image *im, uint64_t size)
{
	for (unsigned int i = 1; i < header(im)->e_shnum; i++)
		sections(im)[i].sh_size = size;
}

static void sparse_sections(struct image *im)
{
	size_sections(im, SPARSE / 2);
}

static void huge_sections(struct image *im)
{
	size_sections(im, 1ULL << 30);
}

/* Each of them is small enough to be taken for real. */
static void large_sections(struct image *im)
{
	size_sections(im, 60 << 20);
}

static void sparse_segments(struct image *im)
{
	for (unsigned int i = 0; i < header(im)->e_phnum; i++)
		segments(im)[i].p_filesz = segments(im)[i].p_memsz = SPARSE / 2;
	no_sections(im);
}

static void many_segments(struct image *im)
{
	Elf64_Phdr load = {.p_type = PT_LOAD, .p_flags = PF_R | PF_W, .p_vaddr = 1 << 20};

	load.p_filesz = load.p_memsz = im->size;
	header(im)->e_phoff = im->size / 2 & ~7ULL;
	header(im)->e_phnum = 60000;
	if (im->size / 2 < 60000 * sizeof(load))
		header(im)->e_phnum = im->size / 2 / sizeof(load);
	for (unsigned int i = 0; i < header(im)->e_phnum; i++)
		segments(im)[i] = load;
	no_sections(im);
}

static void overlapping_sections(struct image *im)
{
	for (unsigned int i = 1; i < header(im)->e_shnum; i++) {
		sections(im)[i].sh_offset = 0;
		sections(im)[i].sh_size = im->size;
	}
}

static void circular_links(struct image *im)
{
	for (unsigned int i = 1; i < header(im)->e_shnum; i++) {
		sections(im)[i].sh_link = i;
		sections(im)[i].sh_info = i;
		sections(im)[i].sh_type = SHT_SYMTAB;
	}
}

static void endless_names(struct image *im)
{
	fill(im, ".strtab", 'A');
	memset(im->bytes + sections(im)[header(im)->e_shstrndx].sh_offset, 'A',
	       sections(im)[header(im)->e_shstrndx].sh_size);
}

static void endless_notes(struct image *im)
{
	Elf64_Shdr *s = section(im, ".note.go.buildid");

	if (s)
		memset(im->bytes + s->sh_offset, 0xff, 12);
}

static void endless_buildinfo(struct image *im)
{
	Elf64_Shdr *s = section(im, ".go.buildinfo");

	if (s)
		memset(im->bytes + s->sh_offset + 32, 0xff, 8);
}

/* What follows the header, as far as words are concerned. */
static uint8_t *table_head(struct image *im)
{
	Elf64_Shdr *s = section(im, ".gopclntab");

	return s ? im->bytes + s->sh_offset : NULL;
}

static void countless_functions(struct image *im)
{
	uint64_t nfunc = UINT32_MAX / 8 - 1;

	if (table_head(im))
		memcpy(table_head(im) + 8, &nfunc, sizeof(nfunc));
}

/* Fill one of the five parts of the function table: names, units, files, pc tables, functions. */
static void fill_part(struct image *im, unsigned int part, int byte)
{
	uint8_t *head = table_head(im);
	uint64_t from, to;

	if (!head)
		return;
	memcpy(&from, head + 32 + 8 * part, sizeof(from));
	to = section(im, ".gopclntab")->sh_size;
	if (part < 4)
		memcpy(&to, head + 40 + 8 * part, sizeof(to));
	memset(head + from, byte, to - from);
}

static void endless_function_names(struct image *im)
{
	fill_part(im, 0, 'A');
	fill_part(im, 2, 'A');
}

/* Tables of PCs that never end: each entry goes on by one byte. */
static void endless_pc_tables(struct image *im)
{
	fill_part(im, 3, 1);
}

static void equal_functions(struct image *im)
{
	fill_part(im, 4, 8);
}

/* Every PC has an inlined call, whose parent is the function's entry, which has one, too ... */
static void circular_inlining(struct image *im)
{
	fill_part(im, 3, 2);
	fill(im, ".rodata", 0);
}

/* All sections of DWARF are `size` zeroes that were compressed, and say that they are `claim`. */
static void compress_dwarf(struct image *im, size_t size, uint64_t claim)
{
	Elf64_Chdr head = {.ch_type = ELFCOMPRESS_ZLIB, .ch_size = claim, .ch_addralign = 1};
	size_t room = compressBound(size), end = im->size;
	uint8_t *zeroes = calloc(1, size);
	uLongf packed = room;

	im->bytes = realloc(im->bytes, im->size + sizeof(head) + room);
	CU_ASSERT_FATAL(im->bytes && zeroes);
	CU_ASSERT_EQUAL(compress2(im->bytes + end + sizeof(head), &packed, zeroes, size, 1), Z_OK);
	memcpy(im->bytes + end, &head, sizeof(head));
	im->size += sizeof(head) + packed;
	free(zeroes);
	for (unsigned int i = 1; i < header(im)->e_shnum; i++) {
		Elf64_Shdr *s = &sections(im)[i];

		if (s->sh_addr || (s->sh_type != SHT_PROGBITS && !(s->sh_flags & SHF_COMPRESSED)))
			continue;
		s->sh_flags |= SHF_COMPRESSED;
		s->sh_offset = end;
		s->sh_size = sizeof(head) + packed;
	}
}

static void dwarf_bomb(struct image *im)
{
	compress_dwarf(im, 100 << 20, 100 << 20);
}

static void endless_dwarf(struct image *im)
{
	compress_dwarf(im, 1000, 1ULL << 40);
}

static const struct hostile {
	const char *what;
	void (*make)(struct image *im);
	uint64_t size; /* of the file, if not that of what is in it: a hole */
} hostile[] = {
	{"section headers far behind the end", far_sections, 0},
	{"no section headers", no_sections, 0},
	{"more sections than bytes", countless_sections, 0},
	{"more segments than bytes", countless_segments, 0},
	{"sections without end", endless_sections, 0},
	{"sections of many GiB", sparse_sections, SPARSE},
	{"sections of a GiB", huge_sections, SPARSE},
	{"sections of many MiB", large_sections, SPARSE},
	{"segments of many GiB", sparse_segments, SPARSE},
	{"as many segments as there can be", many_segments, 0},
	{"sections that overlap", overlapping_sections, 0},
	{"sections that link to themselves", circular_links, 0},
	{"names without end", endless_names, 0},
	{"notes without end", endless_notes, 0},
	{"build information without end", endless_buildinfo, 0},
	{"more functions than bytes", countless_functions, 0},
	{"names of functions without end", endless_function_names, 0},
	{"tables of PCs without end", endless_pc_tables, 0},
	{"functions that are all the same", equal_functions, 0},
	{"inlined calls in circles", circular_inlining, 0},
	{"DWARF that grows when it is unpacked", dwarf_bomb, 0},
	{"DWARF that claims to grow without end", endless_dwarf, 0},
};

/* Resident memory of this process. */
static uint64_t resident(void)
{
	unsigned long all, pages = 0;
	FILE *statm = fopen("/proc/self/statm", "r");

	if (!statm || fscanf(statm, "%lu %lu", &all, &pages) != 2)
		_exit(3);
	fclose(statm);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/*
 * Read the file in this process, which then ends: with what gscope may use for a hostile one. It
 * has far more memory than it may use: where none is left, errors hide what was wanted.
 */
static void read_limited(int fd)
{
	struct rlimit cpu = {CPU_SECONDS, CPU_SECONDS};
	unsigned int failures = CU_get_number_of_failures();
	uint64_t before = resident();
	struct rlimit space = {before + 16 * MEMORY, before + 16 * MEMORY};
	struct rusage used;

	setrlimit(RLIMIT_CPU, &cpu);
	if (!SANITIZED)
		setrlimit(RLIMIT_AS, &space);
	read_all(fd);
	getrusage(RUSAGE_SELF, &used);
	if (!SANITIZED && (uint64_t)used.ru_maxrss * 1024 > before + MEMORY)
		_exit(2);
	_exit(CU_get_number_of_failures() == failures ? 0 : 1);
}

static void stand(const char *path, const struct hostile *h)
{
	int fd = memfd_create("hostile", MFD_CLOEXEC), status;
	struct image im;
	pid_t child;

	CU_ASSERT_TRUE_FATAL(read_image(&im, path));
	h->make(&im);
	CU_ASSERT_EQUAL(write(fd, im.bytes, im.size), (ssize_t)im.size);
	if (h->size)
		CU_ASSERT_EQUAL(ftruncate(fd, (off_t)h->size), 0);
	free(im.bytes);
	fflush(NULL);
	child = fork();
	if (!child)
		read_limited(fd);
	CU_ASSERT_FATAL(child > 0 && waitpid(child, &status, 0) == child);
	if (status) {
		printf("\n    %s, %s: %s", path, h->what,
		       !WIFEXITED(status)       ? strsignal(WTERMSIG(status)) :
		       WEXITSTATUS(status) == 2 ? "more than 256 MiB of memory" :
						  "an error as it should not be");
		CU_FAIL("a hostile file is not refused as it should be");
	}
	close(fd);
}

static void stands_hostility(void)
{
	for (size_t p = 0; p < READALL_PROGS; p++) {
		const char *path = readall_prog(p);

		for (size_t i = 0; path && i < sizeof(hostile) / sizeof(hostile[0]); i++)
			stand(path, &hostile[i]);
	}
}

static CU_TestInfo tests[] = {
	{"an error within a second and 256 MiB", stands_hostility},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("target/hostile", tests);
