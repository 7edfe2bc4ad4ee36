// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tests/fuzz/damage.h"

#include <elf.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size); /* of libFuzzer */

#define BINARIES "build/fuzz/binaries/*"
#define MAX_BINARIES 16
#define MAX_REGIONS 250
#define MAX_ADDRESSES 64
#define MAX_CHANGES 64

/* The head of a section is where its counts and offsets are. */
#define HEAD_SIZE 256

/*
 * What gscope may take for a file is a second; the sanitizers and the coverage make it slower.
 * CPU time, since other programs may have the CPUs.
 */
#define CPU_SECONDS 6

struct region {
	uint32_t off, size;
};

struct binary {
	const uint8_t *bytes; /* as built */
	uint8_t *copy; /* as damaged: mapped from fd */
	size_t size;
	int fd;
	struct region regions[MAX_REGIONS];
	size_t nregions;
	uint64_t addresses[MAX_ADDRESSES];
	size_t naddresses;
};

static struct binary binaries[MAX_BINARIES];
static size_t nbinaries;

static struct binary *now; /* the binary that is damaged now */
static uint64_t asked[MAX_CHANGES]; /* values in the input */
static size_t nasked;
static double cpu_begin;

volatile uint64_t damaged_sum;

/* Functions in which a change hits what is looked for. */
static const char *const functions[] = {
	"runtime.casgstatus",
	"runtime.mcall",
	"runtime.execute",
	"runtime.park_m",
	"runtime.ready",
	"runtime.goready.func1",
	"runtime.goschedImpl",
	"runtime.newproc1",
	"runtime.newproc.func1",
	"runtime.gdestroy",
	"runtime.goexit0",
	"runtime.goexit1",
	"runtime.entersyscallblock",
	"runtime.exitsyscall",
	"runtime.exitsyscall0",
	"runtime.exitsyscallfast_pidle",
	"runtime.reentersyscall",
	"runtime.findRunnable",
	"runtime.schedule",
	"runtime.injectglist",
	"runtime.preemptPark",
	"runtime.acquirep",
	"runtime.runqput",
	"runtime.allocm",
	"runtime.systemstack",
	"runtime.main",
	"runtime.schedinit",
};

static void fatal(const char *what)
{
	perror(what);
	exit(1);
}

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void add_region(struct binary *b, uint64_t off, uint64_t size)
{
	if (!size || off >= b->size || b->nregions == MAX_REGIONS)
		return;
	if (size > b->size - off)
		size = b->size - off;
	b->regions[b->nregions++] = (struct region){(uint32_t)off, (uint32_t)size};
}

static void add_address(struct binary *b, uint64_t vaddr)
{
	if (b->naddresses < MAX_ADDRESSES)
		b->addresses[b->naddresses++] = vaddr;
}

/* Headers and sections; the binaries are good ones, as they come from the linker. */
static void add_sections(struct binary *b)
{
	Elf64_Ehdr eh;

	memcpy(&eh, b->bytes, sizeof(eh));
	add_region(b, 0, b->size);
	add_region(b, 0, sizeof(eh));
	add_region(b, eh.e_phoff, (uint64_t)eh.e_phnum * sizeof(Elf64_Phdr));
	add_region(b, eh.e_shoff, (uint64_t)eh.e_shnum * sizeof(Elf64_Shdr));
	add_address(b, eh.e_entry);
	for (unsigned int i = 1; i < eh.e_shnum; i++) {
		Elf64_Shdr sh;

		memcpy(&sh, b->bytes + eh.e_shoff + i * sizeof(sh), sizeof(sh));
		if (sh.sh_flags & SHF_ALLOC)
			add_address(b, sh.sh_addr);
		if (sh.sh_type == SHT_NOBITS)
			continue;
		add_region(b, sh.sh_offset, sh.sh_size);
		if (sh.sh_size > HEAD_SIZE)
			add_region(b, sh.sh_offset, HEAD_SIZE);
	}
}

/* What the runtime finds its tables by begins with the address of the function table. */
static void add_moduledata(struct binary *b, struct elf_file *f)
{
	struct elf_bytes table;
	struct elf_symbol sym;
	uint64_t off;

	if (elf_symbol(f, "runtime.firstmoduledata", &sym)) {
		if (elf_file_offset(f, sym.vaddr, &off))
			add_region(b, off, sym.size);
		return;
	}
	if (!elf_section(f, ".gopclntab", &table))
		return;
	for (off = 0; off + 8 <= b->size; off += 8) {
		if (!memcmp(b->bytes + off, &table.vaddr, 8))
			add_region(b, off, 1024);
	}
}

/* The code of the functions above; their entries in the function table follow from `off`. */
static void add_functions(struct binary *b, struct elf_file *f)
{
	struct buildinfo build;
	struct pcln_func func;
	struct pclntab *t;
	uint64_t off;

	if (buildinfo_read(&build, f, NULL))
		return;
	if (!pclntab_open(&t, f, build.go_minor, 0, NULL)) {
		for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
			if (!pclntab_find(t, functions[i], &func) ||
			    !elf_file_offset(f, func.entry, &off))
				continue;
			add_region(b, off, func.end - func.entry);
			add_address(b, func.entry);
		}
		pclntab_close(t);
	}
	buildinfo_free(&build);
}

static void read_binary(struct binary *b, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct elf_file *f;
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		fatal(path);
	b->size = (size_t)st.st_size;
	b->bytes = mmap(NULL, b->size, PROT_READ, MAP_PRIVATE, fd, 0);
	b->fd = memfd_create("damaged", MFD_CLOEXEC);
	if (b->bytes == MAP_FAILED || b->fd < 0 || ftruncate(b->fd, st.st_size))
		fatal(path);
	b->copy = mmap(NULL, b->size, PROT_READ | PROT_WRITE, MAP_SHARED, b->fd, 0);
	if (b->copy == MAP_FAILED)
		fatal(path);
	memcpy(b->copy, b->bytes, b->size);
	add_sections(b);
	if (!elf_file_open(&f, fd, path, NULL)) {
		add_moduledata(b, f);
		add_functions(b, f);
		elf_file_close(f);
	}
	close(fd);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	glob_t found;

	(void)argc;
	(void)argv;
	if (glob(BINARIES, 0, NULL, &found)) {
		fprintf(stderr, "fuzz: there is nothing in %s; tests/fuzz/run builds it\n",
			BINARIES);
		exit(1);
	}
	for (size_t i = 0; i < found.gl_pathc && nbinaries < MAX_BINARIES; i++)
		read_binary(&binaries[nbinaries++], found.gl_pathv[i]);
	globfree(&found);
	return 0;
}

/* Inputs stay lists of changes: one is changed, put in front, taken away, or another is damaged. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed)
{
	const size_t len = sizeof(struct change);
	size_t n = size ? (size - 1) / len : 0, max = (max_size - 1) / len;
	uint8_t *c = data + 1;

	if (!size)
		data[0] = (uint8_t)seed;
	switch (seed / 256 % 8) {
	case 0:
		data[0] = (uint8_t)seed;
		break;
	case 1:
		if (n > 1)
			memmove(c, c + len, --n * len);
		break;
	case 2:
	case 3:
		if (n < max) {
			memmove(c + len, c, n++ * len);
			memset(c, 0, len);
			LLVMFuzzerMutate(c, len, len);
		}
		break;
	default:
		if (n)
			LLVMFuzzerMutate(c + seed / 4096 % n * len, len, len);
	}
	return 1 + n * len;
}

static void change_bytes(const struct change *c)
{
	const struct region *r = &now->regions[c->region % now->nregions];
	unsigned int len = (c->how & 7U) + 1;
	uint64_t at = r->off + (uint64_t)(c->at % r->size);

	for (unsigned int i = 0; i <= c->repeat && at + len <= now->size; i++, at += len) {
		uint64_t v = 0;

		memcpy(&v, now->copy + at, len);
		switch (c->how >> 4 & 7) {
		case CHANGE_ADD:
			v += c->value;
			break;
		case CHANGE_XOR:
			v ^= c->value;
			break;
		default:
			v = c->value;
		}
		memcpy(now->copy + at, &v, len);
	}
}

static void undo_bytes(const struct change *c)
{
	const struct region *r = &now->regions[c->region % now->nregions];
	size_t len = ((c->how & 7U) + 1) * (c->repeat + 1U);
	size_t at = r->off + c->at % r->size;

	if (len > now->size - at)
		len = now->size - at;
	memcpy(now->copy + at, now->bytes + at, len);
}

/* The changes of the input, to undo them. */
static struct change changes[MAX_CHANGES];
static size_t nchanges;
static size_t cut_at;

static void make(const uint8_t *data, size_t size)
{
	now = &binaries[size ? data[0] % nbinaries : 0];
	nchanges = nasked = 0;
	cut_at = now->size;
	for (size_t at = 1; at + sizeof(changes[0]) <= size && nchanges < MAX_CHANGES;
	     at += sizeof(changes[0])) {
		struct change *c = &changes[nchanges++];

		memcpy(c, data + at, sizeof(*c));
		asked[nasked++] = c->value;
		if (c->region == CHANGE_CUT)
			cut_at = c->at % now->size;
		else
			change_bytes(c);
	}
	if (cut_at < now->size && ftruncate(now->fd, (off_t)cut_at))
		fatal("ftruncate");
	if (lseek(now->fd, 0, SEEK_SET))
		fatal("lseek");
}

static void undo(void)
{
	if (cut_at < now->size) {
		size_t page = cut_at & ~(size_t)4095;

		/* the rest of the file, and of the page it ended in, is gone */
		if (ftruncate(now->fd, (off_t)now->size))
			fatal("ftruncate");
		memcpy(now->copy + page, now->bytes + page, now->size - page);
	}
	for (size_t i = 0; i < nchanges; i++) {
		if (changes[i].region != CHANGE_CUT)
			undo_bytes(&changes[i]);
	}
}

void damaged_check(int err, const struct error *e)
{
	if (err > 0 || (err && !*e->text) || (err && e->status != EXIT_TARGET))
		abort();
	if (err && strchr(e->text, '\n'))
		abort();
}

void damaged_open(struct damaged *d, const uint8_t *data, size_t size, enum damaged_depth depth)
{
	struct error e = {0};
	int err;

	memset(d, 0, sizeof(*d));
	make(data, size);
	cpu_begin = cpu_seconds();
	d->fd = now->fd;
	if (depth < DAMAGED_ELF)
		return;
	err = elf_file_open(&d->elf, d->fd, "damaged", &e);
	damaged_check(err, &e);
	if (err || depth < DAMAGED_BUILD)
		return;
	err = buildinfo_read(&d->build, d->elf, &e);
	damaged_check(err, &e);
	d->has_build = !err;
	if (err || depth < DAMAGED_PCLN)
		return;
	err = pclntab_open(&d->pcln, d->elf, d->build.go_minor, 0, &e);
	damaged_check(err, &e);
}

void damaged_close(struct damaged *d)
{
	pclntab_close(d->pcln);
	if (d->has_build)
		buildinfo_free(&d->build);
	elf_file_close(d->elf);
	if (cpu_seconds() - cpu_begin > CPU_SECONDS)
		abort();
	undo();
}

bool damaged_address(size_t i, uint64_t *vaddr)
{
	if (i < nasked)
		*vaddr = asked[i];
	else if (i - nasked < now->naddresses)
		*vaddr = now->addresses[i - nasked];
	else
		return false;
	return true;
}

void damaged_use(const void *data, size_t size)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < size; i += 64)
		damaged_sum += p[i];
	if (size)
		damaged_sum += p[size - 1];
}

void damaged_use_string(const char *s)
{
	damaged_sum += strlen(s);
}
