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

/* `movq $number, x(%reg)` */
static int8_t decode_store(const cs_insn *insn)
{
	const cs_x86 *x = &insn->detail->x86;
	const cs_x86_op *op = x->operands;

	if (insn->id != X86_INS_MOV || x->op_count != 2 || op[0].type != X86_OP_MEM ||
	    op[0].size != 8 || op[1].type != X86_OP_IMM || op[1].imm < 0 || op[1].imm > INT8_MAX ||
	    op[0].mem.index != X86_REG_INVALID || op[0].mem.base == X86_REG_RSP ||
	    code_reg_number(op[0].mem.base) < 0)
		return NO_STORE;
	return (int8_t)op[1].imm;
}

static struct step decode_step(struct plan *p, const cs_insn *insn)
{
	const cs_x86 *x = &insn->detail->x86;
	struct step s = {.vaddr = insn->address, .written = values_written(p->code, insn)};

	decode_move(&s, insn);
	s.stored = decode_store(insn);
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

bool steps_stored_before(const struct steps *s, size_t i, int number, uint64_t *effort)
{
	size_t *todo = calloc(s->n + 1, sizeof(*todo)), n = 0;
	bool *seen = calloc(s->n + 1, sizeof(*seen));
	bool found = todo && seen;

	if (found)
		todo[n++] = i;
	while (n && found) {
		size_t to = todo[--n];

		found = to && *effort >= s->n; /* step 0 is the entry */
		if (!found)
			break;
		*effort -= s->n;
		for (size_t k = 0; k < s->n; k++) {
			bool leads = (s->v[k].jump && s->v[k].to == s->v[to].vaddr) ||
				     (k + 1 == to && !s->v[k].ends);

			if (!leads || seen[k] || s->v[k].stored == number)
				continue;
			seen[k] = true;
			todo[n++] = k;
		}
	}
	free(todo);
	free(seen);
	return found;
}
