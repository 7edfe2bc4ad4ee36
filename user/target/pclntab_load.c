// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Finding a file's function table without symbols: a header that makes sense (pcHeader), and the
 * moduledata that points to it. Both are of src/runtime/symtab.go, Go 1.19 to 1.27; the linker's
 * side is cmd/link/internal/ld/symtab.go. A program can hold another one's header, or its whole
 * file; only its own has a moduledata.
 */
#include <errno.h>
#include <stdlib.h>

#include "user/target/pclntab_internal.h"

#define HEADER_SIZE 72
#define PARTS 5 /* of the table: names, compilation units, files, pc tables, functions */

#define WINDOW (1U << 20) /* read at once when searching */
#define MAX_SEARCH (512ULL << 20) /* in all windows together */
#define MAX_HEADERS 16
#define MAX_TABLE (96ULL << 20)
#define MAX_FUNCS (MAX_TABLE / 8)

/* Words of a moduledata. Up to etext they are where they were in 1.18. */
#define MD_NAMES 1 /* the slices: pointer, length, capacity */
#define MD_CU 4
#define MD_FILES 7
#define MD_PCS 10
#define MD_PCLN 13
#define MD_FTAB 16
#define MD_MINPC 20
#define MD_MAXPC 21
#define MD_TEXT 22
#define MD_ETEXT 23
#define MD_WORDS 80
#define MD_FUNCDATA_FIRST 28 /* where gofunc may be in a release that is not known */
#define MD_FUNCDATA_LAST 56

/* Functions with inlined calls that are tried to prove where go:func.* is. */
#define TREES_TRIED 64

static const struct pcln_format formats[] = {
	{0xfffffff0U, 40, 36, 20, 2, 12, 16}, /* Go 1.18 */
	{0xfffffff1U, 44, 40, 16, 0, 4, 8}, /* Go 1.20: startLine is new, in both structs */
};

/* Which words of a moduledata are gofunc and next. */
static unsigned int gofunc_word(unsigned int go_minor)
{
	return go_minor <= 19 ? 38 : go_minor <= 26 ? 40 : 43;
}

static unsigned int next_word(unsigned int go_minor)
{
	switch (go_minor) {
	case 19:
		return 68;
	case 20:
	case 27:
		return 70;
	case 23:
	case 24:
	case 25:
		return 72;
	case 21:
	case 22:
	case 26:
		return 73;
	default:
		return 0; /* not known */
	}
}

/* What looks like the header of a table. */
struct header {
	uint64_t vaddr;
	uint64_t nfunc;
	uint64_t part[PARTS]; /* offsets from the header */
	uint64_t room; /* from the header to the end of what is loaded */
	const struct pcln_format *format;
};

struct search {
	struct pclntab *t;
	struct elf_file *f;
	const struct target_process *p;
	uint64_t left; /* bytes that may still be searched */
	uint8_t *window;
	struct header header[MAX_HEADERS];
	size_t nheaders;
	const struct header *found;
	uint64_t module[MD_WORDS]; /* its addresses are vaddrs */
	uint64_t module_vaddr, next;
};

static int not_found(const struct search *s, const char *what, struct error *e)
{
	return error_set(e, EXIT_TARGET, -EPROTO,
			 "%s: its Go function table (pclntab) %s; gscope cannot name functions in "
			 "it: rebuild it",
			 elf_file_name(s->f), what);
}

/* --- the header ----------------------------------------------------------------------------- */

static uint64_t word_at(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static bool parse_header(const uint8_t *p, struct header *h)
{
	/* behind the magic: two zeroes, the least size of an instruction, that of a pointer */
	static const uint8_t amd64[4] = {0, 0, 1, 8};
	uint32_t magic;

	memcpy(&magic, p, sizeof(magic));
	h->format = NULL;
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (formats[i].magic == magic)
			h->format = &formats[i];
	}
	h->nfunc = word_at(p + 8);
	if (!h->format || memcmp(p + 4, amd64, sizeof(amd64)) != 0 || !h->nfunc ||
	    h->nfunc > MAX_FUNCS)
		return false;
	for (size_t i = 0; i < PARTS; i++) {
		h->part[i] = word_at(p + 32 + 8 * i);
		if (h->part[i] < (i ? h->part[i - 1] : HEADER_SIZE) || h->part[i] > MAX_TABLE)
			return false;
	}
	return true;
}

/* Take note of the header at `vaddr` if there is one. */
static void try_header(struct search *s, uint64_t vaddr)
{
	struct header *h = &s->header[s->nheaders];
	uint8_t raw[HEADER_SIZE];
	struct elf_load part;

	if (s->nheaders == MAX_HEADERS || elf_read(s->f, vaddr, raw, sizeof(raw)) ||
	    !parse_header(raw, h) || !elf_load_of(s->f, vaddr, &part))
		return;
	for (size_t i = 0; i < s->nheaders; i++) {
		if (s->header[i].vaddr == vaddr)
			return;
	}
	h->vaddr = vaddr;
	h->room = part.filesz - (vaddr - part.vaddr);
	if (h->part[PARTS - 1] + 8 * h->nfunc + 4 <= h->room)
		s->nheaders++;
}

/* Does the word look like the beginning of a header? */
static bool is_magic(uint64_t word)
{
	return word == (0x0801000000000000ULL | formats[0].magic) ||
	       word == (0x0801000000000000ULL | formats[1].magic);
}

static void find_headers(struct search *s, const struct elf_load *part)
{
	uint64_t end = part->vaddr + part->filesz;
	size_t size;

	for (uint64_t lo = (part->vaddr + 7) & ~7ULL; lo < end && s->left; lo += size) {
		size = end - lo < WINDOW ? end - lo : WINDOW;
		s->left -= size < s->left ? size : s->left;
		if (elf_read(s->f, lo, s->window, size))
			return;
		for (size_t at = 0; at + 8 <= size; at += 8) {
			if (is_magic(word_at(s->window + at)))
				try_header(s, lo + at);
		}
	}
}

/* --- the moduledata ------------------------------------------------------------------------- */

/* As the process has it, or as the dynamic linker would make it. Pointers become vaddrs. */
static int read_words(struct search *s, uint64_t vaddr, void *buf, size_t size)
{
	if (!s->p)
		return elf_read_relocated(s->f, vaddr, buf, size);
	return target_process_read(s->p, vaddr + s->t->bias, buf, size);
}

static uint64_t pointer(const struct search *s, uint64_t word)
{
	return s->p ? word - s->t->bias : word;
}

static bool read_u32(const struct elf_file *f, uint64_t vaddr, uint32_t *v)
{
	return elf_read(f, vaddr, v, sizeof(*v)) == 0;
}

/* Is [lo, hi) code? */
static bool is_code(const struct elf_file *f, uint64_t lo, uint64_t hi)
{
	struct elf_load part;

	return lo < hi && elf_load_of(f, lo, &part) && part.exec && hi - part.vaddr <= part.filesz;
}

/* What runtime.moduledataverify1 demands, and that the slices are those of the header. */
static bool is_module(const struct search *s, const struct header *h, const uint64_t *w)
{
	static const unsigned int slices[PARTS] = {MD_NAMES, MD_CU, MD_FILES, MD_PCS, MD_PCLN};
	uint64_t table = h->vaddr + h->part[PARTS - 1], size = w[MD_PCLN + 1];
	uint32_t first, last;

	for (size_t i = 0; i < PARTS; i++) {
		if (pointer(s, w[slices[i]]) != h->vaddr + h->part[i])
			return false;
	}
	if (pointer(s, w[0]) != h->vaddr || pointer(s, w[MD_FTAB]) != table ||
	    w[MD_FTAB + 1] != h->nfunc + 1 || size < 8 * h->nfunc + 4 ||
	    size > h->room - h->part[PARTS - 1])
		return false;
	return read_u32(s->f, table, &first) && read_u32(s->f, table + 8 * h->nfunc, &last) &&
	       w[MD_MINPC] == w[MD_TEXT] + first && w[MD_MAXPC] == w[MD_TEXT] + last &&
	       w[MD_MINPC] < w[MD_MAXPC] && w[MD_MAXPC] <= w[MD_ETEXT] &&
	       is_code(s->f, pointer(s, w[MD_TEXT]), pointer(s, w[MD_ETEXT]));
}

static void try_module(struct search *s, const struct header *h, uint64_t vaddr)
{
	/* the last words may lie behind the file's part, in what is zero */
	for (size_t words = MD_WORDS; words > MD_ETEXT; words -= 8) {
		memset(s->module, 0, sizeof(s->module));
		if (!read_words(s, vaddr, s->module, words * 8)) {
			if (is_module(s, h, s->module)) {
				s->found = h;
				s->module_vaddr = vaddr;
			}
			return;
		}
	}
}

static const struct header *header_at(const struct search *s, uint64_t vaddr)
{
	for (size_t i = 0; i < s->nheaders; i++) {
		if (s->header[i].vaddr == vaddr)
			return &s->header[i];
	}
	return NULL;
}

static void find_module(struct search *s, const struct elf_load *part)
{
	uint64_t end = part->vaddr + part->filesz;
	size_t size;

	for (uint64_t lo = (part->vaddr + 7) & ~7ULL; lo < end && s->left; lo += size) {
		size = end - lo < WINDOW ? end - lo : WINDOW;
		s->left -= size < s->left ? size : s->left;
		if (read_words(s, lo, s->window, size))
			continue;
		for (size_t at = 0; at + 8 <= size; at += 8) {
			uint64_t word = pointer(s, word_at(s->window + at));
			const struct header *h = header_at(s, word);

			if (h)
				try_module(s, h, lo + at);
			if (s->found)
				return;
		}
	}
}

/* In the writable parts, where it is, then in all others. */
static void find_modules(struct search *s)
{
	struct elf_load part;

	for (int writable = 1; writable >= 0; writable--) {
		for (size_t i = 0; !s->found && elf_load_at(s->f, i, &part); i++) {
			if (part.write == (writable == 1) && (part.write || !part.exec))
				find_module(s, &part);
		}
	}
}

static int find_table(struct search *s, struct error *e)
{
	static const char *const sections[] = {".gopclntab", ".data.rel.ro.gopclntab"};
	struct elf_load part;
	uint64_t vaddr;

	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		if (elf_section_vaddr(s->f, sections[i], &vaddr))
			try_header(s, vaddr);
	}
	if (s->nheaders)
		find_modules(s);
	if (s->found)
		return 0;
	/* a C linker makes other sections, and what strips them all may come later */
	for (size_t i = 0; elf_load_at(s->f, i, &part); i++)
		find_headers(s, &part);
	if (!s->nheaders)
		return not_found(s, "was not found", e);
	find_modules(s);
	if (!s->found)
		return not_found(s, "belongs to no module of the Go runtime", e);
	return 0;
}

/* --- what the moduledata says --------------------------------------------------------------- */

static int copy_table(struct search *s, struct error *e)
{
	const struct header *h = s->found;
	uint64_t size = h->part[PARTS - 1] + s->module[MD_PCLN + 1];
	struct pclntab *t = s->t;
	struct pcln_bytes *const parts[PARTS] = {&t->names, &t->cu, &t->files, &t->pcs, &t->funcs};

	if (size > MAX_TABLE)
		return not_found(s, "is larger than 96 MiB", e);
	t->raw = malloc(size);
	if (!t->raw)
		return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	if (elf_read(s->f, h->vaddr, t->raw, size))
		return not_found(s, "is cut off", e);
	for (size_t i = 0; i < PARTS; i++) {
		uint64_t end = i + 1 < PARTS ? h->part[i + 1] : size;

		*parts[i] = (struct pcln_bytes){t->raw + h->part[i], end - h->part[i]};
	}
	/* so that every string ends */
	if (t->names.n)
		t->raw[h->part[1] - 1] = 0;
	if (t->files.n)
		t->raw[h->part[3] - 1] = 0;
	t->format = h->format;
	t->nfunc = h->nfunc;
	t->text = pointer(s, s->module[MD_TEXT]) + t->bias;
	t->etext = pointer(s, s->module[MD_ETEXT]) + t->bias;
	t->moduledata = s->module_vaddr + t->bias;
	return 0;
}

/* Does the tree of inlined calls at `off` begin with an entry that makes sense? */
static bool is_tree(const struct pclntab *t, uint32_t off, uint64_t func_size)
{
	uint8_t call[32];
	uint32_t name, parent_pc;

	if (!pcln_funcdata(t, off, call, t->format->call_size))
		return false;
	memcpy(&name, call + t->format->call_name, sizeof(name));
	memcpy(&parent_pc, call + t->format->call_parent_pc, sizeof(parent_pc));
	return name < t->names.n && (!name || !t->names.p[name - 1]) && t->names.p[name] &&
	       parent_pc < func_size;
}

/* Whether go:func.* at `vaddr` agrees with the functions: -1 no, else how many were tried. */
static int try_gofunc(struct pclntab *t, const struct elf_file *f, uint64_t vaddr)
{
	struct pcln_raw_func func;
	struct elf_load part;
	uint32_t tree;
	int tried = 0;

	if (!vaddr || !elf_load_of(f, vaddr, &part))
		return -1;
	t->gofunc = vaddr;
	t->funcdata->n = 0;
	for (size_t i = 0; i < t->nfunc && tried < TREES_TRIED; i++) {
		if (!pcln_read_func(t, i, &func) || !pcln_inline_tree(t, &func, &tree))
			continue;
		if (!is_tree(t, tree, entry_off(t, i + 1) - entry_off(t, i)))
			return -1;
		tried++;
	}
	return tried;
}

/* By the place it has in the release, proved by the functions; else wherever they prove it. */
static int find_gofunc(struct search *s, unsigned int go_minor, struct error *e)
{
	unsigned int word = gofunc_word(go_minor);
	struct pclntab *t = s->t;

	t->funcdata = calloc(1, sizeof(*t->funcdata));
	if (!t->funcdata)
		return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	/* without any inlined call there is nothing to prove it by, nor much to look up */
	if (try_gofunc(t, s->f, pointer(s, s->module[word])) >= 0)
		return 0;
	for (word = MD_FUNCDATA_FIRST; word < MD_FUNCDATA_LAST; word++) {
		if (try_gofunc(t, s->f, pointer(s, s->module[word])) > 0)
			return 0;
	}
	t->gofunc = 0;
	return not_found(s, "has inlined calls that gscope does not find", e);
}

unsigned int pclntab_next_word(const struct pclntab *t, unsigned int go_minor)
{
	return t->moduledata ? next_word(go_minor) : 0;
}

/* The next module, if what follows it looks like one. */
static uint64_t find_next(const struct search *s, unsigned int go_minor)
{
	unsigned int word = next_word(go_minor);
	uint64_t next = word && s->p ? s->module[word] : 0, header;
	uint8_t raw[HEADER_SIZE];
	struct header h;

	if (!next || target_process_read(s->p, next, &header, sizeof(header)) ||
	    target_process_read(s->p, header, raw, sizeof(raw)) || !parse_header(raw, &h))
		return 0;
	return next;
}

int pclntab_load(struct pclntab *t, struct elf_file *f, const struct target_process *p,
		 unsigned int go_minor, struct error *e)
{
	struct search *s = calloc(1, sizeof(*s));
	int err;

	if (s)
		s->window = malloc(WINDOW);
	if (!s || !s->window) {
		free(s);
		return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	}
	s->t = t;
	s->f = f;
	s->p = p;
	s->left = MAX_SEARCH;
	err = find_table(s, e);
	if (!err)
		err = copy_table(s, e);
	if (!err)
		err = find_gofunc(s, go_minor, e);
	if (!err)
		t->next = find_next(s, go_minor);
	free(s->window);
	free(s);
	return err;
}
