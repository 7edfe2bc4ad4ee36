// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Rings whose writer is the test, in memory that lies as the kernel lays it out; and their drain. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>

#include "bpf/control.h"
#include "gscope.skel.h"
#include "tests/unit/unit.h"
#include "user/base/clock.h"
#include "user/capture/drain.h"
#include "user/capture/ring.h"

#define SIZE 65536U
#define RECORD (BPF_RINGBUF_HDR_SZ + sizeof(struct ev_ready))

struct writer {
	int fd;
	char *map; /* a page for the reader's position, one for ours, the data twice */
	size_t page;
};

static struct writer writer_new(void)
{
	struct writer w = {.fd = memfd_create("ring", MFD_CLOEXEC)};
	size_t n;

	w.page = (size_t)sysconf(_SC_PAGESIZE);
	n = 2 * w.page + 2 * SIZE;
	CU_ASSERT_FATAL(w.fd >= 0 && !ftruncate(w.fd, (off_t)n));
	w.map = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, w.fd, 0);
	CU_ASSERT_FATAL(w.map != MAP_FAILED);
	return w;
}

static void writer_free(struct writer *w)
{
	munmap(w->map, 2 * w->page + 2 * SIZE);
	close(w->fd);
}

static unsigned long *begun(const struct writer *w)
{
	return (void *)(w->map + w->page);
}

static unsigned long taken(const struct writer *w)
{
	return *(unsigned long *)(void *)w->map;
}

/* What is written once is there twice. */
static void put_at(const struct writer *w, unsigned long at, const void *data, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (int copy = 0; copy < 2; copy++)
			w->map[2 * w->page + (at + i) % SIZE + copy * SIZE] =
				((const char *)data)[i];
}

static void set_length(const struct writer *w, unsigned long at, uint32_t len)
{
	put_at(w, at, &len, sizeof(len));
}

/* A record of the time as number; `flags` in its length. Returns its position. */
static unsigned long put(const struct writer *w, uint64_t time_ns, uint32_t flags)
{
	struct ev_ready ev = {.h = {.time_ns = time_ns, .type = EV_READY, .size = sizeof(ev)}};
	unsigned long at = *begun(w);

	put_at(w, at + BPF_RINGBUF_HDR_SZ, &ev, sizeof(ev));
	set_length(w, at, (uint32_t)sizeof(ev) | flags);
	*begun(w) = at + RECORD;
	return at;
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
	struct writer w = writer_new();
	struct seen s = {0};
	struct ring r;
	uint64_t n = 0;
	bool empty;

	CU_ASSERT_EQUAL_FATAL(ring_map(&r, w.fd, SIZE), 0);
	/* in steps that do not divide the size */
	for (int pass = 0; pass < 50; pass++) {
		for (int i = 0; i < 999; i++)
			put(&w, n++, 0);
		CU_ASSERT_EQUAL(ring_take(&r, ring_end(&r), collect, &s, &empty), 0);
		CU_ASSERT_TRUE(empty);
		CU_ASSERT_EQUAL(s.n, n);
		CU_ASSERT_EQUAL(taken(&w), *begun(&w));
	}
	CU_ASSERT_FALSE(s.wrong);
	CU_ASSERT_EQUAL(ring_take(&r, ring_end(&r), collect, &s, &empty), 0);
	CU_ASSERT_TRUE(empty);
	CU_ASSERT_EQUAL(s.n, n);
	ring_unmap(&r);
	writer_free(&w);
}

static void stops_at_what_is_being_written(void)
{
	struct writer w = writer_new();
	struct seen s = {0};
	unsigned long at;
	struct ring r;
	bool empty;

	CU_ASSERT_EQUAL_FATAL(ring_map(&r, w.fd, SIZE), 0);
	put(&w, 0, 0);
	put(&w, 77, BPF_RINGBUF_DISCARD_BIT);
	put(&w, 1, 0);
	at = put(&w, 2, BPF_RINGBUF_BUSY_BIT);
	put(&w, 3, 0);
	CU_ASSERT_EQUAL(ring_take(&r, ring_end(&r), collect, &s, &empty), 0);
	CU_ASSERT_FALSE(empty);
	CU_ASSERT_EQUAL(s.n, 2);
	CU_ASSERT_EQUAL(taken(&w), at);
	set_length(&w, at, sizeof(struct ev_ready));
	CU_ASSERT_EQUAL(ring_take(&r, ring_end(&r), collect, &s, &empty), 0);
	CU_ASSERT_TRUE(empty);
	CU_ASSERT_EQUAL(s.n, 4);
	CU_ASSERT_FALSE(s.wrong);
	ring_unmap(&r);
	writer_free(&w);
}

static void takes_no_more_than_it_was_told(void)
{
	struct writer w = writer_new();
	struct seen s = {0};
	unsigned long end;
	struct ring r;
	bool empty;

	CU_ASSERT_EQUAL_FATAL(ring_map(&r, w.fd, SIZE), 0);
	put(&w, 0, 0);
	end = ring_end(&r);
	put(&w, 1, 0);
	CU_ASSERT_EQUAL(ring_take(&r, end, collect, &s, &empty), 0);
	CU_ASSERT_TRUE(empty);
	CU_ASSERT_EQUAL(s.n, 1);
	/* an error ends it; what came before, and that record, is gone */
	put(&w, 2, 0);
	s.stop_at = 2;
	CU_ASSERT_EQUAL(ring_take(&r, ring_end(&r), collect, &s, &empty), -ENOMEM);
	CU_ASSERT_FALSE(empty);
	CU_ASSERT_EQUAL(ring_take(&r, ring_end(&r), collect, &s, &empty), 0);
	CU_ASSERT_EQUAL(s.n, 3);
	CU_ASSERT_FALSE(s.wrong);
	ring_unmap(&r);
	writer_free(&w);
}

static void unmaps_what_is_mapped(void)
{
	struct writer w = writer_new();
	struct ring r;

	CU_ASSERT_EQUAL(ring_map(&r, -1, SIZE), -EBADF);
	CU_ASSERT_EQUAL_FATAL(ring_map(&r, w.fd, SIZE), 0);
	ring_unmap(&r);
	ring_unmap(&r); /* what is not mapped */
	writer_free(&w);
}

static int count(void *ctx, struct event_head *ev)
{
	(void)ev;
	++*(uint64_t *)ctx;
	return 0;
}

/* Programs of which there is what a drain looks at: rings, and the state of the CPUs. */
static void programs_make(struct programs *p, const int *fds, size_t n)
{
	int cpus = libbpf_num_possible_cpus();
	int map = bpf_map_create(BPF_MAP_TYPE_PERCPU_ARRAY, "states", 4, sizeof(struct cpu_state),
				 1, NULL);

	*p = (struct programs){.skel = gscope_bpf__open(), .ring_bytes = SIZE};
	CU_ASSERT_FATAL(cpus > 0 && map >= 0 && p->skel);
	/* a look-up has a value for every CPU there may be */
	p->ncpus = (size_t)cpus > n ? (size_t)cpus : n;
	p->ring_fds = malloc(p->ncpus * sizeof(*p->ring_fds));
	CU_ASSERT_FATAL(p->ring_fds && !bpf_map__reuse_fd(p->skel->maps.cpu_state, map));
	for (size_t i = 0; i < p->ncpus; i++)
		p->ring_fds[i] = i < n ? fds[i] : -1;
	close(map);
}

static void programs_free(struct programs *p)
{
	gscope_bpf__destroy(p->skel);
	free(p->ring_fds);
}

/* A program is stopped while it writes a record, and the other CPU goes on and on. */
static void a_stalled_ring_costs_bounded_memory(void)
{
	struct writer w[2] = {writer_new(), writer_new()};
	int fds[] = {w[0].fd, w[1].fd};
	struct programs p;
	struct merge *m = merge_new(2);
	uint64_t written = 0, lost = 0, out = 0;
	unsigned long at;
	struct drain *d;
	struct error e;

	programs_make(&p, fds, 2);
	CU_ASSERT_EQUAL_FATAL(drain_new(&d, &p, m, &e), 0);
	CU_ASSERT_EQUAL(drain_rings(&p), 2);
	at = put(&w[0], now_ns(), BPF_RINGBUF_BUSY_BIT);
	for (int pass = 0; pass < 200; pass++) {
		for (int i = 0; i < 1500; i++) {
			if (*begun(&w[1]) - taken(&w[1]) + RECORD > SIZE) {
				lost++; /* as a program counts it */
				continue;
			}
			put(&w[1], now_ns(), 0);
			written++;
		}
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
	set_length(&w[0], at, sizeof(struct ev_ready));
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
	writer_free(&w[0]);
	writer_free(&w[1]);
}

static void nonsense_in_a_ring_is_an_error(void)
{
	struct writer w = writer_new();
	struct programs p;
	struct merge *m = merge_new(1);
	struct ev_ready ev = {.h = {.type = EV_READY, .size = sizeof(ev) + 8}};
	struct drain *d;
	struct error e = {0};

	programs_make(&p, &w.fd, 1);
	CU_ASSERT_EQUAL_FATAL(drain_new(&d, &p, m, &e), 0);
	put_at(&w, put(&w, 1, 0) + BPF_RINGBUF_HDR_SZ, &ev, sizeof(ev));
	CU_ASSERT_EQUAL(drain_pass(d, &e), -EBADMSG);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "ring buffers"));
	drain_free(d);
	merge_free(m);
	programs_free(&p);
	writer_free(&w);
}

static CU_TestInfo tests[] = {
	{"takes records around the end", takes_records_around_the_end},
	{"stops at what is being written", stops_at_what_is_being_written},
	{"takes no more than it was told", takes_no_more_than_it_was_told},
	{"unmaps what is mapped", unmaps_what_is_mapped},
	{"a stalled ring costs bounded memory", a_stalled_ring_costs_bounded_memory},
	{"nonsense in a ring is an error", nonsense_in_a_ring_is_an_error},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("capture/ring", tests);
