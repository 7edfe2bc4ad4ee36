// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/inline/border.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/base/clock.h"

/* As in drain.c: stores on their way, and clocks of two CPUs, are off by less. */
#define SLACK_NS 100000

/*
 * What a time may be off before it is no time of a stub's: more than any error of the clock, of which
 * tsc.h tells, and less than anybody could confuse the order of others with.
 */
#define TOLERANCE_NS 10000000

/* No stub takes less, not even one that finds its ring full: a fifth of what is measured. */
#define LEAST_NS 10

/* Records that may come before the CPU clock shows what they took. */
#define AHEAD_RECORDS 10000

/*
 * For so long a record that is under way is waited for, while all others, also those of other targets,
 * wait with it: a thread may stand still in the middle of a stub, because there is no CPU for it, or
 * because its process was stopped. Each time that was in vain it is half as long the next time.
 */
#define HOLD_NS 1000000000
#define HOLD_PRESSED_NS 250000000
#define OVERTAKEN_MANY 4

#define UNFINISHED_MANY 64 /* threads that end in the middle of a stub */

static const struct inline_record *copied(const struct border *b)
{
	return (const void *)b->record;
}

static uint64_t higher(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* --- what there can be ------------------------------------------------------------------------ */

static bool read_clock(const struct border *b, uint64_t *ns)
{
	struct timespec ts;

	if (b->cpu_clock == -1 || clock_gettime(b->cpu_clock, &ts))
		return false;
	*ns = (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
	return true;
}

uint64_t border_cpu_ns(struct border *b)
{
	uint64_t ns, now = now_ns();

	if (read_clock(b, &ns)) {
		b->cpu_ns = higher(b->cpu_ns, ns);
		b->cpu_seen_ns = now;
		return b->cpu_ns - b->cpu_begin;
	}
	return b->cpu_ns - b->cpu_begin + (now - b->cpu_seen_ns) * b->cpus;
}

/* So many of `n` more records may have been written, by the time the process had. */
static uint64_t possible(struct border *b, uint64_t n)
{
	uint64_t known = b->taken + b->lost, left;

	if (b->most < known || b->most - known < n)
		b->most = border_cpu_ns(b) / LEAST_NS + AHEAD_RECORDS;
	left = b->most > known ? b->most - known : 0;
	return n < left ? n : left;
}

static void note(struct border *b, uint32_t kind)
{
	b->damage.kinds |= kind;
	b->damage.found++;
}

/* At least one. */
static void lose(struct border *b, uint64_t n)
{
	n = possible(b, n);
	b->lost += n ? n : 1;
}

/* So many records at most are in that many bytes. */
static uint64_t records_in(uint32_t ring, uint64_t bytes)
{
	const uint64_t least = ring ? offsetof(struct inline_record, pc) : INLINE_SLOT;

	return (bytes + least - 1) / least;
}

/* --- positions -------------------------------------------------------------------------------- */

static void skip_rest(struct border *b, uint32_t i)
{
	struct border_ring *r = &b->ring[i];

	lose(b, records_in(i, r->head - r->tail));
	r->tail = r->head;
}

uint64_t border_look(struct border *b, uint32_t i)
{
	const uint64_t unit = i ? 8 : INLINE_SLOT;
	struct border_ring *r = &b->ring[i];
	struct inline_ring *shared = r->shared;
	uint64_t ahead;

	/* in this order: one that is not busy here has published what came before */
	r->busy = i && __atomic_load_n(&shared->busy, __ATOMIC_ACQUIRE);
	r->head = __atomic_load_n(&shared->head, __ATOMIC_ACQUIRE);
	r->now_ns = now_ns();
	ahead = r->head - r->tail;
	if (ahead > b->g.room || r->head % unit) {
		note(b, DAMAGE_POSITION);
		/* a stub never gets further than that, whatever it is told of the tail */
		lose(b, records_in(i, ahead < b->g.room ? ahead : b->g.room));
		r->tail = r->head = r->head - r->head % unit;
		r->marked = false;
	}
	if (!r->marked) {
		r->mark = r->head;
		r->mark_ns = b->begin_ns - SLACK_NS;
		r->mark_busy = r->busy;
		r->marked = true;
	}
	return r->head - r->tail;
}

/* --- records ---------------------------------------------------------------------------------- */

static bool convert_time(struct border *b, uint32_t i, uint64_t *ns)
{
	const int64_t most = 1LL << 60; /* what can be told in nanoseconds */
	struct border_ring *r = &b->ring[i];
	int64_t ticks = (int64_t)(copied(b)->tsc - b->clock.to.tsc);
	uint64_t t;

	if (ticks > most || ticks < -most)
		return false;
	t = tsc_ns(&b->clock, copied(b)->tsc);
	if ((int64_t)t < 0 || t > r->now_ns + TOLERANCE_NS)
		return false;
	if (t + TOLERANCE_NS < r->floor_ns && !r->catches_up)
		return false;
	t = t < r->now_ns ? t : r->now_ns;
	*ns = higher(t, r->floor_ns);
	if (i)
		r->floor_ns = *ns; /* they are in order */
	return true;
}

/* Whether the copy, whose size is good, is one of a stub's. */
static bool is_record(struct border *b, uint32_t i, uint64_t *ns)
{
	const struct inline_record *rec = copied(b);
	uint32_t kind = 0;

	if (rec->site >= b->nsites || !b->sites[rec->site])
		kind = DAMAGE_RECORD;
	else if (!convert_time(b, i, ns))
		kind = DAMAGE_TIME;
	if (!kind)
		return true;
	note(b, kind);
	lose(b, 1);
	return false;
}

static bool has_size(const struct border *b, uint64_t left)
{
	uint32_t size = copied(b)->size;

	return size >= offsetof(struct inline_record, pc) && size <= INLINE_RECORD_MAX &&
	       size % 8 == 0 && size <= left;
}

static const uint8_t *at(const struct border *b, const struct border_ring *r)
{
	return r->shared->data + (r->tail & (b->g.room - 1));
}

/* Nothing changes a copy: of what is in the ring each look may show something else. */
static bool copy_owned(struct border *b, uint32_t i)
{
	const size_t front = offsetof(struct inline_record, pc);
	struct border_ring *r = &b->ring[i];
	const uint8_t *from = at(b, r);

	memcpy(b->record, from, front);
	if (!has_size(b, r->head - r->tail)) {
		note(b, DAMAGE_RECORD);
		skip_rest(b, i); /* where the next one begins is not known either */
		return false;
	}
	memcpy((uint8_t *)b->record + front, from + front, copied(b)->size - front);
	r->tail += copied(b)->size;
	return true;
}

/* A slot that is never going to be complete: its writer was killed. */
static void leave_unfinished(struct border *b, struct border_ring *r)
{
	r->tail += INLINE_SLOT;
	if (++b->unfinished <= UNFINISHED_MANY)
		return;
	note(b, DAMAGE_RECORD);
	lose(b, 1);
}

/* False: none that is good; then *more says whether to go on. */
static bool copy_shared(struct border *b, bool *more)
{
	struct border_ring *r = &b->ring[0];
	struct inline_record *rec = (void *)at(b, r);

	*more = true;
	if (!__atomic_load_n(&rec->tsc, __ATOMIC_ACQUIRE)) {
		*more = b->last;
		if (b->last)
			leave_unfinished(b, r);
		return false;
	}
	memcpy(b->record, rec, INLINE_SLOT);
	__atomic_store_n(&rec->tsc, 0, __ATOMIC_RELEASE);
	r->tail += INLINE_SLOT;
	if (has_size(b, INLINE_SLOT))
		return true;
	note(b, DAMAGE_RECORD);
	lose(b, 1);
	return false;
}

/* More than the process had time for: what is left of the ring was not written by stubs. */
static bool is_flood(struct border *b, uint32_t i)
{
	if (b->taken % AHEAD_RECORDS || possible(b, 1))
		return false;
	note(b, DAMAGE_FLOOD);
	skip_rest(b, i);
	return true;
}

const struct inline_record *border_next(struct border *b, uint32_t i, uint64_t *time_ns)
{
	struct border_ring *r = &b->ring[i];
	bool more = true;

	while (more && r->tail != r->head && !is_flood(b, i)) {
		if (!(i ? copy_owned(b, i) : copy_shared(b, &more)))
			continue;
		if (!is_record(b, i, time_ns))
			continue;
		b->taken++;
		return copied(b);
	}
	return NULL;
}

void border_refuse(struct border *b)
{
	b->taken--;
	note(b, DAMAGE_RECORD);
	lose(b, 1);
}

/* --- the end of a pass ------------------------------------------------------------------------ */

static void raise_floor(struct border_ring *r, uint64_t ns)
{
	r->floor_ns = higher(r->floor_ns, ns);
}

static void overtake(struct border *b, struct border_ring *r)
{
	uint64_t hold = b->pressed ? HOLD_PRESSED_NS : HOLD_NS;
	unsigned int times = r->overtaken < 20 ? r->overtaken : 20;

	if (!r->held_ns || r->held != r->tail) {
		r->held = r->tail;
		r->held_ns = b->begin_ns;
		return;
	}
	if (!r->catches_up && b->begin_ns - r->held_ns <= hold >> times)
		return;
	if (!r->catches_up && ++r->overtaken >= OVERTAKEN_MANY)
		note(b, DAMAGE_HELD);
	r->catches_up = true;
	raise_floor(r, b->begin_ns - SLACK_NS);
}

void border_done(struct border *b, uint32_t i)
{
	struct border_ring *r = &b->ring[i];
	bool empty = r->tail == r->head;
	int64_t beyond = (int64_t)(r->tail - r->mark);

	__atomic_store_n(&r->shared->tail, r->tail, __ATOMIC_RELEASE);
	if (i && r->marked && (beyond > 0 || (!beyond && !r->mark_busy))) {
		raise_floor(r, r->mark_ns);
		r->marked = false;
	}
	if (empty && !r->busy) {
		raise_floor(r, b->begin_ns - SLACK_NS);
		r->held_ns = 0;
		r->catches_up = r->marked = false;
	} else if (i ? empty : true) {
		overtake(b, r); /* of ring 0 all is taken that is complete */
	}
}

void border_cut(struct border *b)
{
	note(b, DAMAGE_CUT);
	lose(b, 1);
}

/* --- counters --------------------------------------------------------------------------------- */

uint64_t border_lost(struct border *b)
{
	for (uint32_t i = 0; i < b->g.rings; i++) {
		struct border_ring *r = &b->ring[i];
		uint64_t shown = __atomic_load_n(&r->shared->lost, __ATOMIC_RELAXED);
		uint64_t more = shown - r->lost;

		r->lost = shown;
		if (possible(b, more) < more) {
			note(b, DAMAGE_COUNTER);
			more = 1;
		}
		b->lost += more;
	}
	return b->lost;
}

/* A stub waits once for each record, whether that then finds room or not. */
uint64_t border_waits(struct border *b)
{
	const uint64_t under_way = b->g.rings * records_in(1, b->g.room);

	for (uint32_t i = 0; i < b->g.rings; i++) {
		struct border_ring *r = &b->ring[i];
		uint64_t shown = __atomic_load_n(&r->shared->waits, __ATOMIC_RELAXED);
		uint64_t more = shown - r->waits;

		r->waits = shown;
		if (more > b->taken + b->lost + under_way - b->waits) {
			note(b, DAMAGE_COUNTER);
			lose(b, 1);
			more = 0;
		}
		b->waits += more;
	}
	return b->waits;
}

/* --- all of it -------------------------------------------------------------------------------- */

int border_open(struct border *b, const struct border_options *o)
{
	uint8_t *memory = o->memory;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	*b = (struct border){
		.g = o->geometry,
		.sites = o->sites,
		.nsites = o->nsites,
		.cpus = cpus > 0 ? (uint64_t)cpus : 1,
		.cpu_seen_ns = now_ns(),
	};
	if (clock_getcpuclockid(o->pid, &b->cpu_clock))
		b->cpu_clock = -1;
	if (read_clock(b, &b->cpu_begin))
		b->cpu_ns = b->cpu_begin;
	b->ring = calloc(o->geometry.rings, sizeof(*b->ring));
	if (!b->ring)
		return -ENOMEM;
	for (uint32_t i = 0; i < o->geometry.rings; i++) {
		b->ring[i].shared = (void *)(memory + inline_ring_offset(&o->geometry, i));
		b->ring[i].floor_ns = o->since_ns;
	}
	tsc_begin(&b->clock);
	return 0;
}

void border_close(struct border *b)
{
	free(b->ring);
	b->ring = NULL;
}

void border_begin(struct border *b, bool last, bool pressed)
{
	tsc_sample(&b->clock);
	b->begin_ns = now_ns();
	b->last = last;
	b->pressed = pressed;
}
