// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/inline/x86.h"

#include <string.h>

#define REX 0x40U
#define REX_W 0x08U

static void byte(struct x86_code *c, uint8_t value)
{
	if (c->n < c->room)
		c->bytes[c->n++] = value;
	else
		c->failed = true;
}

static void imm32(struct x86_code *c, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		byte(c, (uint8_t)(value >> 8 * i));
}

static void imm64(struct x86_code *c, uint64_t value)
{
	imm32(c, (uint32_t)value);
	imm32(c, (uint32_t)(value >> 32));
}

/* The prefix with the high bits of the three register numbers; left out if it would say nothing. */
static void rex(struct x86_code *c, unsigned int w, enum x86_gpr reg, enum x86_gpr index,
		enum x86_gpr rm, bool always)
{
	unsigned int bits = w | (reg >> 3) << 2 | (index >> 3) << 1 | rm >> 3;

	if (bits || always)
		byte(c, (uint8_t)(REX | bits));
}

static void mod_registers(struct x86_code *c, enum x86_gpr reg, enum x86_gpr rm)
{
	byte(c, (uint8_t)(0xc0 | (reg & 7) << 3 | (rm & 7)));
}

/* [base + disp32]; RSP and R12 as a base take a SIB byte. */
static void mod_memory(struct x86_code *c, enum x86_gpr reg, enum x86_gpr base, int32_t disp)
{
	bool sib = (base & 7) == RSP;
	bool near = disp >= -128 && disp <= 127;

	byte(c, (uint8_t)((near ? 0x40 : 0x80) | (reg & 7) << 3 | (base & 7)));
	if (sib)
		byte(c, 0x24);
	if (near)
		byte(c, (uint8_t)disp);
	else
		imm32(c, (uint32_t)disp);
}

static void with_memory(struct x86_code *c, unsigned int w, uint8_t opcode, enum x86_gpr reg,
			enum x86_gpr base, int32_t disp)
{
	rex(c, w, reg, 0, base, false);
	byte(c, opcode);
	mod_memory(c, reg, base, disp);
}

static void with_registers(struct x86_code *c, uint8_t opcode, enum x86_gpr reg, enum x86_gpr rm)
{
	rex(c, REX_W, reg, 0, rm, false);
	byte(c, opcode);
	mod_registers(c, reg, rm);
}

/* The group of opcode 81, whose operation is where a register would be. */
static void with_imm(struct x86_code *c, unsigned int operation, enum x86_gpr rm, int32_t value)
{
	rex(c, REX_W, 0, 0, rm, false);
	byte(c, 0x81);
	mod_registers(c, (enum x86_gpr)operation, rm);
	imm32(c, (uint32_t)value);
}

void x86_load(struct x86_code *c, enum x86_gpr to, enum x86_gpr base, int32_t disp)
{
	with_memory(c, REX_W, 0x8b, to, base, disp);
}

void x86_load32(struct x86_code *c, enum x86_gpr to, enum x86_gpr base, int32_t disp)
{
	with_memory(c, 0, 0x8b, to, base, disp);
}

void x86_load8(struct x86_code *c, enum x86_gpr to, enum x86_gpr base, int32_t disp)
{
	rex(c, 0, to, 0, base, false);
	byte(c, 0x0f);
	byte(c, 0xb6);
	mod_memory(c, to, base, disp);
}

void x86_store(struct x86_code *c, enum x86_gpr base, int32_t disp, enum x86_gpr from)
{
	with_memory(c, REX_W, 0x89, from, base, disp);
}

void x86_store32(struct x86_code *c, enum x86_gpr base, int32_t disp, enum x86_gpr from)
{
	with_memory(c, 0, 0x89, from, base, disp);
}

void x86_store8(struct x86_code *c, enum x86_gpr base, int32_t disp, enum x86_gpr from)
{
	/* with a prefix 4 to 7 are SPL to DIL, without they are AH to BH */
	rex(c, 0, from, 0, base, true);
	byte(c, 0x88);
	mod_memory(c, from, base, disp);
}

void x86_store32_imm(struct x86_code *c, enum x86_gpr base, int32_t disp, uint32_t value)
{
	with_memory(c, 0, 0xc7, 0, base, disp);
	imm32(c, value);
}

void x86_store_imm(struct x86_code *c, enum x86_gpr base, int32_t disp, int32_t value)
{
	with_memory(c, REX_W, 0xc7, 0, base, disp);
	imm32(c, (uint32_t)value);
}

void x86_store8_imm(struct x86_code *c, enum x86_gpr base, int32_t disp, uint8_t value)
{
	with_memory(c, 0, 0xc6, 0, base, disp);
	byte(c, value);
}

void x86_move(struct x86_code *c, enum x86_gpr to, enum x86_gpr from)
{
	with_registers(c, 0x89, from, to);
}

void x86_move_imm(struct x86_code *c, enum x86_gpr to, uint64_t value)
{
	if (value > UINT32_MAX) {
		rex(c, REX_W, 0, 0, to, false);
		byte(c, (uint8_t)(0xb8 | (to & 7)));
		imm64(c, value);
	} else {
		rex(c, 0, 0, 0, to, false);
		byte(c, (uint8_t)(0xb8 | (to & 7)));
		imm32(c, (uint32_t)value);
	}
}

void x86_lea(struct x86_code *c, enum x86_gpr to, enum x86_gpr base, int32_t disp)
{
	with_memory(c, REX_W, 0x8d, to, base, disp);
}

void x86_lea_index(struct x86_code *c, enum x86_gpr to, enum x86_gpr base, enum x86_gpr index,
		   int32_t disp)
{
	rex(c, REX_W, to, index, base, false);
	byte(c, 0x8d);
	byte(c, (uint8_t)(0x80 | (to & 7) << 3 | 4));
	byte(c, (uint8_t)((index & 7) << 3 | (base & 7)));
	imm32(c, (uint32_t)disp);
}

void x86_add(struct x86_code *c, enum x86_gpr to, enum x86_gpr from)
{
	with_registers(c, 0x01, from, to);
}

void x86_sub(struct x86_code *c, enum x86_gpr to, enum x86_gpr from)
{
	with_registers(c, 0x29, from, to);
}

void x86_xor(struct x86_code *c, enum x86_gpr to, enum x86_gpr from)
{
	with_registers(c, 0x31, from, to);
}

void x86_or(struct x86_code *c, enum x86_gpr to, enum x86_gpr from)
{
	with_registers(c, 0x09, from, to);
}

void x86_add_imm(struct x86_code *c, enum x86_gpr to, int32_t value)
{
	with_imm(c, 0, to, value);
}

void x86_and_imm(struct x86_code *c, enum x86_gpr to, int32_t value)
{
	with_imm(c, 4, to, value);
}

void x86_sub_mem(struct x86_code *c, enum x86_gpr to, enum x86_gpr base, int32_t disp)
{
	with_memory(c, REX_W, 0x2b, to, base, disp);
}

void x86_multiply(struct x86_code *c, enum x86_gpr to, int32_t by)
{
	with_registers(c, 0x69, to, to);
	imm32(c, (uint32_t)by);
}

void x86_multiply_by(struct x86_code *c, enum x86_gpr to, enum x86_gpr by)
{
	rex(c, REX_W, to, 0, by, false);
	byte(c, 0x0f);
	byte(c, 0xaf);
	mod_registers(c, to, by);
}

void x86_shift_left(struct x86_code *c, enum x86_gpr to, uint8_t by)
{
	with_registers(c, 0xc1, (enum x86_gpr)4, to);
	byte(c, by);
}

void x86_shift_right(struct x86_code *c, enum x86_gpr to, uint8_t by)
{
	with_registers(c, 0xc1, (enum x86_gpr)5, to);
	byte(c, by);
}

void x86_cmp(struct x86_code *c, enum x86_gpr a, enum x86_gpr b)
{
	with_registers(c, 0x39, b, a);
}

void x86_cmp_mem(struct x86_code *c, enum x86_gpr base, int32_t disp, enum x86_gpr b)
{
	with_memory(c, REX_W, 0x39, b, base, disp);
}

void x86_cmp_imm(struct x86_code *c, enum x86_gpr a, int32_t value)
{
	with_imm(c, 7, a, value);
}

void x86_test(struct x86_code *c, enum x86_gpr a)
{
	with_registers(c, 0x85, a, a);
}

void x86_test8_imm(struct x86_code *c, enum x86_gpr a, uint8_t value)
{
	rex(c, 0, 0, 0, a, true);
	byte(c, 0xf6);
	mod_registers(c, 0, a);
	byte(c, value);
}

void x86_rdtsc(struct x86_code *c)
{
	byte(c, 0x0f);
	byte(c, 0x31);
}

void x86_pause(struct x86_code *c)
{
	byte(c, 0xf3);
	byte(c, 0x90);
}

void x86_lock_xadd(struct x86_code *c, enum x86_gpr base, int32_t disp, enum x86_gpr reg)
{
	byte(c, 0xf0);
	rex(c, REX_W, reg, 0, base, false);
	byte(c, 0x0f);
	byte(c, 0xc1);
	mod_memory(c, reg, base, disp);
}

void x86_lock_increment(struct x86_code *c, enum x86_gpr base, int32_t disp)
{
	byte(c, 0xf0);
	with_memory(c, REX_W, 0xff, 0, base, disp);
}

/* The distance from behind the four bytes that hold it. */
static void distance(struct x86_code *c, uint64_t to)
{
	int64_t rel = (int64_t)(to - (x86_here(c) + 4));

	if (rel != (int32_t)rel)
		c->failed = true;
	imm32(c, (uint32_t)rel);
}

void x86_jump_to(struct x86_code *c, uint64_t to)
{
	byte(c, 0xe9);
	distance(c, to);
}

void x86_jump_back_if(struct x86_code *c, enum x86_condition cc, uint64_t to)
{
	byte(c, 0x0f);
	byte(c, (uint8_t)(0x80 | cc));
	distance(c, to);
}

struct x86_jump x86_jump(struct x86_code *c)
{
	byte(c, 0xe9);
	imm32(c, 0);
	return (struct x86_jump){c->n - 4};
}

struct x86_jump x86_jump_if(struct x86_code *c, enum x86_condition cc)
{
	byte(c, 0x0f);
	byte(c, (uint8_t)(0x80 | cc));
	imm32(c, 0);
	return (struct x86_jump){c->n - 4};
}

void x86_land(struct x86_code *c, struct x86_jump jump)
{
	int32_t rel = (int32_t)(c->n - (jump.at + 4));

	if (!c->failed)
		memcpy(c->bytes + jump.at, &rel, sizeof(rel));
}

void x86_align(struct x86_code *c, size_t to)
{
	while (c->n % to && !c->failed)
		byte(c, 0xcc);
}
