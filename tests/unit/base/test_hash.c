// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tests/unit/unit.h"
#include "user/base/hash.h"

/*
 * What CPython's hash() of bytes says, which is SipHash-1-3 since 3.11, with the key that PYTHONHASHSEED=0
 * gives: zeros.
 */
static void test_vectors(void)
{
	const struct hash_key zero = {{0, 0}};
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
	const struct hash_key zero = {{0, 0}}, other[] = {{{1, 0}}, {{0, 1}}};

	CU_ASSERT(hash_key.k[0] || hash_key.k[1]);
	CU_ASSERT_NOT_EQUAL(hash_of("a", 1), hash_keyed(&zero, "a", 1));
	for (unsigned int i = 0; i < 2; i++)
		CU_ASSERT_NOT_EQUAL(hash_keyed(&other[i], "a", 1), hash_keyed(&zero, "a", 1));
}

static CU_TestInfo tests[] = {
	{"as others compute it", test_vectors},
	{"the key is of this process", test_key},
	CU_TEST_INFO_NULL,
};

UNIT_SUITE("base/hash", tests);
