// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Sections and symbols: what a file need not have. What makes no sense is as if it were not there. */
#include <stdlib.h>
#include <string.h>

#include "user/target/elf_internal.h"

/* What is larger is not read: some times what the largest Go programs have. */
#define MAX_SECTION_SIZE (64U << 20)
#define MAX_NAMES_SIZE (1U << 20)
#define MAX_SYMBOLS (1U << 20)
#define MAX_STRTAB_SIZE (96U << 20)
#define MAX_DWARF_SIZE (160U << 20) /* packed and unpacked, all sections together */

static void *read_part(const struct elf_file *f, uint64_t off, uint64_t size, size_t extra)
{
	uint8_t *data = off <= f->size && size <= f->size - off ? malloc(size + extra) : NULL;

	if (data && elf_pread(f, off, data, size)) {
		free(data);
		return NULL;
	}
	return data;
}

static void read_sections(const struct elf_file *f)
{
	const Elf64_Ehdr *h = &f->ehdr;
	struct elf_lazy *l = f->lazy;
	const Elf64_Shdr *names;

	l->sections_read = true;
	/* 65280 and more sections are numbered in another way, and no linker of programs does */
	if (!h->e_shoff || !h->e_shnum || h->e_shnum >= SHN_LORESERVE ||
	    h->e_shentsize != sizeof(*l->sections) || h->e_shstrndx >= h->e_shnum)
		return;
	l->sections = read_part(f, h->e_shoff, (uint64_t)h->e_shnum * sizeof(*l->sections), 0);
	if (!l->sections)
		return;
	names = &l->sections[h->e_shstrndx];
	if (names->sh_type == SHT_STRTAB && names->sh_size <= MAX_NAMES_SIZE)
		l->section_names = read_part(f, names->sh_offset, names->sh_size, 1);
	if (!l->section_names)
		return;
	l->section_names[names->sh_size] = 0;
	l->section_names_size = names->sh_size;
	l->nsections = h->e_shnum;
}

static const Elf64_Shdr *find_section(const struct elf_file *f, const char *name)
{
	struct elf_lazy *l = f->lazy;

	if (!l->sections_read)
		read_sections(f);
	for (size_t i = 0; i < l->nsections; i++) {
		const Elf64_Shdr *s = &l->sections[i];

		if (s->sh_name < l->section_names_size &&
		    !strcmp(l->section_names + s->sh_name, name))
			return s;
	}
	return NULL;
}

bool elf_section_vaddr(const struct elf_file *f, const char *name, uint64_t *vaddr)
{
	const Elf64_Shdr *s = find_section(f, name);

	if (s)
		*vaddr = s->sh_addr;
	return s;
}

bool elf_section(struct elf_file *f, const char *name, struct elf_bytes *out)
{
	const Elf64_Shdr *s = find_section(f, name);
	struct elf_cached *c;

	if (!s || s->sh_type == SHT_NOBITS || s->sh_size > MAX_SECTION_SIZE ||
	    s->sh_offset > f->size || s->sh_size > f->size - s->sh_offset)
		return false;
	for (c = f->lazy->cached; c; c = c->next) {
		if (!memcmp(&c->shdr, s, sizeof(*s)))
			break;
	}
	if (!c) {
		c = malloc(sizeof(*c) + s->sh_size);
		if (!c || elf_pread(f, s->sh_offset, c->data, s->sh_size)) {
			free(c);
			return false;
		}
		c->shdr = *s;
		c->next = f->lazy->cached;
		f->lazy->cached = c;
	}
	*out = (struct elf_bytes){c->data, s->sh_size, s->sh_addr};
	return true;
}

static void read_symbols(const struct elf_file *f)
{
	struct elf_lazy *l = f->lazy;
	const Elf64_Shdr *tab = NULL, *str;
	uint64_t n;

	l->symbols_read = true;
	if (!l->sections_read)
		read_sections(f);
	for (size_t i = 0; i < l->nsections && !tab; i++) {
		if (l->sections[i].sh_type == SHT_SYMTAB)
			tab = &l->sections[i];
	}
	if (!tab || tab->sh_link >= l->nsections)
		return;
	str = &l->sections[tab->sh_link];
	n = tab->sh_size / sizeof(Elf64_Sym);
	if (!n || n > MAX_SYMBOLS || str->sh_type != SHT_STRTAB || str->sh_size > MAX_STRTAB_SIZE)
		return;
	l->symtab = read_part(f, tab->sh_offset, n * sizeof(Elf64_Sym), 0);
	l->strtab = read_part(f, str->sh_offset, str->sh_size, 1);
	if (!l->symtab || !l->strtab)
		return;
	l->strtab[str->sh_size] = 0;
	l->strtab_size = str->sh_size;
	l->nsymbols = n;
}

/* Symbol number `i`: false if it is not one of those wanted. */
static bool get_symbol(const struct elf_lazy *l, size_t i, struct elf_symbol *out)
{
	const Elf64_Sym *sym = &l->symtab[i];
	int type = ELF64_ST_TYPE(sym->st_info);

	if (sym->st_shndx == SHN_UNDEF || !sym->st_name || sym->st_name >= l->strtab_size ||
	    (type != STT_FUNC && type != STT_OBJECT))
		return false;
	*out = (struct elf_symbol){
		.name = l->strtab + sym->st_name,
		.vaddr = sym->st_value,
		.size = sym->st_size,
		.func = type == STT_FUNC,
	};
	return true;
}

static const struct elf_lazy *symbols(const struct elf_file *f)
{
	if (!f->lazy->symbols_read)
		read_symbols(f);
	return f->lazy;
}

bool elf_has_symtab(const struct elf_file *f)
{
	struct elf_symbol sym;
	size_t at = 0;

	return elf_symbol_next(f, &at, &sym);
}

bool elf_symbol_next(const struct elf_file *f, size_t *at, struct elf_symbol *out)
{
	const struct elf_lazy *l = symbols(f);

	while (*at < l->nsymbols) {
		if (get_symbol(l, (*at)++, out))
			return true;
	}
	return false;
}

bool elf_symbol(const struct elf_file *f, const char *name, struct elf_symbol *out)
{
	size_t at = 0;

	while (elf_symbol_next(f, &at, out)) {
		if (!strcmp(out->name, name))
			return true;
	}
	return false;
}

/* How large a section becomes when it is unpacked; as much as can be if that cannot be told. */
static uint64_t unpacked_size(const struct elf_file *f, const Elf64_Shdr *s, const char *name)
{
	Elf64_Chdr head;
	uint8_t gnu[12]; /* "ZLIB", then the size, its highest byte first */
	uint64_t size = 0;

	if (s->sh_flags & SHF_COMPRESSED)
		return elf_pread(f, s->sh_offset, &head, sizeof(head)) ? UINT64_MAX : head.ch_size;
	if (strncmp(name, ".zdebug_", 8) != 0)
		return 0;
	if (elf_pread(f, s->sh_offset, gnu, sizeof(gnu)))
		return UINT64_MAX;
	for (size_t i = 4; i < sizeof(gnu); i++)
		size = size << 8 | gnu[i];
	return size;
}

/*
 * libdw unpacks every section of DWARF before it looks at any: what a program of some KiB can make
 * of them must not be more than there is memory.
 */
static bool dwarf_fits(const struct elf_file *f)
{
	const struct elf_lazy *l = f->lazy;
	uint64_t left = MAX_DWARF_SIZE;

	for (size_t i = 0; i < l->nsections; i++) {
		const Elf64_Shdr *s = &l->sections[i];
		const char *name;
		uint64_t unpacked;

		if (s->sh_name >= l->section_names_size || s->sh_type == SHT_NOBITS)
			continue;
		name = l->section_names + s->sh_name;
		if (strncmp(name, ".debug_", 7) != 0 && strncmp(name, ".zdebug_", 8) != 0)
			continue;
		unpacked = unpacked_size(f, s, name);
		if (s->sh_size > left || unpacked > left - s->sh_size)
			return false;
		left -= s->sh_size + unpacked;
	}
	return true;
}

void *elf_file_handle(const struct elf_file *f)
{
	struct elf_lazy *l = f->lazy;

	if (!l->sections_read)
		read_sections(f);
	if (!l->elf && l->nsections && dwarf_fits(f)) {
		elf_version(EV_CURRENT);
		l->elf = elf_begin(f->fd, ELF_C_READ, NULL);
	}
	return l->elf;
}

void elf_lazy_free(struct elf_lazy *l)
{
	while (l->cached) {
		struct elf_cached *c = l->cached;

		l->cached = c->next;
		free(c);
	}
	elf_end(l->elf);
	free(l->sections);
	free(l->section_names);
	free(l->symtab);
	free(l->strtab);
	free(l);
}
