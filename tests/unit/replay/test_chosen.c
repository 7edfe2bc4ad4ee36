// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Addresses and ids that are chosen so that they would meet in tables whose hash can be foreseen. */
#include <time.h>

#include "tests/unit/unit.h"
#include "user/base/hash.h"
#include "user/replay/crowd.h"
#include "user/replay/replay.h"

#define TGID 100
#define MANY 30000

static void feed(struct replay *r, struct event_head *h, unsigned int type, size_t size)
{
	struct error e;

	h->type = (uint16_t)type;
	h->size = (uint16_t)size;
	h->time_ns += 1000;
	CU_ASSERT_EQUAL(replay_event(r, h, &e), 0);
}

/* The next one behind `last` that meets the others in a table of uthash's own hash. */
static uint64_t next_meeting(uint64_t last)
{
	unsigned int hash;

	do {
		last += 8;
		HASH_JEN(&last, sizeof(last), hash);
	} while (hash & 0xff);
	return last;
}

static unsigned int longest_chain(const UT_hash_table *table)
{
	unsigned int most = 0;

	for (unsigned int i = 0; i < table->num_buckets; i++)
		most = table->buckets[i].count > most ? table->buckets[i].count : most;
	return most;
}

static void test_goroutines(void)
{
	struct ev_target target = {.tgid = TGID, .go_minor = 26};
	struct ev_snap_g g = {.tgid = TGID, .gp = 0xc000000000, .status = 1};
	struct replay *r;
	struct error e;

	CU_ASSERT_EQUAL_FATAL(replay_new(&r, &e), 0);
	feed(r, &target.h, EV_TARGET, sizeof(target));
	for (unsigned int i = 0; i < MANY; i++) {
		g.gp = next_meeting(g.gp);
		g.goid = i + 1;
		feed(r, &g.h, EV_SNAP_G, sizeof(g));
	}
	CU_ASSERT_EQUAL(HASH_COUNT(replay_processes(r)->goroutines), MANY);
	/* by chance there are ten in one at most, and some more now and then */
	CU_ASSERT(longest_chain(replay_processes(r)->goroutines->hh.tbl) < 100);
	CU_ASSERT_EQUAL(replay_processes(r)->goroutines->hh.tbl->noexpand, 0);
	CU_ASSERT_EQUAL(replay_finish(r, &e), 0);
	replay_free(r);
}

/* Products with the golden ratio whose middle bits cancel out: in an index by Knuth's hash all meet. */
static void test_crowd(void)
{
	const uint64_t inverse = 0xf1de83e19937733dULL; /* of 0x9e3779b97f4a7c15, modulo 2^64 */
	struct crowd *crowd = NULL;
	clock_t begin = clock();

	CU_ASSERT_EQUAL_FATAL(inverse * 0x9e3779b97f4a7c15ULL, 1);
	for (uint64_t i = 1; i <= 4 * MANY; i++) {
		uint64_t product = i << 32 | (i & 0x7ffff) << 13;
		const struct goroutine g = {.addr = product * inverse, .id = i, .reason = ""};

		CU_ASSERT_EQUAL(crowd_add(&crowd, &g), 0);
	}
	/* 0.05 s; and if all meet 50 s */
	CU_ASSERT(clock() - begin < 5 * CLOCKS_PER_SEC);
	CU_ASSERT_EQUAL(crowd_count(crowd), 4 * MANY);
	crowd_free(crowd);
}

static CU_TestInfo tests[] = {
	{"addresses of goroutines", test_goroutines},
	{"addresses of those that wait", test_crowd},
	CU_TEST_INFO_NULL,
};

UNIT_SUITE("replay/chosen", tests);
