// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/target/flow_value.h"

#include <stdlib.h>
#include <string.h>

#define MAX_VALUES (1U << 15)
#define BUCKETS (2 * MAX_VALUES)

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

static bool merge_value(flow_id *to, flow_id from)
{
	if (!*to || *to == from)
		return false;
	*to = 0;
	return true;
}

/* Values only ever become unknown, and slots only ever become more: merging comes to an end. */
bool flow_merge(struct flow_state *to, const struct flow_state *from)
{
	bool changed = false;

	if (!to->seen) {
		*to = *from;
		to->seen = true;
		return true;
	}
	for (int i = 0; i < FLOW_REGS; i++) {
		changed |= merge_value(&to->reg[i], from->reg[i]);
		changed |= merge_value(&to->xmm[i][0], from->xmm[i][0]);
		changed |= merge_value(&to->xmm[i][1], from->xmm[i][1]);
	}
	for (uint32_t i = 0; i < to->nslots; i++) {
		struct flow_slot *s = &to->slot[i];
		bool overlaps;
		const struct flow_slot *other = find_slot(from, s->off, s->size, &overlaps);

		changed |= merge_value(&s->value, other ? other->value : 0);
	}
	for (uint32_t i = 0; i < from->nslots; i++) {
		const struct flow_slot *s = &from->slot[i];
		bool overlaps;

		if (find_slot(to, s->off, s->size, &overlaps) || overlaps)
			continue;
		if (to->nslots < FLOW_SLOTS) {
			to->slot[to->nslots++] = (struct flow_slot){s->off, s->size, 0};
			changed = true;
		} else if (!to->full) {
			to->full = changed = true;
		}
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
