/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A stub of every kind and a function they lead to, on the objects of user/inline/mock.h, and a
 * goroutine's stack with nothing readable right below and above it.
 */
#ifndef GSCOPE_TESTS_UNIT_INLINE_RIG_H
#define GSCOPE_TESTS_UNIT_INLINE_RIG_H

#include <stdbool.h>
#include <stdint.h>

#include "user/inline/mock.h"

#define RIG_STACK_WORDS 1024

struct rig {
	struct mock *m;
	struct layout l;
	uint8_t *code;
	uint64_t *stack; /* RIG_STACK_WORDS */
	uint64_t called; /* how often the function was */
	struct stub_site site[STUB_CREATE_RUNQPUT + 1]; /* by kind */
};

/* What a stub and the function it leads to find, and what they leave. */
struct rig_registers {
	uint64_t ax, bx, cx, bp, r14, r15;
	uint64_t x15[2], x0[2];
	uint64_t sp; /* found behind the call, less what it was before */
	uint64_t word; /* at SP + 16 when the site is reached */
} __attribute__((packed));

/* Asserts that it works. */
bool rig_make(struct rig *r, const struct layout *l, bool stacks, const struct callback *cb);
void rig_free(struct rig *r);

/* Call the stub of a kind; the return address of that call is rig_return(). */
void rig_call(struct rig *r, enum stub_kind kind, struct rig_registers *regs);
uint64_t rig_return(void);

/* A field of 8 bytes, or of 1, of an object. */
void rig_put(uint8_t *object, int32_t off, uint64_t value);
void rig_put8(uint8_t *object, int32_t off, uint8_t value);

/* Give goroutine `g` the stack, with so many frames above `pc`; the outermost ends at its end. */
void rig_stack(struct rig *r, uint8_t *g, uint64_t pc, unsigned int frames);

/* Frame pointer and PC of those frames. */
uint64_t rig_frame(const struct rig *r, unsigned int frames, unsigned int i);
uint64_t rig_pc(unsigned int i);

/* The only record there is, of ring `ring`: NULL if it is none or not the only one. */
const struct inline_record *rig_record(struct rig *r, uint32_t ring);

static inline uint64_t rig_at(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

#endif
