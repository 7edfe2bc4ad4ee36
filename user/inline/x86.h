/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Writing x86-64 instructions: those the stubs need. */
#ifndef GSCOPE_INLINE_X86_H
#define GSCOPE_INLINE_X86_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum x86_gpr { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };

/* Conditions as the opcodes number them. */
enum x86_condition {
	CC_B = 2,
	CC_AE = 3,
	CC_E = 4,
	CC_NE = 5,
	CC_BE = 6,
	CC_A = 7,
	CC_L = 12,
	CC_G = 15,
};

struct x86_code {
	uint8_t *bytes;
	size_t n, room;
	uint64_t addr; /* where bytes[0] is going to run */
	bool failed; /* no room, or a jump that is too far: what was written is worthless */
};

/* A jump forward, whose end is not known yet. */
struct x86_jump {
	size_t at; /* of its distance */
};

static inline uint64_t x86_here(const struct x86_code *c)
{
	return c->addr + c->n;
}

/* 64 bits unless said otherwise; [base + disp] is memory. */
void x86_load(struct x86_code *c, enum x86_gpr to, enum x86_gpr base, int32_t disp);
void x86_load32(struct x86_code *c, enum x86_gpr to, enum x86_gpr base, int32_t disp);
void x86_load8(struct x86_code *c, enum x86_gpr to, enum x86_gpr base, int32_t disp);
void x86_store(struct x86_code *c, enum x86_gpr base, int32_t disp, enum x86_gpr from);
void x86_store32(struct x86_code *c, enum x86_gpr base, int32_t disp, enum x86_gpr from);
void x86_store8(struct x86_code *c, enum x86_gpr base, int32_t disp, enum x86_gpr from);
void x86_store32_imm(struct x86_code *c, enum x86_gpr base, int32_t disp, uint32_t value);
void x86_store_imm(struct x86_code *c, enum x86_gpr base, int32_t disp, int32_t value);
void x86_store8_imm(struct x86_code *c, enum x86_gpr base, int32_t disp, uint8_t value);
void x86_move(struct x86_code *c, enum x86_gpr to, enum x86_gpr from);
void x86_move_imm(struct x86_code *c, enum x86_gpr to, uint64_t value);
void x86_lea(struct x86_code *c, enum x86_gpr to, enum x86_gpr base, int32_t disp);
/* to = base + index + disp */
void x86_lea_index(struct x86_code *c, enum x86_gpr to, enum x86_gpr base, enum x86_gpr index,
		   int32_t disp);
void x86_add(struct x86_code *c, enum x86_gpr to, enum x86_gpr from);
void x86_sub(struct x86_code *c, enum x86_gpr to, enum x86_gpr from);
void x86_xor(struct x86_code *c, enum x86_gpr to, enum x86_gpr from);
void x86_or(struct x86_code *c, enum x86_gpr to, enum x86_gpr from);
void x86_add_imm(struct x86_code *c, enum x86_gpr to, int32_t value);
void x86_and_imm(struct x86_code *c, enum x86_gpr to, int32_t value);
void x86_sub_mem(struct x86_code *c, enum x86_gpr to, enum x86_gpr base, int32_t disp);
/* to *= by */
void x86_multiply_by(struct x86_code *c, enum x86_gpr to, enum x86_gpr by);
void x86_multiply(struct x86_code *c, enum x86_gpr to, int32_t by);
void x86_shift_left(struct x86_code *c, enum x86_gpr to, uint8_t by);
void x86_shift_right(struct x86_code *c, enum x86_gpr to, uint8_t by);
void x86_cmp(struct x86_code *c, enum x86_gpr a, enum x86_gpr b);
void x86_cmp_mem(struct x86_code *c, enum x86_gpr base, int32_t disp, enum x86_gpr b);
void x86_cmp_imm(struct x86_code *c, enum x86_gpr a, int32_t value);
void x86_test(struct x86_code *c, enum x86_gpr a);
void x86_test8_imm(struct x86_code *c, enum x86_gpr a, uint8_t value);
void x86_rdtsc(struct x86_code *c); /* EDX:EAX */
void x86_pause(struct x86_code *c);
void x86_lock_xadd(struct x86_code *c, enum x86_gpr base, int32_t disp, enum x86_gpr reg);
void x86_lock_increment(struct x86_code *c, enum x86_gpr base, int32_t disp);

/* Jumps to a place that is known. */
void x86_jump_to(struct x86_code *c, uint64_t to);
void x86_jump_back_if(struct x86_code *c, enum x86_condition cc, uint64_t to);

/* Jumps forward: their end is where x86_land() is called. */
struct x86_jump x86_jump(struct x86_code *c);
struct x86_jump x86_jump_if(struct x86_code *c, enum x86_condition cc);
void x86_land(struct x86_code *c, struct x86_jump jump);

/* Fill up to a multiple of `to` bytes, with instructions that trap. */
void x86_align(struct x86_code *c, size_t to);

#endif
