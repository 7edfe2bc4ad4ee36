/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What a function of the runtime does with memory, whatever registers and stack slots the compiler
 * chose: its instructions are run on symbols ("what RAX was at the entry", "the word 48 bytes into
 * that") instead of numbers, along all paths, and what two paths disagree on is a new symbol.
 *
 * Go's register ABI is taken for granted (src/cmd/compile/abi-internal.md, Go 1.17 and later):
 * arguments in AX, BX, CX, DI, SI, R8..R11; R14 is g; a call keeps SP, BP and R14 only.
 */
#ifndef GSCOPE_TARGET_FLOW_H
#define GSCOPE_TARGET_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/base/error.h"
#include "user/target/elf.h"
#include "user/target/pclntab.h"

/* Registers as the processor numbers them. */
enum flow_reg {
	FLOW_AX,
	FLOW_CX,
	FLOW_DX,
	FLOW_BX,
	FLOW_SP,
	FLOW_BP,
	FLOW_SI,
	FLOW_DI,
	FLOW_R8,
	FLOW_R9,
	FLOW_R10,
	FLOW_R11,
	FLOW_R14 = 14,
	FLOW_REGS = 16,
	FLOW_STACK_RESULT /* of a call: the word at SP, where assembly functions return */
};

enum flow_kind {
	FLOW_UNKNOWN,
	FLOW_ENTRY, /* what register `v` was at the entry */
	FLOW_CALLER, /* what the word at SP + `v` was at the entry: 0 is the return address */
	FLOW_STACK, /* the address SP at the entry + `v` */
	FLOW_CONST, /* `v` */
	FLOW_GLOBAL, /* the address `v`, a vaddr */
	FLOW_SUM, /* `of` + `v` */
	FLOW_LOAD, /* what is at address `of` + `v` */
	FLOW_ELEMENT, /* the address of some element of the array at `of` */
	FLOW_RESULT, /* what a call of the function at vaddr `of`.v left in a register */
	FLOW_MERGED, /* one of several things, by the path that was taken */
	FLOW_OTHER, /* what some instruction made that is not followed */
};

typedef uint32_t flow_id; /* of a value; equal ids are equal values, but for loops */

struct flow_value {
	enum flow_kind kind;
	flow_id of;
	int64_t v;
};

enum flow_event_kind {
	FLOW_READ, /* [base + disp] */
	FLOW_WRITE, /* [base + disp] = value */
	FLOW_ATOMIC, /* xchg, xadd, cmpxchg of [base + disp]; value: the register's */
	FLOW_TLS_WRITE, /* fs:[base + disp] = value */
	FLOW_COMPARE, /* base with value */
	FLOW_CALL, /* of `callee` with `args` */
	FLOW_RETURN, /* with `args` */
};

struct flow_event {
	enum flow_event_kind kind;
	flow_id base;
	int64_t disp;
	unsigned int size; /* in bytes */
	flow_id value;
	const char *callee; /* NULL: called through a pointer */
	const flow_id *args; /* by enum flow_reg */
};

struct flow;

/* For the functions of `f` loaded at `bias`. Free with flow_close(), before `f` and `pcln`. */
int flow_open(struct flow **out, struct elf_file *f, const struct pclntab *pcln, uint64_t bias,
	      struct error *e);
void flow_close(struct flow *fl);

/*
 * Run the function `name` and tell `visit` what each of its reachable instructions does, in order
 * of address. Values are valid until the next run. False: there is no such function, or it is not
 * one that can be understood; then nothing or not everything was told.
 */
typedef void (*flow_visitor)(void *ctx, const struct flow *fl, const struct flow_event *ev);
bool flow_run(struct flow *fl, const char *name, flow_visitor visit, void *ctx);

struct flow_value flow_value(const struct flow *fl, flow_id id);

/* Is it what `reg` was at the entry? */
bool flow_is_entry(const struct flow *fl, flow_id id, enum flow_reg reg);
/* Is it the constant `v`? */
bool flow_is_const(const struct flow *fl, flow_id id, int64_t v);
/* Is it what a call of `callee` returned in `reg`? */
bool flow_is_result(const struct flow *fl, flow_id id, const char *callee, enum flow_reg reg);
/* Is it what was loaded from *of + *off? */
bool flow_is_load(const struct flow *fl, flow_id id, flow_id *of, int64_t *off);
/* Is it what was loaded from the global variable at *vaddr? */
bool flow_is_global_load(const struct flow *fl, flow_id id, uint64_t *vaddr);

#endif
