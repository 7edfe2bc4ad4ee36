// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Stack of BPF programs. A program and all it calls have 512 bytes; new kernels give some programs a
 * stack of their own, so that there only this test tells when an old one would refuse them.
 */
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <stdio.h>

#include "gscope.skel.h"
#include "tests/unit/capture/depth.h"
#include "tests/unit/unit.h"
#include "user/capture/load.h"

/* What the rules of depth.c make of a few instructions. */
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
		CU_ASSERT(depth <= BPF_STACK);
		if (depth > BPF_STACK)
			printf("\n    %s: %d bytes of stack", bpf_program__name(prog), depth);
	}
	CU_ASSERT(deepest > BPF_STACK / 2);
	programs_close(programs);
}

static CU_TestInfo tests[] = {
	{"depths of functions add up", depths_add_up},
	{"every program fits into the stack of older kernels", every_program_fits},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("capture/stack", tests);
