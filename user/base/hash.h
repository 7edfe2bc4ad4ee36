/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * uthash with a hash that cannot be foreseen, by a key of this process. Keys of tables come from targets and
 * files: with uthash's own hash they can be chosen so that all of them meet. Include this instead of <uthash.h>.
 *
 * Numbers, most keys, have a multiplication: of any two of them chosen without the key each bit of the hash is
 * independent (Dietzfelbinger, "Universal hashing and k-wise independent random variables via integer
 * arithmetic without primes"). Other keys have SipHash-1-3 (Aumasson, Bernstein: "SipHash: a fast
 * short-input PRF").
 */
#ifndef GSCOPE_BASE_HASH_H
#define GSCOPE_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct hash_key {
	uint64_t k[2];
	unsigned __int128 times, plus; /* of numbers */
};

/* Random, of this process; set before main(), as uthash's macro has no place for one of a table. */
extern struct hash_key hash_key;

static inline uint64_t hash_rotate(uint64_t x, unsigned int by)
{
	return x << by | x >> (64 - by);
}

static inline void hash_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = hash_rotate(v[1], 13) ^ v[0];
	v[3] = hash_rotate(v[3], 16) ^ v[2];
	v[0] = hash_rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = hash_rotate(v[1], 17) ^ v[2];
	v[3] = hash_rotate(v[3], 21) ^ v[0];
	v[2] = hash_rotate(v[2], 32);
}

static inline void hash_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	hash_round(v);
	v[0] ^= word;
}

/* Of `n` bytes at any address. Not the same on machines of another byte order. */
static inline uint64_t hash_keyed(const struct hash_key *key, const void *bytes, size_t n)
{
	uint64_t v[4] = {
		key->k[0] ^ 0x736f6d6570736575ULL,
		key->k[1] ^ 0x646f72616e646f6dULL,
		key->k[0] ^ 0x6c7967656e657261ULL,
		key->k[1] ^ 0x7465646279746573ULL,
	};
	const uint8_t *at = (const uint8_t *)bytes;
	uint64_t word, rest = 0;
	size_t left = n;

	for (; left >= sizeof(word); left -= sizeof(word), at += sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		hash_word(v, word);
	}
	memcpy(&rest, at, left);
	hash_word(v, rest | (uint64_t)n << 56);
	v[2] ^= 0xff;
	hash_round(v);
	hash_round(v);
	hash_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* 32 bits: those of the product that depend on all of the key's. */
static inline uint32_t hash_number(const struct hash_key *key, uint64_t number)
{
	return (uint32_t)((key->times * number + key->plus) >> 96);
}

static inline uint32_t hash_of(const void *bytes, size_t n)
{
	uint64_t number;
	uint32_t half;

	switch (n) {
	case sizeof(number):
		memcpy(&number, bytes, sizeof(number));
		return hash_number(&hash_key, number);
	case sizeof(half):
		memcpy(&half, bytes, sizeof(half));
		return hash_number(&hash_key, half);
	default:
		return (uint32_t)hash_keyed(&hash_key, bytes, n);
	}
}

#ifdef HASH_FUNCTION
#error "user/base/hash.h comes before <uthash.h>"
#endif
#define HASH_FUNCTION(keyptr, keylen, hashv) ((hashv) = hash_of(keyptr, keylen))

#include <uthash.h>

#endif
