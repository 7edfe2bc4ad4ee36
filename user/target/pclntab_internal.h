/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef GSCOPE_TARGET_PCLNTAB_INTERNAL_H
#define GSCOPE_TARGET_PCLNTAB_INTERNAL_H

#include <string.h>

#include "user/target/pclntab.h"

#define PCLN_FUNCDATA_WINDOW 4096

/* What differs between the formats of the table. */
struct pcln_format {
	uint32_t magic;
	uint8_t func_size; /* of struct _func, without the two arrays behind it */
	uint8_t func_id; /* in struct _func; nfuncdata is 3 bytes behind it */
	uint8_t call_size; /* of struct inlinedCall */
	uint8_t call_id, call_name, call_parent_pc; /* in struct inlinedCall */
};

struct pcln_bytes {
	const uint8_t *p;
	size_t n;
};

struct nice_name;

/* The last piece of go:func.* that was read. */
struct pcln_window {
	uint64_t vaddr;
	size_t n;
	uint8_t data[PCLN_FUNCDATA_WINDOW];
};

struct pclntab {
	const struct elf_file *elf;
	uint64_t bias;
	uint8_t *raw; /* a copy of the table, from its header on */
	struct pcln_bytes names, cu, files, pcs, funcs; /* the last: functab and the struct _func */
	const struct pcln_format *format;
	size_t nfunc;
	uint64_t text, etext; /* runtime addresses of the module's code */
	uint64_t gofunc; /* vaddr of go:func.*, the base of funcdata offsets; 0: not known */
	struct pcln_window *funcdata;
	uint64_t moduledata, next; /* runtime addresses; next is 0 if there is none */
	unsigned int wrapper_id; /* number of abi.FuncIDWrapper */
	bool elide_types; /* Go shortens the type arguments in names */
	struct nice_name *nice;
};

/* Fields of struct _func. */
struct pcln_raw_func {
	uint32_t off; /* of the struct, in `funcs` */
	uint32_t entry_off, name_off;
	uint32_t pcsp, pcfile, pcln;
	uint32_t npcdata, nfuncdata;
	uint32_t cu_off;
	uint8_t func_id;
};

static inline uint32_t u32_at(const struct pcln_bytes *b, size_t at)
{
	uint32_t v;

	memcpy(&v, b->p + at, sizeof(v));
	return v;
}

static inline uint32_t entry_off(const struct pclntab *t, size_t i)
{
	return u32_at(&t->funcs, i * 8);
}

/* Read the function number `i`: false if what the table says is outside of it. */
bool pcln_read_func(const struct pclntab *t, size_t i, struct pcln_raw_func *f);

/* Where in go:func.* the function's tree of inlined calls is: false if it has none. */
bool pcln_inline_tree(const struct pclntab *t, const struct pcln_raw_func *f, uint32_t *off);

/* Copy `len` bytes at offset `off` of go:func.*: false if they are not there. */
bool pcln_funcdata(const struct pclntab *t, uint64_t off, void *buf, size_t len);

/*
 * Fill *t with the table of `f`: of process `p`, which has it at t->bias, or of a file that is not
 * running (NULL).
 */
int pclntab_load(struct pclntab *t, struct elf_file *f, const struct target_process *p,
		 unsigned int go_minor, struct error *e);

#endif
