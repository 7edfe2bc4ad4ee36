/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Internal to flow*.c: the values, each kept once, and the state of a function at one place. */
#ifndef GSCOPE_TARGET_FLOW_VALUE_H
#define GSCOPE_TARGET_FLOW_VALUE_H

#include <capstone/capstone.h>

#include "user/target/code.h"
#include "user/target/flow.h"

#define FLOW_SLOTS 112
#define FLOW_OPERANDS 3

/* Something of `size` bytes at SP at the entry + off. */
struct flow_slot {
	int32_t off;
	uint32_t size;
	flow_id value;
};

struct flow_state {
	bool seen; /* some path leads here */
	flow_id reg[FLOW_REGS];
	flow_id xmm[FLOW_REGS][2];
	struct flow_slot slot[FLOW_SLOTS];
	uint32_t nslots;
	bool full; /* there was no room for a slot: those not there are unknown */
};

/* A decoded instruction. */
struct flow_insn {
	uint64_t vaddr;
	unsigned int id;
	uint16_t size;
	uint16_t writes; /* registers, a bit each */
	uint8_t noperands;
	cs_x86_op op[FLOW_OPERANDS];
};

struct flow {
	struct elf_file *elf;
	const struct pclntab *pcln;
	uint64_t bias;
	struct code *code;
	struct flow_insn *insn;
	size_t ninsns, room;
	struct flow_state *in; /* before each instruction that is the target of a jump */
	uint32_t *target; /* of each instruction: its index in `in` + 1, 0: no jump leads there */
	struct flow_value *values; /* 1 to nvalues */
	uint32_t nvalues, values_room;
	uint32_t *buckets; /* open addressing: ids */
	bool failed; /* no memory, or too much to keep track of */
	flow_visitor visit; /* NULL: only find the states */
	void *ctx;
};

/* The id of a value; 0 if there is no room. */
flow_id flow_intern(struct flow *fl, enum flow_kind kind, flow_id of, int64_t v);
void flow_forget(struct flow *fl);

/* a + v */
flow_id flow_sum(struct flow *fl, flow_id a, int64_t v);

/*
 * Merge what another path says into *to, the state at the jump target with number `at`: true if it
 * changed.
 */
bool flow_merge(struct flow *fl, struct flow_state *to, const struct flow_state *from, uint32_t at);

/* Stack slots. */
flow_id flow_slot_read(struct flow *fl, const struct flow_state *st, int64_t off,
		       unsigned int size);
void flow_slot_write(struct flow_state *st, int64_t off, unsigned int size, flow_id value);

/* Where a memory operand is. */
struct flow_place {
	enum { FLOW_IN_MEMORY, FLOW_ON_STACK, FLOW_IN_TLS } where;
	flow_id base;
	int64_t disp; /* ON_STACK: from SP at the entry */
};

struct flow_place flow_make_place(struct flow *fl, flow_id address);

/* Tell the visitor, if there is one. */
void flow_tell(struct flow *fl, enum flow_event_kind kind, const struct flow_place *p,
	       unsigned int size, flow_id value);

/* What is at a place, which is told to be read. */
flow_id flow_load(struct flow *fl, const struct flow_state *st, const struct flow_place *p,
		  unsigned int size);

/* Do one instruction; false: what follows is not reached from here. */
bool flow_step(struct flow *fl, const struct flow_insn *insn, struct flow_state *st);

/* Do a call instruction; false: it does not come back. */
bool flow_call(struct flow *fl, const struct flow_insn *insn, struct flow_state *st);

#endif
