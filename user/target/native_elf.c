// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/target/native_elf.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* More of them is nonsense: headers are counted in 16 bits. */
#define MAX_SEGMENTS 128
#define MAX_SECTIONS 65535

/* Of one object; larger tables are of programs that nobody links to Go. */
#define MAX_TABLE (32U << 20)

/* How far to look for a symbol that others begin in. */
#define MAX_NESTED 16

struct headers {
	Elf64_Ehdr ehdr;
	Elf64_Shdr *sections;
	size_t nsections;
};

static int read_at(const struct native_image *image, uint64_t off, void *buf, uint64_t len)
{
	if (off > image->size || len > image->size - off)
		return -EINVAL;
	return image->read(image->ctx, off, buf, len);
}

/* A table of the file, the caller's to free(). One zero byte follows it. */
static int read_table(const struct native_image *image, uint64_t off, uint64_t len, void **out)
{
	char *p;
	int err;

	*out = NULL;
	if (!len || len > MAX_TABLE || off > image->size || len > image->size - off)
		return -EINVAL;
	p = malloc(len + 1);
	if (!p)
		return -ENOMEM;
	p[len] = 0;
	err = read_at(image, off, p, len);
	if (err)
		free(p);
	else
		*out = p;
	return err;
}

static int read_segments(struct native_object *o, const struct native_image *image,
			 const Elf64_Ehdr *ehdr)
{
	Elf64_Phdr phdr[MAX_SEGMENTS];
	int err;

	if (ehdr->e_phentsize != sizeof(phdr[0]) || !ehdr->e_phnum || ehdr->e_phnum > MAX_SEGMENTS)
		return -EINVAL;
	err = read_at(image, ehdr->e_phoff, phdr, ehdr->e_phnum * sizeof(phdr[0]));
	if (err)
		return err;
	o->segments = calloc(ehdr->e_phnum, sizeof(*o->segments));
	if (!o->segments)
		return -ENOMEM;
	for (size_t i = 0; i < ehdr->e_phnum; i++) {
		if (phdr[i].p_type != PT_LOAD)
			continue;
		o->segments[o->nsegments++] = (struct native_segment){
			phdr[i].p_offset, phdr[i].p_filesz, phdr[i].p_vaddr};
	}
	return 0;
}

static const Elf64_Shdr *find_table(const struct headers *h, uint32_t type)
{
	for (size_t i = 0; i < h->nsections; i++) {
		const Elf64_Shdr *s = &h->sections[i];

		if (s->sh_type == type && s->sh_entsize == sizeof(Elf64_Sym) &&
		    s->sh_link < h->nsections && h->sections[s->sh_link].sh_type == SHT_STRTAB)
			return s;
	}
	return NULL;
}

/*
 * The extent of a symbol. One without a size, as assembly has them, reaches to the next one, or to
 * the end of its section; but not if `all` is false, as there may be others in between.
 */
static bool extent(const struct headers *h, const Elf64_Sym *sym, bool all,
		   struct native_symbol *out)
{
	const Elf64_Shdr *s;

	out->begin = sym->st_value;
	out->end = sym->st_value + sym->st_size;
	out->open = !sym->st_size;
	if (!out->open)
		return out->end > out->begin;
	if (!all || sym->st_shndx >= h->nsections)
		return false;
	s = &h->sections[sym->st_shndx];
	out->end = s->sh_addr + s->sh_size;
	return s->sh_addr <= out->begin && out->begin < out->end;
}

/* How much of names is looked at to choose one: a hostile table has long ones. */
#define COMPARED 64

static size_t underscores(const char *name)
{
	size_t n = 0;

	while (n < COMPARED && name[n] == '_')
		n++;
	return n;
}

/* Of names of one address the one people know: nanosleep, not __nanosleep. */
static int by_address(const void *a, const void *b, void *strings)
{
	const struct native_symbol *x = a, *y = b;
	const char *s = (const char *)strings + x->name, *t = (const char *)strings + y->name;

	if (x->begin != y->begin)
		return x->begin < y->begin ? -1 : 1;
	if (underscores(s) != underscores(t))
		return underscores(s) < underscores(t) ? -1 : 1;
	return strncmp(s, t, COMPARED);
}

/* One symbol per address, and an end of each. */
static void sort(struct native_object *o)
{
	size_t n = 0;

	qsort_r(o->v, o->n, sizeof(*o->v), by_address, o->strings);
	for (size_t i = 0; i < o->n; i++) {
		struct native_symbol *s = &o->v[i], *last = n ? &o->v[n - 1] : NULL;

		if (!last || last->begin != s->begin) {
			o->v[n++] = *s;
		} else if (last->open && !s->open) {
			last->end = s->end;
			last->open = false;
		}
	}
	o->n = n;
	for (size_t i = 0; i + 1 < n; i++)
		if (o->v[i].open && o->v[i].end > o->v[i + 1].begin)
			o->v[i].end = o->v[i + 1].begin;
}

static void take_symbols(struct native_object *o, const struct headers *h, const Elf64_Sym *sym,
			 size_t n, size_t strings, bool all)
{
	for (size_t i = 0; i < n; i++) {
		unsigned int type = ELF64_ST_TYPE(sym[i].st_info);
		struct native_symbol *s = &o->v[o->n];

		if ((type != STT_FUNC && type != STT_GNU_IFUNC) || sym[i].st_shndx == SHN_UNDEF ||
		    !sym[i].st_value || sym[i].st_name >= strings || !o->strings[sym[i].st_name] ||
		    !extent(h, &sym[i], all, s))
			continue;
		s->name = sym[i].st_name;
		o->n++;
	}
	sort(o);
}

static int read_symbols(struct native_object *o, const struct native_image *image,
			const struct headers *h, const Elf64_Shdr *table, bool all)
{
	const Elf64_Shdr *strings = &h->sections[table->sh_link];
	size_t n = table->sh_size / sizeof(Elf64_Sym);
	void *sym, *text;
	int err = read_table(image, table->sh_offset, n * sizeof(Elf64_Sym), &sym);

	if (err)
		return err;
	err = read_table(image, strings->sh_offset, strings->sh_size, &text);
	if (!err) {
		o->strings = text;
		o->strings_size = strings->sh_size;
		o->v = calloc(n, sizeof(*o->v));
		if (o->v)
			take_symbols(o, h, sym, n, strings->sh_size, all);
		else
			err = -ENOMEM;
	}
	free(sym);
	return err;
}

static int read_sections(struct headers *h, const struct native_image *image)
{
	const Elf64_Ehdr *ehdr = &h->ehdr;
	void *sections;
	int err;

	if (!ehdr->e_shnum || ehdr->e_shentsize != sizeof(Elf64_Shdr))
		return 0; /* they were taken off */
	err = read_table(image, ehdr->e_shoff, ehdr->e_shnum * sizeof(Elf64_Shdr), &sections);
	if (err)
		return err == -EINVAL ? 0 : err;
	h->sections = sections;
	h->nsections = ehdr->e_shnum;
	return 0;
}

static void drop_symbols(struct native_object *o)
{
	free(o->v);
	free(o->strings);
	o->v = NULL;
	o->strings = NULL;
	o->n = o->strings_size = 0;
}

static int read_object(struct native_object *o, struct headers *h, const struct native_image *image)
{
	const Elf64_Shdr *table;
	int err = read_at(image, 0, &h->ehdr, sizeof(h->ehdr));

	if (err)
		return err;
	if (memcmp(h->ehdr.e_ident, ELFMAG, SELFMAG) || h->ehdr.e_ident[EI_CLASS] != ELFCLASS64 ||
	    h->ehdr.e_ident[EI_DATA] != ELFDATA2LSB)
		return -EINVAL;
	err = read_segments(o, image, &h->ehdr);
	if (!err)
		err = read_sections(h, image);
	if (err)
		return err;
	table = find_table(h, SHT_SYMTAB);
	if (table && !read_symbols(o, image, h, table, true) && o->n)
		return 0;
	drop_symbols(o);
	table = find_table(h, SHT_DYNSYM);
	if (table)
		err = read_symbols(o, image, h, table, false);
	return err == -EINVAL ? 0 : err;
}

/* Most symbols of a table are not functions. */
static void shrink(struct native_object *o)
{
	struct native_symbol *v = o->n ? realloc(o->v, o->n * sizeof(*v)) : NULL;

	if (v)
		o->v = v;
}

int native_object_read(struct native_object *out, const struct native_image *image)
{
	struct headers h = {0};
	int err;

	*out = (struct native_object){0};
	err = read_object(out, &h, image);
	free(h.sections);
	if (err) {
		native_object_free(out);
		return err;
	}
	shrink(out);
	return err;
}

void native_object_free(struct native_object *o)
{
	drop_symbols(o);
	free(o->segments);
	*o = (struct native_object){0};
}

size_t native_object_memory(const struct native_object *o)
{
	return o->n * sizeof(*o->v) + o->strings_size + o->nsegments * sizeof(*o->segments);
}

bool native_object_vaddr(const struct native_object *o, uint64_t off, uint64_t *vaddr)
{
	for (size_t i = 0; i < o->nsegments; i++) {
		const struct native_segment *s = &o->segments[i];

		if (off >= s->off && off - s->off < s->size) {
			*vaddr = s->vaddr + (off - s->off);
			return true;
		}
	}
	return false;
}

const char *native_object_func(const struct native_object *o, uint64_t vaddr)
{
	size_t lo = 0, hi = o->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (o->v[mid].begin <= vaddr)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (size_t i = 0; i < MAX_NESTED && i < lo; i++) {
		const struct native_symbol *s = &o->v[lo - 1 - i];

		if (vaddr < s->end)
			return o->strings + s->name;
	}
	return NULL;
}
