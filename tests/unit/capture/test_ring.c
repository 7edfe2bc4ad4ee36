// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Rings whose writer is the test, in memory that lies as that of the programs; and their drain. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/control.h"
#include "gscope.skel.h"
#include "tests/unit/unit.h"
#include "user/base/clock.h"
#include "user/capture/bell.h"
#include "user/capture/drain.h"
#include "user/capture/ring.h"

#define CHUNKS 2U
#define SIZE (CHUNKS * RING_CHUNK)
#define RECORD (sizeof(struct ring_header) + sizeof(struct ev_ready))

struct writer {
	int fd;
	struct ring_chunk *chunks;
	struct ring_taken taken;
	uint64_t begun;
};

static struct writer *writer_new(void)
{
	struct writer *w = calloc(1, sizeof(*w));

	CU_ASSERT_PTR_NOT_NULL_FATAL(w);
	w->fd = memfd_create("ring", MFD_CLOEXEC);
	CU_ASSERT_FATAL(w->fd >= 0 && !ftruncate(w->fd, CHUNKS * sizeof(*w->chunks)));
	w->chunks = mmap(NULL, CHUNKS * sizeof(*w->chunks), PROT_READ | PROT_WRITE, MAP_SHARED,
			 w->fd, 0);
	CU_ASSERT_FATAL(w->chunks != MAP_FAILED);
	return w;
}

static void writer_free(struct writer *w)
{
	munmap(w->chunks, CHUNKS * sizeof(*w->chunks));
	close(w->fd);
	free(w);
}

static struct ring_header *header_at(const struct writer *w, uint64_t at)
{
	return (void *)(w->chunks[at / RING_CHUNK % CHUNKS].bytes + at % RING_CHUNK);
}

static void complete(const struct writer *w, uint64_t at, uint32_t len)
{
	header_at(w, at)->len = len;
}

/* A record's place, with `len` bytes of `data` in it. Returns its position. */
static uint64_t begin(struct writer *w, const void *data, uint32_t len)
{
	uint64_t at = w->begun, mark = ring_mark(at);

	memcpy(header_at(w, at), &mark, sizeof(mark));
	memcpy(header_at(w, at) + 1, data, len);
	w->begun = ring_next(at, len);
	return at;
}

/* The same of one that has the time as number. */
static uint64_t begin_ready(struct writer *w, uint64_t time_ns)
{
	struct ev_ready ev = {.h = {.time_ns = time_ns, .type = EV_READY, .size = sizeof(ev)}};

	return begin(w, &ev, sizeof(ev));
}

static void put(struct writer *w, uint64_t time_ns)
{
	complete(w, begin_ready(w, time_ns), sizeof(struct ev_ready));
}

struct seen {
	uint64_t n, next;
	bool wrong;
	uint64_t stop_at; /* 0: never */
};

static int collect(void *ctx, const void *data, size_t size)
{
	const struct event_head *ev = data;
	struct seen *s = ctx;

	s->wrong |= size != sizeof(struct ev_ready) || ev->time_ns != s->next;
	s->next = ev->time_ns + 1;
	s->n++;
	return s->n == s->stop_at ? -ENOMEM : 0;
}

static void takes_records_around_the_end(void)
{
	struct writer *w = writer_new();
	struct seen s = {0};
	struct ring r;
	uint64_t n = 0;
	bool empty;

	CU_ASSERT_EQUAL_FATAL(ring_map(&r, w->fd, CHUNKS, &w->taken), 0);
	/* in steps that do not divide the size */
	for (int pass = 0; pass < 50; pass++) {
		for (int i = 0; i < 999; i++)
			put(w, n++);
		CU_ASSERT_EQUAL(ring_take(&r, w->begun, collect, &s, &empty), 0);
		CU_ASSERT_TRUE(empty);
		CU_ASSERT_EQUAL(s.n, n);
		CU_ASSERT_EQUAL(w->taken.at, w->begun);
	}
	CU_ASSERT(w->begun > 4 * SIZE);
	CU_ASSERT_FALSE(s.wrong);
	CU_ASSERT_EQUAL(ring_take(&r, w->begun, collect, &s, &empty), 0);
	CU_ASSERT_TRUE(empty);
	CU_ASSERT_EQUAL(s.n, n);
	ring_unmap(&r);
	writer_free(w);
}

static int sizes(void *ctx, const void *data, size_t size)
{
	uint64_t *sum = ctx;

	/* the last byte of each tells how long it is */
	CU_ASSERT_EQUAL(((const unsigned char *)data)[size - 1], size / 8 % 251);
	*sum += size;
	return 0;
}

/* A record that begins in a chunk may end behind it, and is in one piece; the next one begins anew. */
static void records_end_behind_their_chunk(void)
{
	struct writer *w = writer_new();
	uint64_t written = 0, taken = 0, inside = 0, over = 0, at;
	char data[RING_RECORD_MAX] = {0};
	struct ring r;
	bool empty;

	CU_ASSERT_EQUAL(ring_next(RING_CHUNK - 64, 56), RING_CHUNK);
	CU_ASSERT_EQUAL(ring_next(RING_CHUNK - 64, 64), RING_CHUNK);
	CU_ASSERT_EQUAL(ring_next(RING_CHUNK - 64, 48), RING_CHUNK - 8);
	CU_ASSERT_EQUAL(ring_next(3 * RING_CHUNK - 8, RING_RECORD_MAX), 3 * RING_CHUNK);
	CU_ASSERT_EQUAL_FATAL(ring_map(&r, w->fd, CHUNKS, &w->taken), 0);
	for (uint32_t len = 8; len <= RING_RECORD_MAX; len += 8) {
		data[len - 1] = (char)(len / 8 % 251);
		at = begin(w, data, len);
		complete(w, at, len);
		data[len - 1] = 0;
		inside += at % RING_CHUNK + 8 + len <= RING_CHUNK;
		over += at % RING_CHUNK + 8 + len > RING_CHUNK;
		written += len;
		CU_ASSERT_EQUAL(ring_take(&r, w->begun, sizes, &taken, &empty), 0);
		CU_ASSERT_EQUAL(taken, written);
	}
	CU_ASSERT(inside > 0 && over > 10);
	ring_unmap(&r);
	writer_free(w);
}

static void stops_at_what_is_being_written(void)
{
	struct writer *w = writer_new();
	struct seen s = {0};
	uint64_t n = 0, at;
	struct ring r;
	bool empty;

	CU_ASSERT_EQUAL_FATAL(ring_map(&r, w->fd, CHUNKS, &w->taken), 0);
	/* the second time, what is there looks like a record: it is one, of another time round */
	for (int round = 0; round < 2; round++) {
		while (w->begun < (uint64_t)(1 + round) * SIZE) {
			put(w, n++);
			CU_ASSERT_EQUAL(ring_take(&r, w->begun, collect, &s, &empty), 0);
		}
		put(w, n++);
		/* its place is taken, and nothing is written yet */
		at = w->begun;
		w->begun = ring_next(at, sizeof(struct ev_ready));
		CU_ASSERT_EQUAL(ring_take(&r, w->begun, collect, &s, &empty), 0);
		CU_ASSERT_FALSE(empty);
		CU_ASSERT_EQUAL(s.n, n);
		CU_ASSERT_EQUAL(w->taken.at, at);
		/* nor is it complete */
		w->begun = at;
		begin_ready(w, n++);
		put(w, n++);
		CU_ASSERT_EQUAL(ring_take(&r, w->begun, collect, &s, &empty), 0);
		CU_ASSERT_FALSE(empty);
		CU_ASSERT_EQUAL(w->taken.at, at);
		complete(w, at, sizeof(struct ev_ready));
		CU_ASSERT_EQUAL(ring_take(&r, w->begun, collect, &s, &empty), 0);
		CU_ASSERT_TRUE(empty);
		CU_ASSERT_EQUAL(s.n, n);
	}
	CU_ASSERT_FALSE(s.wrong);
	ring_unmap(&r);
	writer_free(w);
}

static void takes_no_more_than_it_was_told(void)
{
	struct writer *w = writer_new();
	struct seen s = {0};
	uint64_t end;
	struct ring r;
	bool empty;

	CU_ASSERT_EQUAL_FATAL(ring_map(&r, w->fd, CHUNKS, &w->taken), 0);
	put(w, 0);
	end = w->begun;
	put(w, 1);
	CU_ASSERT_EQUAL(ring_take(&r, end, collect, &s, &empty), 0);
	CU_ASSERT_TRUE(empty);
	CU_ASSERT_EQUAL(s.n, 1);
	/* an error ends it; what came before, and that record, is gone */
	put(w, 2);
	s.stop_at = 2;
	CU_ASSERT_EQUAL(ring_take(&r, w->begun, collect, &s, &empty), -ENOMEM);
	CU_ASSERT_FALSE(empty);
	CU_ASSERT_EQUAL(ring_take(&r, w->begun, collect, &s, &empty), 0);
	CU_ASSERT_EQUAL(s.n, 3);
	CU_ASSERT_FALSE(s.wrong);
	ring_unmap(&r);
	writer_free(w);
}

static void unmaps_what_is_mapped(void)
{
	struct writer *w = writer_new();
	struct ring r;

	CU_ASSERT_EQUAL(ring_map(&r, -1, CHUNKS, &w->taken), -EBADF);
	CU_ASSERT_EQUAL_FATAL(ring_map(&r, w->fd, CHUNKS, &w->taken), 0);
	ring_unmap(&r);
	ring_unmap(&r); /* what is not mapped */
	writer_free(w);
}

static int count(void *ctx, struct event_head *ev)
{
	(void)ev;
	++*(uint64_t *)ctx;
	return 0;
}

/* Programs of which there is what a drain looks at: rings, and the state of the CPUs. */
static void programs_make(struct programs *p, struct writer *const *w, size_t n)
{
	int cpus = libbpf_num_possible_cpus();
	int map = bpf_map_create(BPF_MAP_TYPE_PERCPU_ARRAY, "states", 4, sizeof(struct cpu_state),
				 1, NULL);
	int bell = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "bell", 0, 0,
				  (uint32_t)sysconf(_SC_PAGESIZE), NULL);

	*p = (struct programs){.skel = gscope_bpf__open(), .ring_bytes = SIZE};
	CU_ASSERT_FATAL(cpus > 0 && map >= 0 && bell >= 0 && p->skel);
	CU_ASSERT_FATAL((size_t)cpus >= n);
	p->ncpus = (size_t)cpus;
	p->ring_fds = malloc(p->ncpus * sizeof(*p->ring_fds));
	p->ring_taken = calloc(p->ncpus, sizeof(*p->ring_taken));
	CU_ASSERT_FATAL(p->ring_fds && p->ring_taken);
	CU_ASSERT_FATAL(!bpf_map__reuse_fd(p->skel->maps.cpu_state, map));
	CU_ASSERT_FATAL(!bpf_map__reuse_fd(p->skel->maps.bell, bell));
	for (size_t i = 0; i < p->ncpus; i++)
		p->ring_fds[i] = i < n ? w[i]->fd : -1;
	close(map);
	close(bell);
}

/* What the writers have begun becomes the state of their CPUs. */
static void tell_states(const struct programs *p, struct writer *const *w, size_t n)
{
	struct cpu_state *states = calloc(p->ncpus, sizeof(*states));
	uint32_t zero = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(states);
	for (size_t i = 0; i < n; i++)
		states[i].begun = w[i]->begun;
	CU_ASSERT_EQUAL_FATAL(bpf_map_update_elem(bpf_map__fd(p->skel->maps.cpu_state), &zero,
						  states, BPF_ANY),
			      0);
	free(states);
}

static void programs_free(struct programs *p)
{
	gscope_bpf__destroy(p->skel);
	free(p->ring_fds);
	free(p->ring_taken);
}

/* A program is stopped while it writes a record, and the other CPU goes on and on. */
static void a_stalled_ring_costs_bounded_memory(void)
{
	struct writer *w[2] = {writer_new(), writer_new()};
	struct programs p;
	struct merge *m = merge_new(2);
	uint64_t written = 0, lost = 0, out = 0, at;
	struct drain *d;
	struct error e;

	programs_make(&p, w, 2);
	CU_ASSERT_EQUAL_FATAL(drain_new(&d, &p, m, &e), 0);
	CU_ASSERT_EQUAL(drain_rings(&p), 2);
	at = begin_ready(w[0], now_ns());
	for (int pass = 0; pass < 200; pass++) {
		for (int i = 0; i < 1500; i++) {
			if (ring_next(w[1]->begun, RECORD) - p.ring_taken[1].at > SIZE) {
				lost++; /* as a program counts it */
				continue;
			}
			put(w[1], now_ns());
			written++;
		}
		tell_states(&p, w, 2);
		CU_ASSERT_EQUAL(drain_pass(d, &e), 0);
		CU_ASSERT_FALSE(drain_empty(d));
		CU_ASSERT_EQUAL(merge_emit(m, count, &out), 0);
		CU_ASSERT(merge_bytes(m) <= DRAIN_LEAST + SIZE);
	}
	CU_ASSERT_EQUAL(out, 0);
	CU_ASSERT(lost > 0);
	CU_ASSERT(merge_bytes(m) > DRAIN_LEAST);
	CU_ASSERT_TRUE(merge_waits_for(m, 0));

	/* it goes on: all that is in the rings and in the merge comes */
	complete(w[0], at, sizeof(struct ev_ready));
	while (out <= written) {
		CU_ASSERT_EQUAL_FATAL(drain_pass(d, &e), 0);
		CU_ASSERT_EQUAL_FATAL(merge_emit(m, count, &out), 0);
	}
	CU_ASSERT_EQUAL(out, written + 1);
	CU_ASSERT_EQUAL(merge_bytes(m), 0);
	CU_ASSERT_EQUAL(merge_late(m), 0);
	drain_free(d);
	merge_free(m);
	programs_free(&p);
	writer_free(w[0]);
	writer_free(w[1]);
}

static void nonsense_in_a_ring_is_an_error(void)
{
	const struct ev_ready longer = {.h = {.type = EV_READY, .size = sizeof(longer) + 8}};
	const uint32_t lengths[] = {sizeof(longer), RING_RECORD_MAX + 8, 12};

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct writer *w = writer_new();
		struct merge *m = merge_new(1);
		struct error e = {0};
		struct programs p;
		struct drain *d;

		programs_make(&p, &w, 1);
		CU_ASSERT_EQUAL_FATAL(drain_new(&d, &p, m, &e), 0);
		complete(w, begin(w, &longer, sizeof(longer)), lengths[i]);
		tell_states(&p, &w, 1);
		CU_ASSERT_EQUAL(drain_pass(d, &e), -EBADMSG);
		CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "ring buffers"));
		drain_free(d);
		merge_free(m);
		programs_free(&p);
		writer_free(w);
	}
}

static void the_bell_is_heard(void)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "bell", 0, 0, (uint32_t)sysconf(_SC_PAGESIZE),
				NULL);
	struct bell b;

	CU_ASSERT_EQUAL(bell_open(&b, -1), -EBADF);
	bell_close(&b);
	CU_ASSERT_EQUAL_FATAL(bell_open(&b, fd), 0);
	bell_hear(&b);
	CU_ASSERT_EQUAL(*b.heard, *b.rung);
	bell_close(&b);
	bell_close(&b); /* what is not open */
	close(fd);
}

static CU_TestInfo tests[] = {
	{"takes records around the end", takes_records_around_the_end},
	{"records end behind their chunk", records_end_behind_their_chunk},
	{"stops at what is being written", stops_at_what_is_being_written},
	{"takes no more than it was told", takes_no_more_than_it_was_told},
	{"unmaps what is mapped", unmaps_what_is_mapped},
	{"a stalled ring costs bounded memory", a_stalled_ring_costs_bounded_memory},
	{"nonsense in a ring is an error", nonsense_in_a_ring_is_an_error},
	{"the bell is heard", the_bell_is_heard},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("capture/ring", tests);
