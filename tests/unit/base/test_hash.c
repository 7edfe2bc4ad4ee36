// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tests/unit/unit.h"
#include "user/base/hash.h"

/*
 * What CPython's hash() of bytes says, which is SipHash-1-3 since 3.11, with the key that PYTHONHASHSEED=0
 * gives: zeros.
 */
static void test_vectors(void)
{
	const struct hash_key zero = {{0, 0}, 0, 0};
	uint8_t bytes[25];

	for (unsigned int i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i - 1);
	CU_ASSERT_EQUAL(hash_keyed(&zero, "a", 1), 0x407448d2b89b1813);
	CU_ASSERT_EQUAL(hash_keyed(&zero, "abcdefgh", 8), 0x3f7b849c0b8e35ea);
	CU_ASSERT_EQUAL(hash_keyed(&zero, "abcdefghi", 9), 0xf89b34a3d11eb6e5);
	/* at an odd address */
	CU_ASSERT_EQUAL(hash_keyed(&zero, bytes + 1, 24), 0x31185a47af932f3a);
}

static void test_key(void)
{
	const struct hash_key zero = {{0, 0}, 0, 0}, other[] = {{{1, 0}, 0, 0}, {{0, 1}, 0, 0}};

	CU_ASSERT(hash_key.k[0] || hash_key.k[1]);
	CU_ASSERT_NOT_EQUAL(hash_of("a", 1), (uint32_t)hash_keyed(&zero, "a", 1));
	for (unsigned int i = 0; i < 2; i++)
		CU_ASSERT_NOT_EQUAL(hash_keyed(&other[i], "a", 1), hash_keyed(&zero, "a", 1));
}

/* Numbers that differ in few bits, high or low, are spread over a table of 4096 as by chance. */
static void test_numbers(void)
{
	/* one key: with few of all keys some of these sequences meet */
	const struct hash_key key = {
		{0, 0},
		(unsigned __int128)0x9b60933458e17d7dULL << 64 | 0x2d358dccaa6c78a5ULL,
		(unsigned __int128)0x4b33a62ed433d4a3ULL << 64 | 0x8bb84b93962eacc9ULL,
	};
	static unsigned int met[4096];

	for (unsigned int shift = 0; shift <= 52; shift += 4) {
		unsigned int most = 0;

		memset(met, 0, sizeof(met));
		for (uint64_t i = 0; i < 4096; i++) {
			uint64_t number = i << shift;
			unsigned int *n = &met[hash_number(&key, number) % 4096];

			most = ++*n > most ? *n : most;
		}
		CU_ASSERT(most < 64);
	}
	CU_ASSERT(hash_key.times > 1 && hash_key.plus);
}

static CU_TestInfo tests[] = {
	{"as others compute it", test_vectors},
	{"numbers do not meet", test_numbers},
	{"the key is of this process", test_key},
	CU_TEST_INFO_NULL,
};

UNIT_SUITE("base/hash", tests);
