/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The size of the heap of a running target, and at which size the next GC cycle begins to end. */
#ifndef GSCOPE_TARGET_HEAP_H
#define GSCOPE_TARGET_HEAP_H

#include <stdbool.h>
#include <stdint.h>

#include "user/target/elf.h"
#include "user/target/pclntab.h"
#include "user/target/process.h"

/* What runtime.gcController says: runtime/mgcpacer.go. Bytes. */
struct heap_state {
	uint64_t live; /* heapLive */
	uint64_t percent_goal; /* gcPercentHeapGoal; ~0: GOGC=off */
	uint64_t sweep_trigger; /* sweepDistMinTrigger */
	uint64_t triggered; /* ~0: no cycle was */
	uint64_t marked; /* heapMarked */
	uint64_t limit; /* memoryLimit; INT64_MAX: none */
	uint64_t free; /* heapFree */
	uint64_t alloc; /* totalAlloc - totalFree */
	uint64_t mapped; /* mappedReady */
};

/* Where that is. */
struct heap {
	uint64_t controller; /* address of runtime.gcController; 0: not known */
	const struct heap_offsets *at;
	unsigned int go_minor;
};

/*
 * `controller` as globals_find() found it. That its fields are where they are in the releases gscope
 * knows is proven by the code that reads them; otherwise false, and *h is zero.
 */
bool heap_find(struct heap *h, uint64_t controller, unsigned int go_minor, struct elf_file *f,
	       const struct pclntab *pcln, uint64_t bias);

/*
 * Read it as it is now: 0, a negative errno, or -EAGAIN if its numbers, which the target changes one
 * after the other, do not fit together.
 */
int heap_read(const struct heap *h, const struct target_process *p, struct heap_state *out);

/* gcController.heapGoal() of Go 1.`go_minor`; 0: neither GOGC nor a memory limit asks for GC. */
uint64_t heap_goal(const struct heap_state *s, unsigned int go_minor);

#endif
