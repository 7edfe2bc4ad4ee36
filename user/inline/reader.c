// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/inline/reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/clock.h"
#include "user/capture/attach.h"
#include "user/capture/pcset.h"
#include "user/inline/tsc.h"
#include "user/target/snapshot.h"

/* As in drain.c: stores on their way, and clocks of two CPUs, are off by less. */
#define SLACK_NS 100000

/*
 * Bytes of a ring that are taken in a pass, and records of it that may wait for others: what is
 * passed on so soon is still in the CPU's cache, where everything takes half the time.
 */
#define BATCH (128U << 10)
#define AHEAD (BATCH / sizeof(struct inline_record))

/* Stacks that are remembered as sent; then they are forgotten, and sent once more. */
#define STACKS_MAX (1U << 20)

struct ring_state {
	struct inline_ring *ring;
	uint64_t lost; /* as reported */
	uint64_t promise; /* as made to the merge */
	uint64_t last_ns; /* of its last record, */
	uint32_t last_own, last_tid; /* and its thread */
};

/* The threads of a target in a container, which take another number for their id. */
struct tid_map {
	bool contained;
	bool looked; /* in this pass */
	struct target_thread *v;
	size_t n;
};

struct inline_reader {
	struct reader_options o;
	struct ring_state *rings;
	struct tsc_clock clock;
	struct pcset stacks;
	struct tid_map tids;
	uint64_t *hits; /* by site */
	unsigned int fill;
	bool took, left; /* by the last pass: records, of which there are more */
	/* a copy of the record at hand, and its stack on its way to the merge */
	uint64_t record[INLINE_RECORD_MAX / 8];
	uint64_t stack[sizeof(struct ev_stack) / 8 + EVENT_MAX_FRAMES];
};

_Static_assert(INLINE_RECORD_MAX % 8 == 0 && sizeof(struct ev_stack) % 8 == 0, "whole words");

static const struct inline_record *copied(const struct inline_reader *r)
{
	return (const void *)r->record;
}

/* --- one record ----------------------------------------------------------------------------- */

static void read_tids(struct inline_reader *r)
{
	struct tid_map *m = &r->tids;
	struct error e;

	free(m->v);
	m->v = NULL;
	m->n = 0;
	if (target_process_threads(r->o.t->process, &m->v, &m->n, &e))
		m->n = 0;
	m->looked = true;
	for (size_t i = 0; i < m->n; i++)
		m->contained |= m->v[i].tid != m->v[i].own_tid;
}

static uint32_t find_tid(const struct tid_map *m, uint32_t own)
{
	for (size_t i = 0; i < m->n; i++)
		if ((uint32_t)m->v[i].own_tid == own)
			return (uint32_t)m->v[i].tid;
	return 0;
}

/* The thread as the kernel numbers it. */
static uint32_t tid_of(struct inline_reader *r, struct ring_state *s, uint32_t own)
{
	uint32_t tid;

	if (!r->tids.contained)
		return own;
	if (own == s->last_own)
		return s->last_tid;
	tid = find_tid(&r->tids, own);
	if (!tid && !r->tids.looked) {
		read_tids(r);
		tid = find_tid(&r->tids, own);
	}
	/* 0: it has ended since */
	s->last_own = own;
	s->last_tid = tid ? tid : own;
	return s->last_tid;
}

/* The ring from which the oldest record may come that is still to come. */
static uint32_t oldest(const struct inline_reader *r)
{
	uint32_t first = 0;

	for (uint32_t i = 1; i < r->o.geometry.rings; i++)
		if (r->rings[i].promise < r->rings[first].promise)
			first = i;
	return first;
}

/*
 * Sent once, and before its first use: another ring, which is read later, may have used it earlier. So it
 * goes before all that can still come.
 */
static int add_stack(struct inline_reader *r, const struct inline_record *rec, uint32_t tid)
{
	uint32_t first;
	size_t n = (rec->size - offsetof(struct inline_record, pc)) / 8;
	struct ev_stack *ev = (void *)r->stack;
	int err;

	if (!n || !rec->stack || pcset_find(&r->stacks, rec->stack))
		return 0;
	if (r->stacks.n >= STACKS_MAX)
		pcset_free(&r->stacks);
	err = pcset_add(&r->stacks, rec->stack, 0);
	if (err)
		return err;
	first = oldest(r);
	*ev = (struct ev_stack){
		.h = {.time_ns = r->rings[first].promise,
		      .tid = tid,
		      .type = EV_STACK,
		      .size = (uint16_t)(sizeof(struct ev_stack) + 8 * n)},
		.id = rec->stack,
		.tgid = (uint32_t)r->o.t->process->pid,
		.n = (uint16_t)n,
		.flags = rec->end ? STACK_TRUNCATED : 0,
	};
	if (rec->flags & INLINE_MAYBE_CALLER && n > 1)
		ev->flags |= STACK_MAYBE_CALLER;
	if (rec->flags & INLINE_LEFT_OUT)
		ev->flags |= STACK_LEFT_OUT;
	memcpy(ev->pc, rec->pc, 8 * n);
	return merge_add(r->o.m, r->o.first_source + first, &ev->h);
}

static void fill_reasons(struct ev_go *ev, const struct inline_record *rec)
{
	ev->skip = rec->arg[0] <= 127 ? (int8_t)rec->arg[0] : -1;
	ev->block_reason = rec->block_reason;
	if (ev->kind == GO_PARK)
		ev->wait_reason = rec->wait_reason;
	else
		ev->other = rec->curg;
}

/* p.status up to Go 1.25: it still belongs to the thread that is in a system call. */
#define P_SYSCALL 2U

static void fill_syscall(struct ev_go *ev, const struct inline_record *rec, bool ends)
{
	ev->old_status = ends ? GO_SYSCALL : GO_RUNNING;
	ev->new_status = ends ? GO_RUNNING : GO_SYSCALL;
	if (ends && !ev->p && rec->arg[1] == P_SYSCALL)
		ev->p = rec->arg[0];
}

static void fill_create(struct ev_go_create *ev, const struct inline_record *rec,
			enum site_kind kind)
{
	if (kind == SITE_CREATE_RUNQPUT) {
		ev->go.old_status = GO_DEAD;
		ev->go.new_status = GO_RUNNABLE;
	}
	ev->go.kind = ev->go.new_status == GO_WAITING ? GO_CREATE_BLOCKED : GO_CREATE;
	ev->go.other = rec->curg;
	ev->start_pc = rec->arg[0];
	ev->go_pc = rec->arg[1];
}

static int add_record(struct inline_reader *r, uint32_t ring, const struct inline_record *rec,
		      uint64_t time_ns)
{
	size_t source = r->o.first_source + ring;
	enum site_kind kind = r->o.t->sites.v[rec->site].kind;
	struct ev_go_create ev = {
		.go =
			{
				.h = {.time_ns = time_ns,
				      .tid = tid_of(r, &r->rings[ring], (uint32_t)rec->procid),
				      .type = EV_GO,
				      .size = sizeof(struct ev_go)},
				.tgid = (uint32_t)r->o.t->process->pid,
				.cpu = EVENT_NO_CPU,
				.gp = rec->gp,
				.goid = rec->goid,
				.p = rec->p,
				.site = (uint16_t)(r->o.first_site + rec->site),
				.kind = site_go_kind(kind),
				.old_status = rec->old_status,
				.new_status = rec->new_status,
				.skip = -1,
			},
	};
	int err;

	switch (kind) {
	case SITE_PARK:
	case SITE_READY:
	case SITE_READY_WORKER:
		fill_reasons(&ev.go, rec);
		break;
	case SITE_CREATE_CAS:
	case SITE_CREATE_RUNQPUT:
		ev.go.h.type = EV_GO_CREATE;
		ev.go.h.size = sizeof(ev);
		fill_create(&ev, rec, kind);
		break;
	case SITE_SYSCALL_ENTER:
	case SITE_SYSCALL_EXIT:
	case SITE_CGO_EXIT:
		fill_syscall(&ev.go, rec, kind != SITE_SYSCALL_ENTER);
		break;
	default:
		break;
	}
	r->hits[rec->site]++;
	ev.go.stack = rec->stack;
	err = add_stack(r, rec, ev.go.h.tid);
	return err ? err : merge_add(r->o.m, source, &ev.go.h);
}

/* --- rings ---------------------------------------------------------------------------------- */

/*
 * Take a copy of a record: whoever writes the shared memory may do so at any time. False: it is
 * none.
 */
static bool copy_record(struct inline_reader *r, const struct inline_record *from, uint64_t left)
{
	const size_t head = offsetof(struct inline_record, pc);
	const struct inline_record *to = copied(r);

	memcpy(r->record, from, head);
	if (to->size < head || to->size > INLINE_RECORD_MAX || to->size % 8 || to->size > left ||
	    to->site >= r->o.t->sites.n)
		return false;
	memcpy((uint8_t *)r->record + head, (const uint8_t *)from + head, to->size - head);
	return true;
}

/* The copied record of ring `i`. */
static int take(struct inline_reader *r, uint32_t i)
{
	const struct inline_record *rec = copied(r);
	struct ring_state *s = &r->rings[i];
	uint64_t ns = tsc_ns(&r->clock, rec->tsc);

	/* two lines of the clock need not meet exactly */
	if (i && ns < s->last_ns)
		ns = s->last_ns;
	s->last_ns = ns;
	return add_record(r, i, rec, ns);
}

/*
 * What stubs have written since, in bytes; more than there is room for has been written by somebody
 * else.
 */
static uint64_t written(const struct inline_reader *r, uint64_t tail, uint64_t head)
{
	return head - tail <= r->o.geometry.room ? head - tail : 0;
}

/* Up to the head as it is now: true if nothing is under way. */
static bool empty_shared(struct inline_reader *r, bool last, int *err)
{
	struct inline_ring *ring = r->rings[0].ring;
	uint64_t tail = ring->tail, head = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
	uint32_t room = r->o.geometry.room;

	if (!written(r, tail, head) || (head - tail) % INLINE_SLOT)
		tail = head;
	for (; tail != head && !*err; tail += INLINE_SLOT) {
		struct inline_record *rec = (void *)(ring->data + (tail & (room - 1)));

		if (!__atomic_load_n(&rec->tsc, __ATOMIC_ACQUIRE)) {
			if (last)
				continue; /* its writer was killed */
			break;
		}
		if (copy_record(r, rec, INLINE_SLOT))
			*err = take(r, 0);
		__atomic_store_n(&rec->tsc, 0, __ATOMIC_RELEASE);
	}
	__atomic_store_n(&ring->tail, tail, __ATOMIC_RELEASE);
	return tail == head;
}

/* Records of a ring that already wait for those of others; there is still room for more. */
static bool is_ahead(const struct inline_reader *r, uint32_t i, unsigned int fill)
{
	size_t source = r->o.first_source + i;

	return fill < 25 && merge_waiting(r->o.m, source) > AHEAD &&
	       !merge_waits_for(r->o.m, source);
}

/* A batch, or all of it if this is the last pass: true if nothing is left or under way. */
static bool empty_owned(struct inline_reader *r, uint32_t i, bool last, int *err)
{
	struct inline_ring *ring = r->rings[i].ring;
	/* in this order: whoever is not busy here has published what came before */
	bool busy = __atomic_load_n(&ring->busy, __ATOMIC_ACQUIRE);
	uint64_t tail = ring->tail, head = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
	uint32_t room = r->o.geometry.room;
	unsigned int fill = (unsigned int)(written(r, tail, head) * 100 / room);
	uint64_t begin = tail;

	r->fill = fill > r->fill ? fill : r->fill;
	if (!written(r, tail, head))
		tail = head;
	if (!last && is_ahead(r, i, fill)) {
		r->left = true;
		return false;
	}
	while (tail != head && (last || tail - begin < BATCH) && !*err) {
		const struct inline_record *rec = (void *)(ring->data + (tail & (room - 1)));

		if (!copy_record(r, rec, head - tail)) {
			tail = head;
			break;
		}
		*err = take(r, i);
		tail += copied(r)->size;
	}
	__atomic_store_n(&ring->tail, tail, __ATOMIC_RELEASE);
	r->took |= tail != begin;
	r->left |= tail != head;
	return tail == head && !busy;
}

int reader_new(struct inline_reader **out, const struct reader_options *o)
{
	struct inline_reader *r = calloc(1, sizeof(*r));
	uint8_t *memory = (uint8_t *)(uintptr_t)o->h;

	if (!r)
		return -ENOMEM;
	r->o = *o;
	r->rings = calloc(o->geometry.rings, sizeof(*r->rings));
	r->hits = calloc(o->t->sites.n + 1, sizeof(*r->hits));
	if (!r->rings || !r->hits) {
		reader_free(r);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < o->geometry.rings; i++) {
		r->rings[i].ring = (void *)(memory + inline_ring_offset(&o->geometry, i));
		r->rings[i].promise = o->since_ns;
	}
	read_tids(r);
	tsc_begin(&r->clock);
	*out = r;
	return 0;
}

void reader_free(struct inline_reader *r)
{
	if (!r)
		return;
	pcset_free(&r->stacks);
	free(r->tids.v);
	free(r->rings);
	free(r->hits);
	free(r);
}

static void promise(struct ring_state *s, uint64_t ns)
{
	if (ns > s->promise)
		s->promise = ns;
}

int reader_pass(struct inline_reader *r, bool last)
{
	bool full = !last && merge_bytes(r->o.m) > inline_size(&r->o.geometry);
	uint64_t begin = now_ns();
	int err = 0;

	tsc_sample(&r->clock);
	r->fill = 0;
	r->took = r->left = false;
	r->tids.looked = false;
	for (uint32_t i = 0; i < r->o.geometry.rings && !err; i++) {
		struct ring_state *s = &r->rings[i];

		/* what the merge cannot take stays in the rings, which are bounded: as in drain.c */
		if (full && !merge_waits_for(r->o.m, r->o.first_source + i))
			continue;
		if (i ? empty_owned(r, i, last, &err) : empty_shared(r, last, &err))
			promise(s, begin - SLACK_NS);
		else if (i)
			promise(s, s->last_ns); /* they are in order */
		merge_promise(r->o.m, r->o.first_source + i, s->promise);
	}
	return err;
}

bool reader_has_more(const struct inline_reader *r)
{
	return r->took && r->left;
}

unsigned int reader_fill(const struct inline_reader *r)
{
	return r->fill;
}

uint64_t reader_lost(struct inline_reader *r)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < r->o.geometry.rings; i++) {
		uint64_t lost = __atomic_load_n(&r->rings[i].ring->lost, __ATOMIC_RELAXED);

		sum += lost - r->rings[i].lost;
		r->rings[i].lost = lost;
	}
	return sum;
}

uint64_t reader_waits(const struct inline_reader *r)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < r->o.geometry.rings; i++)
		sum += __atomic_load_n(&r->rings[i].ring->waits, __ATOMIC_RELAXED);
	return sum;
}

uint64_t reader_hits(const struct inline_reader *r, size_t site)
{
	return r->hits[site];
}

uint64_t reader_clock_bound(const struct inline_reader *r)
{
	return tsc_bound_ns(&r->clock);
}
