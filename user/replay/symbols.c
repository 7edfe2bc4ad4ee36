/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "user/replay/symbols.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/event.h"
#include "user/base/hash.h"

/* Stacks and PCs of different processes share the tables. */
struct key {
	uint64_t tgid;
	uint64_t value;
};

struct stack {
	struct key key;
	size_t n;
	bool left_out;
	UT_hash_handle hh;
	uint64_t pc[];
};

struct symbol {
	struct key key;
	size_t n;
	UT_hash_handle hh;
	struct frame frame[];
};

/* Every distinct string once. */
struct text {
	UT_hash_handle hh;
	char s[];
};

struct symbols {
	struct stack *stacks;
	struct symbol *by_pc;
	struct text *texts;
	uint64_t stack_bytes, symbol_bytes; /* that all of them take; texts are of symbols */
	uint64_t most_stacks, most_symbols; /* that they may take */
};

struct symbols *symbols_new(void)
{
	struct symbols *s = calloc(1, sizeof(*s));

	if (s)
		symbols_limit(s, UINT64_MAX, UINT64_MAX);
	return s;
}

void symbols_limit(struct symbols *s, uint64_t stacks, uint64_t symbols)
{
	s->most_stacks = stacks;
	s->most_symbols = symbols;
}

void symbols_free(struct symbols *s)
{
	struct stack *st, *sttmp;
	struct symbol *sy, *sytmp;
	struct text *t, *ttmp;

	if (!s)
		return;
	HASH_ITER(hh, s->stacks, st, sttmp) {
		HASH_DELETE(hh, s->stacks, st);
		free(st);
	}
	HASH_ITER(hh, s->by_pc, sy, sytmp) {
		HASH_DELETE(hh, s->by_pc, sy);
		free(sy);
	}
	HASH_ITER(hh, s->texts, t, ttmp) {
		HASH_DELETE(hh, s->texts, t);
		free(t);
	}
	free(s);
}

static const char *intern(struct symbols *s, const char *p, size_t len)
{
	struct text *t;

	HASH_FIND(hh, s->texts, p, len, t);
	if (t)
		return t->s;
	t = malloc(sizeof(*t) + len + 1);
	if (!t)
		return NULL;
	memcpy(t->s, p, len);
	t->s[len] = 0;
	HASH_ADD_KEYPTR(hh, s->texts, t->s, len, t);
	s->symbol_bytes += sizeof(*t) + len + 1;
	return t->s;
}

static struct stack *stack_find(const struct symbols *s, uint32_t tgid, uint64_t id)
{
	struct key key = {tgid, id};
	struct stack *st;

	HASH_FIND(hh, s->stacks, &key, sizeof(key), st);
	return st;
}

static struct symbol *symbol_find(const struct symbols *s, uint32_t tgid, uint64_t pc)
{
	struct key key = {tgid, pc};
	struct symbol *sy;

	HASH_FIND(hh, s->by_pc, &key, sizeof(key), sy);
	return sy;
}

int symbols_add_stack(struct symbols *s, const struct ev_stack *ev)
{
	struct stack *st;
	size_t size = sizeof(*st) + ev->n * sizeof(st->pc[0]);

	if (stack_find(s, ev->tgid, ev->id))
		return 0;
	if (s->stack_bytes + size > s->most_stacks)
		return -ENOSPC;
	st = malloc(size);
	if (!st)
		return -ENOMEM;
	st->key = (struct key){ev->tgid, ev->id};
	st->n = ev->n;
	st->left_out = ev->flags & STACK_LEFT_OUT;
	memcpy(st->pc, ev->pc, ev->n * sizeof(st->pc[0]));
	HASH_ADD(hh, s->stacks, key, sizeof(st->key), st);
	s->stack_bytes += size;
	return 0;
}

int symbols_add_symbol(struct symbols *s, const struct ev_symbol *ev)
{
	const char *p = (const char *)(ev + 1);
	struct symbol *sy;
	size_t size = sizeof(*sy) + ev->n * sizeof(sy->frame[0]);

	if (symbol_find(s, ev->tgid, ev->pc))
		return 0;
	if (s->symbol_bytes + size > s->most_symbols)
		return -ENOSPC;
	sy = malloc(size);
	if (!sy)
		return -ENOMEM;
	sy->key = (struct key){ev->tgid, ev->pc};
	sy->n = ev->n;
	for (size_t i = 0; i < ev->n; i++) {
		struct frame *f = &sy->frame[i];
		struct ev_frame raw;

		memcpy(&raw, p, sizeof(raw));
		p += sizeof(raw);
		f->pc = raw.pc;
		f->line = raw.line;
		f->func = intern(s, p, raw.func_len);
		f->file = intern(s, p + raw.func_len, raw.file_len);
		p += ((size_t)raw.func_len + raw.file_len + 7) & ~(size_t)7;
		if (!f->func || !f->file) {
			free(sy);
			return -ENOMEM;
		}
	}
	HASH_ADD(hh, s->by_pc, key, sizeof(sy->key), sy);
	s->symbol_bytes += size;
	return 0;
}

size_t symbols_pc(const struct symbols *s, uint32_t tgid, uint64_t pc, const struct frame **out)
{
	const struct symbol *sy = symbol_find(s, tgid, pc);

	*out = sy ? sy->frame : NULL;
	return sy ? sy->n : 0;
}

bool symbols_has_stack(const struct symbols *s, uint32_t tgid, uint64_t id)
{
	return id && stack_find(s, tgid, id);
}

bool symbols_left_out(const struct symbols *s, uint32_t tgid, uint64_t id)
{
	const struct stack *st = stack_find(s, tgid, id);

	return st && st->left_out;
}

size_t symbols_stack(const struct symbols *s, uint32_t tgid, uint64_t id, int skip,
		     struct frame *out, size_t max)
{
	const struct stack *st = id ? stack_find(s, tgid, id) : NULL;
	size_t n = 0;

	for (size_t i = 0; st && i < st->n; i++) {
		struct frame unknown = {.pc = st->pc[i] - 1, .func = "", .file = ""};
		const struct frame *f;
		size_t nf = symbols_pc(s, tgid, st->pc[i], &f);

		if (!nf) {
			f = &unknown;
			nf = 1;
		}
		for (size_t k = 0; k < nf; k++) {
			/* Below it there is nothing: runtime.goexit ends every goroutine's stack. */
			if (!strcmp(f[k].func, "runtime.goexit"))
				return n;
			if (skip-- > 0)
				continue;
			if (n == max)
				return n;
			out[n++] = f[k];
		}
	}
	return n;
}

const char *symbols_func(const struct symbols *s, uint32_t tgid, uint64_t pc)
{
	const struct symbol *sy = symbol_find(s, tgid, pc);

	return sy && sy->n ? sy->frame[sy->n - 1].func : "";
}
