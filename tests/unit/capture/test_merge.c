// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "tests/unit/unit.h"
#include "user/capture/merge.h"

/* A record with its arrival number in .other, and as many copies of it as its size has room for. */
struct record {
	struct event_head h;
	uint64_t tag[64];
};

static void add(struct merge *m, size_t source, uint64_t time_ns, uint64_t tag)
{
	struct record r = {.h = {.time_ns = time_ns, .tid = (uint32_t)source, .type = EV_GO}};
	size_t n = 1 + tag % 64;

	r.h.size = (uint16_t)(sizeof(r.h) + n * 8);
	for (size_t i = 0; i < n; i++)
		r.tag[i] = tag;
	CU_ASSERT_EQUAL_FATAL(merge_add(m, source, &r.h), 0);
}

struct seen {
	uint64_t last;
	uint64_t tags[1024];
	size_t n;
	size_t stop_at; /* 0: never */
	bool disorder, damage;
};

static int collect(void *ctx, struct event_head *ev)
{
	struct record *r = (void *)ev;
	struct seen *s = ctx;
	size_t n = (ev->size - sizeof(*ev)) / 8;

	if (ev->time_ns < s->last)
		s->disorder = true;
	s->last = ev->time_ns;
	if (n != 1 + r->tag[0] % 64)
		s->damage = true;
	for (size_t i = 0; i < n; i++)
		if (r->tag[i] != r->tag[0])
			s->damage = true;
	s->tags[s->n++ % 1024] = r->tag[0];
	return s->stop_at && s->n == s->stop_at ? -ENOSPC : 0;
}

static void promise_all(struct merge *m, size_t sources, uint64_t ns)
{
	for (size_t i = 0; i < sources; i++)
		merge_promise(m, i, ns);
}

static void orders_records_of_several_sources(void)
{
	struct merge *m = merge_new(3);
	struct seen s = {0};

	add(m, 0, 10, 1);
	add(m, 0, 40, 4);
	add(m, 1, 20, 2);
	add(m, 1, 50, 5);
	add(m, 2, 30, 3);
	promise_all(m, 3, 100);
	CU_ASSERT_EQUAL(merge_emit(m, collect, &s), 0);
	CU_ASSERT_EQUAL_FATAL(s.n, 5);
	for (size_t i = 0; i < 5; i++)
		CU_ASSERT_EQUAL(s.tags[i], i + 1);
	CU_ASSERT_FALSE(s.disorder || s.damage);
	CU_ASSERT_EQUAL(merge_pending(m), 0);
	merge_free(m);
}

static void repairs_disorder_inside_a_source(void)
{
	struct merge *m = merge_new(1);
	struct seen s = {0};

	add(m, 0, 30, 3);
	add(m, 0, 10, 1);
	add(m, 0, 20, 2);
	add(m, 0, 25, 70);
	merge_promise(m, 0, 100);
	merge_emit(m, collect, &s);
	CU_ASSERT_EQUAL_FATAL(s.n, 4);
	CU_ASSERT_EQUAL(s.tags[0], 1);
	CU_ASSERT_EQUAL(s.tags[1], 2);
	CU_ASSERT_EQUAL(s.tags[2], 70);
	CU_ASSERT_EQUAL(s.tags[3], 3);
	CU_ASSERT_EQUAL(merge_late(m), 0);
	CU_ASSERT_FALSE(s.disorder || s.damage);
	merge_free(m);
}

static void keeps_arrival_order_of_equal_times(void)
{
	struct merge *m = merge_new(2);
	struct seen s = {0};

	add(m, 1, 10, 3);
	add(m, 1, 10, 4);
	add(m, 0, 10, 1);
	add(m, 0, 10, 2);
	promise_all(m, 2, 11);
	merge_emit(m, collect, &s);
	CU_ASSERT_EQUAL_FATAL(s.n, 4);
	for (size_t i = 0; i < 4; i++)
		CU_ASSERT_EQUAL(s.tags[i], i + 1);
	merge_free(m);
}

static void waits_for_the_slowest_promise(void)
{
	struct merge *m = merge_new(3);
	struct seen s = {0};

	add(m, 0, 10, 1);
	add(m, 1, 20, 2);
	merge_promise(m, 0, 100);
	merge_promise(m, 1, 100);
	merge_emit(m, collect, &s);
	CU_ASSERT_EQUAL(s.n, 0); /* source 2 has not promised anything */
	CU_ASSERT_EQUAL(merge_pending(m), 2);

	merge_promise(m, 2, 20); /* it may still come up with a 20 */
	merge_emit(m, collect, &s);
	CU_ASSERT_EQUAL(s.n, 1);

	add(m, 2, 20, 3);
	promise_all(m, 3, 21);
	merge_emit(m, collect, &s);
	CU_ASSERT_EQUAL_FATAL(s.n, 3);
	CU_ASSERT_EQUAL(s.tags[1], 2);
	CU_ASSERT_EQUAL(s.tags[2], 3);
	merge_free(m);
}

static void a_silent_source_holds_nobody_up(void)
{
	struct merge *m = merge_new(2);
	struct seen s = {0};

	for (uint64_t t = 1; t <= 1000; t++) {
		add(m, 0, t, t);
		promise_all(m, 2, t + 1);
		merge_emit(m, collect, &s);
		CU_ASSERT_EQUAL(s.n, t);
	}
	CU_ASSERT_FALSE(s.disorder || s.damage);
	merge_free(m);
}

static void promises_do_not_go_back(void)
{
	struct merge *m = merge_new(1);
	struct seen s = {0};

	merge_promise(m, 0, 50);
	merge_promise(m, 0, 10);
	add(m, 0, 40, 1);
	merge_emit(m, collect, &s);
	CU_ASSERT_EQUAL(s.n, 1);
	merge_free(m);
}

static void a_broken_promise_is_counted_and_order_kept(void)
{
	struct merge *m = merge_new(2);
	struct seen s = {0};

	add(m, 0, 100, 1);
	promise_all(m, 2, 200);
	merge_emit(m, collect, &s);
	add(m, 1, 50, 2);
	merge_emit(m, collect, &s);
	CU_ASSERT_EQUAL(s.n, 2);
	CU_ASSERT_EQUAL(s.last, 100);
	CU_ASSERT_EQUAL(merge_late(m), 1);
	CU_ASSERT_FALSE(s.disorder);
	merge_free(m);
}

static void takes_a_huge_skew(void)
{
	struct merge *m = merge_new(2);
	struct seen s = {0};

	/* one source is an hour behind the other; nothing passes until it has caught up */
	for (uint64_t i = 0; i < 500; i++)
		add(m, 0, 3600000000000ULL + i, i);
	merge_promise(m, 0, UINT64_MAX);
	for (uint64_t i = 0; i < 500; i++)
		add(m, 1, i, i);
	merge_promise(m, 1, 500);
	merge_emit(m, collect, &s);
	CU_ASSERT_EQUAL(s.n, 500);
	CU_ASSERT_EQUAL(s.last, 499);
	merge_promise(m, 1, UINT64_MAX);
	merge_emit(m, collect, &s);
	CU_ASSERT_EQUAL(s.n, 1000);
	CU_ASSERT_FALSE(s.disorder || s.damage);
	merge_free(m);
}

static void the_last_moment_passes_too(void)
{
	struct merge *m = merge_new(1);
	struct seen s = {0};

	add(m, 0, UINT64_MAX - 1, 1);
	merge_promise(m, 0, UINT64_MAX);
	merge_emit(m, collect, &s);
	CU_ASSERT_EQUAL(s.n, 1);
	merge_free(m);
}

static void stops_where_the_callback_fails_and_goes_on(void)
{
	struct merge *m = merge_new(2);
	struct seen s = {.stop_at = 3};

	for (uint64_t i = 0; i < 10; i++)
		add(m, i % 2, i, i);
	promise_all(m, 2, 100);
	CU_ASSERT_EQUAL(merge_emit(m, collect, &s), -ENOSPC);
	CU_ASSERT_EQUAL(s.n, 3);
	CU_ASSERT_EQUAL(merge_pending(m), 7);
	CU_ASSERT_EQUAL(merge_emit(m, collect, &s), 0);
	CU_ASSERT_EQUAL_FATAL(s.n, 10);
	for (size_t i = 0; i < 10; i++)
		CU_ASSERT_EQUAL(s.tags[i], i);
	merge_free(m);
}

/* Many passes with records left over, as under load: buffers are reused and nothing is mixed up. */
/* In portions it is the same, and each says whether there is another. */
static void hands_over_in_portions(void)
{
	struct merge *m = merge_new(2);
	struct seen s = {0};
	bool more = true;

	for (uint64_t i = 0; i < 100; i++)
		add(m, i % 2, 1000 + i, i);
	promise_all(m, 2, 1090);
	for (size_t n = 30; n <= 90; n += 30) {
		CU_ASSERT_TRUE(more);
		CU_ASSERT_EQUAL(merge_emit_some(m, 30, &more, collect, &s), 0);
		CU_ASSERT_EQUAL(s.n, n);
	}
	CU_ASSERT_FALSE(more);
	CU_ASSERT_EQUAL(merge_emit_some(m, 30, &more, collect, &s), 0);
	CU_ASSERT_FALSE(more);
	CU_ASSERT_EQUAL(merge_pending(m), 10);
	promise_all(m, 2, UINT64_MAX);
	CU_ASSERT_EQUAL(merge_emit_some(m, 0, &more, collect, &s), 0);
	CU_ASSERT_TRUE(more);
	CU_ASSERT_EQUAL(merge_emit(m, collect, &s), 0);
	CU_ASSERT_EQUAL(s.n, 100);
	for (uint64_t i = 0; i < 100; i++)
		CU_ASSERT_EQUAL(s.tags[i], i);
	CU_ASSERT_FALSE(s.disorder || s.damage);
	merge_free(m);
}

static void survives_many_passes(void)
{
	struct merge *m = merge_new(4);
	uint64_t now = 1000, total = 0, sum_in = 0, sum_out = 0, tag = 0;
	struct seen s = {0};
	size_t out = 0;

	srandom(7);
	for (int pass = 0; pass < 300; pass++) {
		for (int i = 0; i < 200; i++) {
			uint64_t t = now + (uint64_t)random() % 1000;

			add(m, (size_t)random() % 4, t, ++tag);
			sum_in += tag;
			total++;
		}
		/* the next pass begins at now + 300: records from there on stay */
		now += 300;
		promise_all(m, 4, now);
		s.n = 0;
		CU_ASSERT_EQUAL(merge_emit(m, collect, &s), 0);
		CU_ASSERT_FATAL(s.n <= 1024);
		for (size_t i = 0; i < s.n; i++)
			sum_out += s.tags[i];
		out += s.n;
		CU_ASSERT_EQUAL(merge_pending(m), total - out);
	}
	promise_all(m, 4, UINT64_MAX);
	s.n = 0;
	merge_emit(m, collect, &s);
	for (size_t i = 0; i < s.n; i++)
		sum_out += s.tags[i];
	CU_ASSERT_EQUAL(out + s.n, total);
	CU_ASSERT_EQUAL(sum_in, sum_out);
	CU_ASSERT_EQUAL(merge_late(m), 0);
	CU_ASSERT_FALSE(s.disorder || s.damage);
	merge_free(m);
}

#define MANY 20000

struct expected {
	uint64_t time_ns, source, arrival;
};

static int by_time(const void *a, const void *b)
{
	const struct expected *x = a, *y = b;

	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	if (x->source != y->source)
		return x->source < y->source ? -1 : 1;
	return x->arrival < y->arrival ? -1 : 1;
}

struct order {
	const struct expected *want;
	size_t n, wrong;
};

static int compare(void *ctx, struct event_head *ev)
{
	const struct record *r = (void *)ev;
	struct order *o = ctx;
	const struct expected *want = &o->want[o->n++];

	o->wrong += want->time_ns != ev->time_ns || want->source != ev->tid ||
		    want->arrival != r->tag[0];
	return 0;
}

/*
 * Any number of sources, in bursts and alone, with equal times and silent ones: the order is that of
 * sorting all of it.
 */
static void the_order_is_that_of_sorting(void)
{
	static struct expected want[MANY];

	srandom(11);
	for (size_t sources = 1; sources <= 70; sources += sources < 10 ? 1 : 15) {
		struct merge *m = merge_new(sources);
		struct order o = {.want = want};
		uint64_t now = 0;
		size_t source = 0;

		for (size_t i = 0; i < MANY; i++) {
			if (random() % 3 || sources == 1)
				now += (uint64_t)random() % 3;
			else
				source = (size_t)random() % ((sources + 1) / 2);
			want[i] = (struct expected){now + (uint64_t)random() % 4, source, i};
			add(m, source, want[i].time_ns, i);
		}
		qsort(want, MANY, sizeof(*want), by_time);
		/* up to a moment that lies between records, and then all of it */
		promise_all(m, sources, now / 2);
		CU_ASSERT_EQUAL(merge_emit(m, compare, &o), 0);
		CU_ASSERT(o.n > 0 && o.n < MANY);
		CU_ASSERT_TRUE(want[o.n - 1].time_ns < now / 2 && want[o.n].time_ns >= now / 2);
		promise_all(m, sources, UINT64_MAX);
		CU_ASSERT_EQUAL(merge_emit(m, compare, &o), 0);
		CU_ASSERT_EQUAL(o.n, MANY);
		CU_ASSERT_EQUAL(o.wrong, 0);
		CU_ASSERT_EQUAL(merge_late(m), 0);
		CU_ASSERT_EQUAL(merge_bytes(m), 0);
		merge_free(m);
	}
}

static void tells_what_it_holds_and_whom_it_waits_for(void)
{
	struct merge *m = merge_new(3);
	struct seen s = {0};

	CU_ASSERT_EQUAL(merge_bytes(m), 0);
	CU_ASSERT_TRUE(merge_waits_for(m, 0) && merge_waits_for(m, 1) && merge_waits_for(m, 2));
	merge_promise(m, 0, 10);
	merge_promise(m, 2, 20);
	CU_ASSERT_TRUE(merge_waits_for(m, 1));
	CU_ASSERT_FALSE(merge_waits_for(m, 0) || merge_waits_for(m, 2));
	for (uint64_t i = 0; i < 1000; i++)
		add(m, 2, i, 0);
	CU_ASSERT_EQUAL(merge_bytes(m), 1000 * (sizeof(struct event_head) + 8));
	merge_promise(m, 1, 30);
	CU_ASSERT_TRUE(merge_waits_for(m, 0));
	CU_ASSERT_EQUAL(merge_emit(m, collect, &s), 0);
	CU_ASSERT_EQUAL(s.n, 10);
	promise_all(m, 3, UINT64_MAX);
	CU_ASSERT_EQUAL(merge_emit(m, collect, &s), 0);
	CU_ASSERT_EQUAL(merge_bytes(m), 0);
	merge_free(m);
}

/* Buffers that grew for once are given up, and grow again. */
static void survives_bursts_and_quiet(void)
{
	struct merge *m = merge_new(2);
	struct seen s = {0};
	uint64_t now = 1;

	for (int round = 0; round < 3; round++) {
		for (uint64_t i = 0; i < 20000; i++)
			add(m, i % 2, now++, 63);
		promise_all(m, 2, now);
		CU_ASSERT_EQUAL(merge_emit(m, collect, &s), 0);
		for (uint64_t i = 0; i < 250; i++) {
			add(m, i % 2, now++, i);
			promise_all(m, 2, now);
			CU_ASSERT_EQUAL(merge_emit(m, collect, &s), 0);
		}
	}
	CU_ASSERT_EQUAL(s.n, 3 * 20250);
	CU_ASSERT_FALSE(s.disorder || s.damage);
	CU_ASSERT_EQUAL(merge_pending(m), 0);
	CU_ASSERT_EQUAL(merge_bytes(m), 0);
	merge_free(m);
}

#define HEAP 400000
#define HEAP_MS 6000 /* of CPU time; what is quadratic takes minutes */

static uint64_t cpu_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static int in_order(void *ctx, struct event_head *ev)
{
	struct seen *s = ctx;

	s->disorder |= ev->time_ns < s->last;
	s->last = ev->time_ns;
	s->n++;
	return 0;
}

/* One that lies about its times cannot make it slow: descending, at random, and both in turns. */
static void any_times_take_the_same(void)
{
	for (int how = 0; how < 3; how++) {
		struct merge *m = merge_new(2);
		uint64_t begin = cpu_ms();
		struct seen s = {0};

		srandom(7);
		for (uint64_t i = 0; i < HEAP; i++) {
			uint64_t down = 2 * HEAP - i, any = (uint64_t)random() % HEAP;
			struct event_head h = {.type = EV_GO, .size = sizeof(h)};

			h.time_ns = !how ? down : how == 1 || i % 2 ? any : HEAP + i;
			CU_ASSERT_EQUAL_FATAL(merge_add(m, i % 2, &h), 0);
		}
		promise_all(m, 2, HEAP / 3);
		CU_ASSERT_EQUAL(merge_emit(m, in_order, &s), 0);
		CU_ASSERT_EQUAL(merge_pending(m), HEAP - s.n);
		promise_all(m, 2, UINT64_MAX);
		CU_ASSERT_EQUAL(merge_emit(m, in_order, &s), 0);
		CU_ASSERT_EQUAL(s.n, HEAP);
		CU_ASSERT_FALSE(s.disorder);
		CU_ASSERT_EQUAL(merge_bytes(m), 0);
		CU_ASSERT(cpu_ms() - begin < HEAP_MS);
		merge_free(m);
	}
}

/* Stragglers keep their order among themselves, and among others of the same time. */
static void stragglers_are_in_order(void)
{
	static struct expected want[MANY];

	srandom(12);
	for (unsigned int round = 0; round < 10; round++) {
		struct merge *m = merge_new(1);
		struct order o = {.want = want};

		for (size_t i = 0; i < MANY; i++) {
			uint64_t span = random() % 3 ? 5 : 3000;

			want[i] = (struct expected){i / 2 + (uint64_t)random() % span, 0, i};
			add(m, 0, want[i].time_ns, i);
		}
		qsort(want, MANY, sizeof(*want), by_time);
		for (uint64_t now = 0; now < MANY; now += 500) {
			merge_promise(m, 0, now);
			CU_ASSERT_EQUAL(merge_emit(m, compare, &o), 0);
			CU_ASSERT_EQUAL(merge_pending(m), MANY - o.n);
		}
		CU_ASSERT_EQUAL(o.n, MANY);
		CU_ASSERT_EQUAL(o.wrong, 0);
		CU_ASSERT_EQUAL(merge_bytes(m), 0);
		merge_free(m);
	}
}

static void tells_what_some_sources_hold(void)
{
	struct merge *m = merge_new(4);

	add(m, 0, 1, 0);
	add(m, 1, 1, 0);
	add(m, 1, 1, 0);
	add(m, 3, 1, 0);
	CU_ASSERT_EQUAL(merge_bytes_of(m, 1, 2), 2 * (sizeof(struct event_head) + 8));
	CU_ASSERT_EQUAL(merge_bytes_of(m, 0, 4), merge_bytes(m));
	merge_free(m);
}

static CU_TestInfo tests[] = {
	{"any times take the same", any_times_take_the_same},
	{"stragglers are in order", stragglers_are_in_order},
	{"tells what some sources hold", tells_what_some_sources_hold},
	{"orders records of several sources", orders_records_of_several_sources},
	{"repairs disorder inside a source", repairs_disorder_inside_a_source},
	{"keeps arrival order of equal times", keeps_arrival_order_of_equal_times},
	{"waits for the slowest promise", waits_for_the_slowest_promise},
	{"a silent source holds nobody up", a_silent_source_holds_nobody_up},
	{"promises do not go back", promises_do_not_go_back},
	{"a broken promise is counted, order kept", a_broken_promise_is_counted_and_order_kept},
	{"takes a huge skew", takes_a_huge_skew},
	{"the last moment passes, too", the_last_moment_passes_too},
	{"stops where the callback fails", stops_where_the_callback_fails_and_goes_on},
	{"hands over in portions", hands_over_in_portions},
	{"survives many passes", survives_many_passes},
	{"the order is that of sorting", the_order_is_that_of_sorting},
	{"tells what it holds, whom it waits for", tells_what_it_holds_and_whom_it_waits_for},
	{"survives bursts and quiet", survives_bursts_and_quiet},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("capture/merge", tests);
