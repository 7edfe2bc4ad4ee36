// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <errno.h>

#include "tests/unit/unit.h"
#include "user/inline/room.h"

#define MB (1ULL << 20)
#define GB (1ULL << 30)
#define TOP 0x7ffffffff000ULL
#define SIZE (1ULL << 20)

#define MAP(from, to)                                                    \
	{                                                                \
		.start = (from), .end = (to), .prot = "rw-p", .path = "" \
	}
#define N(a) (sizeof(a) / sizeof((a)[0]))

/* Every call of [lo, hi) reaches all of it, it is free, and whole pages. */
static void check(const struct target_map *maps, size_t n, uint64_t lo, uint64_t hi, uint64_t size)
{
	uint64_t addr = 1;

	CU_ASSERT_EQUAL_FATAL(room_find(maps, n, lo, hi, size, &addr), 0);
	CU_ASSERT_EQUAL(addr % 4096, 0);
	CU_ASSERT(addr >= 65536 && addr + size <= TOP);
	CU_ASSERT((int64_t)(addr + size - lo) < INT32_MAX - 5);
	CU_ASSERT((int64_t)(addr - hi) > INT32_MIN);
	for (size_t i = 0; i < n; i++)
		CU_ASSERT(addr + size <= maps[i].start || addr >= maps[i].end);
}

static void none(const struct target_map *maps, size_t n, uint64_t lo, uint64_t hi, uint64_t size)
{
	uint64_t addr;

	CU_ASSERT_EQUAL(room_find(maps, n, lo, hi, size, &addr), -ENOSPC);
}

/* The program at 4 MB, its heap far above. */
static void test_fixed(void)
{
	const struct target_map maps[] = {MAP(4 * MB, 10 * MB), MAP(0xc000000000, 0xc004000000),
					  MAP(0x7f0000000000, 0x7f0010000000),
					  MAP(0x7ffff0000000, 0x7ffff1000000)};
	uint64_t addr = 0;

	check(maps, N(maps), 4 * MB, 8 * MB, SIZE);
	/* a heap (brk) would grow there */
	room_find(maps, N(maps), 4 * MB, 8 * MB, SIZE, &addr);
	CU_ASSERT(addr >= 10 * MB + 128 * MB);
}

/* Anywhere, libraries and other mappings close to it. */
static void test_pie(void)
{
	const struct target_map maps[] = {MAP(0x555555554000, 0x555555f00000),
					  MAP(0x555555f00000, 0x555556000000),
					  MAP(0x7ffff7000000, 0x7ffff7800000),
					  MAP(0x7ffffffde000, 0x7ffffffff000)};

	check(maps, N(maps), 0x555555554000, 0x555555a00000, SIZE);
	/* among libraries, right below the end of everything */
	check(maps, N(maps), 0x7ffff7000000, 0x7ffff7400000, SIZE);
}

/* One gap, wherever it is. */
static void test_gaps(void)
{
	const uint64_t lo = 100 * GB, hi = lo + 16 * MB;
	const int64_t at[] = {-2047, -1500, -300, -1, 17, 100, 1000, 2040};

	for (size_t i = 0; i < N(at); i++) {
		uint64_t gap = lo + (uint64_t)at[i] * MB;
		const struct target_map maps[] = {MAP(4096, gap), MAP(gap + SIZE, TOP)};

		if (at[i] == -2047)
			none(maps, N(maps), lo, hi, SIZE); /* hi does not reach it */
		else
			check(maps, N(maps), lo, hi, SIZE);
		none(maps, N(maps), lo, hi, SIZE + 1);
	}
}

/* Gaps that begin or end out of reach: the part that is not. */
static void test_partly(void)
{
	const uint64_t lo = 100 * GB, hi = lo + 16 * MB;
	const struct target_map above[] = {MAP(4096, lo + 2000 * MB), MAP(lo + 5 * GB, TOP)};
	const struct target_map below[] = {MAP(4096, lo - 5 * GB), MAP(hi - 2000 * MB, TOP)};
	const struct target_map far[] = {MAP(4096, lo + 2048 * MB), MAP(lo + 5 * GB, TOP)};

	check(above, N(above), lo, hi, SIZE);
	check(below, N(below), lo, hi, SIZE);
	none(far, N(far), lo, hi, SIZE);
}

static void test_none(void)
{
	const struct target_map all[] = {MAP(4096, TOP)};
	const struct target_map two[] = {MAP(4096, 8 * MB), MAP(8 * MB, 200 * GB)};

	none(all, N(all), 4 * MB, 8 * MB, SIZE);
	none(two, N(two), 4 * MB, 8 * MB, 4096);
	/* code that is too long for anything to be reached from all of it */
	none(NULL, 0, 4 * MB, 4 * MB + 5 * GB, SIZE);
}

static void test_empty(void)
{
	check(NULL, 0, 4 * MB, 8 * MB, SIZE);
	check(NULL, 0, TOP - 64 * MB, TOP - 32 * MB, SIZE);
	check(NULL, 0, 1 * MB, 2 * MB, 64 * MB);
}

/* Mappings within each other, as no kernel has them, at any places: the right address or none. */
static void test_any(void)
{
	uint64_t x = 88172645463325252;
	unsigned int found = 0;

	for (int round = 0; round < 20000; round++) {
		struct target_map maps[8];
		uint64_t at = 4096, lo, addr;
		size_t n = 0;

		for (; n < N(maps); n++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			at += x % 3 ? (x >> 8) % (700 * MB) & ~4095ULL : 0;
			maps[n] = (struct target_map)MAP(at,
							 at + ((x >> 40) % (1200 * MB) & ~4095ULL));
			at = maps[n].end;
		}
		lo = maps[x % n].start;
		if (room_find(maps, n, lo, lo + 8 * MB, SIZE, &addr))
			continue;
		found++;
		check(maps, n, lo, lo + 8 * MB, SIZE);
	}
	CU_ASSERT(found > 1000);
}

static CU_TestInfo tests[] = {
	{"a program at a fixed address", test_fixed},
	{"a program that is anywhere", test_pie},
	{"a single gap", test_gaps},
	{"gaps partly out of reach", test_partly},
	{"no room", test_none},
	{"nothing but room", test_empty},
	{"mappings at random", test_any},
	CU_TEST_INFO_NULL,
};

UNIT_SUITE("inline/room", tests);
