/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* CPU samples of one process, by stack; those of goroutines are counted by their group, too. */
#ifndef GSCOPE_REPORT_SAMPLES_H
#define GSCOPE_REPORT_SAMPLES_H

#include "user/base/hash.h"
#include "user/replay/sink.h"

struct sampled_stack {
	uint64_t id;
	uint64_t n;
	UT_hash_handle hh;
};

struct samples {
	uint64_t n;
	uint64_t in_kernel;
	uint64_t of_goroutines;
	struct sampled_stack *stacks;
};

/* A function with the samples that hit it, and those that hit what it called. */
struct sampled_func {
	const char *name; /* of the symbols; one pointer for each name */
	uint64_t flat, cumulative;
	const struct sampled_stack *last; /* a recursive call counts once */
	UT_hash_handle hh;
};

/* 0 or -ENOMEM. */
int samples_add(struct samples *s, const struct cpu_sample *c, bool of_goroutine);
void samples_free(struct samples *s);

/* All functions in *out, those with most samples of their own first: 0 or -ENOMEM. */
int sampled_funcs(struct sampled_func **out, const struct samples *s, const struct symbols *symbols,
		  uint32_t tgid);
void sampled_funcs_free(struct sampled_func **funcs);

#endif
