// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/target/sites_values.h"

#include "user/target/sites_rules.h"

void values_begin(struct values *v)
{
	for (int i = 0; i < FLOW_REGS; i++)
		v->constant[i] = STATUS_UNKNOWN;
	v->rbx_argument = true;
	v->rbx_slot = -1;
}

uint32_t values_written(struct code *c, const cs_insn *insn)
{
	const uint32_t kept = 1U << FLOW_SP | 1U << FLOW_R14;

	return insn->id == X86_INS_CALL ? UINT16_MAX & ~kept : code_written(c, insn);
}

/* The number an instruction loads into its first operand, or STATUS_UNKNOWN. */
static int loaded(const cs_insn *insn)
{
	const cs_x86 *x = &insn->detail->x86;

	if (x->op_count != 2 || x->operands[0].type != X86_OP_REG || x->operands[0].size < 4)
		return STATUS_UNKNOWN;
	if (insn->id == X86_INS_MOV && x->operands[1].type == X86_OP_IMM &&
	    x->operands[1].imm >= 0 && x->operands[1].imm <= 0xffff)
		return (int)x->operands[1].imm;
	if (insn->id == X86_INS_XOR && x->operands[1].type == X86_OP_REG &&
	    x->operands[1].reg == x->operands[0].reg)
		return 0;
	return STATUS_UNKNOWN;
}

/* Is the operand the word at SP + disp, for any disp >= 0? -1 if not. */
static int stack_slot(const cs_x86_op *op)
{
	if (op->type != X86_OP_MEM || op->mem.base != X86_REG_RSP ||
	    op->mem.index != X86_REG_INVALID || op->mem.disp < 0 || op->mem.disp > INT16_MAX)
		return -1;
	return (int)op->mem.disp;
}

void values_follow(struct values *v, struct code *c, const cs_insn *insn)
{
	const cs_x86 *x = &insn->detail->x86;
	uint32_t written = values_written(c, insn);
	int slot = x->op_count ? stack_slot(&x->operands[0]) : -1;

	if (insn->id == X86_INS_MOV && v->rbx_argument && slot >= 0 &&
	    x->operands[1].type == X86_OP_REG && x->operands[1].reg == X86_REG_RBX)
		v->rbx_slot = slot;
	else if (written & 1U << FLOW_SP ||
		 (insn->id == X86_INS_MOV && slot >= 0 && slot == v->rbx_slot))
		v->rbx_slot = -1; /* Go uses the place of what is no longer needed for more */
	if (written & 1U << FLOW_BX)
		v->rbx_argument = false;
	for (int i = 0; i < FLOW_REGS; i++)
		if (written & 1U << i)
			v->constant[i] = loaded(insn);
}
