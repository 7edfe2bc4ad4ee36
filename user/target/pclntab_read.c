// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The parts of a function table, each checked against its bounds. Layout: src/runtime/symtab.go
 * (pcHeader, funcdata, pcvalue) and src/internal/abi/symtab.go (table numbers) of Go 1.19 to 1.27;
 * up to 1.20 the numbers are in runtime/symtab.go.
 */
#include <string.h>

#include "user/target/pclntab_internal.h"

#define FUNCDATA_INL_TREE 3

/* What is longer is damage; generics have long names. */
#define MAX_NAME 65535

bool pcln_inside(const struct pcln_bytes *b, size_t at, size_t len)
{
	return at <= b->n && len <= b->n - at;
}

const char *pcln_string(const struct pcln_bytes *b, uint64_t at)
{
	if (at >= b->n || strnlen((const char *)b->p + at, MAX_NAME + 1) > MAX_NAME)
		return NULL;
	return (const char *)b->p + at;
}

const char *pcln_name(const struct pclntab *t, uint32_t name_off)
{
	const char *s = pcln_string(&t->names, name_off);

	return s ? s : "";
}

bool pcln_read_func(const struct pclntab *t, size_t i, struct pcln_raw_func *f)
{
	const struct pcln_bytes *b = &t->funcs;

	f->off = u32_at(b, i * 8 + 4);
	if (!pcln_inside(b, f->off, t->format->func_size))
		return false;
	f->entry_off = u32_at(b, f->off);
	f->name_off = u32_at(b, f->off + 4);
	f->pcsp = u32_at(b, f->off + 16);
	f->pcfile = u32_at(b, f->off + 20);
	f->pcln = u32_at(b, f->off + 24);
	f->npcdata = u32_at(b, f->off + 28);
	f->cu_off = u32_at(b, f->off + 32);
	f->func_id = b->p[f->off + t->format->func_id];
	f->nfuncdata = b->p[f->off + t->format->func_id + 3];
	return f->npcdata < 64 &&
	       pcln_inside(b, f->off,
			   t->format->func_size + 4 * ((size_t)f->npcdata + f->nfuncdata));
}

bool pcln_find_index(const struct pclntab *t, uint64_t pc, size_t *index)
{
	size_t lo = 0, hi = t->nfunc;
	uint64_t off = pc - t->text;

	if (pc < t->text || off < entry_off(t, 0) || off >= entry_off(t, t->nfunc))
		return false;
	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;

		if (entry_off(t, mid) <= off)
			lo = mid;
		else
			hi = mid;
	}
	*index = lo;
	return true;
}

bool pcln_read_varint(const struct pcln_bytes *b, size_t *at, uint32_t *v)
{
	*v = 0;
	for (unsigned int shift = 0; shift < 35 && *at < b->n; shift += 7) {
		uint8_t byte = b->p[(*at)++];

		*v |= (uint32_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return true;
	}
	return false;
}

int32_t pcln_value(const struct pclntab *t, uint32_t off, uint64_t entry, uint64_t target)
{
	uint32_t value = -1U, delta;
	uint64_t pc = entry;
	size_t at = off;

	if (!off)
		return -1;
	for (bool first = true;; first = false) {
		if (!pcln_read_varint(&t->pcs, &at, &delta) || (!delta && !first))
			return -1;
		value += delta & 1 ? ~(delta >> 1) : delta >> 1;
		/* the zero that would let a damaged table go on for ever */
		if (!pcln_read_varint(&t->pcs, &at, &delta) || !delta)
			return -1;
		pc += delta; /* times minLC, which is 1 on amd64 */
		if (target < pc)
			return (int32_t)value;
	}
}

uint32_t pcln_pcdata(const struct pclntab *t, const struct pcln_raw_func *f, unsigned int table)
{
	return table < f->npcdata ? u32_at(&t->funcs, f->off + t->format->func_size + 4 * table) :
				    0;
}

uint32_t pcln_funcdata_at(const struct pclntab *t, const struct pcln_raw_func *f,
			  unsigned int table)
{
	if (table >= f->nfuncdata)
		return PCLN_NO_FUNCDATA;
	return u32_at(&t->funcs, f->off + t->format->func_size + 4 * (f->npcdata + table));
}

bool pcln_inline_tree(const struct pclntab *t, const struct pcln_raw_func *f, uint32_t *off)
{
	*off = pcln_funcdata_at(t, f, FUNCDATA_INL_TREE);
	return *off != PCLN_NO_FUNCDATA;
}

bool pcln_funcdata(const struct pclntab *t, uint64_t off, void *buf, size_t len)
{
	struct pcln_window *w = t->funcdata;
	uint64_t vaddr = t->gofunc + off;
	struct elf_load part;

	if (!t->gofunc || vaddr < t->gofunc)
		return false;
	if (vaddr < w->vaddr || vaddr - w->vaddr >= w->n || len > w->n - (vaddr - w->vaddr)) {
		w->n = 0;
		if (!elf_load_of(t->elf, vaddr, &part))
			return false;
		w->vaddr = vaddr;
		w->n = part.filesz - (vaddr - part.vaddr);
		if (w->n > sizeof(w->data))
			w->n = sizeof(w->data);
		if (elf_read(t->elf, vaddr, w->data, w->n))
			w->n = 0;
		if (len > w->n)
			return false;
	}
	memcpy(buf, w->data + (vaddr - w->vaddr), len);
	return true;
}
