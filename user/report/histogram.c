// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/report/histogram.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SUB_BITS 4
#define SUB (1U << SUB_BITS)

static unsigned int bucket_of(uint64_t value)
{
	unsigned int power;

	if (value < SUB)
		return (unsigned int)value;
	power = 63 - (unsigned int)__builtin_clzll(value);
	return (power - SUB_BITS + 1) * SUB +
	       (unsigned int)(value >> (power - SUB_BITS) & (SUB - 1));
}

/* The largest value that falls into a bucket. */
static uint64_t bucket_end(unsigned int bucket)
{
	unsigned int shift;

	if (bucket < SUB)
		return bucket;
	shift = bucket / SUB - 1;
	/* shifted in two steps: the end of the last bucket is 2^64 - 1 */
	return (((uint64_t)SUB + bucket % SUB) << shift) + ((1ULL << shift) - 1);
}

/* Make room for buckets first..last. */
static int cover(struct histogram *h, unsigned int first, unsigned int last)
{
	unsigned int end = last + 1;
	uint64_t *p;

	if (h->n && first >= h->first && end <= h->first + h->n)
		return 0;
	if (h->n) {
		first = first < h->first ? first : h->first;
		end = end > h->first + h->n ? end : h->first + h->n;
	}
	/* whole powers of two: neighbours are to be expected */
	first = first / SUB * SUB;
	end = (end + SUB - 1) / SUB * SUB;
	p = calloc(end - first, sizeof(*p));
	if (!p)
		return -ENOMEM;
	if (h->n)
		memcpy(p + (h->first - first), h->buckets, h->n * sizeof(*p));
	free(h->buckets);
	h->buckets = p;
	h->first = first;
	h->n = end - first;
	return 0;
}

int histogram_add(struct histogram *h, uint64_t value)
{
	unsigned int bucket = bucket_of(value);

	if (cover(h, bucket, bucket))
		return -ENOMEM;
	h->buckets[bucket - h->first]++;
	h->count++;
	if (value > h->max)
		h->max = value;
	return 0;
}

int histogram_merge(struct histogram *to, const struct histogram *from)
{
	if (!from->n)
		return 0;
	if (cover(to, from->first, from->first + from->n - 1))
		return -ENOMEM;
	for (unsigned int i = 0; i < from->n; i++)
		to->buckets[from->first - to->first + i] += from->buckets[i];
	to->count += from->count;
	if (from->max > to->max)
		to->max = from->max;
	return 0;
}

uint64_t histogram_percentile(const struct histogram *h, unsigned int permille)
{
	/* rounded up, without overflow */
	uint64_t rank = h->count / 1000 * permille + (h->count % 1000 * permille + 999) / 1000;
	uint64_t seen = 0;

	for (unsigned int i = 0; i < h->n; i++) {
		seen += h->buckets[i];
		if (h->buckets[i] && seen >= rank) {
			uint64_t end = bucket_end(h->first + i);

			return end < h->max ? end : h->max;
		}
	}
	return h->max;
}

void histogram_free(struct histogram *h)
{
	free(h->buckets);
	*h = (struct histogram){0};
}
