// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/base/hash.h"

#include <sys/auxv.h>
#include <sys/random.h>

struct hash_key hash_key;

/* The 16 bytes that the kernel gives to each process (fs/binfmt_elf.c), and what follows from them. */
static void take_given(void)
{
	const void *given = (const void *)getauxval(AT_RANDOM);
	struct hash_key seed = {{0, 0}, 0, 0};
	uint64_t more[4];

	if (given)
		memcpy(seed.k, given, sizeof(seed.k));
	for (uint64_t i = 0; i < 4; i++)
		more[i] = hash_keyed(&seed, &i, sizeof(i));
	memcpy(hash_key.k, seed.k, sizeof(seed.k));
	memcpy(&hash_key.times, more, 16);
	memcpy(&hash_key.plus, more + 2, 16);
}

/* Early in a boot getrandom() has nothing yet, and is not waited for. */
__attribute__((constructor)) static void choose_key(void)
{
	if (getrandom(&hash_key, sizeof(hash_key), GRND_NONBLOCK) != (ssize_t)sizeof(hash_key))
		take_given();
	hash_key.times |= 1;
}
