/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A growing set of non-zero 64-bit numbers (addresses), each with a byte of the caller's. */
#ifndef GSCOPE_CAPTURE_PCSET_H
#define GSCOPE_CAPTURE_PCSET_H

#include <stddef.h>
#include <stdint.h>

/* All zero: empty. */
struct pcset {
	uint64_t *key; /* 0: free */
	uint8_t *note;
	size_t n, room; /* room: a power of two */
	uint64_t seed[2]; /* of the hash */
};

/* The byte of `key`, or NULL if it is not there. Valid until the next addition. */
uint8_t *pcset_find(const struct pcset *s, uint64_t key);

/* Add a key that is not there yet. Returns 0 or -ENOMEM. */
int pcset_add(struct pcset *s, uint64_t key, uint8_t note);

void pcset_free(struct pcset *s);

#endif
