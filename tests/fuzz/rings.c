// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * libFuzzer target: the memory a target's stubs write into, written by what is no stub - records, positions,
 * counters and anything else, by the input, and at the same time at random by a second thread. What
 * comes through is read, merged, replayed and reported as in a capture. It must be well-formed, in order of
 * time and of this time, and no figure may be more than there can be.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <x86intrin.h>

#include "user/base/clock.h"
#include "user/capture/file.h"
#include "user/inline/reader.h"
#include "user/replay/replay.h"
#include "user/report/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RINGS 4
#define ROOM (1U << 16)
#define NSITES 16
#define TGID ((uint32_t)getpid())
#define MOST_PASSES 64

struct bench {
	struct target t;
	struct site sites[NSITES];
	bool has_stub[NSITES];
	uint8_t *memory;
	struct inline_geometry g;
	struct merge *m;
	struct inline_reader *reader;
	struct replay *replay;
	struct report *report;
	uint64_t begin, last, events, lost;
	/* the second thread */
	pthread_t thread;
	uint64_t seed;
	bool stop;
};

static void give_up(const char *why)
{
	fprintf(stderr, "rings: %s\n", why);
	abort();
}

static uint64_t next(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static struct inline_ring *ring(const struct bench *b, uint32_t i)
{
	return (void *)(b->memory + inline_ring_offset(&b->g, i % RINGS));
}

/* --- what writes ------------------------------------------------------------------------------ */

/* Near what is right, and as far from it as can be. */
static uint64_t odd(uint64_t right, uint8_t how)
{
	static const uint64_t far[] = {0,         1,          7,          8,
				       INT64_MAX, 1ULL << 63, UINT64_MAX, UINT64_MAX - 7};

	if (how < 64)
		return right;
	if (how < 128)
		return right + (uint64_t)(int64_t)(8 * ((int)how - 96));
	if (how < 192)
		return right ^ 1ULL << (how - 128);
	return far[how % 8];
}

static void set(uint64_t *p, uint64_t value)
{
	__atomic_store_n(p, value, __ATOMIC_RELAXED);
}

/* A record as a stub writes it, but for what `how` changes in it. */
static void put(const struct bench *b, uint32_t i, const uint8_t *how)
{
	struct inline_ring *r = ring(b, i);
	uint64_t head = __atomic_load_n(&r->head, __ATOMIC_RELAXED);
	unsigned int frames = i % RINGS ? how[1] % 8 : 0;
	uint64_t words[sizeof(struct inline_record) / 8 + 8];
	struct inline_record *rec = (void *)words;
	uint8_t *to = r->data + (head & (ROOM - 1));

	*rec = (struct inline_record){
		.tsc = odd(__rdtsc(), how[2]),
		.site = (uint32_t)odd(how[3] % NSITES, how[4]),
		.size = (uint32_t)odd(sizeof(*rec) + 8 * frames, how[5]),
		.gp = odd(0xc000000000 + 0x200 * (how[3] >> 4), how[6]),
		.goid = odd(1 + (how[3] >> 4), how[6]),
		.procid = odd(TGID, how[7]),
		.p = odd(0xc800000000 + 0x200 * i, how[6]),
		.curg = odd(0xc000000000, how[6]),
		.old_status = how[4] % 10,
		.new_status = how[5] % 10,
		.wait_reason = how[6],
		.block_reason = how[7],
		.flags = how[1],
		.arg = {odd(1, how[6]), odd(2, how[7])},
		.stack = frames ? odd(frames, how[1]) : 0,
	};
	for (unsigned int k = 0; k < frames; k++)
		rec->pc[k] = odd(0x401000 + 16 * k, how[k]);
	memcpy(to, rec, sizeof(*rec) + 8 * frames);
	set(&r->head, head + (i % RINGS ? sizeof(*rec) + 8 * frames : INLINE_SLOT));
}

static void scribble(const struct bench *b, const uint8_t *how)
{
	struct inline_ring *r = ring(b, how[1]);
	uint64_t value, all = inline_size(&b->g) / 8;

	memcpy(&value, how, sizeof(value));
	switch (how[0] % 16) {
	case 0:
		set(&r->head, odd(r->head, how[2]));
		break;
	case 1:
		set(&r->head, r->head + 8ULL * how[2] * how[3]);
		break;
	case 2:
		set(&r->tail, odd(r->head, how[2]));
		break;
	case 3:
		set(&r->lost, odd(r->lost + how[3], how[2]));
		break;
	case 4:
		set(&r->waits, odd(r->waits + how[3], how[2]));
		break;
	case 5:
		__atomic_store_n(&r->busy, how[2] & 1, __ATOMIC_RELAXED);
		break;
	case 6: /* anywhere: the header, what stubs know, records */
		set((uint64_t *)b->memory + value % all, value);
		break;
	case 7:
		set((uint64_t *)(r->data + value % ROOM / 8 * 8), odd(how[2], how[3]));
		break;
	default:
		for (unsigned int k = 0; k <= how[0] / 16U; k++)
			put(b, how[1], how);
	}
}

static void *scribbler(void *ctx)
{
	struct bench *b = ctx;
	uint64_t x = b->seed | 1;

	while (!__atomic_load_n(&b->stop, __ATOMIC_RELAXED)) {
		uint64_t how[2] = {next(&x), next(&x)};

		/* mostly what is nearly right: of garbage nothing gets far */
		if (x % 4)
			how[0] |= 8;
		scribble(b, (const uint8_t *)how);
	}
	return NULL;
}

/* --- what reads ------------------------------------------------------------------------------- */

static int pass_on(void *ctx, struct event_head *ev)
{
	struct bench *b = ctx;
	struct error e;

	if (!event_valid(ev))
		give_up("a malformed record came through");
	if (ev->time_ns < b->last || ev->time_ns < b->begin || ev->time_ns > now_ns())
		give_up("a record came through with a time that cannot be");
	if (ev->tid <= 1 || ev->tid == (uint32_t)getppid())
		give_up("a record of another process came through");
	b->last = ev->time_ns;
	b->events += ev->type == EV_GO || ev->type == EV_GO_CREATE;
	if (replay_event(b->replay, ev, &e))
		give_up("the replay failed");
	return 0;
}

static void tell(const struct bench *b, const void *record)
{
	struct event_head *ev = (void *)(uintptr_t)record;
	struct error e;

	ev->time_ns = b->begin;
	if (!event_valid(ev) || replay_event(b->replay, ev, &e))
		give_up("the beginning is refused");
}

static void begin(struct bench *b)
{
	struct ev_target target = {.h = {0, TGID, EV_TARGET, sizeof(target)}, .tgid = TGID};
	struct ev_task_state task = {
		.h = {0, TGID, EV_TASK, sizeof(task)}, .tgid = TGID, .state = 'S'};
	struct ev_ready ready = {.h = {0, TGID, EV_READY, sizeof(ready)}, .tgid = TGID};

	target.go_minor = 25;
	tell(b, &target);
	tell(b, &task);
	for (uint32_t i = 0; i < RINGS; i++) {
		struct ev_snap_p p = {
			.h = {0, TGID, EV_SNAP_P, sizeof(p)}, .tgid = TGID, .id = (int)i};

		p.p = 0xc800000000 + 0x200 * i;
		tell(b, &p);
	}
	tell(b, &ready);
}

static void make(struct bench *b, const uint8_t *data)
{
	const struct report_options report = {.system_wide = false};
	struct reader_options o = {.t = &b->t, .geometry = {RINGS, inline_stride(ROOM), ROOM}};
	struct error e;

	for (unsigned int i = 0; i < NSITES; i++) {
		static const uint8_t kinds[] = {SITE_START,         SITE_PARK,
						SITE_READY,         SITE_YIELD,
						SITE_EXIT,          SITE_SYSEXIT_NOP,
						SITE_CREATE_CAS,    SITE_CREATE_RUNQPUT,
						SITE_READY_WORKER,  SITE_CGO_EXIT,
						SITE_SYSCALL_ENTER, SITE_SYSCALL_EXIT};

		b->has_stub[i] = i < sizeof(kinds);
		b->sites[i].kind = i < sizeof(kinds) ? kinds[i] : SITE_STW_BEGIN;
	}
	b->t.sites = (struct sites){.v = b->sites, .n = NSITES};
	b->g = o.geometry;
	b->memory = mmap(NULL, inline_size(&b->g), PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	b->m = merge_new(RINGS);
	b->begin = o.since_ns = now_ns();
	o.memory = b->memory;
	o.has_stub = b->has_stub;
	o.m = b->m;
	if (b->memory == MAP_FAILED || !b->m || target_process_open(getpid(), &b->t.process, &e) ||
	    reader_new(&b->reader, &o) || replay_new(&b->replay, &e) ||
	    report_new(&b->report, &report, replay_symbols(b->replay), &e))
		give_up("no memory");
	replay_add_sink(b->replay, report_sink(b->report));
	begin(b);
	memcpy(&b->seed, data, sizeof(b->seed));
	if (pthread_create(&b->thread, NULL, scribbler, b))
		give_up("no thread");
}

static void look(struct bench *b, bool last)
{
	if (reader_pass(b->reader, last) || merge_emit(b->m, pass_on, b))
		give_up("a pass failed");
	b->lost += reader_lost(b->reader);
}

static void end(struct bench *b)
{
	static FILE *null;
	uint64_t most;
	struct inline_damage d;
	struct error e;

	look(b, true);
	__atomic_store_n(&b->stop, true, __ATOMIC_RELAXED);
	pthread_join(b->thread, NULL);
	d = reader_damage(b->reader);
	most = reader_cpu_ns(b->reader) / 10 + 10000 + d.found;
	if (merge_pending(b->m) || merge_bytes(b->m) || merge_late(b->m))
		give_up("the merge is not empty, or had records that came late");
	if (b->events + b->lost > most || (d.found && !b->lost))
		give_up("lost is what cannot be, or what is left out is not");
	if (reader_waits(b->reader) > most + RINGS * ROOM / 96)
		give_up("more waits than records");
	if (!null)
		null = fopen("/dev/null", "w");
	if (replay_finish(b->replay, &e) || !null || report_print(b->report, null, &e))
		give_up("no report");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bench b = {0};

	if (size < 8)
		return 0;
	make(&b, data);
	for (unsigned int i = 0; size >= 8; data += 8, size -= 8, i++) {
		scribble(&b, data);
		if (i % (1 + size / 8 / MOST_PASSES) == 0)
			look(&b, false);
	}
	end(&b);
	report_free(b.report);
	replay_free(b.replay);
	reader_free(b.reader);
	merge_free(b.m);
	target_process_close(b.t.process);
	munmap(b.memory, inline_size(&b.g));
	return 0;
}
