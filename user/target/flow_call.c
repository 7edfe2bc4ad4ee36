// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What a call does to the state. */
#include <string.h>

#include "user/target/flow_value.h"

static bool starts_with(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

/* Functions that do not come back; morestack begins the function anew. */
static bool never_returns(const char *name)
{
	static const char *const prefixes[] = {"runtime.throw",   "runtime.fatal",
					       "runtime.panic",   "runtime.goPanic",
					       "runtime.gopanic", "runtime.morestack"};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		if (starts_with(name, prefixes[i]))
			return true;
	}
	return false;
}

/*
 * Methods of one instruction that are called in a program whose compiler did not inline: tell what
 * they do as if they had been. Returns the value of AX after the call, 0 if it is none of these.
 */
static flow_id do_method(struct flow *fl, const char *name, const struct flow_state *st)
{
	flow_id self = st->reg[FLOW_AX], arg = st->reg[FLOW_BX];
	struct flow_place p = flow_make_place(fl, self);
	unsigned int size = strstr(name, "32)") ? 4 : strstr(name, "8)") ? 1 : 8;
	const char *method = strrchr(name, '.');

	if (!strcmp(name, "runtime.guintptr.ptr") || !strcmp(name, "runtime.puintptr.ptr") ||
	    !strcmp(name, "runtime.muintptr.ptr"))
		return self;
	if (!method || p.where != FLOW_IN_MEMORY)
		return 0;
	if (strstr(name, "uintptr).set") || !strcmp(name, "runtime.setGNoWB") ||
	    !strcmp(name, "runtime.setMNoWB")) {
		flow_tell(fl, FLOW_WRITE, &p, 8, arg);
	} else if (strstr(name, "uintptr).cas")) {
		flow_tell(fl, FLOW_ATOMIC, &p, 8, st->reg[FLOW_CX]);
	} else if (!strcmp(name, "runtime.atomicstorep")) {
		flow_tell(fl, FLOW_ATOMIC, &p, 8, arg);
	} else if (strstr(name, "/atomic.(*")) {
		if (starts_with(method, ".Load"))
			return flow_load(fl, st, &p, size);
		flow_tell(fl, starts_with(method, ".Store") ? FLOW_WRITE : FLOW_ATOMIC, &p, size,
			  starts_with(method, ".CompareAndSwap") ? st->reg[FLOW_CX] : arg);
	}
	return 0;
}

bool flow_call(struct flow *fl, const struct flow_insn *insn, struct flow_state *st)
{
	struct flow_event ev = {.kind = FLOW_CALL, .args = st->reg};
	struct pcln_func func = {.name = NULL};
	flow_id callee = 0, ax = 0, sp = st->reg[FLOW_SP];

	if (insn->op[0].type == X86_OP_IMM &&
	    pclntab_func(fl->pcln, (uint64_t)insn->op[0].imm + fl->bias, &func)) {
		callee = flow_intern(fl, FLOW_GLOBAL, 0, insn->op[0].imm);
		ev.callee = func.name;
		ax = do_method(fl, func.name, st);
	}
	if (fl->visit)
		fl->visit(fl->ctx, fl, &ev);
	if (func.name && never_returns(func.name))
		return false;
	/* they keep all registers but R11, which is where to put pointers from Go 1.21 on */
	if (func.name && starts_with(func.name, "runtime.gcWriteBarrier")) {
		st->reg[FLOW_R11] = 0;
		return true;
	}
	for (int r = 0; r < FLOW_REGS; r++) {
		st->xmm[r][0] = st->xmm[r][1] = 0;
		if (r == FLOW_SP || r == FLOW_BP || r == FLOW_R14)
			continue;
		st->reg[r] = callee ? flow_intern(fl, FLOW_RESULT, callee,
						  (int64_t)(insn->vaddr << 5 | (unsigned int)r)) :
				      0;
	}
	if (ax)
		st->reg[FLOW_AX] = ax;
	if (callee && flow_value(fl, sp).kind == FLOW_STACK)
		flow_slot_write(st, flow_value(fl, sp).v, 8,
				flow_intern(fl, FLOW_RESULT, callee,
					    (int64_t)(insn->vaddr << 5 | FLOW_STACK_RESULT)));
	return true;
}
