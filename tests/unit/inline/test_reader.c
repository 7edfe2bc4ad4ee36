// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Records put into shared memory by hand, as stubs would, and as they never would. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "tests/unit/unit.h"
#include "user/base/clock.h"
#include "user/base/shield.h"
#include "user/capture/file.h"
#include "user/inline/reader.h"

#define PAGE 4096U
#define RINGS 4
#define ROOM (1U << 20)
#define FIRST_SITE 1000
#define MOST 4096 /* records that are kept */

static struct site sites[] = {
	{.kind = SITE_START},          {.kind = SITE_PARK},         {.kind = SITE_READY},
	{.kind = SITE_READY_WORKER},   {.kind = SITE_YIELD},        {.kind = SITE_CREATE_CAS},
	{.kind = SITE_CREATE_RUNQPUT}, {.kind = SITE_EXIT},         {.kind = SITE_SYSEXIT_NOP},
	{.kind = SITE_SYSCALL_ENTER},  {.kind = SITE_SYSCALL_EXIT}, {.kind = SITE_STW_BEGIN},
};

#define SYSCALL_ENTER 9
#define SYSCALL_EXIT 10

/* One that has no stub: what it tells is nothing of goroutines. */
#define PROBED 11

#define NSITES (sizeof(sites) / sizeof(sites[0]))

static const bool has_stub[NSITES] = {[0 ... PROBED - 1] = true};

struct bench {
	struct target t;
	uint8_t *memory; /* nothing is readable right before and behind it */
	struct inline_geometry g;
	struct merge *m;
	struct inline_reader *r;
	pid_t pid;
	uint64_t now; /* a reading of the counter for the next record */
	/* what came out */
	uint8_t *out;
	size_t n, bytes;
	const struct event_head *ev[MOST];
};

static struct inline_ring *ring(struct bench *b, uint32_t i)
{
	return (void *)(b->memory + inline_ring_offset(&b->g, i));
}

static bool make_of(struct bench *b, pid_t pid, int fd)
{
	struct reader_options o = {
		.first_site = FIRST_SITE, .since_ns = now_ns(), .has_stub = has_stub};
	struct error e;
	uint8_t *all;

	*b = (struct bench){.g = {RINGS, inline_stride(ROOM), ROOM}, .pid = pid};
	CU_ASSERT_EQUAL_FATAL(target_process_open(pid, &b->t.process, &e), 0);
	b->t.sites = (struct sites){.v = sites, .n = NSITES};
	all = mmap(NULL, inline_size(&b->g) + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		   0);
	CU_ASSERT_FATAL(all != MAP_FAILED);
	b->memory = all + PAGE;
	CU_ASSERT_EQUAL_FATAL(mprotect(b->memory, inline_size(&b->g), PROT_READ | PROT_WRITE), 0);
	if (fd >= 0) {
		CU_ASSERT_EQUAL_FATAL(ftruncate(fd, (off_t)inline_size(&b->g)), 0);
		CU_ASSERT_FATAL(mmap(b->memory, inline_size(&b->g), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED);
		CU_ASSERT_EQUAL_FATAL(shield_begin(b->memory, inline_size(&b->g)), 0);
	}
	b->m = merge_new(RINGS);
	b->out = malloc(MOST * sizeof(struct ev_stack) * 64);
	CU_ASSERT_FATAL(b->m && b->out);
	o.t = &b->t;
	o.memory = b->memory;
	o.geometry = b->g;
	o.m = b->m;
	CU_ASSERT_EQUAL_FATAL(reader_new(&b->r, &o), 0);
	b->now = __rdtsc();
	return true;
}

static bool make(struct bench *b)
{
	return make_of(b, getpid(), -1);
}

static void end(struct bench *b)
{
	reader_free(b->r);
	shield_end(b->memory);
	merge_free(b->m);
	free(b->out);
	munmap(b->memory - PAGE, inline_size(&b->g) + 2 * PAGE);
	target_process_close(b->t.process);
}

/* The next record of a ring, as a stub would write it, up to publishing it. */
static struct inline_record *place(struct bench *b, uint32_t i, uint32_t site, unsigned int frames)
{
	struct inline_ring *s = ring(b, i);
	struct inline_record *rec = (void *)(s->data + s->head % ROOM);

	b->now += 100;
	*rec = (struct inline_record){
		.tsc = b->now,
		.site = site,
		.size = (uint32_t)(sizeof(*rec) + 8 * frames),
		.gp = 0xc000001000 + i * 512,
		.goid = 70 + i,
		.procid = (uint64_t)b->pid,
		.p = 0xc000080000,
		.curg = 0xc000002000,
		.old_status = 2,
		.new_status = 4,
		.stack = frames ? 1000 * (site + 1) + frames : 0,
	};
	for (unsigned int k = 0; k < frames; k++)
		rec->pc[k] = 0x401000 + 16 * k + 4096 * site;
	return rec;
}

static void publish(struct bench *b, uint32_t i, const struct inline_record *rec)
{
	ring(b, i)->head += i ? rec->size : INLINE_SLOT;
}

static void put(struct bench *b, uint32_t i, uint32_t site, unsigned int frames)
{
	publish(b, i, place(b, i, site, frames));
}

static int keep(void *ctx, struct event_head *ev)
{
	struct bench *b = ctx;

	CU_ASSERT_TRUE(event_valid(ev));
	if (b->n < MOST) {
		b->ev[b->n++] = memcpy(b->out + b->bytes, ev, ev->size);
		b->bytes += ev->size;
	}
	return 0;
}

/* What is passed on, once what was written is long enough ago. */
static size_t pass(struct bench *b, bool last)
{
	const struct timespec moment = {.tv_nsec = 3000000};

	nanosleep(&moment, NULL);
	b->n = b->bytes = 0;
	CU_ASSERT_EQUAL(reader_pass(b->r, last), 0);
	CU_ASSERT_EQUAL(merge_emit(b->m, keep, b), 0);
	b->now = __rdtsc();
	return b->n;
}

static const struct ev_go *go(const struct bench *b, size_t i)
{
	return (const void *)b->ev[i];
}

/* --- what comes out ------------------------------------------------------------------------- */

static void test_fields(void)
{
	struct inline_record *rec;
	const struct ev_stack *stack;
	struct bench b;
	uint64_t before, after, id;

	if (!make(&b))
		return;
	before = now_ns();
	b.now = __rdtsc();
	rec = place(&b, 1, 1, 3);
	rec->wait_reason = 17;
	rec->block_reason = 9;
	rec->arg[0] = 2;
	publish(&b, 1, rec);
	after = now_ns();
	CU_ASSERT_EQUAL_FATAL(pass(&b, false), 2);
	stack = (const void *)b.ev[0];
	CU_ASSERT_EQUAL(stack->h.type, EV_STACK);
	CU_ASSERT_EQUAL(stack->n, 3);
	CU_ASSERT_EQUAL(stack->flags, 0);
	CU_ASSERT_EQUAL(stack->pc[2], rec->pc[2]);
	CU_ASSERT_EQUAL(go(&b, 1)->h.type, EV_GO);
	CU_ASSERT_EQUAL(go(&b, 1)->h.tid, (uint32_t)getpid());
	CU_ASSERT(go(&b, 1)->h.time_ns + 1000 > before && go(&b, 1)->h.time_ns < after + 1000);
	CU_ASSERT_EQUAL(go(&b, 1)->tgid, (uint32_t)getpid());
	CU_ASSERT_EQUAL(go(&b, 1)->kind, GO_PARK);
	CU_ASSERT_EQUAL(go(&b, 1)->site, FIRST_SITE + 1);
	CU_ASSERT_EQUAL(go(&b, 1)->gp, rec->gp);
	CU_ASSERT_EQUAL(go(&b, 1)->goid, rec->goid);
	CU_ASSERT_EQUAL(go(&b, 1)->p, rec->p);
	CU_ASSERT_EQUAL(go(&b, 1)->stack, stack->id);
	CU_ASSERT_EQUAL(go(&b, 1)->old_status, 2);
	CU_ASSERT_EQUAL(go(&b, 1)->new_status, 4);
	CU_ASSERT_EQUAL(go(&b, 1)->wait_reason, 17);
	CU_ASSERT_EQUAL(go(&b, 1)->block_reason, 9);
	CU_ASSERT_EQUAL(go(&b, 1)->skip, 2);
	id = stack->id;
	/* the same stack is not sent again */
	put(&b, 1, 1, 3);
	CU_ASSERT_EQUAL_FATAL(pass(&b, false), 1);
	CU_ASSERT_EQUAL(go(&b, 0)->stack, id);
	CU_ASSERT_EQUAL(reader_hits(b.r, 1), 2);
	CU_ASSERT_EQUAL(reader_hits(b.r, 0), 0);
	end(&b);
}

static void test_kinds(void)
{
	static const uint8_t kinds[] = {GO_START, GO_PARK,           GO_READY,  GO_READY,
					GO_YIELD, GO_CREATE_BLOCKED, GO_CREATE, GO_EXIT};
	struct inline_record *rec;
	struct bench b;

	if (!make(&b))
		return;
	for (uint32_t i = 0; i < sizeof(kinds); i++) {
		rec = place(&b, 2, i, 0);
		rec->arg[0] = 0x405000;
		rec->arg[1] = 0x406000;
		publish(&b, 2, rec);
	}
	CU_ASSERT_EQUAL_FATAL(pass(&b, false), sizeof(kinds));
	for (uint32_t i = 0; i < sizeof(kinds); i++) {
		const struct ev_go_create *create = (const void *)b.ev[i];

		CU_ASSERT_EQUAL(go(&b, i)->kind, kinds[i]);
		CU_ASSERT_EQUAL(go(&b, i)->stack, 0);
		CU_ASSERT_EQUAL(go(&b, i)->skip, -1);
		CU_ASSERT_EQUAL(go(&b, i)->other, i >= 2 && i <= 6 && i != 4 ? 0xc000002000 : 0);
		if (go(&b, i)->h.type == EV_GO_CREATE) {
			CU_ASSERT_EQUAL(create->start_pc, 0x405000);
			CU_ASSERT_EQUAL(create->go_pc, 0x406000);
		}
	}
	CU_ASSERT_EQUAL(go(&b, 5)->h.type, EV_GO_CREATE);
	CU_ASSERT_EQUAL(go(&b, 6)->h.type, EV_GO_CREATE);
	CU_ASSERT_EQUAL(go(&b, 6)->new_status, 1);
	end(&b);
}

/* Up to Go 1.25 m.p is 0 in a system call, and the P is still the thread's if its status says so. */
static void test_syscalls(void)
{
	static const uint64_t statuses[] = {2, 1, 0};
	const struct ev_go *ev;
	struct bench b;

	make(&b);
	put(&b, 1, SYSCALL_ENTER, 0);
	CU_ASSERT_EQUAL_FATAL(pass(&b, false), 1);
	ev = (const void *)b.ev[0];
	CU_ASSERT_EQUAL(ev->kind, GO_SYSCALL_ENTER);
	CU_ASSERT_EQUAL(ev->old_status, 2);
	CU_ASSERT_EQUAL(ev->new_status, 3);
	for (unsigned int i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		struct inline_record *rec = place(&b, 0, SYSCALL_EXIT, 0);

		rec->p = 0;
		rec->arg[0] = 0xc000090000;
		rec->arg[1] = statuses[i];
		publish(&b, 0, rec);
		CU_ASSERT_EQUAL_FATAL(pass(&b, false), 1);
		ev = (const void *)b.ev[0];
		CU_ASSERT_EQUAL(ev->kind, GO_SYSCALL_EXIT);
		CU_ASSERT_EQUAL(ev->old_status, 3);
		CU_ASSERT_EQUAL(ev->new_status, 2);
		CU_ASSERT_EQUAL(ev->p, statuses[i] == 2 ? 0xc000090000 : 0);
	}
	end(&b);
}

/* Stacks that were cut, and whose second frame may be none. */
static void test_flags(void)
{
	struct inline_record *rec;
	struct bench b;

	if (!make(&b))
		return;
	rec = place(&b, 1, 4, 5);
	rec->end = 0x1234;
	publish(&b, 1, rec);
	rec = place(&b, 1, 4, 5);
	rec->flags = INLINE_MAYBE_CALLER;
	rec->stack++;
	publish(&b, 1, rec);
	CU_ASSERT_EQUAL_FATAL(pass(&b, false), 4);
	CU_ASSERT_EQUAL(((const struct ev_stack *)b.ev[0])->flags, STACK_TRUNCATED);
	CU_ASSERT_EQUAL(((const struct ev_stack *)b.ev[1])->flags, STACK_MAYBE_CALLER);
	CU_ASSERT_NOT_EQUAL(go(&b, 2)->stack, go(&b, 3)->stack);
	end(&b);
}

/* Of all rings by time, each in its own order; thousands of times round them. */
static void test_order(void)
{
	uint64_t sum = 0, last = 0;
	struct bench b;

	if (!make(&b))
		return;
	for (unsigned int round = 0; round < 12; round++) {
		for (unsigned int i = 0; i < 4000; i++) {
			uint32_t to = (i * 7 + round) % RINGS;

			/* ring 0 has neither stacks nor as much room */
			put(&b, to, i % PROBED, to ? i % 100 : 0);
			if (i % 400 == 399) {
				b.now = __rdtsc();
				sum += pass(&b, false) > 0;
				for (size_t k = 0; k < b.n; k++) {
					CU_ASSERT(b.ev[k]->time_ns >= last);
					last = b.ev[k]->time_ns;
				}
			}
		}
	}
	for (unsigned int i = 0; i < RINGS; i++) {
		CU_ASSERT_EQUAL(ring(&b, i)->head, ring(&b, i)->tail);
		CU_ASSERT(i ? ring(&b, i)->head > ROOM : ring(&b, i)->head > 0);
	}
	CU_ASSERT(sum > 100);
	CU_ASSERT_EQUAL(merge_pending(b.m), 0);
	sum = 0;
	for (size_t i = 0; i < NSITES; i++)
		sum += reader_hits(b.r, i);
	CU_ASSERT_EQUAL(sum, 48000);
	end(&b);
}

/* Used by an earlier record of a ring that is read later: it has to come before that one, too. */
static void test_first_use(void)
{
	struct bench b;

	if (!make(&b))
		return;
	for (unsigned int round = 0; round < 3; round++) {
		put(&b, 3, round, 5);
		put(&b, 2, round, 5);
		put(&b, 1, round, 5);
		CU_ASSERT_EQUAL_FATAL(pass(&b, false), 4);
		CU_ASSERT_EQUAL(b.ev[0]->type, EV_STACK);
		CU_ASSERT(b.ev[0]->time_ns <= b.ev[1]->time_ns);
		for (size_t i = 1; i < 4; i++)
			CU_ASSERT_EQUAL(go(&b, i)->gp, 0xc000001000 + (4 - i) * 512);
		b.now = __rdtsc();
	}
	/* one that is busy meanwhile has promised nothing */
	ring(&b, 1)->busy = 1;
	put(&b, 2, 3, 5);
	CU_ASSERT_EQUAL(pass(&b, false), 0);
	b.now = __rdtsc();
	put(&b, 3, 3, 5);
	b.now -= 1000000;
	put(&b, 1, 3, 5);
	ring(&b, 1)->busy = 0;
	CU_ASSERT_EQUAL_FATAL(pass(&b, false), 4);
	CU_ASSERT_EQUAL(b.ev[0]->type, EV_STACK);
	CU_ASSERT_EQUAL(merge_late(b.m), 0);
	end(&b);
}

/* --- what is under way ----------------------------------------------------------------------- */

static void test_busy(void)
{
	struct bench b;

	if (!make(&b))
		return;
	put(&b, 1, 0, 0);
	ring(&b, 2)->busy = 1;
	CU_ASSERT_EQUAL(pass(&b, false), 0);
	CU_ASSERT_EQUAL(merge_pending(b.m), 1);
	CU_ASSERT_EQUAL(pass(&b, false), 0);
	put(&b, 2, 0, 0);
	ring(&b, 2)->busy = 0;
	CU_ASSERT_EQUAL(pass(&b, false), 2);
	end(&b);
}

/* A slot of ring 0 is not complete as long as it has no time. */
static void test_incomplete(void)
{
	struct inline_record *rec;
	struct bench b;
	uint64_t tsc;

	if (!make(&b))
		return;
	put(&b, 0, 8, 0);
	rec = place(&b, 0, 8, 0);
	tsc = rec->tsc;
	rec->tsc = 0;
	publish(&b, 0, rec);
	put(&b, 0, 8, 0);
	put(&b, 1, 0, 0);
	CU_ASSERT_EQUAL(pass(&b, false), 0);
	CU_ASSERT_EQUAL(ring(&b, 0)->tail, INLINE_SLOT);
	CU_ASSERT_EQUAL(merge_pending(b.m), 2);
	rec->tsc = tsc;
	CU_ASSERT_EQUAL(pass(&b, false), 4);
	CU_ASSERT_EQUAL(ring(&b, 0)->tail, 3 * INLINE_SLOT);
	/* what was read is no record of the next round */
	CU_ASSERT_EQUAL(rec->tsc, 0);
	end(&b);
}

/* At the end it is never going to be. */
static void test_last(void)
{
	struct inline_record *rec;
	struct bench b;

	if (!make(&b))
		return;
	put(&b, 0, 8, 0);
	rec = place(&b, 0, 8, 0);
	rec->tsc = 0;
	publish(&b, 0, rec);
	put(&b, 0, 8, 0);
	CU_ASSERT_EQUAL(pass(&b, true), 2);
	CU_ASSERT_EQUAL(ring(&b, 0)->tail, 3 * INLINE_SLOT);
	end(&b);
}

static void test_lost(void)
{
	struct bench b;

	if (!make(&b))
		return;
	CU_ASSERT_EQUAL(reader_lost(b.r), 0);
	ring(&b, 0)->lost = 5;
	ring(&b, 3)->lost = 7;
	CU_ASSERT_EQUAL(reader_lost(b.r), 12);
	CU_ASSERT_EQUAL(reader_lost(b.r), 0);
	ring(&b, 3)->lost = 8;
	CU_ASSERT_EQUAL(reader_lost(b.r), 1);
	end(&b);
}

static void test_fill(void)
{
	struct bench b;

	if (!make(&b))
		return;
	pass(&b, false);
	CU_ASSERT_EQUAL(reader_fill(b.r), 0);
	while (ring(&b, 2)->head < ROOM / 2)
		put(&b, 2, 1, 100);
	pass(&b, false);
	CU_ASSERT(reader_fill(b.r) == 50);
	for (unsigned int i = 0; i < 10 && reader_has_more(b.r); i++)
		pass(&b, false);
	pass(&b, false);
	CU_ASSERT_EQUAL(reader_fill(b.r), 0);
	end(&b);
}

/* --- what no stub writes ---------------------------------------------------------------------- */

/* A record that is none ends what is read of its ring, now; what comes later is read. */
static void spoiled(uint32_t i, uint32_t size, uint32_t site)
{
	struct inline_record *rec;
	struct bench b;

	if (!make(&b))
		return;
	put(&b, i, 0, 0);
	rec = place(&b, i, 0, 0);
	publish(&b, i, rec);
	rec->size = size;
	rec->site = site;
	put(&b, i, 0, 0);
	CU_ASSERT_EQUAL(pass(&b, false), i ? 1 : 2);
	CU_ASSERT_EQUAL(ring(&b, i)->tail, ring(&b, i)->head);
	put(&b, i, 0, 0);
	CU_ASSERT_EQUAL(pass(&b, false), 1);
	end(&b);
}

static void test_spoiled(void)
{
	static const uint32_t sizes[] = {0, 8, 80, 87, 89, 92, 88 + 8 * 129, 1U << 20, UINT32_MAX};

	for (uint32_t i = 0; i < 2; i++) {
		for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++)
			spoiled(i, sizes[k], 0);
		spoiled(i, 88, NSITES);
		spoiled(i, 88, UINT32_MAX);
	}
	/* longer than what is left of the ring, or of the slot */
	spoiled(1, 88 + 8 * 100, 0);
	spoiled(0, 88 + 8 * 100, 0);
}

/* Heads that nobody could have written: the pass ends, and so do those that follow. */
static void head(uint32_t i, uint64_t tail, uint64_t head)
{
	struct bench b;

	if (!make(&b))
		return;
	/* all of the ring makes sense, however often it is gone through */
	while (ring(&b, i)->head < ROOM)
		put(&b, i, 0, i ? 5 : 0);
	ring(&b, i)->tail = tail;
	ring(&b, i)->head = head;
	pass(&b, false);
	pass(&b, true);
	CU_ASSERT(merge_pending(b.m) + b.n < 4 * MOST);
	end(&b);
}

static void test_heads(void)
{
	static const uint64_t heads[] = {0,
					 1,
					 ROOM,
					 ROOM + 4096,
					 10ULL * ROOM,
					 1ULL << 62,
					 (1ULL << 62) + 7,
					 INT64_MAX,
					 UINT64_MAX - 10,
					 UINT64_MAX};

	for (uint32_t i = 0; i < 2; i++)
		for (size_t k = 0; k < sizeof(heads) / sizeof(heads[0]); k++)
			for (size_t j = 0; j < sizeof(heads) / sizeof(heads[0]); j++)
				head(i, heads[k], heads[j]);
}

/* Anything at all; what is before and behind the memory cannot be read. */
static void test_garbage(void)
{
	uint64_t x = 88172645463325252;

	for (unsigned int seed = 0; seed < 60; seed++) {
		struct bench b;

		if (!make(&b))
			return;
		for (size_t i = 0; i < inline_size(&b.g) / 8; i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			/* numbers that pass for sizes and sites are rare otherwise */
			((uint64_t *)b.memory)[i] = seed % 2 ? x : x & 0x00000007000003f8;
		}
		for (uint32_t i = 0; i < RINGS; i++)
			ring(&b, i)->tail = ring(&b, i)->head - x % (2 * ROOM);
		for (unsigned int i = 0; i < 3; i++)
			CU_ASSERT_EQUAL(reader_pass(b.r, i == 2), 0);
		for (uint32_t i = 0; i < RINGS; i++)
			merge_promise(b.m, i, UINT64_MAX);
		CU_ASSERT_EQUAL(merge_emit(b.m, keep, &b), 0);
		end(&b);
	}
}

/* More than a pass takes: the rest comes with the next ones, and what is taken is passed on. */
static void test_portions(void)
{
	const unsigned int n = 3000;
	size_t all = 0, first;
	struct bench b;

	if (!make(&b))
		return;
	for (unsigned int i = 0; i < n; i++)
		put(&b, 1, 0, 0);
	first = all = pass(&b, false);
	CU_ASSERT_TRUE(first > 0 && first < n);
	CU_ASSERT_TRUE(reader_has_more(b.r));
	for (unsigned int i = 0; i < 10 && reader_has_more(b.r); i++)
		all += pass(&b, false);
	CU_ASSERT_FALSE(reader_has_more(b.r));
	CU_ASSERT_EQUAL(all, n);
	CU_ASSERT_EQUAL(ring(&b, 1)->tail, ring(&b, 1)->head);
	end(&b);
}

/* What is left out counts as lost, and is told of. */
static void counted(struct bench *b, uint32_t kinds, uint64_t lost)
{
	struct inline_damage d = reader_damage(b->r);

	CU_ASSERT_EQUAL(d.kinds, kinds);
	CU_ASSERT(d.found > 0);
	CU_ASSERT_EQUAL(reader_lost(b->r), lost);
	CU_ASSERT_EQUAL(merge_late(b->m), 0);
}

static void test_no_damage(void)
{
	struct bench b;

	make(&b);
	for (uint32_t i = 0; i < RINGS; i++)
		for (unsigned int k = 0; k < 50; k++)
			put(&b, i, k % PROBED, i ? k % 3 : 0);
	ring(&b, 1)->lost = 3;
	ring(&b, 1)->waits = 20;
	CU_ASSERT(pass(&b, false) >= 50 * RINGS);
	CU_ASSERT_EQUAL(reader_waits(b.r), 20);
	CU_ASSERT_EQUAL(reader_lost(b.r), 3);
	CU_ASSERT_EQUAL(reader_damage(b.r).kinds, 0);
	CU_ASSERT_EQUAL(reader_damage(b.r).found, 0);
	end(&b);
}

/* Of a good size, but of no site that has a stub: what comes behind it is read. */
static void test_wrong_sites(void)
{
	static const uint32_t wrong[] = {PROBED, NSITES, 1U << 20, UINT32_MAX};

	for (uint32_t i = 0; i < 2; i++) {
		for (size_t k = 0; k < sizeof(wrong) / sizeof(wrong[0]); k++) {
			struct bench b;

			make(&b);
			put(&b, i, 0, 0);
			put(&b, i, wrong[k], 0);
			put(&b, i, 0, 0);
			CU_ASSERT_EQUAL(pass(&b, false), 2);
			counted(&b, DAMAGE_RECORD, 1);
			end(&b);
		}
	}
}

/* So many at most as there was room for; not one of them vanishes without a word. */
static void test_wrong_sizes(void)
{
	struct inline_record *rec;
	struct bench b;

	make(&b);
	put(&b, 1, 0, 0);
	rec = place(&b, 1, 0, 0);
	publish(&b, 1, rec);
	for (unsigned int k = 0; k < 99; k++)
		put(&b, 1, 0, 0);
	rec->size = 97;
	CU_ASSERT_EQUAL(pass(&b, false), 1);
	counted(&b, DAMAGE_RECORD, 100);
	put(&b, 1, 0, 0);
	CU_ASSERT_EQUAL(pass(&b, false), 1);
	CU_ASSERT_EQUAL(reader_lost(b.r), 0);
	end(&b);
}

static void wrong_time(uint32_t i, uint64_t tsc)
{
	struct inline_record *rec;
	uint64_t begin = now_ns();
	struct bench b;

	make(&b);
	put(&b, i, 0, 0);
	rec = place(&b, i, 0, 0);
	rec->tsc = tsc;
	publish(&b, i, rec);
	put(&b, i, 0, 0);
	put(&b, 2, 0, 0);
	CU_ASSERT_EQUAL(pass(&b, false), 3);
	for (size_t k = 0; k < b.n; k++)
		CU_ASSERT(b.ev[k]->time_ns >= begin && b.ev[k]->time_ns <= now_ns());
	counted(&b, DAMAGE_TIME, 1);
	/* it has promised nothing that is not so */
	put(&b, i, 0, 0);
	CU_ASSERT_EQUAL(pass(&b, false), 1);
	CU_ASSERT_EQUAL(merge_late(b.m), 0);
	end(&b);
}

static void test_wrong_times(void)
{
	uint64_t now = __rdtsc();
	const uint64_t wrong[] = {
		1,         now / 2,    now - 1000000000, now + 10000000000,  2 * now,
		INT64_MAX, 1ULL << 63, now + INT64_MAX,  now - (1ULL << 61), UINT64_MAX};

	for (uint32_t i = 0; i < 2; i++)
		for (size_t k = 0; k < sizeof(wrong) / sizeof(wrong[0]); k++)
			wrong_time(i, wrong[k]);
}

/* Where the reader is it knows itself. */
static void test_tails(void)
{
	struct bench b;

	make(&b);
	for (unsigned int k = 0; k < 5; k++) {
		put(&b, 0, 0, 0);
		put(&b, 1, 0, 2);
		ring(&b, 0)->tail = ring(&b, 0)->head;
		ring(&b, 1)->tail = k % 2 ? 0 : UINT64_MAX / 3;
		CU_ASSERT(pass(&b, false) >= 2);
		CU_ASSERT_EQUAL(ring(&b, 0)->tail, ring(&b, 0)->head);
		CU_ASSERT_EQUAL(ring(&b, 1)->tail, ring(&b, 1)->head);
	}
	CU_ASSERT_EQUAL(reader_damage(b.r).kinds, 0);
	CU_ASSERT_EQUAL(reader_lost(b.r), 0);
	end(&b);
}

/* A jump counts as loss, by no more than can have been written. */
static void test_jumps(void)
{
	static const uint64_t to[] = {ROOM + 200, 1ULL << 40, 1ULL << 62, UINT64_MAX - 4095, 4};

	for (uint32_t i = 0; i < 2; i++) {
		for (size_t k = 0; k < sizeof(to) / sizeof(to[0]); k++) {
			uint64_t most, lost;
			struct bench b;

			make(&b);
			put(&b, i, 0, 0);
			CU_ASSERT_EQUAL(pass(&b, false), 1);
			ring(&b, i)->head = to[k];
			CU_ASSERT_EQUAL(pass(&b, false), 0);
			CU_ASSERT_EQUAL(reader_damage(b.r).kinds, DAMAGE_POSITION);
			most = 10001 + reader_cpu_ns(b.r) / 10;
			lost = reader_lost(b.r);
			CU_ASSERT(lost > 0 && lost <= most);
			/* and is behind it */
			ring(&b, i)->head = ring(&b, i)->tail;
			put(&b, i, 0, 0);
			CU_ASSERT_EQUAL(pass(&b, false), 1);
			end(&b);
		}
	}
}

static void test_counters(void)
{
	static const uint64_t lies[] = {UINT64_MAX, UINT64_MAX - 5, 1ULL << 63, 1ULL << 50, 2};
	struct bench b;

	make(&b);
	for (unsigned int k = 0; k < 20; k++)
		put(&b, 1, 0, 0);
	pass(&b, false);
	ring(&b, 1)->lost = ring(&b, 1)->waits = 5;
	CU_ASSERT_EQUAL(reader_lost(b.r), 5);
	CU_ASSERT_EQUAL(reader_waits(b.r), 5);
	for (size_t k = 0; k < sizeof(lies) / sizeof(lies[0]); k++) {
		uint64_t sum;

		ring(&b, 1)->lost = ring(&b, 1)->waits = lies[k];
		sum = reader_lost(b.r);
		CU_ASSERT(sum >= 1 && sum < 2000000);
		sum = reader_waits(b.r);
		CU_ASSERT(sum >= 5 && sum < 2000000);
	}
	CU_ASSERT_EQUAL(reader_damage(b.r).kinds, DAMAGE_COUNTER);
	end(&b);
}

/* One that is said to be on its way holds up the others for a while, and not for ever. */
static void test_held(void)
{
	for (uint32_t i = 0; i < 2; i++) {
		uint64_t begin;
		struct bench b;
		size_t n = 0;

		make(&b);
		if (i)
			ring(&b, i)->busy = 1;
		else
			publish(&b, i, memset(place(&b, i, 0, 0), 0, 96));
		put(&b, 2, 0, 0);
		for (begin = now_ns(); !n && now_ns() - begin < 20000000000;)
			n = pass(&b, false);
		CU_ASSERT_EQUAL(n, 1);
		/* a stopped process does that: it is no damage yet, nor is what comes late */
		CU_ASSERT_EQUAL(reader_damage(b.r).kinds, 0);
		put(&b, 2, 0, 0);
		CU_ASSERT_EQUAL(pass(&b, false), 1);
		if (i) {
			put(&b, i, 0, 0);
			ring(&b, i)->busy = 0;
			CU_ASSERT_EQUAL(pass(&b, false), 1);
			CU_ASSERT_EQUAL(reader_damage(b.r).kinds, 0);
			for (unsigned int k = 0; k < 5; k++) {
				ring(&b, i)->busy = 1;
				put(&b, 2, 0, 0);
				for (begin = now_ns(), n = 0; !n && now_ns() - begin < 20000000000;)
					n = pass(&b, false);
				ring(&b, i)->busy = 0;
				pass(&b, false);
			}
			CU_ASSERT_EQUAL(reader_damage(b.r).kinds, DAMAGE_HELD);
		}
		CU_ASSERT_EQUAL(merge_late(b.m), 0);
		end(&b);
	}
}

/* As many as there are, of the goroutine whose records put() has for this ring. */
struct others {
	uint64_t gp;
	size_t n;
};

static int count_others(void *ctx, struct event_head *ev)
{
	const struct ev_go *record = (const void *)ev;
	struct others *o = ctx;

	CU_ASSERT_TRUE(event_valid(ev));
	o->n += record->gp == o->gp;
	return 0;
}

/*
 * There is always more of it than is taken, all at one time: the others' records come out. What was there
 * when a pass began is behind it with the second next one, however long passes take.
 */
static void test_stands_still(void)
{
	const struct timespec moment = {.tv_nsec = 3000000};
	struct others others = {.gp = 0xc000001000 + 2 * 512};
	unsigned int passes = 0;
	uint64_t tsc = 0;
	struct bench b;

	make(&b);
	put(&b, 2, 0, 0);
	for (; !others.n && passes < 3; passes++) {
		for (unsigned int k = 0; k < 1500; k++) {
			struct inline_record *rec = place(&b, 1, 0, 0);

			rec->tsc = tsc = tsc ? tsc : rec->tsc - 1000;
			publish(&b, 1, rec);
		}
		/* longer than what clocks may be off: the record of the other ring is before this */
		nanosleep(&moment, NULL);
		CU_ASSERT_EQUAL(reader_pass(b.r, false), 0);
		CU_ASSERT(ring(&b, 1)->tail != ring(&b, 1)->head);
		CU_ASSERT_EQUAL(merge_emit(b.m, count_others, &others), 0);
	}
	CU_ASSERT_EQUAL(others.n, 1);
	CU_ASSERT_EQUAL(merge_late(b.m), 0);
	end(&b);
}

static pid_t sleeper(void)
{
	pid_t pid = fork();

	if (!pid) {
		pause();
		_exit(0);
	}
	return pid;
}

/* A process that sleeps writes no records. */
static void test_flood(void)
{
	pid_t pid = sleeper();
	size_t all = 0;
	struct bench b;

	CU_ASSERT_FATAL(pid > 0);
	make_of(&b, pid, -1);
	for (unsigned int k = 0; k < 60; k++) {
		for (unsigned int i = 0; i < 1000; i++)
			put(&b, 1, 0, 0);
		all += pass(&b, false);
	}
	CU_ASSERT(all > 0 && all <= 40000);
	CU_ASSERT_EQUAL(reader_damage(b.r).kinds, DAMAGE_FLOOD);
	CU_ASSERT(reader_lost(b.r) > 0);
	CU_ASSERT(reader_cpu_ns(b.r) < 1000000000);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	end(&b);
}

/* What it says of the threads of others is not believed. */
static void test_foreign_threads(void)
{
	static const uint64_t none[] = {0, 1ULL << 32, UINT64_MAX};
	pid_t pid = sleeper();
	struct bench b;

	CU_ASSERT_FATAL(pid > 0);
	make(&b);
	for (uint32_t i = 0; i < 2; i++) {
		put(&b, i, 0, 0);
		b.pid = pid;
		put(&b, i, 0, 0);
		b.pid = getpid();
		put(&b, i, 0, 0);
		for (size_t k = 0; k < 3; k++) {
			struct inline_record *rec = place(&b, i, 0, 0);

			rec->procid = none[k];
			publish(&b, i, rec);
		}
	}
	CU_ASSERT_EQUAL(pass(&b, false), 4);
	for (size_t k = 0; k < b.n; k++)
		CU_ASSERT_EQUAL(b.ev[k]->tid, (uint32_t)getpid());
	counted(&b, DAMAGE_RECORD, 8);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	/* one that has ended since may have been its own */
	b.pid = pid;
	put(&b, 1, 0, 0);
	CU_ASSERT_EQUAL(pass(&b, false), 1);
	end(&b);
}

/* The file is cut below the mapping. */
static void test_cut(void)
{
	for (unsigned int k = 0; k < 3; k++) {
		int fd = memfd_create("reader", MFD_CLOEXEC);
		struct bench b;

		CU_ASSERT_FATAL(fd >= 0);
		make_of(&b, getpid(), fd);
		put(&b, 1, 0, 3);
		CU_ASSERT_EQUAL(pass(&b, false), 2);
		CU_ASSERT_EQUAL(ftruncate(fd, k == 1 ? 4096 : 0), 0);
		pass(&b, k == 2);
		CU_ASSERT(reader_damage(b.r).kinds & DAMAGE_CUT);
		CU_ASSERT(reader_lost(b.r) > 0);
		CU_ASSERT_EQUAL(pass(&b, false), 0);
		CU_ASSERT_EQUAL(reader_waits(b.r), 0);
		end(&b);
		close(fd);
	}
}

/* Behind the last pass nothing is read, whoever writes there. */
static void test_over(void)
{
	struct bench b;

	make(&b);
	put(&b, 1, 0, 0);
	CU_ASSERT_EQUAL(pass(&b, true), 1);
	put(&b, 1, 0, 0);
	ring(&b, 1)->lost = 10;
	CU_ASSERT_EQUAL(pass(&b, false), 0);
	CU_ASSERT_EQUAL(pass(&b, true), 0);
	CU_ASSERT_EQUAL(reader_lost(b.r), 0);
	end(&b);
}

static CU_TestInfo tests[] = {
	{"a record, field by field", test_fields},
	{"every kind", test_kinds},
	{"both ends of a system call", test_syscalls},
	{"stacks that were cut", test_flags},
	{"order, and round and round", test_order},
	{"a stack comes first", test_first_use},
	{"a record is under way", test_busy},
	{"a slot is not complete", test_incomplete},
	{"the end", test_last},
	{"more than a portion", test_portions},
	{"losses", test_lost},
	{"how full a ring is", test_fill},
	{"records that are none", test_spoiled},
	{"heads that are none", test_heads},
	{"garbage", test_garbage},
	{"what is right is no damage", test_no_damage},
	{"sites that have no stub", test_wrong_sites},
	{"sizes that cannot be", test_wrong_sizes},
	{"times that cannot be", test_wrong_times},
	{"tails are not read", test_tails},
	{"heads that jump", test_jumps},
	{"counters that lie", test_counters},
	{"a record that never comes", test_held},
	{"time stands still", test_stands_still},
	{"more records than time", test_flood},
	{"threads of others", test_foreign_threads},
	{"memory that is taken away", test_cut},
	{"the last pass is the last", test_over},
	CU_TEST_INFO_NULL,
};

UNIT_SUITE("inline/reader", tests);
