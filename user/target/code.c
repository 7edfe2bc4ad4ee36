// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/target/code.h"

#include <errno.h>
#include <stdlib.h>

/* No function of the runtime is nearly as long; a damaged table may say otherwise. */
#define MAX_FUNC_SIZE (1U << 20)

struct code {
	csh handle;
	cs_insn *insn;
	uint8_t *bytes; /* of the function */
	size_t room;
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
	free(c->bytes);
	free(c);
}

bool code_begin(struct code *c, struct elf_file *f, uint64_t bias, const struct pcln_func *func)
{
	uint64_t size = func->end - func->entry;

	c->left = 0;
	if (func->end <= func->entry || size > MAX_FUNC_SIZE)
		return false;
	if (size > c->room) {
		uint8_t *bigger = realloc(c->bytes, size);

		if (!bigger)
			return false;
		c->bytes = bigger;
		c->room = size;
	}
	if (elf_read(f, func->entry - bias, c->bytes, size))
		return false;
	c->at = c->bytes;
	c->left = size;
	c->vaddr = func->entry - bias;
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

bool code_is_branch(const cs_insn *insn)
{
	const uint8_t *b = insn->bytes;

	return (insn->size == 2 && (b[0] == 0xeb || b[0] >> 4 == 7)) ||
	       (insn->size == 5 && b[0] == 0xe9) ||
	       (insn->size == 6 && b[0] == 0x0f && b[1] >> 4 == 8);
}

static const x86_reg reg_names[][5] = {
	{X86_REG_RAX, X86_REG_EAX, X86_REG_AX, X86_REG_AL, X86_REG_AH},
	{X86_REG_RCX, X86_REG_ECX, X86_REG_CX, X86_REG_CL, X86_REG_CH},
	{X86_REG_RDX, X86_REG_EDX, X86_REG_DX, X86_REG_DL, X86_REG_DH},
	{X86_REG_RBX, X86_REG_EBX, X86_REG_BX, X86_REG_BL, X86_REG_BH},
	{X86_REG_RSP, X86_REG_ESP, X86_REG_SP, X86_REG_SPL},
	{X86_REG_RBP, X86_REG_EBP, X86_REG_BP, X86_REG_BPL},
	{X86_REG_RSI, X86_REG_ESI, X86_REG_SI, X86_REG_SIL},
	{X86_REG_RDI, X86_REG_EDI, X86_REG_DI, X86_REG_DIL},
	{X86_REG_R8, X86_REG_R8D, X86_REG_R8W, X86_REG_R8B},
	{X86_REG_R9, X86_REG_R9D, X86_REG_R9W, X86_REG_R9B},
	{X86_REG_R10, X86_REG_R10D, X86_REG_R10W, X86_REG_R10B},
	{X86_REG_R11, X86_REG_R11D, X86_REG_R11W, X86_REG_R11B},
	{X86_REG_R12, X86_REG_R12D, X86_REG_R12W, X86_REG_R12B},
	{X86_REG_R13, X86_REG_R13D, X86_REG_R13W, X86_REG_R13B},
	{X86_REG_R14, X86_REG_R14D, X86_REG_R14W, X86_REG_R14B},
	{X86_REG_R15, X86_REG_R15D, X86_REG_R15W, X86_REG_R15B},
};

int code_reg_number(x86_reg reg)
{
	if (reg == X86_REG_INVALID)
		return -1;
	if (reg >= X86_REG_XMM0 && reg <= X86_REG_XMM15)
		return 16 + (int)(reg - X86_REG_XMM0);
	for (int i = 0; i < 16; i++) {
		for (int k = 0; k < 5; k++) {
			if (reg_names[i][k] == reg)
				return i;
		}
	}
	return -1;
}

uint16_t code_written(struct code *c, const cs_insn *insn)
{
	uint8_t nread, nwritten;
	cs_regs read, written;
	uint16_t mask = 0;

	if (cs_regs_access(c->handle, insn, read, &nread, written, &nwritten))
		return UINT16_MAX;
	for (uint8_t i = 0; i < nwritten; i++) {
		int n = code_reg_number(written[i]);

		if (n >= 0 && n < 16)
			mask |= (uint16_t)(1U << n);
	}
	return mask;
}

bool code_is_conditional(unsigned int id)
{
	switch (id) {
	case X86_INS_JAE:
	case X86_INS_JA:
	case X86_INS_JBE:
	case X86_INS_JB:
	case X86_INS_JE:
	case X86_INS_JGE:
	case X86_INS_JG:
	case X86_INS_JLE:
	case X86_INS_JL:
	case X86_INS_JNE:
	case X86_INS_JNO:
	case X86_INS_JNP:
	case X86_INS_JNS:
	case X86_INS_JO:
	case X86_INS_JP:
	case X86_INS_JS:
	case X86_INS_JRCXZ:
	case X86_INS_JECXZ:
		return true;
	default:
		return false;
	}
}
