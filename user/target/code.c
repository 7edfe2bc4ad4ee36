// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/target/code.h"

#include <errno.h>
#include <stdlib.h>

/* No function of the runtime is nearly as long; a damaged table may say otherwise. */
#define MAX_FUNC_SIZE (1U << 20)

struct code {
	csh handle;
	cs_insn *insn;
	const uint8_t *at;
	size_t left;
	uint64_t vaddr;
};

int code_open(struct code **out, struct error *e)
{
	struct code *c = calloc(1, sizeof(*c));

	*out = NULL;
	if (!c)
		return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	if (cs_open(CS_ARCH_X86, CS_MODE_64, &c->handle)) {
		free(c);
		return error_set(e, EXIT_FAILED, -ENOMEM, "the disassembler cannot be started");
	}
	cs_option(c->handle, CS_OPT_DETAIL, CS_OPT_ON);
	c->insn = cs_malloc(c->handle);
	if (!c->insn) {
		code_close(c);
		return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	}
	*out = c;
	return 0;
}

void code_close(struct code *c)
{
	if (!c)
		return;
	if (c->insn)
		cs_free(c->insn, 1);
	cs_close(&c->handle);
	free(c);
}

bool code_begin(struct code *c, struct elf_file *f, uint64_t bias, const struct pcln_func *func)
{
	struct elf_bytes text;

	c->left = 0;
	if (func->end <= func->entry || func->end - func->entry > MAX_FUNC_SIZE ||
	    !elf_section_at(f, func->entry - bias, &text) || text.size < func->end - func->entry)
		return false;
	c->at = text.data;
	c->left = func->end - func->entry;
	c->vaddr = text.vaddr;
	return true;
}

const cs_insn *code_next(struct code *c)
{
	if (!c->left || !cs_disasm_iter(c->handle, &c->at, &c->left, &c->vaddr, c->insn))
		return NULL;
	return c->insn;
}

bool code_complete(const struct code *c)
{
	return !c->left;
}

bool code_is_call(const cs_insn *insn, uint64_t *to)
{
	if (insn->id != X86_INS_CALL || insn->size != 5 || insn->bytes[0] != 0xe8)
		return false;
	*to = insn->detail->x86.operands[0].imm;
	return true;
}

/* The 64-bit register that a register is part of; only those that are asked for here. */
static x86_reg whole(unsigned int reg)
{
	switch (reg) {
	case X86_REG_RAX:
	case X86_REG_EAX:
	case X86_REG_AX:
	case X86_REG_AH:
	case X86_REG_AL:
		return X86_REG_RAX;
	case X86_REG_RBX:
	case X86_REG_EBX:
	case X86_REG_BX:
	case X86_REG_BH:
	case X86_REG_BL:
		return X86_REG_RBX;
	case X86_REG_RCX:
	case X86_REG_ECX:
	case X86_REG_CX:
	case X86_REG_CH:
	case X86_REG_CL:
		return X86_REG_RCX;
	case X86_REG_RSP:
	case X86_REG_ESP:
	case X86_REG_SP:
	case X86_REG_SPL:
		return X86_REG_RSP;
	default:
		return reg;
	}
}

bool code_writes(struct code *c, const cs_insn *insn, x86_reg reg)
{
	uint8_t nread, nwritten;
	cs_regs read, written;

	if (insn->id == X86_INS_CALL)
		return reg != X86_REG_RSP && reg != X86_REG_R14;
	if (cs_regs_access(c->handle, insn, read, &nread, written, &nwritten))
		return true;
	for (uint8_t i = 0; i < nwritten; i++) {
		if (whole(written[i]) == reg)
			return true;
	}
	return false;
}
