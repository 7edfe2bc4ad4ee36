// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What a PC stands for: the function, and the calls that were inlined there. Inline trees are those
 * of src/runtime/symtabinl.go of Go 1.19 to 1.27, up to 1.20 of runtime/symtab.go.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/hash.h"
#include "user/target/pclntab_internal.h"

#define PCDATA_INL_TREE_INDEX 2
#define FUNCDATA_WRAP_INFO 7
#define NO_FILE 0xffffffffU

/* The runtime keeps the last 1024 bytes of a name or a path: runtime/traceback.go, trace.go */
#define MAX_STRING 1024

/* Against tables that point in circles; the compiler nests far less. */
#define MAX_INLINE_DEPTH 200

/* A name as Go prints it, made once. */
struct nice_name {
	const char *raw; /* points into the table: its address is the key */
	UT_hash_handle hh;
	char text[];
};

static const char *last_bytes(const char *s)
{
	size_t len = strlen(s);

	return len > MAX_STRING ? s + len - MAX_STRING : s;
}

static const char *file_at(const struct pclntab *t, const struct pcln_raw_func *f, uint64_t off)
{
	int32_t index = pcln_value(t, f->pcfile, f->entry_off, off);
	uint64_t at = 4 * ((uint64_t)f->cu_off + (uint32_t)index);
	uint32_t file_off;
	const char *s;

	if (index < 0 || !pcln_inside(&t->cu, at, 4))
		return "?";
	file_off = u32_at(&t->cu, at);
	s = file_off == NO_FILE ? NULL : pcln_string(&t->files, file_off);
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

static const char *nice_name(struct pclntab *t, const char *raw)
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

void pcln_forget_names(struct pclntab *t)
{
	struct nice_name *n, *next;

	HASH_ITER(hh, t->nice, n, next) {
		HASH_DEL(t->nice, n);
		free(n);
	}
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
	uint32_t table = pcln_pcdata(t, f, PCDATA_INL_TREE_INDEX), tree;

	return pcln_inline_tree(t, f, &tree) &&
	       read_call(t, tree, pcln_value(t, table, f->entry_off, off), out);
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
	if (!pcln_find_index(t, pc, &index) || t->text + entry_off(t, index) != pc)
		pc--;
	if (!pcln_find_index(t, pc, &index) || !pcln_read_func(t, index, &f))
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
		line = pcln_value(t, f.pcln, f.entry_off, off);
		out[n++] = (struct pcln_frame){
			.pc = t->text + off,
			.func = nice_name(t, pcln_name(t, name_off)),
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

	if (!pcln_find_index(t, pc, &index) || !pcln_read_func(t, index, &f))
		return -1;
	return pcln_value(t, f.pcsp, f.entry_off, pc - t->text);
}

size_t pclntab_logical(const struct pclntab *t, uint64_t pc, const char **names, size_t max)
{
	struct inlined_call call;
	struct pcln_raw_func f;
	uint64_t off;
	size_t index, n = 0;

	if (!pcln_find_index(t, pc, &index) || !pcln_read_func(t, index, &f))
		return 0;
	off = pc - t->text;
	while (n < max && inlined_at(t, &f, off, &call)) {
		names[n++] = pcln_name(t, call.name_off);
		off = (uint64_t)f.entry_off + call.parent_pc;
	}
	if (n < max)
		names[n++] = pcln_name(t, f.name_off);
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

bool pclntab_inlines_any(const struct pclntab *t, size_t index, pcln_name_test test, void *ctx,
			 uint64_t *budget)
{
	uint32_t tree, value = -1U, delta;
	struct pcln_raw_func f;
	size_t at;

	if (index >= t->nfunc || !pcln_read_func(t, index, &f))
		return false;
	at = pcln_pcdata(t, &f, PCDATA_INL_TREE_INDEX);
	if (!at || !pcln_inline_tree(t, &f, &tree))
		return false;
	for (bool first = true; *budget; first = false) {
		struct inlined_call call;

		--*budget;
		if (!pcln_read_varint(&t->pcs, &at, &delta) || (!delta && !first))
			break;
		value += delta & 1 ? ~(delta >> 1) : delta >> 1;
		if (read_call(t, tree, (int32_t)value, &call) &&
		    test(pcln_name(t, call.name_off), ctx))
			return true;
		if (!pcln_read_varint(&t->pcs, &at, &delta))
			break;
	}
	return false;
}

static bool is_name(const char *name, void *ctx)
{
	return !strcmp(name, ctx);
}

bool pclntab_inlines(const struct pclntab *t, size_t index, const char *name, uint64_t *budget)
{
	return pclntab_inlines_any(t, index, is_name, (void *)name, budget);
}

uint64_t pclntab_start_pc(const struct pclntab *t, uint64_t startpc)
{
	struct pcln_raw_func f;
	size_t index;
	uint32_t at, target;

	if (!pcln_find_index(t, startpc, &index) || !pcln_read_func(t, index, &f))
		return startpc;
	at = pcln_funcdata_at(t, &f, FUNCDATA_WRAP_INFO);
	if (at == PCLN_NO_FUNCDATA || !pcln_funcdata(t, at, &target, sizeof(target)))
		return startpc;
	return t->text + target;
}
