// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Layout: src/runtime/symtab.go (pcHeader, funcdata, pcvalue), src/internal/abi/symtab.go (func
 * ids, table numbers) and src/runtime/symtabinl.go (inline trees) of Go 1.19 to 1.27; up to 1.20
 * the ids are in runtime/symtab.go, and the inline trees are those of runtime/symtab.go there.
 */
#include "user/target/pclntab.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define MAGIC_118 0xfffffff0U
#define MAGIC_120 0xfffffff1U
#define HEADER_SIZE 72

#define PCDATA_INL_TREE_INDEX 2
#define FUNCDATA_INL_TREE 3
#define FUNCDATA_WRAP_INFO 7
#define NO_FUNCDATA 0xffffffffU
#define NO_FILE 0xffffffffU

/* The runtime keeps the last 1024 bytes of a name or a path: runtime/traceback.go, trace.go */
#define MAX_STRING 1024

/* Against tables that point in circles; the compiler nests far less. */
#define MAX_INLINE_DEPTH 1000

/* What differs between the formats of the table. */
struct format {
	uint32_t magic;
	uint8_t func_size; /* of struct _func, without the two arrays behind it */
	uint8_t func_id; /* in struct _func; nfuncdata is 3 bytes behind it */
	uint8_t call_size; /* of struct inlinedCall */
	uint8_t call_id, call_name, call_parent_pc; /* in struct inlinedCall */
};

static const struct format formats[] = {
	{MAGIC_118, 40, 36, 20, 2, 12, 16},
	{MAGIC_120, 44, 40, 16, 0, 4, 8}, /* startLine is new, in both structs */
};

struct bytes {
	const uint8_t *p;
	size_t n;
};

/* A name as Go prints it, made once. */
struct nice_name {
	const char *raw; /* points into the table: its address is the key */
	UT_hash_handle hh;
	char text[];
};

struct pclntab {
	struct bytes all; /* header and everything behind it */
	struct bytes names, cu, files, pcs, funcs; /* functab and the struct _func */
	struct bytes funcdata; /* go:func.* */
	const struct format *format;
	size_t nfunc;
	uint64_t text; /* runtime address of the first function */
	unsigned int wrapper_id; /* number of abi.FuncIDWrapper */
	bool elide_types; /* Go shortens the type arguments in names */
	struct nice_name *nice;
};

/* Fields of struct _func. */
struct func {
	uint32_t off; /* of the struct, in `funcs` */
	uint32_t entry_off, name_off;
	uint32_t pcsp, pcfile, pcln;
	uint32_t npcdata, nfuncdata;
	uint32_t cu_off;
	uint8_t func_id;
};

static uint32_t u32_at(const struct bytes *b, size_t at)
{
	uint32_t v;

	memcpy(&v, b->p + at, sizeof(v));
	return v;
}

static uint64_t u64_at(const struct bytes *b, size_t at)
{
	uint64_t v;

	memcpy(&v, b->p + at, sizeof(v));
	return v;
}

static bool inside(const struct bytes *b, size_t at, size_t len)
{
	return at <= b->n && len <= b->n - at;
}

/* The NUL-terminated string at `at`: NULL if there is none inside. */
static const char *string_at(const struct bytes *b, uint64_t at)
{
	if (at >= b->n || !memchr(b->p + at, 0, b->n - at))
		return NULL;
	return (const char *)b->p + at;
}

static const char *last_bytes(const char *s)
{
	size_t len = strlen(s);

	return len > MAX_STRING ? s + len - MAX_STRING : s;
}

/* internal/abi/symtab.go: corostart was put in before it in 1.22, runFinalizers in 1.25 */
static unsigned int wrapper_id(unsigned int go_minor)
{
	return go_minor <= 21 ? 21 : go_minor <= 24 ? 22 : 23;
}

static uint32_t entry_off(const struct pclntab *t, size_t i)
{
	return u32_at(&t->funcs, i * 8);
}

/* Read the function number `i`: false if what the table says is outside of it. */
static bool read_func(const struct pclntab *t, size_t i, struct func *f)
{
	const struct bytes *b = &t->funcs;

	f->off = u32_at(b, i * 8 + 4);
	if (!inside(b, f->off, t->format->func_size))
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
	       inside(b, f->off, t->format->func_size + 4 * ((size_t)f->npcdata + f->nfuncdata));
}

/* Number of the function that contains text + off: false if none does. */
static bool find_index(const struct pclntab *t, uint64_t pc, size_t *index)
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

static bool read_varint(const struct bytes *b, size_t *at, uint32_t *v)
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

/* Value of the table at `off` for text + target; -1 if the table has none. */
static int32_t pc_value(const struct pclntab *t, uint32_t off, uint64_t entry, uint64_t target)
{
	uint32_t value = -1U, delta;
	uint64_t pc = entry;
	size_t at = off;

	if (!off)
		return -1;
	for (bool first = true;; first = false) {
		if (!read_varint(&t->pcs, &at, &delta) || (!delta && !first))
			return -1;
		value += delta & 1 ? ~(delta >> 1) : delta >> 1;
		if (!read_varint(&t->pcs, &at, &delta))
			return -1;
		pc += delta; /* times minLC, which is 1 on amd64 */
		if (target < pc)
			return (int32_t)value;
	}
}

static uint32_t pcdata_off(const struct pclntab *t, const struct func *f, unsigned int table)
{
	return table < f->npcdata ? u32_at(&t->funcs, f->off + t->format->func_size + 4 * table) :
				    0;
}

static uint32_t funcdata_off(const struct pclntab *t, const struct func *f, unsigned int table)
{
	if (table >= f->nfuncdata)
		return NO_FUNCDATA;
	return u32_at(&t->funcs, f->off + t->format->func_size + 4 * (f->npcdata + table));
}

static const char *func_name(const struct pclntab *t, uint32_t name_off)
{
	const char *s = string_at(&t->names, name_off);

	return s ? s : "";
}

static const char *file_at(const struct pclntab *t, const struct func *f, uint64_t off)
{
	int32_t index = pc_value(t, f->pcfile, f->entry_off, off);
	uint64_t at = 4 * ((uint64_t)f->cu_off + (uint32_t)index);
	uint32_t file_off;
	const char *s;

	if (index < 0 || !inside(&t->cu, at, 4))
		return "?";
	file_off = u32_at(&t->cu, at);
	s = file_off == NO_FILE ? NULL : string_at(&t->files, file_off);
	return s ? last_bytes(s) : "?";
}

void pcln_func_name(const char *name, char *out, size_t size)
{
	const char *from = strchr(name, '['), *to = strrchr(name, ']');
	size_t len = 0;

	if (!size)
		return;
	if (!from || !to || to <= from) {
		name = last_bytes(name);
		len = strlen(name) < size ? strlen(name) : size - 1;
		memcpy(out, name, len);
	} else {
		const struct {
			const char *s;
			size_t n;
		} parts[] = {{name, from + 1 - name}, {"...", 3}, {to, strlen(to)}};

		for (size_t i = 0; i < 3; i++) {
			size_t n = parts[i].n < size - 1 - len ? parts[i].n : size - 1 - len;

			memcpy(out + len, parts[i].s, n);
			len += n;
		}
	}
	out[len] = 0;
}

static const char *nice(struct pclntab *t, const char *raw)
{
	struct nice_name *n;

	if (!t->elide_types || !strchr(raw, '['))
		return last_bytes(raw);
	HASH_FIND_PTR(t->nice, &raw, n);
	if (!n) {
		size_t size = strlen(raw) + sizeof("...");

		n = malloc(sizeof(*n) + size);
		if (!n)
			return last_bytes(raw);
		n->raw = raw;
		pcln_func_name(raw, n->text, size);
		HASH_ADD_PTR(t->nice, raw, n);
	}
	return last_bytes(n->text);
}

static int damaged(struct error *e, const struct elf_file *f, const char *what)
{
	return error_set(e, EXIT_TARGET, -EPROTO,
			 "%s: its Go function table (pclntab) %s; gscope cannot name functions "
			 "in it: rebuild it",
			 elf_file_name(f), what);
}

/*
 * By section where it has one of its own; a position-independent executable that a C linker made
 * has it somewhere in .data.rel.ro before Go 1.26, where only a symbol tells.
 */
static bool find_table(struct elf_file *f, struct elf_bytes *out, uint64_t *vaddr)
{
	struct elf_symbol begin, end;

	if (elf_section(f, ".gopclntab", out) || elf_section(f, ".data.rel.ro.gopclntab", out)) {
		*vaddr = out->vaddr;
		return true;
	}
	if (!elf_symbol(f, "runtime.pclntab", &begin) || !elf_symbol(f, "runtime.epclntab", &end) ||
	    end.vaddr <= begin.vaddr || !elf_section_at(f, begin.vaddr, out) ||
	    end.vaddr - begin.vaddr > out->size)
		return false;
	out->size = end.vaddr - begin.vaddr;
	*vaddr = begin.vaddr;
	return true;
}

/* Split the table as its header says. */
static const char *parse_header(struct pclntab *t)
{
	struct bytes *const parts[] = {&t->names, &t->cu, &t->files, &t->pcs, &t->funcs};
	const struct bytes *b = &t->all;
	uint64_t nfunc;

	if (b->n < HEADER_SIZE)
		return "is cut off";
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (u32_at(b, 0) == formats[i].magic)
			t->format = &formats[i];
	}
	if (!t->format)
		return "has an unknown format";
	if (b->p[4] || b->p[5] || b->p[6] != 1 || b->p[7] != 8)
		return "is not one of amd64";
	for (size_t i = 0; i < 5; i++) {
		uint64_t off = u64_at(b, 32 + 8 * i);

		if (off > b->n)
			return "is damaged: a part lies outside of it";
		*parts[i] = (struct bytes){b->p + off, b->n - off};
	}
	nfunc = u64_at(b, 8);
	if (!nfunc || nfunc > UINT32_MAX / 8 || nfunc * 8 + 4 > t->funcs.n)
		return "is damaged: its number of functions makes no sense";
	t->nfunc = nfunc;
	return NULL;
}

static int load(struct pclntab *t, struct elf_file *f, uint64_t bias, struct error *e)
{
	struct elf_bytes raw, funcdata;
	struct elf_symbol sym;
	const char *why;
	uint64_t vaddr;

	if (!find_table(f, &raw, &vaddr))
		return damaged(e, f, "was not found");
	t->all = (struct bytes){raw.data, raw.size};
	why = parse_header(t);
	if (why)
		return damaged(e, f, why);
	/* the header has it up to Go 1.25, but in a PIE only after relocation */
	t->text = u64_at(&t->all, 24);
	if (elf_symbol(f, "runtime.text", &sym))
		t->text = sym.vaddr;
	if (!t->text)
		return damaged(e, f, "does not tell where the code is (stripped binary)");
	t->text += bias;
	/* the name is older than 1.20's colons */
	if ((elf_symbol(f, "go:func.*", &sym) || elf_symbol(f, "go.func.*", &sym)) &&
	    elf_section_at(f, sym.vaddr, &funcdata))
		t->funcdata = (struct bytes){funcdata.data, funcdata.size};
	return 0;
}

int pclntab_open(struct pclntab **out, struct elf_file *f, unsigned int go_minor, uint64_t bias,
		 struct error *e)
{
	struct pclntab *t = calloc(1, sizeof(*t));
	int err;

	*out = NULL;
	if (!t)
		return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	t->wrapper_id = wrapper_id(go_minor);
	t->elide_types = go_minor >= 21; /* runtime.funcNameForPrint */
	err = load(t, f, bias, e);
	if (err) {
		free(t);
		return err;
	}
	*out = t;
	return 0;
}

void pclntab_close(struct pclntab *t)
{
	struct nice_name *n, *next;

	if (!t)
		return;
	HASH_ITER(hh, t->nice, n, next) {
		HASH_DEL(t->nice, n);
		free(n);
	}
	free(t);
}

bool pclntab_at(const struct pclntab *t, size_t index, struct pcln_func *out)
{
	struct func f;

	memset(out, 0, sizeof(*out));
	if (index >= t->nfunc)
		return false;
	out->entry = t->text + entry_off(t, index);
	out->end = t->text + entry_off(t, index + 1);
	out->name = "";
	if (read_func(t, index, &f)) {
		out->name = func_name(t, f.name_off);
		out->wrapper = f.func_id == t->wrapper_id;
	}
	return true;
}

bool pclntab_func(const struct pclntab *t, uint64_t pc, struct pcln_func *out)
{
	size_t index;

	return find_index(t, pc, &index) && pclntab_at(t, index, out);
}

bool pclntab_find(const struct pclntab *t, const char *name, struct pcln_func *out)
{
	for (size_t i = 0; i < t->nfunc; i++) {
		struct func f;

		if (read_func(t, i, &f) && f.func_id != t->wrapper_id &&
		    !strcmp(func_name(t, f.name_off), name))
			return pclntab_at(t, i, out);
	}
	return false;
}

/* One entry of a function's tree of inlined calls. */
struct inlined_call {
	uint8_t func_id;
	uint32_t name_off;
	uint32_t parent_pc; /* distance from the function's entry */
};

/* The innermost inlined call at text + off: false if the code there is the function's own. */
static bool inlined_at(const struct pclntab *t, const struct func *f, uint64_t off,
		       struct inlined_call *out)
{
	uint32_t table = pcdata_off(t, f, PCDATA_INL_TREE_INDEX);
	uint32_t tree = funcdata_off(t, f, FUNCDATA_INL_TREE);
	int32_t index;
	uint64_t at;

	if (tree == NO_FUNCDATA)
		return false;
	index = pc_value(t, table, f->entry_off, off);
	at = tree + (uint64_t)t->format->call_size * (uint32_t)index;
	if (index < 0 || !inside(&t->funcdata, at, t->format->call_size))
		return false;
	out->func_id = t->funcdata.p[at + t->format->call_id];
	out->name_off = u32_at(&t->funcdata, at + t->format->call_name);
	out->parent_pc = u32_at(&t->funcdata, at + t->format->call_parent_pc);
	return true;
}

int pclntab_frames(struct pclntab *t, uint64_t pc, struct pcln_frame *out, size_t max)
{
	struct inlined_call call;
	bool inlined = true, start;
	struct func f;
	uint64_t off;
	size_t index;
	int n = 0;

	/* a goroutine that has not run yet is at its first instruction: nothing returns there */
	if (!find_index(t, pc, &index) || t->text + entry_off(t, index) != pc)
		pc--;
	if (!find_index(t, pc, &index) || !read_func(t, index, &f))
		return -ENOENT;
	off = pc - t->text;
	/* no call is so short that it returns here: it is where a goroutine starts */
	start = off == f.entry_off;
	for (int depth = 0; inlined && (size_t)n < max && depth < MAX_INLINE_DEPTH; depth++) {
		unsigned int id = f.func_id;
		uint32_t name_off = f.name_off;
		int32_t line;

		inlined = inlined_at(t, &f, off, &call);
		if (inlined) {
			id = call.func_id;
			name_off = call.name_off;
		}
		line = pc_value(t, f.pcln, f.entry_off, off);
		out[n++] = (struct pcln_frame){
			.pc = t->text + off,
			.func = nice(t, func_name(t, name_off)),
			.file = file_at(t, &f, off),
			.line = line < 0 ? 0 : line,
			.wrapper = id == t->wrapper_id && !start,
		};
		off = (uint64_t)f.entry_off + (inlined ? call.parent_pc : 0);
	}
	return n;
}

int pclntab_pcsp(const struct pclntab *t, uint64_t pc)
{
	struct func f;
	size_t index;

	if (!find_index(t, pc, &index) || !read_func(t, index, &f))
		return -1;
	return pc_value(t, f.pcsp, f.entry_off, pc - t->text);
}

bool pclntab_inlined(const struct pclntab *t, uint64_t pc, const char *name)
{
	struct inlined_call call;
	struct func f;
	uint64_t off;
	size_t index;

	if (!find_index(t, pc, &index) || !read_func(t, index, &f))
		return false;
	off = pc - t->text;
	for (int depth = 0; depth < MAX_INLINE_DEPTH; depth++) {
		if (!inlined_at(t, &f, off, &call))
			return false;
		if (!strcmp(func_name(t, call.name_off), name))
			return true;
		off = (uint64_t)f.entry_off + call.parent_pc;
	}
	return false;
}

uint64_t pclntab_start_pc(const struct pclntab *t, uint64_t startpc)
{
	struct func f;
	size_t index;
	uint32_t at;

	if (!find_index(t, startpc, &index) || !read_func(t, index, &f))
		return startpc;
	at = funcdata_off(t, &f, FUNCDATA_WRAP_INFO);
	if (at == NO_FUNCDATA || !inside(&t->funcdata, at, 4))
		return startpc;
	return t->text + u32_at(&t->funcdata, at);
}
