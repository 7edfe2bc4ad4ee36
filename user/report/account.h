/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Where the time of one goroutine, or of all that start in one function, went. */
#ifndef GSCOPE_REPORT_ACCOUNT_H
#define GSCOPE_REPORT_ACCOUNT_H

#include <stddef.h>
#include <stdint.h>

#include "user/report/histogram.h"

/* The life of a goroutine is the sum of its parts. */
enum part {
	PART_RUNNING, /* on a CPU */
	PART_OFF_CPU, /* running for Go, but the kernel had its thread off the CPU */
	PART_RUNNABLE,
	PART_SYSCALL,
	PART_BLOCKED,
	PARTS
};

/* Time blocked for one reason. */
struct wait {
	const char *reason; /* interned: equal pointers are equal reasons */
	uint64_t ns;
	uint64_t count;
};

struct account {
	uint64_t part[PARTS];
	uint64_t starts;
	uint64_t blocks;
	uint64_t wakes; /* of others by this one */
	uint64_t creates;
	struct histogram delay; /* runnable to running */
	struct wait *waits;
	size_t nwaits;
};

uint64_t account_total(const struct account *a);

/* The wait for a reason, made if need be; NULL: out of memory. Valid until the next call. */
struct wait *account_wait(struct account *a, const char *reason);

/* 0 or -ENOMEM. */
int account_merge(struct account *to, const struct account *from);

void account_free(struct account *a);

#endif
