// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/pcset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "user/base/clock.h"

/* MurmurHash3's last step: every bit counts, so that no keys meet but by chance. */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 33) * 0xff51afd7ed558ccdULL;
	x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53ULL;
	return x ^ x >> 33;
}

/* Keys come from targets, which could choose those that meet: none can without the seed. */
static size_t slot(const struct pcset *s, uint64_t key)
{
	size_t i = (size_t)mix(mix(key ^ s->seed[0]) + s->seed[1]) & (s->room - 1);

	while (s->key[i] && s->key[i] != key)
		i = (i + 1) & (s->room - 1);
	return i;
}

uint8_t *pcset_find(const struct pcset *s, uint64_t key)
{
	size_t i;

	if (!s->n)
		return NULL;
	i = slot(s, key);
	return s->key[i] ? &s->note[i] : NULL;
}

static int grow(struct pcset *s)
{
	struct pcset big = {.n = s->n, .room = s->room ? 2 * s->room : 64};

	memcpy(big.seed, s->seed, sizeof(big.seed));
	if (!s->room && getrandom(big.seed, sizeof(big.seed), GRND_NONBLOCK) < 0)
		big.seed[0] = now_ns();
	big.key = calloc(big.room, sizeof(*big.key));
	big.note = calloc(big.room, sizeof(*big.note));
	if (!big.key || !big.note) {
		pcset_free(&big);
		return -ENOMEM;
	}
	for (size_t i = 0; i < s->room; i++) {
		size_t at;

		if (!s->key[i])
			continue;
		at = slot(&big, s->key[i]);
		big.key[at] = s->key[i];
		big.note[at] = s->note[i];
	}
	pcset_free(s);
	*s = big;
	return 0;
}

int pcset_add(struct pcset *s, uint64_t key, uint8_t note)
{
	size_t i;

	if (2 * (s->n + 1) > s->room && grow(s))
		return -ENOMEM;
	i = slot(s, key);
	s->key[i] = key;
	s->note[i] = note;
	s->n++;
	return 0;
}

void pcset_free(struct pcset *s)
{
	free(s->key);
	free(s->note);
	*s = (struct pcset){0};
}
