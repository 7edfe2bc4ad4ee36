// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Stack of BPF programs. A program and all it calls have 512 bytes; new kernels give some programs a
 * stack of their own, so that there only this test tells when an old one would refuse them.
 */
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <stdio.h>

#include "gscope.skel.h"
#include "tests/unit/unit.h"
#include "user/capture/load.h"

#define STACK 512
/* of every function: check_max_stack_depth() in kernel/bpf/verifier.c; new kernels round to less */
#define ROUND 32
#define MAX_CALLS 16

struct code {
	const struct bpf_insn *insn;
	size_t n;
};

static bool is_call(const struct bpf_insn *i)
{
	return i->code == (BPF_JMP | BPF_CALL) && i->src_reg == BPF_PSEUDO_CALL;
}

static bool is_callback(const struct bpf_insn *i)
{
	return i->code == (BPF_LD | BPF_IMM | BPF_DW) && i->src_reg == BPF_PSEUDO_FUNC;
}

static bool starts_function(const struct code *c, size_t at)
{
	for (size_t i = 0; i < c->n; i++)
		if ((is_call(&c->insn[i]) || is_callback(&c->insn[i])) &&
		    i + 1 + (size_t)(ssize_t)c->insn[i].imm == at)
			return true;
	return false;
}

/* How far below the frame pointer one instruction leads; what registers are relative to it is kept. */
static int reach(const struct bpf_insn *i, bool *known, int *offset)
{
	unsigned int class = BPF_CLASS(i->code);
	unsigned int base = class == BPF_LDX ? i->src_reg : i->dst_reg;

	if (class == BPF_ST || class == BPF_STX)
		return known[base] ? -(offset[base] + i->off) : 0;
	if (class == BPF_LDX) {
		int at = known[base] ? -(offset[base] + i->off) : 0;

		known[i->dst_reg] = false;
		return at;
	}
	if (i->code == (BPF_ALU64 | BPF_MOV | BPF_X)) {
		known[i->dst_reg] = known[i->src_reg];
		offset[i->dst_reg] = offset[i->src_reg];
	} else if (i->code == (BPF_ALU64 | BPF_ADD | BPF_K) && known[i->dst_reg]) {
		offset[i->dst_reg] += i->imm;
		return -offset[i->dst_reg];
	} else if (class == BPF_ALU64 || class == BPF_ALU || class == BPF_LD) {
		known[i->dst_reg] = false;
	}
	return 0;
}

/* Bytes of a function that begins at `at`, and of the deepest it calls. */
static int depth_of(const struct code *c, size_t at, int calls)
{
	int offset[MAX_BPF_REG] = {0}, own = 1, deepest = 0;
	bool known[MAX_BPF_REG] = {[BPF_REG_10] = true};

	CU_ASSERT_FATAL(at < c->n && calls < MAX_CALLS);
	for (size_t i = at; i < c->n && (i == at || !starts_function(c, i)); i++) {
		int to = reach(&c->insn[i], known, offset);

		own = to > own ? to : own;
		if (is_call(&c->insn[i]) || is_callback(&c->insn[i])) {
			int more = depth_of(c, i + 1 + (size_t)(ssize_t)c->insn[i].imm, calls + 1);

			deepest = more > deepest ? more : deepest;
		}
	}
	return (own + ROUND - 1) / ROUND * ROUND + deepest;
}

/* What the rules above make of a few instructions. */
static void depths_add_up(void)
{
	const struct bpf_insn insn[] = {
		/* r2 = r10; r2 += -40; call the function below; *(u64 *)(r2 - 8) = 0; exit */
		{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 2, .src_reg = 10},
		{.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 2, .imm = -40},
		{.code = BPF_JMP | BPF_CALL, .src_reg = BPF_PSEUDO_CALL, .imm = 2},
		{.code = BPF_ST | BPF_MEM | BPF_DW, .dst_reg = 2, .off = -8},
		{.code = BPF_JMP | BPF_EXIT},
		/* *(u64 *)(r10 - 72) = r1; exit */
		{.code = BPF_STX | BPF_MEM | BPF_DW, .dst_reg = 10, .src_reg = 1, .off = -72},
		{.code = BPF_JMP | BPF_EXIT},
	};
	const struct code c = {insn, sizeof(insn) / sizeof(insn[0])};

	CU_ASSERT_EQUAL(depth_of(&c, 0, 0), 64 + 96);
	CU_ASSERT_EQUAL(depth_of(&c, 5, 0), 96);
}

static void every_program_fits(void)
{
	struct load_options opt = {.probed = true, .bare = true, .samples = true};
	struct programs *programs;
	struct bpf_program *prog;
	struct error e;
	int deepest = 0;

	CU_ASSERT_FATAL(!programs_load(&programs, &opt, &e));
	bpf_object__for_each_program(prog, programs->skel->obj) {
		struct code c = {bpf_program__insns(prog), bpf_program__insn_cnt(prog)};
		int depth;

		if (!bpf_program__autoload(prog))
			continue;
		depth = depth_of(&c, 0, 0);
		deepest = depth > deepest ? depth : deepest;
		CU_ASSERT(depth <= STACK);
		if (depth > STACK)
			printf("\n    %s: %d bytes of stack", bpf_program__name(prog), depth);
	}
	CU_ASSERT(deepest > STACK / 2);
	programs_close(programs);
}

static CU_TestInfo tests[] = {
	{"depths of functions add up", depths_add_up},
	{"every program fits into the stack of older kernels", every_program_fits},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("capture/stack", tests);
