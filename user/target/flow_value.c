// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/target/flow_value.h"

#include <stdlib.h>
#include <string.h>

#define MAX_VALUES (1U << 15)
#define BUCKETS (2 * MAX_VALUES)

#define MAX_FRAME (1 << 28)

static size_t hash_value(enum flow_kind kind, flow_id of, int64_t v)
{
	uint64_t h = ((uint64_t)kind << 32 | of) * 0x9e3779b97f4a7c15ULL ^ (uint64_t)v;

	h *= 0xff51afd7ed558ccdULL;
	return (h ^ h >> 32) & (BUCKETS - 1);
}

static bool make_room(struct flow *fl)
{
	uint32_t room = fl->values_room ? 2 * fl->values_room : 512;
	struct flow_value *v;

	if (!fl->buckets)
		fl->buckets = calloc(BUCKETS, sizeof(*fl->buckets));
	if (!fl->buckets || fl->nvalues + 1 >= MAX_VALUES)
		return false;
	if (fl->nvalues + 1 < fl->values_room)
		return true;
	v = realloc(fl->values, room * sizeof(*v));
	if (!v)
		return false;
	v[0] = (struct flow_value){.kind = FLOW_UNKNOWN};
	fl->values = v;
	fl->values_room = room;
	return true;
}

flow_id flow_intern(struct flow *fl, enum flow_kind kind, flow_id of, int64_t v)
{
	size_t b;

	if (!make_room(fl)) {
		fl->failed = true;
		return 0;
	}
	for (b = hash_value(kind, of, v); fl->buckets[b]; b = (b + 1) & (BUCKETS - 1)) {
		const struct flow_value *have = &fl->values[fl->buckets[b]];

		if (have->kind == kind && have->of == of && have->v == v)
			return fl->buckets[b];
	}
	fl->buckets[b] = ++fl->nvalues;
	fl->values[fl->nvalues] = (struct flow_value){kind, of, v};
	return fl->nvalues;
}

void flow_forget(struct flow *fl)
{
	if (fl->buckets)
		memset(fl->buckets, 0, BUCKETS * sizeof(*fl->buckets));
	fl->nvalues = 0;
	fl->failed = false;
}

struct flow_value flow_value(const struct flow *fl, flow_id id)
{
	return id && id <= fl->nvalues ? fl->values[id] : (struct flow_value){FLOW_UNKNOWN, 0, 0};
}

flow_id flow_sum(struct flow *fl, flow_id a, int64_t v)
{
	struct flow_value x = flow_value(fl, a);

	/* as the processor adds: numbers from outside may wrap around */
	v = (int64_t)((uint64_t)v + (uint64_t)x.v);
	switch (x.kind) {
	case FLOW_UNKNOWN:
		return 0;
	case FLOW_STACK:
		/* far from any stack frame it is no address that is followed */
		return v > -MAX_FRAME && v < MAX_FRAME ? flow_intern(fl, FLOW_STACK, 0, v) : 0;
	case FLOW_CONST:
	case FLOW_GLOBAL:
		return flow_intern(fl, x.kind, 0, v);
	case FLOW_SUM:
		return v ? flow_intern(fl, FLOW_SUM, x.of, v) : x.of;
	default:
		v = (int64_t)((uint64_t)v - (uint64_t)x.v);
		return v ? flow_intern(fl, FLOW_SUM, a, v) : a;
	}
}

/* --- stack slots -------------------------------------------------------------------------- */

static const struct flow_slot *find_slot(const struct flow_state *st, int64_t off,
					 unsigned int size, bool *overlaps)
{
	*overlaps = false;
	for (uint32_t i = 0; i < st->nslots; i++) {
		const struct flow_slot *s = &st->slot[i];

		if (off == s->off && size <= s->size)
			return s;
		if (off < (int64_t)s->off + s->size && s->off < off + (int64_t)size)
			*overlaps = true;
	}
	return NULL;
}

flow_id flow_slot_read(struct flow *fl, const struct flow_state *st, int64_t off, unsigned int size)
{
	bool overlaps;
	const struct flow_slot *s = find_slot(st, off, size, &overlaps);

	if (s)
		return s->value;
	return overlaps || st->full || off < 0 ? 0 : flow_intern(fl, FLOW_CALLER, 0, off);
}

void flow_slot_write(struct flow_state *st, int64_t off, unsigned int size, flow_id value)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < st->nslots; i++) {
		struct flow_slot s = st->slot[i];

		if (off >= (int64_t)s.off + s.size || s.off >= off + (int64_t)size)
			st->slot[n++] = s;
	}
	st->nslots = n;
	if (n == FLOW_SLOTS || off != (int32_t)off) {
		st->full = true;
		return;
	}
	st->slot[st->nslots++] = (struct flow_slot){(int32_t)off, size, value};
}

/* --- merging ------------------------------------------------------------------------------ */

/* Where values are kept, numbered: registers, halves of XMM registers, and the stack. */
#define KEPT_IN_XMM FLOW_REGS
#define KEPT_ON_STACK (3 * FLOW_REGS)

static bool merge_value(struct flow *fl, flow_id *to, flow_id from, uint32_t at, int64_t kept)
{
	flow_id merged;

	if (*to == from)
		return false;
	merged = flow_intern(fl, FLOW_MERGED, at, kept);
	if (*to == merged)
		return false;
	*to = merged;
	return true;
}

static int64_t slot_number(const struct flow_slot *s)
{
	return KEPT_ON_STACK + ((int64_t)s->off * 256 | (s->size & 0xff));
}

/* A slot that the other path has not: what is there may have been written before, or not at all. */
static bool add_unknown(struct flow *fl, struct flow_state *to, const struct flow_slot *s,
			uint32_t at)
{
	if (to->nslots < FLOW_SLOTS) {
		to->slot[to->nslots++] = (struct flow_slot){
			s->off, s->size, flow_intern(fl, FLOW_MERGED, at, slot_number(s))};
		return true;
	}
	if (to->full)
		return false;
	to->full = true;
	return true;
}

/*
 * A value becomes a merged one at most once, and slots only ever become more: merging comes to an
 * end.
 */
bool flow_merge(struct flow *fl, struct flow_state *to, const struct flow_state *from, uint32_t at)
{
	bool changed = false, overlaps;

	if (!to->seen) {
		*to = *from;
		to->seen = true;
		return true;
	}
	for (int i = 0; i < FLOW_REGS; i++) {
		changed |= merge_value(fl, &to->reg[i], from->reg[i], at, i);
		for (int k = 0; k < 2; k++)
			changed |= merge_value(fl, &to->xmm[i][k], from->xmm[i][k], at,
					       KEPT_IN_XMM + 2 * i + k);
	}
	for (uint32_t i = 0; i < to->nslots; i++) {
		struct flow_slot *s = &to->slot[i];
		const struct flow_slot *other = find_slot(from, s->off, s->size, &overlaps);

		changed |= merge_value(fl, &s->value, other ? other->value : 0, at, slot_number(s));
	}
	for (uint32_t i = 0; i < from->nslots; i++) {
		const struct flow_slot *s = &from->slot[i];

		if (!find_slot(to, s->off, s->size, &overlaps) && !overlaps)
			changed |= add_unknown(fl, to, s, at);
	}
	if (from->full && !to->full)
		to->full = changed = true;
	return changed;
}

/* --- questions ---------------------------------------------------------------------------- */

bool flow_is_entry(const struct flow *fl, flow_id id, enum flow_reg reg)
{
	struct flow_value x = flow_value(fl, id);

	return x.kind == FLOW_ENTRY && x.v == (int64_t)reg;
}

bool flow_is_const(const struct flow *fl, flow_id id, int64_t v)
{
	struct flow_value x = flow_value(fl, id);

	return x.kind == FLOW_CONST && x.v == v;
}

bool flow_is_load(const struct flow *fl, flow_id id, flow_id *of, int64_t *off)
{
	struct flow_value x = flow_value(fl, id);

	if (x.kind != FLOW_LOAD)
		return false;
	*of = x.of;
	*off = x.v;
	return true;
}

bool flow_is_global_load(const struct flow *fl, flow_id id, uint64_t *vaddr)
{
	struct flow_value x = flow_value(fl, id);
	struct flow_value of = flow_value(fl, x.of);

	if (x.kind != FLOW_LOAD || of.kind != FLOW_GLOBAL)
		return false;
	*vaddr = (uint64_t)of.v;
	return true;
}

bool flow_is_result(const struct flow *fl, flow_id id, const char *callee, enum flow_reg reg)
{
	struct flow_value x = flow_value(fl, id);
	struct pcln_func func;

	return x.kind == FLOW_RESULT && (x.v & 0x1f) == (int64_t)reg &&
	       pclntab_func(fl->pcln, (uint64_t)flow_value(fl, x.of).v + fl->bias, &func) &&
	       !strcmp(func.name, callee);
}
