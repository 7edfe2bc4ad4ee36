// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Layout: src/runtime/symtab.go (pcHeader, funcdata, pcvalue), src/internal/abi/symtab.go (func
 * ids, table numbers) and src/runtime/symtabinl.go (inline trees) of Go 1.19 to 1.27; up to 1.20
 * the ids are in runtime/symtab.go, and the inline trees are those of runtime/symtab.go there.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "user/target/buildinfo.h"
#include "user/target/pclntab_internal.h"

#define PCDATA_INL_TREE_INDEX 2
#define FUNCDATA_INL_TREE 3
#define FUNCDATA_WRAP_INFO 7
#define NO_FUNCDATA 0xffffffffU
#define NO_FILE 0xffffffffU

/* The runtime keeps the last 1024 bytes of a name or a path: runtime/traceback.go, trace.go */
#define MAX_STRING 1024

/* What is longer is damage; generics have long names. */
#define MAX_NAME 65535

/* Against tables that point in circles; the compiler nests far less. */
#define MAX_INLINE_DEPTH 200

/* A name as Go prints it, made once. */
struct nice_name {
	const char *raw; /* points into the table: its address is the key */
	UT_hash_handle hh;
	char text[];
};

static bool inside(const struct pcln_bytes *b, size_t at, size_t len)
{
	return at <= b->n && len <= b->n - at;
}

/* The string at `at`: NULL if there is none of a length that makes sense. Both parts end in NUL. */
static const char *string_at(const struct pcln_bytes *b, uint64_t at)
{
	if (at >= b->n || strnlen((const char *)b->p + at, MAX_NAME + 1) > MAX_NAME)
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

bool pcln_read_func(const struct pclntab *t, size_t i, struct pcln_raw_func *f)
{
	const struct pcln_bytes *b = &t->funcs;

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

static bool read_varint(const struct pcln_bytes *b, size_t *at, uint32_t *v)
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
		/* the zero that would let a damaged table go on for ever */
		if (!read_varint(&t->pcs, &at, &delta) || !delta)
			return -1;
		pc += delta; /* times minLC, which is 1 on amd64 */
		if (target < pc)
			return (int32_t)value;
	}
}

static uint32_t pcdata_off(const struct pclntab *t, const struct pcln_raw_func *f,
			   unsigned int table)
{
	return table < f->npcdata ? u32_at(&t->funcs, f->off + t->format->func_size + 4 * table) :
				    0;
}

static uint32_t funcdata_off(const struct pclntab *t, const struct pcln_raw_func *f,
			     unsigned int table)
{
	if (table >= f->nfuncdata)
		return NO_FUNCDATA;
	return u32_at(&t->funcs, f->off + t->format->func_size + 4 * (f->npcdata + table));
}

bool pcln_inline_tree(const struct pclntab *t, const struct pcln_raw_func *f, uint32_t *off)
{
	*off = funcdata_off(t, f, FUNCDATA_INL_TREE);
	return *off != NO_FUNCDATA;
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

static const char *func_name(const struct pclntab *t, uint32_t name_off)
{
	const char *s = string_at(&t->names, name_off);

	return s ? s : "";
}

static const char *file_at(const struct pclntab *t, const struct pcln_raw_func *f, uint64_t off)
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

/*
 * The number of abi.FuncIDWrapper in a release that is not known: that of the wrapper which lets
 * assembly call runtime.newproc, and which has the same name.
 */
static unsigned int guess_wrapper_id(const struct pclntab *t)
{
	for (size_t i = 0; i < t->nfunc; i++) {
		struct pcln_raw_func f;

		if (pcln_read_func(t, i, &f) && f.func_id &&
		    !strcmp(func_name(t, f.name_off), "runtime.newproc"))
			return f.func_id;
	}
	return wrapper_id(GO_MINOR_MAX);
}

int pclntab_open_live(struct pclntab **out, struct elf_file *f, const struct target_process *p,
		      unsigned int go_minor, uint64_t bias, struct error *e)
{
	struct pclntab *t = calloc(1, sizeof(*t));
	int err;

	*out = NULL;
	if (!t)
		return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	t->elf = f;
	t->bias = bias;
	t->elide_types = go_minor >= 21; /* runtime.funcNameForPrint */
	err = pclntab_load(t, f, p, go_minor, e);
	if (err) {
		pclntab_close(t);
		return err;
	}
	t->wrapper_id = go_minor <= GO_MINOR_MAX ? wrapper_id(go_minor) : guess_wrapper_id(t);
	*out = t;
	return 0;
}

int pclntab_open(struct pclntab **out, struct elf_file *f, unsigned int go_minor, uint64_t bias,
		 struct error *e)
{
	return pclntab_open_live(out, f, NULL, go_minor, bias, e);
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
	free(t->funcdata);
	free(t->raw);
	free(t);
}

void pclntab_text(const struct pclntab *t, uint64_t *lo, uint64_t *hi)
{
	*lo = t->text;
	*hi = t->etext;
}

uint64_t pclntab_module(const struct pclntab *t, uint64_t *next)
{
	*next = t->next;
	return t->moduledata;
}

bool pclntab_at(const struct pclntab *t, size_t index, struct pcln_func *out)
{
	struct pcln_raw_func f;

	memset(out, 0, sizeof(*out));
	if (index >= t->nfunc)
		return false;
	out->entry = t->text + entry_off(t, index);
	out->end = t->text + entry_off(t, index + 1);
	out->name = "";
	if (pcln_read_func(t, index, &f)) {
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
		struct pcln_raw_func f;

		if (pcln_read_func(t, i, &f) && f.func_id != t->wrapper_id &&
		    f.name_off < t->names.n && !strcmp((const char *)t->names.p + f.name_off, name))
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

/* Entry number `index` of the tree at `tree`: false if there is none. */
static bool read_call(const struct pclntab *t, uint32_t tree, int32_t index,
		      struct inlined_call *out)
{
	uint8_t call[32];

	if (index < 0 || !pcln_funcdata(t, tree + (uint64_t)t->format->call_size * (uint32_t)index,
					call, t->format->call_size))
		return false;
	out->func_id = call[t->format->call_id];
	memcpy(&out->name_off, call + t->format->call_name, sizeof(out->name_off));
	memcpy(&out->parent_pc, call + t->format->call_parent_pc, sizeof(out->parent_pc));
	return true;
}

/* The innermost inlined call at text + off: false if the code there is the function's own. */
static bool inlined_at(const struct pclntab *t, const struct pcln_raw_func *f, uint64_t off,
		       struct inlined_call *out)
{
	uint32_t table = pcdata_off(t, f, PCDATA_INL_TREE_INDEX), tree;

	return pcln_inline_tree(t, f, &tree) &&
	       read_call(t, tree, pc_value(t, table, f->entry_off, off), out);
}

int pclntab_frames(struct pclntab *t, uint64_t pc, struct pcln_frame *out, size_t max)
{
	struct inlined_call call;
	bool inlined = true, start;
	struct pcln_raw_func f;
	uint64_t off;
	size_t index;
	int n = 0;

	/* a goroutine that has not run yet is at its first instruction: nothing returns there */
	if (!find_index(t, pc, &index) || t->text + entry_off(t, index) != pc)
		pc--;
	if (!find_index(t, pc, &index) || !pcln_read_func(t, index, &f))
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
	struct pcln_raw_func f;
	size_t index;

	if (!find_index(t, pc, &index) || !pcln_read_func(t, index, &f))
		return -1;
	return pc_value(t, f.pcsp, f.entry_off, pc - t->text);
}

size_t pclntab_logical(const struct pclntab *t, uint64_t pc, const char **names, size_t max)
{
	struct inlined_call call;
	struct pcln_raw_func f;
	uint64_t off;
	size_t index, n = 0;

	if (!find_index(t, pc, &index) || !pcln_read_func(t, index, &f))
		return 0;
	off = pc - t->text;
	while (n < max && inlined_at(t, &f, off, &call)) {
		names[n++] = func_name(t, call.name_off);
		off = (uint64_t)f.entry_off + call.parent_pc;
	}
	if (n < max)
		names[n++] = func_name(t, f.name_off);
	return n;
}

bool pclntab_inlined(const struct pclntab *t, uint64_t pc, const char *name)
{
	const char *names[MAX_INLINE_DEPTH];
	size_t n = pclntab_logical(t, pc, names, MAX_INLINE_DEPTH);

	/* the last one is the function itself */
	for (size_t i = 0; i + 1 < n; i++) {
		if (!strcmp(names[i], name))
			return true;
	}
	return false;
}

bool pclntab_inlines(const struct pclntab *t, size_t index, const char *name, uint64_t *budget)
{
	uint32_t tree, value = -1U, delta;
	struct pcln_raw_func f;
	size_t at;

	if (index >= t->nfunc || !pcln_read_func(t, index, &f))
		return false;
	at = pcdata_off(t, &f, PCDATA_INL_TREE_INDEX);
	if (!at || !pcln_inline_tree(t, &f, &tree))
		return false;
	for (bool first = true; *budget; first = false) {
		struct inlined_call call;

		--*budget;
		if (!read_varint(&t->pcs, &at, &delta) || (!delta && !first))
			break;
		value += delta & 1 ? ~(delta >> 1) : delta >> 1;
		if (read_call(t, tree, (int32_t)value, &call) &&
		    !strcmp(func_name(t, call.name_off), name))
			return true;
		if (!read_varint(&t->pcs, &at, &delta))
			break;
	}
	return false;
}

uint64_t pclntab_start_pc(const struct pclntab *t, uint64_t startpc)
{
	struct pcln_raw_func f;
	size_t index;
	uint32_t at, target;

	if (!find_index(t, startpc, &index) || !pcln_read_func(t, index, &f))
		return startpc;
	at = funcdata_off(t, &f, FUNCDATA_WRAP_INFO);
	if (at == NO_FUNCDATA || !pcln_funcdata(t, at, &target, sizeof(target)))
		return startpc;
	return t->text + target;
}
