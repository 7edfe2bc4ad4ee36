/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Log-linear histogram of durations: 16 buckets per power of two, so a value read back is at most
 * 1/16 = 6.25 % above the one that went in, and values below 16 are exact. Memory covers only the
 * range in use, as there is one for every goroutine.
 */
#ifndef GSCOPE_REPORT_HISTOGRAM_H
#define GSCOPE_REPORT_HISTOGRAM_H

#include <stdint.h>

/* Zeroes are an empty histogram. */
struct histogram {
	uint64_t count;
	uint64_t max; /* exact */
	uint64_t *buckets;
	unsigned int first; /* buckets[0] is the bucket of this number */
	unsigned int n;
};

/* Both: 0 or -ENOMEM, and then nothing was added. */
int histogram_add(struct histogram *h, uint64_t value);
int histogram_merge(struct histogram *to, const struct histogram *from);

/*
 * The smallest bucket end that at least `permille` thousandths of the values do not exceed (500:
 * median), never above the maximum; 0 for an empty histogram.
 */
uint64_t histogram_percentile(const struct histogram *h, unsigned int permille);

void histogram_free(struct histogram *h);

#endif
