// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/target/sites_steps.h"

#include <stdlib.h>

#include "user/target/sites_values.h"

static bool is_register(const cs_x86_op *op)
{
	return op->type == X86_OP_REG && code_reg_number(op->reg) >= 0 &&
	       code_reg_number(op->reg) < FLOW_REGS;
}

/* What an instruction makes of one register out of another. */
static void decode_move(struct step *s, const cs_insn *insn)
{
	const cs_x86 *x = &insn->detail->x86;
	const cs_x86_op *op = x->operands;

	s->copied = s->loaded = NO_REGISTER;
	if (x->op_count != 2 || !is_register(&op[0]) || op[0].size < 4)
		return;
	s->scales = insn->id == X86_INS_SHL && op[1].type == X86_OP_IMM;
	if (insn->id != X86_INS_MOV && insn->id != X86_INS_MOVZX)
		return;
	if (is_register(&op[1]))
		s->copied = (int8_t)code_reg_number(op[1].reg);
	else if (op[1].type == X86_OP_MEM && op[1].size == 8 && op[1].mem.index == X86_REG_INVALID)
		s->loaded = (int8_t)code_reg_number(op[1].mem.base);
}

static struct step decode_step(struct plan *p, const cs_insn *insn)
{
	const cs_x86 *x = &insn->detail->x86;
	struct step s = {.vaddr = insn->address, .written = values_written(p->code, insn)};

	decode_move(&s, insn);
	s.call = code_is_call(insn, &s.to);
	s.conditional = code_is_conditional(insn->id);
	s.jump = (s.conditional || insn->id == X86_INS_JMP) && x->op_count == 1 &&
		 x->operands[0].type == X86_OP_IMM;
	if (s.jump)
		s.to = (uint64_t)x->operands[0].imm;
	s.ends = insn->id == X86_INS_JMP || insn->id == X86_INS_RET || insn->id == X86_INS_UD2;
	s.pushes_bp = insn->id == X86_INS_PUSH && insn->size == 1 &&
		      x->operands[0].reg == X86_REG_RBP;
	s.checks_stack = insn->id == X86_INS_JBE && code_is_branch(insn);
	s.cheap = s.call || code_is_branch(insn) || s.pushes_bp;
	return s;
}

bool steps_decode(struct plan *p, const struct pcln_func *func, struct steps *out)
{
	const cs_insn *insn;
	size_t room = 0;

	*out = (struct steps){0};
	if (!plan_decode(p, func))
		return false;
	while ((insn = code_next(p->code))) {
		if (out->n == room) {
			struct step *v;

			room = room ? 2 * room : 256;
			v = realloc(out->v, room * sizeof(*v));
			if (!v) {
				p->failed = true;
				break;
			}
			out->v = v;
		}
		out->v[out->n++] = decode_step(p, insn);
	}
	return true;
}

void steps_free(struct steps *s)
{
	free(s->v);
	*s = (struct steps){0};
}

size_t steps_before(const struct steps *s, size_t i)
{
	size_t before = i && !s->v[i - 1].ends ? i - 1 : NO_STEP;

	for (size_t k = 0; k < s->n; k++) {
		if (!s->v[k].jump || s->v[k].to != s->v[i].vaddr || k == before)
			continue;
		if (before != NO_STEP)
			return NO_STEP;
		before = k;
	}
	return before;
}
