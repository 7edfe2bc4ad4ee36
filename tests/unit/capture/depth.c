// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tests/unit/capture/depth.h"

#include <stdbool.h>
#include <sys/types.h>

/* of every function: check_max_stack_depth() in kernel/bpf/verifier.c; new kernels round to less */
#define ROUND 32
#define MAX_CALLS 16

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

int depth_of(const struct code *c, size_t at, int calls)
{
	int offset[MAX_BPF_REG] = {0}, own = 1, deepest = 0;
	bool known[MAX_BPF_REG] = {[BPF_REG_10] = true};

	if (at >= c->n || calls >= MAX_CALLS)
		return DEPTH_UNKNOWN;
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
