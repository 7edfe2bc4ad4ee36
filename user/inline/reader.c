// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/inline/reader.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "user/base/shield.h"
#include "user/capture/attach.h"
#include "user/capture/pcset.h"
#include "user/target/snapshot.h"

/*
 * Bytes of a ring that are taken in a pass, and records of it that may wait for others: what is
 * passed on so soon is still in the CPU's cache, where everything takes half the time.
 */
#define BATCH (128U << 10)
#define AHEAD (BATCH / sizeof(struct inline_record))

/* Bytes of all rings of a target that are taken in a pass: then others have their turn. */
#define PASS_BYTES (4U << 20)

/* Others wait, with so many bytes, for a ring that holds them up. */
#define PRESSED_BYTES (4U << 20)

/* Stacks, and threads, that are remembered; then they are forgotten, and looked at once more. */
#define STACKS_MAX (1U << 20)
#define THREADS_MAX (1U << 16)

struct ring_state {
	uint32_t last_own, last_tid; /* the thread of its last record */
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
	struct border b;
	struct ring_state *rings;
	uint32_t turn; /* the ring with which the next pass begins */
	struct pcset stacks;
	struct tid_map tids;
	struct pcset own; /* threads that are the target's */
	uint64_t *hits; /* by site */
	uint64_t lost; /* as reported */
	unsigned int fill;
	bool took, left; /* by the last pass: records, of which there are more */
	bool over; /* nothing is taken any more */
	/* the stack of a record on its way to the merge */
	uint64_t stack[sizeof(struct ev_stack) / 8 + EVENT_MAX_FRAMES];
};

_Static_assert(sizeof(struct ev_stack) % 8 == 0, "whole words");

/* --- one record ----------------------------------------------------------------------------- */

static void read_tids(struct inline_reader *r)
{
	struct tid_map *m = &r->tids;
	struct error e;

	free(m->v);
	m->v = NULL;
	m->n = 0;
	if (target_process_threads(r->o.t->process, NULL, &m->v, &m->n, &e))
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

/* A thread of another process: what is said of it would be believed of that one. */
static bool is_foreign(uint32_t tid)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%" PRIu32, tid);
	return !access(path, F_OK);
}

/* Whether `tid` is, or was, a thread of the target. */
static int is_own(struct inline_reader *r, uint32_t tid, bool *is)
{
	*is = true;
	if (pcset_find(&r->own, tid))
		return 0;
	if (!tid || syscall(SYS_tgkill, r->o.t->process->pid, tid, 0)) {
		*is = tid && (errno == EPERM || !is_foreign(tid));
		return 0;
	}
	if (r->own.n >= THREADS_MAX)
		pcset_free(&r->own);
	return pcset_add(&r->own, tid, 0);
}

/* The thread as the kernel numbers it; 0: it is not the target's. */
static int tid_of(struct inline_reader *r, struct ring_state *s, uint64_t procid, uint32_t *out)
{
	uint32_t own = (uint32_t)procid, tid = own;
	bool is;
	int err;

	*out = s->last_tid;
	if (own == s->last_own && own == procid)
		return 0;
	if (r->tids.contained) {
		tid = find_tid(&r->tids, own);
		if (!tid && !r->tids.looked) {
			read_tids(r);
			tid = find_tid(&r->tids, own);
		}
		tid = tid ? tid : own; /* it has ended since */
	}
	err = is_own(r, tid, &is);
	if (err)
		return err;
	*out = is && own == procid ? tid : 0;
	if (*out) {
		s->last_own = own;
		s->last_tid = tid;
	}
	return 0;
}

/* The ring from which the oldest record may come that is still to come. */
static uint32_t oldest(const struct inline_reader *r)
{
	uint32_t first = 0;

	for (uint32_t i = 1; i < r->o.geometry.rings; i++)
		if (r->b.ring[i].floor_ns < r->b.ring[first].floor_ns)
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
		.h = {.time_ns = r->b.ring[first].floor_ns,
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
		      uint64_t time_ns, uint32_t tid)
{
	size_t source = r->o.first_source + ring;
	enum site_kind kind = r->o.t->sites.v[rec->site].kind;
	struct ev_go_create ev = {
		.go =
			{
				.h = {.time_ns = time_ns,
				      .tid = tid,
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

/* What border_next() has given. */
static int take(struct inline_reader *r, uint32_t i, const struct inline_record *rec,
		uint64_t time_ns)
{
	uint32_t tid;
	int err = tid_of(r, &r->rings[i], rec->procid, &tid);

	if (err)
		return err;
	if (tid)
		return add_record(r, i, rec, time_ns, tid);
	border_refuse(&r->b);
	return 0;
}

/* Records of a ring that already wait for those of others; there is still room for more. */
static bool is_ahead(const struct inline_reader *r, uint32_t i, unsigned int fill)
{
	size_t source = r->o.first_source + i;

	return fill < 25 && merge_waiting(r->o.m, source) > AHEAD &&
	       !merge_waits_for(r->o.m, source);
}

/* A batch; of ring 0, or in the last pass, all. Adds to *bytes what was taken. */
static int empty(struct inline_reader *r, uint32_t i, uint64_t *bytes)
{
	const struct border_ring *ring = &r->b.ring[i];
	uint64_t waiting = border_look(&r->b, i), begin = ring->tail, time_ns;
	unsigned int fill = (unsigned int)(waiting * 100 / r->o.geometry.room);
	const struct inline_record *rec;
	int err = 0;

	if (i)
		r->fill = fill > r->fill ? fill : r->fill;
	if (i && !r->b.last && is_ahead(r, i, fill)) {
		r->left = true;
		return 0;
	}
	while (!err && (!i || r->b.last || ring->tail - begin < BATCH)) {
		rec = border_next(&r->b, i, &time_ns);
		if (!rec)
			break;
		err = take(r, i, rec, time_ns);
	}
	border_done(&r->b, i);
	*bytes += ring->tail - begin;
	if (i) {
		r->took |= ring->tail != begin;
		r->left |= ring->tail != ring->head;
	}
	return err;
}

int reader_new(struct inline_reader **out, const struct reader_options *o)
{
	struct border_options bo = {
		.memory = o->memory,
		.geometry = o->geometry,
		.sites = o->has_stub,
		.nsites = o->t->sites.n,
		.pid = o->t->process->pid,
		.since_ns = o->since_ns,
	};
	struct inline_reader *r = calloc(1, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	r->o = *o;
	err = border_open(&r->b, &bo);
	r->rings = calloc(o->geometry.rings, sizeof(*r->rings));
	r->hits = calloc(o->t->sites.n + 1, sizeof(*r->hits));
	if (err || !r->rings || !r->hits) {
		reader_free(r);
		return -ENOMEM;
	}
	read_tids(r);
	*out = r;
	return 0;
}

void reader_free(struct inline_reader *r)
{
	if (!r)
		return;
	border_close(&r->b);
	pcset_free(&r->stacks);
	pcset_free(&r->own);
	free(r->tids.v);
	free(r->rings);
	free(r->hits);
	free(r);
}

/* No more comes: nothing that the target still writes is looked at. */
static void end(struct inline_reader *r)
{
	r->over = true;
	r->fill = 0;
	r->took = r->left = false;
	for (uint32_t i = 0; i < r->o.geometry.rings; i++)
		merge_promise(r->o.m, r->o.first_source + i, UINT64_MAX);
}

static int pass(struct inline_reader *r)
{
	const uint32_t n = r->o.geometry.rings;
	size_t mine = merge_bytes_of(r->o.m, r->o.first_source, n);
	bool full = !r->b.last && mine > inline_size(&r->o.geometry);
	uint64_t bytes = 0;
	int err = 0;

	for (uint32_t k = 0; k < n && !err; k++) {
		uint32_t i = (r->turn + k) % n;
		size_t source = r->o.first_source + i;

		/* what the merge cannot take stays in the rings, which are bounded: as in drain.c */
		if (full && !merge_waits_for(r->o.m, source))
			continue;
		if (!r->b.last && bytes > PASS_BYTES) {
			r->turn = i;
			r->left = true;
			break;
		}
		err = empty(r, i, &bytes);
		merge_promise(r->o.m, source, r->b.ring[i].floor_ns);
	}
	return err;
}

int reader_pass(struct inline_reader *r, bool last)
{
	int err;

	if (r->over)
		return 0;
	r->fill = 0;
	r->took = r->left = false;
	r->tids.looked = false;
	border_begin(&r->b, last, merge_bytes(r->o.m) > PRESSED_BYTES);
	err = pass(r);
	if (shield_is_broken(r->o.memory))
		border_cut(&r->b);
	else if (last)
		border_lost(&r->b); /* for the last time */
	if (last || shield_is_broken(r->o.memory))
		end(r);
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
	uint64_t all = r->over ? r->b.lost : border_lost(&r->b), more = all - r->lost;

	r->lost = all;
	return more;
}

uint64_t reader_waits(struct inline_reader *r)
{
	return r->over ? r->b.waits : border_waits(&r->b);
}

uint64_t reader_hits(const struct inline_reader *r, size_t site)
{
	return r->hits[site];
}

uint64_t reader_cpu_ns(struct inline_reader *r)
{
	return border_cpu_ns(&r->b);
}

struct inline_damage reader_damage(const struct inline_reader *r)
{
	return r->b.damage;
}

uint64_t reader_clock_bound(const struct inline_reader *r)
{
	return tsc_bound_ns(&r->b.clock);
}
