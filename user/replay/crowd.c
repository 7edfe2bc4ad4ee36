// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/replay/crowd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/replay/model.h"

/* Ids from here on are made up where one is missing: user/export/gotrace_objects.c */
#define MAX_ID (1ULL << 48)

#define PIECE 16384 /* members that are allocated together, and never moved */
#define FREE 0 /* in an index; others are the member's number + 1 */

/* What many have in common. */
struct kind {
	struct kind_key {
		uint64_t start_pc, go_pc, stack;
		const char *reason;
		uint64_t system;
	} key;
	UT_hash_handle hh;
};

struct member {
	uint64_t addr; /* 0: it was taken */
	uint64_t id, parent_id;
	const struct kind *kind;
};

/* Open addressing; what is taken stays in it, and is passed over. */
struct index {
	uint32_t *slots;
	size_t mask;
};

struct crowd {
	struct member **pieces;
	size_t n, npieces; /* members ever, pieces */
	size_t taken;
	struct index by_addr, by_id;
	struct kind *kinds;
	uint64_t serial; /* of member 0 */
};

static struct member *member(const struct crowd *c, size_t i)
{
	return &c->pieces[i / PIECE][i % PIECE];
}

static uint64_t key_of(const struct crowd *c, const struct index *x, const struct member *m)
{
	return x == &c->by_addr ? m->addr : m->id;
}

static void index_put(struct index *x, uint64_t key, size_t number)
{
	size_t at = hash_of(&key, sizeof(key)) & x->mask;

	while (x->slots[at] != FREE)
		at = (at + 1) & x->mask;
	x->slots[at] = (uint32_t)number + 1;
}

static struct member *index_find(const struct crowd *c, const struct index *x, uint64_t key,
				 size_t *number)
{
	for (size_t at = hash_of(&key, sizeof(key)) & x->mask; x->slots[at] != FREE;
	     at = (at + 1) & x->mask) {
		struct member *m = member(c, x->slots[at] - 1);

		*number = x->slots[at] - 1;
		if (m->addr && key_of(c, x, m) == key)
			return m;
	}
	return NULL;
}

/* Room for one more; two thirds of an index are used at most. */
static int index_grow(const struct crowd *c, struct index *x)
{
	size_t room = x->slots ? x->mask + 1 : 0;
	struct index bigger;

	if (3 * (c->n + 1) <= 2 * room)
		return 0;
	room = room ? 2 * room : 1024;
	bigger = (struct index){calloc(room, sizeof(*bigger.slots)), room - 1};
	if (!bigger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < c->n; i++)
		if (member(c, i)->addr)
			index_put(&bigger, key_of(c, x, member(c, i)), i);
	free(x->slots);
	*x = bigger;
	return 0;
}

static int grow(struct crowd *c)
{
	struct member **pieces;

	if (c->n >= UINT32_MAX - 1 || index_grow(c, &c->by_addr) || index_grow(c, &c->by_id))
		return -ENOMEM;
	if (c->n < c->npieces * PIECE)
		return 0;
	pieces = realloc(c->pieces, (c->npieces + 1) * sizeof(*pieces));
	if (!pieces)
		return -ENOMEM;
	c->pieces = pieces;
	pieces[c->npieces] = malloc(PIECE * sizeof(**pieces));
	if (!pieces[c->npieces])
		return -ENOMEM;
	c->npieces++;
	return 0;
}

static const struct kind *kind_of(struct crowd *c, const struct goroutine *g)
{
	const struct kind_key key = {g->start_pc, g->go_pc, g->stack, g->reason, g->system};
	struct kind *k;

	HASH_FIND(hh, c->kinds, &key, sizeof(key), k);
	if (k)
		return k;
	k = calloc(1, sizeof(*k));
	if (!k)
		return NULL;
	k->key = key;
	HASH_ADD(hh, c->kinds, key, sizeof(k->key), k);
	return k;
}

int crowd_add(struct crowd **crowd, const struct goroutine *g)
{
	struct crowd *c = *crowd;
	const struct kind *kind;

	if (!g->addr || !g->id || g->id >= MAX_ID || crowd_has_id(c, g->id))
		return -EEXIST;
	if (!c)
		c = *crowd = calloc(1, sizeof(*c));
	if (!c || grow(c))
		return -ENOMEM;
	kind = kind_of(c, g);
	if (!kind)
		return -ENOMEM;
	*member(c, c->n) = (struct member){g->addr, g->id, g->parent_id, kind};
	index_put(&c->by_addr, g->addr, c->n);
	index_put(&c->by_id, g->id, c->n);
	c->n++;
	return 0;
}

static void fill(const struct crowd *c, size_t number, struct goroutine *out)
{
	const struct member *m = member(c, number);
	const struct kind_key *k = &m->kind->key;

	*out = (struct goroutine){
		.addr = m->addr,
		.id = m->id,
		.serial = c->serial + number,
		.state = G_WAITING,
		.start_pc = k->start_pc,
		.go_pc = k->go_pc,
		.parent_id = m->parent_id,
		.system = k->system,
		.reason = k->reason,
		.stack = k->stack,
	};
}

bool crowd_take(struct crowd *c, uint64_t addr, struct goroutine *out)
{
	struct member *m;
	size_t number;

	m = c && c->n && addr ? index_find(c, &c->by_addr, addr, &number) : NULL;
	if (!m)
		return false;
	fill(c, number, out);
	m->addr = 0;
	c->taken++;
	return true;
}

bool crowd_has_id(const struct crowd *c, uint64_t id)
{
	size_t number;

	return c && c->n && index_find(c, &c->by_id, id, &number);
}

size_t crowd_count(const struct crowd *c)
{
	return c ? c->n - c->taken : 0;
}

size_t crowd_number(struct crowd *c, uint64_t first)
{
	if (!c)
		return 0;
	c->serial = first;
	return c->n;
}

bool crowd_next(const struct crowd *c, size_t *at, struct goroutine *out)
{
	for (; c && *at < c->n; ++*at) {
		if (!member(c, *at)->addr)
			continue;
		fill(c, (*at)++, out);
		return true;
	}
	return false;
}

void crowd_free(struct crowd *c)
{
	struct kind *k, *tmp;

	if (!c)
		return;
	HASH_ITER(hh, c->kinds, k, tmp) {
		HASH_DELETE(hh, c->kinds, k);
		free(k);
	}
	for (size_t i = 0; i < c->npieces; i++)
		free(c->pieces[i]);
	free(c->pieces);
	free(c->by_addr.slots);
	free(c->by_id.slots);
	free(c);
}
