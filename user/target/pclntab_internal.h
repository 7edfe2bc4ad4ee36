/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Inside of the function table:
 *
 *   pclntab.c         the table and its functions
 *   pclntab_frames.c  what a PC stands for: function, file, line, inlined calls
 *   pclntab_read.c    its parts, bounds checked
 *   pclntab_load.c    where it is, and whether it is one
 */
#ifndef GSCOPE_TARGET_PCLNTAB_INTERNAL_H
#define GSCOPE_TARGET_PCLNTAB_INTERNAL_H

#include <string.h>

#include "user/target/pclntab.h"

#define PCLN_FUNCDATA_WINDOW 4096
#define PCLN_NO_FUNCDATA 0xffffffffU

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

/* --- pclntab_read.c --- */

bool pcln_inside(const struct pcln_bytes *b, size_t at, size_t len);

/* The string at `at`: NULL if there is none of a length that makes sense. Both parts end in NUL. */
const char *pcln_string(const struct pcln_bytes *b, uint64_t at);

/* The name of a function, "" if there is none. */
const char *pcln_name(const struct pclntab *t, uint32_t name_off);

/* Read the function number `i`: false if what the table says is outside of it. */
bool pcln_read_func(const struct pclntab *t, size_t i, struct pcln_raw_func *f);

/* Number of the function that contains `pc`: false if none does. */
bool pcln_find_index(const struct pclntab *t, uint64_t pc, size_t *index);

bool pcln_read_varint(const struct pcln_bytes *b, size_t *at, uint32_t *v);

/* Value of the table at `off` for text + target; -1 if the table has none. */
int32_t pcln_value(const struct pclntab *t, uint32_t off, uint64_t entry, uint64_t target);

/* Where the function's table of values number `table` is; 0: it has none. */
uint32_t pcln_pcdata(const struct pclntab *t, const struct pcln_raw_func *f, unsigned int table);

/* Where in go:func.* its data number `table` is; PCLN_NO_FUNCDATA: it has none. */
uint32_t pcln_funcdata_at(const struct pclntab *t, const struct pcln_raw_func *f,
			  unsigned int table);

/* The same for its tree of inlined calls: false if it has none. */
bool pcln_inline_tree(const struct pclntab *t, const struct pcln_raw_func *f, uint32_t *off);

/* Copy `len` bytes at offset `off` of go:func.*: false if they are not there. */
bool pcln_funcdata(const struct pclntab *t, uint64_t off, void *buf, size_t len);

/* --- pclntab_frames.c --- */

/* Free the names that were made as Go prints them. */
void pcln_forget_names(struct pclntab *t);

/* --- pclntab_load.c --- */

/*
 * Fill *t with the table of `f`: of process `p`, which has it at t->bias, or of a file that is not
 * running (NULL).
 */
int pclntab_load(struct pclntab *t, struct elf_file *f, const struct target_process *p,
		 unsigned int go_minor, struct error *e);

#endif
