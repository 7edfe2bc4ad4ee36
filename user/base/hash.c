// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/base/hash.h"

#include <sys/auxv.h>
#include <sys/random.h>

struct hash_key hash_key;

/* Early in a boot getrandom() has nothing yet; then there are the 16 bytes the kernel gives to each process. */
__attribute__((constructor)) static void choose_key(void)
{
	const void *given = (const void *)getauxval(AT_RANDOM);

	if (getrandom(&hash_key, sizeof(hash_key), GRND_NONBLOCK) == (ssize_t)sizeof(hash_key))
		return;
	if (given)
		memcpy(&hash_key, given, sizeof(hash_key));
}
