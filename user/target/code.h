/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Decoding of x86-64 functions, from their entry on: only that proves instruction boundaries. */
#ifndef GSCOPE_TARGET_CODE_H
#define GSCOPE_TARGET_CODE_H

#include <capstone/capstone.h>
#include <stdbool.h>
#include <stdint.h>

#include "user/base/error.h"
#include "user/target/elf.h"
#include "user/target/pclntab.h"

struct code;

/* Free with code_close(). */
int code_open(struct code **out, struct error *e);
void code_close(struct code *c);

/* Start at the entry of `func`, a function of `f` loaded at `bias`: false if it cannot be read. */
bool code_begin(struct code *c, struct elf_file *f, uint64_t bias, const struct pcln_func *func);

/*
 * Next instruction, valid until the next call; its address is a vaddr. NULL at the end of the
 * function, or where it cannot be decoded.
 */
const cs_insn *code_next(struct code *c);

/* Whether code_next() gave all of the function. */
bool code_complete(const struct code *c);

/* Is it `call rel32` without a prefix, which the kernel emulates? *to is where it goes. */
bool code_is_call(const cs_insn *insn, uint64_t *to);

/* Is it a jump to a fixed place, conditional or not, without a prefix, which the kernel emulates? */
bool code_is_branch(const cs_insn *insn);

/* All general registers the instruction writes, or writes a part of, a bit each (flow.h). */
uint16_t code_written(struct code *c, const cs_insn *insn);

/* Number of a general register as the processor has it, 16 + number of an XMM register; else -1. */
int code_reg_number(x86_reg reg);

/* Is the instruction a conditional jump? */
bool code_is_conditional(unsigned int id);

#endif
