/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the registers hold at an instruction, as far as decoding from the function's entry tells. */
#ifndef GSCOPE_TARGET_SITES_VALUES_H
#define GSCOPE_TARGET_SITES_VALUES_H

#include <stdbool.h>

#include "user/target/code.h"
#include "user/target/flow.h"

struct values {
	int constant[FLOW_REGS]; /* a small number that was loaded, or STATUS_UNKNOWN */
	bool rbx_argument; /* RBX still holds what the caller passed */
	int rbx_slot; /* distance from SP to where RBX was saved, -1: not saved */
};

/* At the function's entry. */
void values_begin(struct values *v);

/* Registers an instruction writes, or a part of them, a bit each: a call all but SP and R14. */
uint32_t values_written(struct code *c, const cs_insn *insn);

/* Behind one more instruction. */
void values_follow(struct values *v, struct code *c, const cs_insn *insn);

#endif
