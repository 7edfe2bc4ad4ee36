// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What one instruction does to the state. */
#include <string.h>

#include "user/target/flow_value.h"

static flow_id reg_value(const struct flow_state *st, x86_reg reg)
{
	int n = code_reg_number(reg);

	return n >= 0 && n < FLOW_REGS ? st->reg[n] : 0;
}

struct flow_place flow_make_place(struct flow *fl, flow_id address)
{
	struct flow_value x = flow_value(fl, address);

	switch (x.kind) {
	case FLOW_STACK:
		return (struct flow_place){FLOW_ON_STACK, 0, x.v};
	case FLOW_SUM:
		return (struct flow_place){FLOW_IN_MEMORY, x.of, x.v};
	default:
		return (struct flow_place){FLOW_IN_MEMORY, address, 0};
	}
}

/* base + index * scale: an element, if one of them is known to be an address. */
static flow_id indexed(struct flow *fl, flow_id base, flow_id index, int scale)
{
	struct flow_value x = flow_value(fl, index);

	if (x.kind == FLOW_CONST)
		return flow_sum(fl, base, (int64_t)((uint64_t)x.v * (unsigned int)scale));
	if (!base && scale == 1)
		base = index;
	return base ? flow_intern(fl, FLOW_ELEMENT, base, 0) : 0;
}

static flow_id address_of(struct flow *fl, const struct flow_insn *insn, const x86_op_mem *m,
			  const struct flow_state *st)
{
	flow_id base;

	if (m->base == X86_REG_RIP)
		return flow_intern(fl, FLOW_GLOBAL, 0,
				   (int64_t)(insn->vaddr + insn->size + (uint64_t)m->disp));
	base = m->base == X86_REG_INVALID ? flow_intern(fl, FLOW_CONST, 0, 0) :
					    reg_value(st, m->base);
	base = flow_sum(fl, base, m->disp);
	return m->index == X86_REG_INVALID ? base :
					     indexed(fl, base, reg_value(st, m->index), m->scale);
}

static struct flow_place place_of(struct flow *fl, const struct flow_insn *insn,
				  const cs_x86_op *op, const struct flow_state *st)
{
	struct flow_place p = flow_make_place(fl, address_of(fl, insn, &op->mem, st));

	if (op->mem.segment == X86_REG_FS)
		p.where = FLOW_IN_TLS;
	return p;
}

void flow_tell(struct flow *fl, enum flow_event_kind kind, const struct flow_place *p,
	       unsigned int size, flow_id value)
{
	struct flow_event ev = {
		.kind = kind, .base = p->base, .disp = p->disp, .size = size, .value = value};

	if (fl->visit)
		fl->visit(fl->ctx, fl, &ev);
}

flow_id flow_load(struct flow *fl, const struct flow_state *st, const struct flow_place *p,
		  unsigned int size)
{
	if (p->where == FLOW_ON_STACK)
		return flow_slot_read(fl, st, p->disp, size);
	/* the only thing Go code reads from there is g */
	if (p->where == FLOW_IN_TLS)
		return flow_intern(fl, FLOW_ENTRY, 0, FLOW_R14);
	flow_tell(fl, FLOW_READ, p, size, 0);
	return p->base ? flow_intern(fl, FLOW_LOAD, p->base, p->disp) : 0;
}

static void store(struct flow *fl, struct flow_state *st, const struct flow_place *p,
		  unsigned int size, flow_id value)
{
	if (p->where == FLOW_ON_STACK)
		flow_slot_write(st, p->disp, size, value);
	else
		flow_tell(fl, p->where == FLOW_IN_TLS ? FLOW_TLS_WRITE : FLOW_WRITE, p, size,
			  value);
}

static flow_id operand(struct flow *fl, const struct flow_insn *insn, int i,
		       const struct flow_state *st)
{
	const cs_x86_op *op = &insn->op[i];
	struct flow_place p;

	switch (op->type) {
	case X86_OP_REG:
		return reg_value(st, op->reg);
	case X86_OP_IMM:
		return flow_intern(fl, FLOW_CONST, 0, op->imm);
	case X86_OP_MEM:
		p = place_of(fl, insn, op, st);
		return flow_load(fl, st, &p, op->size);
	default:
		return 0;
	}
}

static void set_operand(struct flow *fl, const struct flow_insn *insn, int i, struct flow_state *st,
			flow_id value)
{
	const cs_x86_op *op = &insn->op[i];
	struct flow_place p;

	if (op->type == X86_OP_REG) {
		int n = code_reg_number(op->reg);

		if (n >= 0 && n < FLOW_REGS)
			st->reg[n] = value;
	} else if (op->type == X86_OP_MEM) {
		p = place_of(fl, insn, op, st);
		store(fl, st, &p, op->size, value);
	}
}

/* add, sub, inc, dec: only constants lead anywhere. */
static void do_sum(struct flow *fl, const struct flow_insn *insn, struct flow_state *st)
{
	flow_id a = operand(fl, insn, 0, st), b = 0, sum = 0;
	struct flow_value x;

	if (insn->noperands > 1)
		b = operand(fl, insn, 1, st);
	else
		b = flow_intern(fl, FLOW_CONST, 0, 1);
	x = flow_value(fl, b);
	if (x.kind == FLOW_CONST)
		sum = flow_sum(fl, a,
			       insn->id == X86_INS_SUB || insn->id == X86_INS_DEC ?
				       (int64_t)(0 - (uint64_t)x.v) :
				       x.v);
	else if (insn->id == X86_INS_ADD && flow_value(fl, a).kind == FLOW_CONST)
		sum = flow_sum(fl, b, flow_value(fl, a).v);
	set_operand(fl, insn, 0, st, sum);
}

/* An XMM register holds two words. */
static void do_xmm(struct flow *fl, const struct flow_insn *insn, struct flow_state *st)
{
	const cs_x86_op *to = &insn->op[0], *from = &insn->op[1];
	flow_id v[2] = {0, 0};
	struct flow_place p;

	if (from->type == X86_OP_REG) {
		int n = code_reg_number(from->reg) - FLOW_REGS;

		/* X15 is zero in Go code */
		for (int i = 0; i < 2 && n >= 0 && n < FLOW_REGS; i++)
			v[i] = n == 15 ? flow_intern(fl, FLOW_CONST, 0, 0) : st->xmm[n][i];
	} else if (from->type == X86_OP_MEM) {
		p = place_of(fl, insn, from, st);
		for (int i = 0; i < 2; i++, p.disp = (int64_t)((uint64_t)p.disp + 8))
			v[i] = flow_load(fl, st, &p, 8);
	}
	if (to->type == X86_OP_REG) {
		int n = code_reg_number(to->reg) - FLOW_REGS;

		if (n >= 0 && n < FLOW_REGS)
			memcpy(st->xmm[n], v, sizeof(v));
	} else if (to->type == X86_OP_MEM) {
		p = place_of(fl, insn, to, st);
		for (int i = 0; i < 2; i++, p.disp = (int64_t)((uint64_t)p.disp + 8))
			store(fl, st, &p, 8, v[i]);
	}
}

/* xchg, xadd, cmpxchg */
static void do_atomic(struct flow *fl, const struct flow_insn *insn, struct flow_state *st)
{
	int mem = insn->op[0].type == X86_OP_MEM ? 0 : 1, reg = 1 - mem;
	flow_id old;
	struct flow_place p;

	if (insn->op[mem].type != X86_OP_MEM) {
		flow_id a = operand(fl, insn, 0, st), b = operand(fl, insn, 1, st);

		set_operand(fl, insn, 0, st, insn->id == X86_INS_XCHG ? b : 0);
		set_operand(fl, insn, 1, st, insn->id == X86_INS_XCHG ? a : 0);
		return;
	}
	p = place_of(fl, insn, &insn->op[mem], st);
	old = flow_load(fl, st, &p, insn->op[mem].size);
	if (p.where == FLOW_IN_MEMORY)
		flow_tell(fl, FLOW_ATOMIC, &p, insn->op[mem].size, operand(fl, insn, reg, st));
	else
		store(fl, st, &p, insn->op[mem].size, 0);
	if (insn->id == X86_INS_CMPXCHG)
		st->reg[FLOW_AX] = 0;
	else
		set_operand(fl, insn, reg, st, old);
}

static void do_compare(struct flow *fl, const struct flow_insn *insn, struct flow_state *st)
{
	struct flow_event ev = {
		.kind = FLOW_COMPARE,
		.base = operand(fl, insn, 0, st),
		.size = insn->op[0].size,
		.value = operand(fl, insn, 1, st),
	};

	if (fl->visit)
		fl->visit(fl->ctx, fl, &ev);
}

static void do_push(struct flow *fl, const struct flow_insn *insn, struct flow_state *st)
{
	flow_id value = operand(fl, insn, 0, st);
	struct flow_place p;

	st->reg[FLOW_SP] = flow_sum(fl, st->reg[FLOW_SP], -8);
	p = flow_make_place(fl, st->reg[FLOW_SP]);
	if (p.where == FLOW_ON_STACK)
		store(fl, st, &p, 8, value);
}

static void do_pop(struct flow *fl, const struct flow_insn *insn, struct flow_state *st)
{
	struct flow_place p = flow_make_place(fl, st->reg[FLOW_SP]);
	flow_id value = p.where == FLOW_ON_STACK ? flow_load(fl, st, &p, 8) : 0;

	st->reg[FLOW_SP] = flow_sum(fl, st->reg[FLOW_SP], 8);
	set_operand(fl, insn, 0, st, value);
}

/* What it writes is not known. */
static void do_other(struct flow *fl, const struct flow_insn *insn, struct flow_state *st)
{
	for (int i = 0; i < insn->noperands; i++) {
		const cs_x86_op *op = &insn->op[i];
		int n = op->type == X86_OP_REG ? code_reg_number(op->reg) : -1;

		if (op->type == X86_OP_MEM) {
			struct flow_place p = place_of(fl, insn, op, st);

			if (op->access & CS_AC_READ)
				flow_load(fl, st, &p, op->size);
			if (op->access & CS_AC_WRITE)
				store(fl, st, &p, op->size, 0);
		} else if (n >= FLOW_REGS && n < 2 * FLOW_REGS && (op->access & CS_AC_WRITE)) {
			st->xmm[n - FLOW_REGS][0] = st->xmm[n - FLOW_REGS][1] = 0;
		}
	}
	for (int r = 0; r < FLOW_REGS; r++) {
		if (insn->writes & 1U << r)
			st->reg[r] = 0;
	}
}

static bool step(struct flow *fl, const struct flow_insn *insn, struct flow_state *st)
{
	struct flow_event ret = {.kind = FLOW_RETURN, .args = st->reg};

	switch (insn->id) {
	case X86_INS_MOV:
	case X86_INS_MOVABS:
	case X86_INS_MOVZX:
	case X86_INS_MOVSX:
	case X86_INS_MOVSXD:
		set_operand(fl, insn, 0, st, operand(fl, insn, 1, st));
		return true;
	case X86_INS_MOVUPS:
	case X86_INS_MOVAPS:
	case X86_INS_MOVUPD:
	case X86_INS_MOVAPD:
	case X86_INS_MOVDQU:
	case X86_INS_MOVDQA:
		do_xmm(fl, insn, st);
		return true;
	case X86_INS_LEA:
		set_operand(fl, insn, 0, st, address_of(fl, insn, &insn->op[1].mem, st));
		return true;
	case X86_INS_ADD:
	case X86_INS_SUB:
	case X86_INS_INC:
	case X86_INS_DEC:
		do_sum(fl, insn, st);
		return true;
	case X86_INS_XOR:
		if (insn->op[0].type != X86_OP_REG || insn->op[1].type != X86_OP_REG ||
		    insn->op[0].reg != insn->op[1].reg)
			break;
		set_operand(fl, insn, 0, st, flow_intern(fl, FLOW_CONST, 0, 0));
		return true;
	case X86_INS_XCHG:
	case X86_INS_XADD:
	case X86_INS_CMPXCHG:
		do_atomic(fl, insn, st);
		return true;
	case X86_INS_CMP:
		do_compare(fl, insn, st);
		return true;
	case X86_INS_PUSH:
		do_push(fl, insn, st);
		return true;
	case X86_INS_POP:
		do_pop(fl, insn, st);
		return true;
	case X86_INS_CALL:
		return flow_call(fl, insn, st);
	case X86_INS_RET:
		if (fl->visit)
			fl->visit(fl->ctx, fl, &ret);
		return false;
	case X86_INS_JMP: /* to where a register says */
	case X86_INS_UD2:
	case X86_INS_INT3:
	case X86_INS_HLT:
		return false;
	}
	do_other(fl, insn, st);
	return true;
}

bool flow_step(struct flow *fl, const struct flow_insn *insn, struct flow_state *st)
{
	bool goes_on = step(fl, insn, st);

	for (int r = 0; r < FLOW_REGS; r++) {
		if (!st->reg[r])
			st->reg[r] = flow_intern(fl, FLOW_OTHER, 0,
						 (int64_t)(insn->vaddr << 5 | (unsigned int)r));
	}
	return goes_on;
}
