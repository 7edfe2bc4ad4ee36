/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "user/export/dump_internal.h"

/* What is known by name; others are called "G?". */
#define MOST_IDS (1U << 22)
#define MOST_STRINGS (1U << 16)
#define MOST_TEXT 256U

static void learn(struct dump *d, char what, uint32_t tgid, uint64_t addr, int64_t id)
{
	struct dump_key key = {.addr = addr, .tgid = tgid, .what = (uint32_t)what};
	struct dump_id *n;

	HASH_FIND(hh, d->names, &key, sizeof(key), n);
	if (!n && HASH_COUNT(d->names) >= MOST_IDS)
		return;
	if (!n) {
		n = calloc(1, sizeof(*n));
		if (!n)
			return;
		n->key = key;
		HASH_ADD(hh, d->names, key, sizeof(n->key), n);
	}
	n->id = id;
}

static void learn_string(struct dump *d, const struct ev_string *ev)
{
	struct dump_string_key key = {.tgid = ev->tgid, .kind = ev->kind, .number = ev->number};
	size_t room = ev->h.size - sizeof(*ev);
	size_t len = strnlen(ev->text, room < MOST_TEXT ? room : MOST_TEXT);
	struct dump_string *s;

	HASH_FIND(hh, d->strings, &key, sizeof(key), s);
	if (s || HASH_COUNT(d->strings) >= MOST_STRINGS)
		return;
	s = calloc(1, sizeof(*s) + len + 1);
	if (!s)
		return;
	s->key = key;
	memcpy(s->text, ev->text, len);
	HASH_ADD(hh, d->strings, key, sizeof(s->key), s);
}

void names_learn(struct dump *d, const struct event_head *ev)
{
	const struct ev_goroutine *seen = (const void *)ev;
	const struct ev_snap_g *sg = (const void *)ev;
	const struct ev_snap_p *sp = (const void *)ev;
	const struct ev_go *go = (const void *)ev;

	switch (ev->type) {
	case EV_SNAP_G:
		learn(d, 'G', sg->tgid, sg->gp, (int64_t)sg->goid);
		break;
	case EV_GOROUTINE:
		learn(d, 'G', seen->tgid, seen->gp, (int64_t)seen->goid);
		break;
	case EV_SNAP_P:
		learn(d, 'P', sp->tgid, sp->p, sp->id);
		break;
	case EV_GO:
	case EV_GO_CREATE:
		if (go->goid)
			learn(d, 'G', go->tgid, go->gp, (int64_t)go->goid);
		break;
	case EV_STRING:
		learn_string(d, (const void *)ev);
		break;
	default:
		break;
	}
}

void names_print(struct dump *d, char what, uint32_t tgid, uint64_t addr)
{
	struct dump_key key = {.addr = addr, .tgid = tgid, .what = (uint32_t)what};
	struct dump_id *n;

	if (!addr)
		return;
	HASH_FIND(hh, d->names, &key, sizeof(key), n);
	if (n)
		fprintf(d->out, " %c%" PRId64, what, n->id);
	else
		fprintf(d->out, " %c?", what);
	if (d->options.verbose)
		fprintf(d->out, "@0x%" PRIx64, addr);
}

const char *names_string(const struct dump *d, uint32_t tgid, enum string_kind kind,
			 unsigned int number)
{
	struct dump_string_key key = {.tgid = tgid, .kind = kind, .number = (uint16_t)number};
	struct dump_string *s;

	HASH_FIND(hh, d->strings, &key, sizeof(key), s);
	return s ? s->text : NULL;
}

void names_free(struct dump *d)
{
	struct dump_id *n, *next_n;
	struct dump_string *s, *next_s;

	HASH_ITER(hh, d->names, n, next_n) {
		HASH_DEL(d->names, n);
		free(n);
	}
	HASH_ITER(hh, d->strings, s, next_s) {
		HASH_DEL(d->strings, s);
		free(s);
	}
}
