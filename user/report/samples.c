// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/report/samples.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The samples of other stacks count as those of one that is not known. */
#define MOST_SAMPLED_STACKS (1U << 18)

int samples_add(struct samples *s, const struct cpu_sample *c, bool of_goroutine)
{
	struct sampled_stack *st;
	uint64_t id = c->stack;

	s->n++;
	s->in_kernel += c->in_kernel;
	s->of_goroutines += of_goroutine;
	HASH_FIND(hh, s->stacks, &id, sizeof(id), st);
	if (!st && HASH_COUNT(s->stacks) >= MOST_SAMPLED_STACKS) {
		id = 0;
		HASH_FIND(hh, s->stacks, &id, sizeof(id), st);
	}
	if (!st) {
		st = calloc(1, sizeof(*st));
		if (!st)
			return -ENOMEM;
		st->id = id;
		HASH_ADD(hh, s->stacks, id, sizeof(st->id), st);
	}
	st->n++;
	return 0;
}

void samples_free(struct samples *s)
{
	struct sampled_stack *st, *tmp;

	HASH_ITER(hh, s->stacks, st, tmp) {
		HASH_DELETE(hh, s->stacks, st);
		free(st);
	}
}

static int count(struct sampled_func **funcs, const char *name, const struct sampled_stack *st,
		 bool leaf)
{
	struct sampled_func *f;

	HASH_FIND(hh, *funcs, &name, sizeof(name), f);
	if (!f) {
		f = calloc(1, sizeof(*f));
		if (!f)
			return -ENOMEM;
		f->name = name;
		HASH_ADD(hh, *funcs, name, sizeof(f->name), f);
	}
	f->flat += leaf ? st->n : 0;
	f->cumulative += f->last == st ? 0 : st->n;
	f->last = st;
	return 0;
}

static int compare(const struct sampled_func *a, const struct sampled_func *b)
{
	if (a->flat != b->flat)
		return a->flat > b->flat ? -1 : 1;
	if (a->cumulative != b->cumulative)
		return a->cumulative > b->cumulative ? -1 : 1;
	return strcmp(a->name, b->name);
}

int sampled_funcs(struct sampled_func **out, const struct samples *s, const struct symbols *symbols,
		  uint32_t tgid)
{
	static const char unknown[] = "(not known)";
	struct frame frames[EVENT_MAX_FRAMES];
	struct sampled_stack *st, *tmp;
	int err = 0;

	*out = NULL;
	HASH_ITER(hh, s->stacks, st, tmp) {
		size_t n = symbols_stack(symbols, tgid, st->id, 0, frames, EVENT_MAX_FRAMES);

		if (!n && !err)
			err = count(out, unknown, st, true);
		for (size_t i = 0; i < n && !err; i++)
			err = count(out, *frames[i].func ? frames[i].func : unknown, st, !i);
	}
	if (err)
		sampled_funcs_free(out);
	else
		HASH_SORT(*out, compare);
	return err;
}

void sampled_funcs_free(struct sampled_func **funcs)
{
	struct sampled_func *f, *tmp;

	HASH_ITER(hh, *funcs, f, tmp) {
		HASH_DELETE(hh, *funcs, f);
		free(f);
	}
}
