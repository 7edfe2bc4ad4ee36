// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Every instruction, with all registers, as capstone reads it. */
#include <capstone/capstone.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/unit.h"
#include "user/inline/x86.h"

#define ADDR 0x401000
#define CANARY 0xa5

static const char *const names64[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
				      "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
static const char *const names32[] = {"eax", "ecx", "edx",  "ebx",  "esp",  "ebp",  "esi",  "edi",
				      "r8d", "r9d", "r10d", "r11d", "r12d", "r13d", "r14d", "r15d"};
static const char *const names8[] = {"al",  "cl",  "dl",   "bl",   "spl",  "bpl",  "sil",  "dil",
				     "r8b", "r9b", "r10b", "r11b", "r12b", "r13b", "r14b", "r15b"};
static const int32_t disps[] = {0, 8, -8, 127, 128, -128, -129, 0x1240, -0x7fffffff, 0x7fffffff};
static const int32_t imms[] = {0, 1, -1, 127, 128, -128, -129, 0x12345678, -0x7fffffff - 1};

#define N(a) (sizeof(a) / sizeof((a)[0]))

static csh capstone;

/* One instruction: what is given to its function, and what has to be read. */
struct insn {
	enum {
		LOAD,
		LOAD32,
		LOAD8,
		STORE,
		STORE32,
		STORE8,
		STORE32_IMM,
		STORE_IMM,
		STORE8_IMM,
		LEA,
		SUB_MEM,
		LOCK_XADD,
		LOCK_INCREMENT, /* of memory, up to here */
		MOVE,
		ADD,
		SUB,
		OR,
		CMP,
		TEST, /* of registers */
		ADD_IMM,
		AND_IMM,
		CMP_IMM,
		MULTIPLY,
		SHIFT_LEFT,
		TEST8_IMM, /* and a number */
		MOVE_IMM,
		LEA_INDEX,
		RDTSC,
		JUMP_TO,
		JUMP_BACK_IF,
	} what;
	enum x86_gpr a, b, c;
	int32_t disp, imm;
	uint64_t wide;
	enum x86_condition cc;
};

static void emit(struct x86_code *c, const struct insn *i)
{
	switch (i->what) {
	case LOAD:
		x86_load(c, i->a, i->b, i->disp);
		break;
	case LOAD32:
		x86_load32(c, i->a, i->b, i->disp);
		break;
	case LOAD8:
		x86_load8(c, i->a, i->b, i->disp);
		break;
	case STORE:
		x86_store(c, i->b, i->disp, i->a);
		break;
	case STORE32:
		x86_store32(c, i->b, i->disp, i->a);
		break;
	case STORE8:
		x86_store8(c, i->b, i->disp, i->a);
		break;
	case STORE32_IMM:
		x86_store32_imm(c, i->b, i->disp, (uint32_t)i->imm);
		break;
	case STORE_IMM:
		x86_store_imm(c, i->b, i->disp, i->imm);
		break;
	case STORE8_IMM:
		x86_store8_imm(c, i->b, i->disp, (uint8_t)i->imm);
		break;
	case LEA:
		x86_lea(c, i->a, i->b, i->disp);
		break;
	case SUB_MEM:
		x86_sub_mem(c, i->a, i->b, i->disp);
		break;
	case LOCK_XADD:
		x86_lock_xadd(c, i->b, i->disp, i->a);
		break;
	case LOCK_INCREMENT:
		x86_lock_increment(c, i->b, i->disp);
		break;
	case MOVE:
		x86_move(c, i->a, i->b);
		break;
	case ADD:
		x86_add(c, i->a, i->b);
		break;
	case SUB:
		x86_sub(c, i->a, i->b);
		break;
	case OR:
		x86_or(c, i->a, i->b);
		break;
	case CMP:
		x86_cmp(c, i->a, i->b);
		break;
	case TEST:
		x86_test(c, i->a);
		break;
	case ADD_IMM:
		x86_add_imm(c, i->a, i->imm);
		break;
	case AND_IMM:
		x86_and_imm(c, i->a, i->imm);
		break;
	case CMP_IMM:
		x86_cmp_imm(c, i->a, i->imm);
		break;
	case MULTIPLY:
		x86_multiply(c, i->a, i->imm);
		break;
	case SHIFT_LEFT:
		x86_shift_left(c, i->a, (uint8_t)i->imm);
		break;
	case TEST8_IMM:
		x86_test8_imm(c, i->a, (uint8_t)i->imm);
		break;
	case MOVE_IMM:
		x86_move_imm(c, i->a, i->wide);
		break;
	case LEA_INDEX:
		x86_lea_index(c, i->a, i->b, i->c, i->disp);
		break;
	case RDTSC:
		x86_rdtsc(c);
		break;
	case JUMP_TO:
		x86_jump_to(c, i->wide);
		break;
	case JUMP_BACK_IF:
		x86_jump_back_if(c, i->cc, i->wide);
		break;
	}
}

/* As "mov rax, 8:[rcx + 0 + 16]" */
static void wanted(char *out, size_t size, const struct insn *i)
{
	static const char *const jumps[] = {
		[CC_B] = "jb",   [CC_AE] = "jae", [CC_E] = "je", [CC_NE] = "jne",
		[CC_BE] = "jbe", [CC_A] = "ja",   [CC_L] = "jl", [CC_G] = "jg"};
	const char *a = names64[i->a], *b = names64[i->b], *a32 = names32[i->a], *a8 = names8[i->a];
	long imm = i->imm, imm8 = (int8_t)i->imm;
	char m[64];

	snprintf(m, sizeof(m), "[%s + 0 + %ld]", b, (long)i->disp);
	switch (i->what) {
	case LOAD:
		snprintf(out, size, "mov %s, 8:%s", a, m);
		break;
	case LOAD32:
		snprintf(out, size, "mov %s, 4:%s", a32, m);
		break;
	case LOAD8:
		snprintf(out, size, "movzx %s, 1:%s", a32, m);
		break;
	case STORE:
		snprintf(out, size, "mov 8:%s, %s", m, a);
		break;
	case STORE32:
		snprintf(out, size, "mov 4:%s, %s", m, a32);
		break;
	case STORE8:
		snprintf(out, size, "mov 1:%s, %s", m, a8);
		break;
	case STORE32_IMM:
		snprintf(out, size, "mov 4:%s, %ld", m, imm);
		break;
	case STORE_IMM:
		snprintf(out, size, "mov 8:%s, %ld", m, imm);
		break;
	case STORE8_IMM:
		snprintf(out, size, "mov 1:%s, %ld", m, imm8);
		break;
	case LEA:
		snprintf(out, size, "lea %s, 8:%s", a, m);
		break;
	case SUB_MEM:
		snprintf(out, size, "sub %s, 8:%s", a, m);
		break;
	case LOCK_XADD:
		snprintf(out, size, "lock xadd 8:%s, %s", m, a);
		break;
	case LOCK_INCREMENT:
		snprintf(out, size, "lock inc 8:%s", m);
		break;
	case MOVE:
		snprintf(out, size, "mov %s, %s", a, b);
		break;
	case ADD:
		snprintf(out, size, "add %s, %s", a, b);
		break;
	case SUB:
		snprintf(out, size, "sub %s, %s", a, b);
		break;
	case OR:
		snprintf(out, size, "or %s, %s", a, b);
		break;
	case CMP:
		snprintf(out, size, "cmp %s, %s", a, b);
		break;
	case TEST:
		snprintf(out, size, "test %s, %s", a, a);
		break;
	case ADD_IMM:
		snprintf(out, size, "add %s, %ld", a, imm);
		break;
	case AND_IMM:
		snprintf(out, size, "and %s, %ld", a, imm);
		break;
	case CMP_IMM:
		snprintf(out, size, "cmp %s, %ld", a, imm);
		break;
	case MULTIPLY:
		snprintf(out, size, "imul %s, %s, %ld", a, a, imm);
		break;
	case SHIFT_LEFT:
		snprintf(out, size, "shl %s, %ld", a, imm8);
		break;
	case TEST8_IMM:
		snprintf(out, size, "test %s, %ld", a8, imm8);
		break;
	case MOVE_IMM:
		if (i->wide > UINT32_MAX)
			snprintf(out, size, "movabs %s, %lld", a, (long long)i->wide);
		else
			snprintf(out, size, "mov %s, %ld", a32, (long)(int32_t)i->wide);
		break;
	case LEA_INDEX:
		snprintf(out, size, "lea %s, 8:[%s + %s + %ld]", a, b, names64[i->c],
			 (long)i->disp);
		break;
	case RDTSC:
		snprintf(out, size, "rdtsc");
		break;
	case JUMP_TO:
		snprintf(out, size, "jmp %lld", (long long)i->wide);
		break;
	case JUMP_BACK_IF:
		snprintf(out, size, "%s %lld", jumps[i->cc], (long long)i->wide);
		break;
	}
}

static const char *name_of(unsigned int reg)
{
	return reg ? cs_reg_name(capstone, reg) : "0";
}

/* A number of an operand of 1 or 4 bytes, signed: capstone has it either way. */
static long long number(const cs_x86_op *op)
{
	return op->size == 1 ? (int8_t)op->imm : op->size == 4 ? (int32_t)op->imm : op->imm;
}

static void print(char *out, size_t size, const cs_insn *insn)
{
	const cs_x86 *x = &insn->detail->x86;
	int n = snprintf(out, size, "%s", insn->mnemonic);

	for (int i = 0; i < x->op_count; i++) {
		const cs_x86_op *op = &x->operands[i];
		const char *before = i ? ", " : " ";

		if (op->type == X86_OP_REG)
			n += snprintf(out + n, size - n, "%s%s", before, name_of(op->reg));
		else if (op->type == X86_OP_IMM)
			n += snprintf(out + n, size - n, "%s%lld", before, number(op));
		else
			n += snprintf(out + n, size - n, "%s%d:[%s + %s + %lld]%s", before,
				      op->size, name_of(op->mem.base), name_of(op->mem.index),
				      (long long)op->mem.disp, op->mem.scale == 1 ? "" : " scaled");
	}
}

/* It is that one instruction and nothing else; and without room for all of it, it is none. */
static void check(const struct insn *i)
{
	uint8_t bytes[32];
	struct x86_code c = {.bytes = bytes, .room = sizeof(bytes), .addr = ADDR};
	char want[128], is[128] = "nothing";
	cs_insn *insn;
	size_t n;

	emit(&c, i);
	wanted(want, sizeof(want), i);
	n = cs_disasm(capstone, bytes, c.n, ADDR, 0, &insn);
	if (n) {
		print(is, sizeof(is), &insn[0]);
		if (n != 1 || insn[0].size != c.n)
			strcat(is, ", and more");
		cs_free(insn, n);
	}
	if (c.failed || strcmp(is, want) != 0) {
		fprintf(stderr, "\n    %s, not %s\n", is, want);
		CU_FAIL("another instruction");
	}
	for (size_t room = 0; room < c.n; room++) {
		uint8_t few[32];
		struct x86_code less = {.bytes = few, .room = room, .addr = ADDR};

		memset(few, CANARY, sizeof(few));
		emit(&less, i);
		CU_ASSERT_TRUE(less.failed);
		CU_ASSERT(less.n <= room);
		for (size_t k = room; k < sizeof(few); k++)
			if (few[k] != CANARY)
				CU_FAIL("written behind its room");
	}
}

static bool begin(void)
{
	bool ok = cs_open(CS_ARCH_X86, CS_MODE_64, &capstone) == CS_ERR_OK;

	CU_ASSERT_TRUE_FATAL(ok);
	return cs_option(capstone, CS_OPT_DETAIL, CS_OPT_ON) == CS_ERR_OK;
}

static void test_memory(void)
{
	if (!begin())
		return;
	for (int what = LOAD; what <= LOCK_INCREMENT; what++)
		for (int a = RAX; a <= R15; a++)
			for (int b = RAX; b <= R15; b++)
				for (size_t k = 0; k < N(disps); k++)
					check(&(struct insn){.what = what,
							     .a = a,
							     .b = b,
							     .disp = disps[k],
							     .imm = imms[k % N(imms)]});
	cs_close(&capstone);
}

static void test_registers(void)
{
	if (!begin())
		return;
	for (int what = MOVE; what <= TEST; what++)
		for (int a = RAX; a <= R15; a++)
			for (int b = RAX; b <= R15; b++)
				check(&(struct insn){.what = what, .a = a, .b = b});
	cs_close(&capstone);
}

static void test_numbers(void)
{
	static const uint64_t wide[] = {0,          1,           0x7fffffff,     0x80000000,
					0xffffffff, 0x100000000, 0x7fff12345678, UINT64_MAX};

	if (!begin())
		return;
	for (int a = RAX; a <= R15; a++) {
		for (int what = ADD_IMM; what <= MULTIPLY; what++)
			for (size_t k = 0; k < N(imms); k++)
				check(&(struct insn){.what = what, .a = a, .imm = imms[k]});
		for (int by = 1; by < 64; by++) {
			check(&(struct insn){.what = SHIFT_LEFT, .a = a, .imm = by});
			check(&(struct insn){.what = TEST8_IMM, .a = a, .imm = 4 * by});
		}
		for (size_t k = 0; k < N(wide); k++)
			check(&(struct insn){.what = MOVE_IMM, .a = a, .wide = wide[k]});
	}
	check(&(struct insn){.what = RDTSC});
	cs_close(&capstone);
}

/* RSP cannot be an index. */
static void test_index(void)
{
	if (!begin())
		return;
	for (int a = RAX; a <= R15; a++)
		for (int b = RAX; b <= R15; b++)
			for (int c = RAX; c <= R15; c++)
				for (size_t k = 0; k < N(disps) && c != RSP; k++)
					check(&(struct insn){.what = LEA_INDEX,
							     .a = a,
							     .b = b,
							     .c = c,
							     .disp = disps[k]});
	cs_close(&capstone);
}

static void test_jumps_to(void)
{
	static const enum x86_condition all[] = {CC_B, CC_AE, CC_E, CC_NE, CC_BE, CC_A, CC_L, CC_G};
	static const int64_t far[] = {0, 5, 6, -1, -200, 0x1000, 0x7fffff00, -0x7fffff00};

	if (!begin())
		return;
	for (size_t k = 0; k < N(far); k++) {
		uint64_t to = ADDR + (uint64_t)far[k];

		check(&(struct insn){.what = JUMP_TO, .wide = to});
		for (size_t i = 0; i < N(all); i++)
			check(&(struct insn){.what = JUMP_BACK_IF, .cc = all[i], .wide = to});
	}
	cs_close(&capstone);
}

static void test_too_far(void)
{
	static const int64_t far[] = {5 + 0x80000000LL, 5 - 0x80000001LL, INT64_MAX, INT64_MIN};
	uint8_t bytes[16];

	for (size_t k = 0; k < N(far); k++) {
		struct x86_code c = {.bytes = bytes, .room = sizeof(bytes), .addr = ADDR};

		x86_jump_to(&c, ADDR + (uint64_t)far[k]);
		CU_ASSERT_TRUE(c.failed);
		c = (struct x86_code){.bytes = bytes, .room = sizeof(bytes), .addr = ADDR};
		x86_jump_back_if(&c, CC_A, ADDR + (uint64_t)far[k] + 1);
		CU_ASSERT_TRUE(c.failed);
	}
	/* as far as it goes */
	for (int i = 0; i < 2; i++) {
		struct x86_code c = {.bytes = bytes, .room = sizeof(bytes), .addr = ADDR};

		x86_jump_to(&c, ADDR + (uint64_t)(i ? far[0] - 1 : far[1] + 1));
		CU_ASSERT_FALSE(c.failed);
	}
}

/* Forward, over others, to where they land. */
static void test_land(void)
{
	uint8_t bytes[128];
	struct x86_code c = {.bytes = bytes, .room = sizeof(bytes), .addr = ADDR};
	struct x86_jump first, second;
	char is[128];
	cs_insn *insn;
	uint64_t to;
	size_t n;

	if (!begin())
		return;
	first = x86_jump(&c);
	second = x86_jump_if(&c, CC_NE);
	x86_move(&c, RAX, RBX);
	x86_land(&c, second);
	x86_align(&c, 64);
	CU_ASSERT_EQUAL(c.n, 64);
	x86_land(&c, first);
	to = x86_here(&c);
	CU_ASSERT_FALSE(c.failed);
	n = cs_disasm(capstone, bytes, c.n, ADDR, 0, &insn);
	CU_ASSERT_FATAL(n > 3);
	print(is, sizeof(is), &insn[0]);
	CU_ASSERT_STRING_EQUAL(insn[0].mnemonic, "jmp");
	CU_ASSERT_EQUAL((uint64_t)insn[0].detail->x86.operands[0].imm, to);
	CU_ASSERT_STRING_EQUAL(insn[1].mnemonic, "jne");
	CU_ASSERT_EQUAL((uint64_t)insn[1].detail->x86.operands[0].imm, insn[3].address);
	/* what fills it up traps */
	CU_ASSERT_STRING_EQUAL(insn[3].mnemonic, "int3");
	cs_free(insn, n);
	cs_close(&capstone);
}

static void test_no_room(void)
{
	uint8_t bytes[8];
	struct x86_code c = {.bytes = bytes, .room = 4, .addr = ADDR};
	struct x86_jump jump;

	memset(bytes, CANARY, sizeof(bytes));
	jump = x86_jump(&c);
	CU_ASSERT_TRUE(c.failed);
	x86_land(&c, jump);
	x86_align(&c, 4096);
	CU_ASSERT(c.n <= 4);
	for (size_t i = 4; i < sizeof(bytes); i++)
		CU_ASSERT_EQUAL(bytes[i], CANARY);
}

static CU_TestInfo tests[] = {
	{"memory", test_memory},
	{"registers", test_registers},
	{"numbers", test_numbers},
	{"a base and an index", test_index},
	{"jumps to a place", test_jumps_to},
	{"jumps that are too far", test_too_far},
	{"jumps forward", test_land},
	{"no room", test_no_room},
	CU_TEST_INFO_NULL,
};

UNIT_SUITE("inline/x86", tests);
