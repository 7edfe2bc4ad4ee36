// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What a file tells the dynamic linker: relocations, needed libraries. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/target/elf_internal.h"

#define MAX_DYNAMIC 512 /* entries; a linker makes thirty */
/* A PIE of 100 MB has half a million. */
#define MAX_RELOCS (1U << 20)
#define RELOCS_PER_READ 2048

static size_t read_dynamic(const struct elf_file *f, Elf64_Dyn *v)
{
	size_t n = f->dynamic.p_filesz / sizeof(*v);

	if (n > MAX_DYNAMIC)
		n = MAX_DYNAMIC;
	return elf_pread(f, f->dynamic.p_offset, v, n * sizeof(*v)) ? 0 : n;
}

static uint64_t dynamic_value(const Elf64_Dyn *v, size_t n, int64_t tag)
{
	for (size_t i = 0; i < n && v[i].d_tag != DT_NULL; i++) {
		if (v[i].d_tag == tag)
			return v[i].d_un.d_val;
	}
	return 0;
}

static int compare_relocs(const void *a, const void *b)
{
	const struct elf_reloc *x = a, *y = b;

	return (x->vaddr > y->vaddr) - (x->vaddr < y->vaddr);
}

/* Keep the relative ones of [vaddr, vaddr + n * 24). */
static void read_table(const struct elf_file *f, uint64_t vaddr, uint64_t n)
{
	struct elf_lazy *l = f->lazy;
	Elf64_Rela *some = malloc(RELOCS_PER_READ * sizeof(*some));
	bool sorted = true;

	l->relocs = some ? malloc(n * sizeof(*l->relocs)) : NULL;
	for (uint64_t at = 0; l->relocs && at < n; at += RELOCS_PER_READ) {
		size_t k = n - at < RELOCS_PER_READ ? n - at : RELOCS_PER_READ;

		if (elf_read(f, vaddr + at * sizeof(*some), some, k * sizeof(*some)))
			break;
		for (size_t i = 0; i < k; i++) {
			struct elf_reloc *r = &l->relocs[l->nrelocs];

			if (ELF64_R_TYPE(some[i].r_info) != R_X86_64_RELATIVE)
				continue;
			*r = (struct elf_reloc){some[i].r_offset, some[i].r_addend};
			sorted &= !l->nrelocs++ || r[-1].vaddr <= r->vaddr;
		}
	}
	if (!sorted)
		qsort(l->relocs, l->nrelocs, sizeof(*l->relocs), compare_relocs);
	free(some);
}

static void read_relocs(const struct elf_file *f)
{
	Elf64_Dyn dynamic[MAX_DYNAMIC];
	size_t n = read_dynamic(f, dynamic);
	uint64_t table = dynamic_value(dynamic, n, DT_RELA);
	uint64_t count = dynamic_value(dynamic, n, DT_RELASZ) / sizeof(Elf64_Rela);

	f->lazy->relocs_read = true;
	if (table && count && count <= MAX_RELOCS && count <= f->size / sizeof(Elf64_Rela))
		read_table(f, table, count);
}

/* The first relocation at or behind `vaddr`. */
static size_t first_reloc(const struct elf_lazy *l, uint64_t vaddr)
{
	size_t lo = 0, hi = l->nrelocs;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (l->relocs[mid].vaddr < vaddr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int elf_read_relocated(const struct elf_file *f, uint64_t vaddr, void *buf, size_t len)
{
	const struct elf_lazy *l = f->lazy;
	int err = elf_read(f, vaddr, buf, len);

	if (err || !elf_is_pie(f))
		return err;
	if (!l->relocs_read)
		read_relocs(f);
	for (size_t i = first_reloc(l, vaddr); i < l->nrelocs; i++) {
		uint64_t at = l->relocs[i].vaddr - vaddr;

		if (at >= len || len - at < sizeof(uint64_t))
			break;
		memcpy((char *)buf + at, &l->relocs[i].value, sizeof(uint64_t));
	}
	return 0;
}

bool elf_needs(const struct elf_file *f, const char *name)
{
	Elf64_Dyn dynamic[MAX_DYNAMIC];
	size_t n = read_dynamic(f, dynamic), len = strlen(name);
	uint64_t strings = dynamic_value(dynamic, n, DT_STRTAB);
	char have[64];

	for (size_t i = 0; i < n && dynamic[i].d_tag != DT_NULL; i++) {
		if (dynamic[i].d_tag == DT_NEEDED && len <= sizeof(have) &&
		    !elf_read(f, strings + dynamic[i].d_un.d_val, have, len) &&
		    !memcmp(have, name, len))
			return true;
	}
	return false;
}

void elf_relocs_free(struct elf_lazy *l)
{
	free(l->relocs);
	l->relocs = NULL;
}
