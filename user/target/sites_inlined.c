// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Guided by a profile (-pgo) the compiler inlines casgstatus into the functions that change states
 * most. What is left of it is its loop
 *
 *	mov $old, %eax; mov $new, %r10d
 *	lock cmpxchg %r10d, atomicstatus(gp)
 *	sete %r11b; test %r11b, %r11b
 *	jne done
 *
 * whose branch the kernel emulates, while the register of gp is what it was. There the change has
 * just been made, if ZF is clear, or is going to be tried again. Nobody acts upon the new state
 * before the function that changed it goes on: it has yet to put the goroutine into a run queue,
 * or to unlock what the goroutine waits for.
 *
 * Whose code it is tell the inline trees in the pclntab, for the functions casgstatus was inlined
 * into may have been inlined themselves.
 */
#include <string.h>

#include "user/target/sites_plan.h"
#include "user/target/sites_values.h"

/* More instructions than that are not between the compare-and-swap and its branch. */
#define MAX_BETWEEN 16

/* A compare-and-swap whose branch is looked for. */
struct swap {
	const struct site_rule *rule; /* NULL: none is looked for */
	struct site site; /* at the instruction behind it */
	bool cheap; /* the kernel emulates that */
	int gp; /* register that has gp */
	int result; /* register that has the outcome, -1 not yet */
	bool tested; /* the flags have the outcome */
	unsigned int n; /* instructions since */
};

/* `lock cmpxchg %r32, disp(%reg)` at any disp (< 0) or the one given. */
static bool is_swap(const cs_insn *insn, int64_t disp)
{
	const cs_x86 *x = &insn->detail->x86;
	const cs_x86_op *op = x->operands;

	return insn->id == X86_INS_CMPXCHG && x->prefix[0] == X86_PREFIX_LOCK && x->op_count == 2 &&
	       op[0].type == X86_OP_MEM && op[0].size == 4 &&
	       op[0].mem.segment == X86_REG_INVALID && op[0].mem.index == X86_REG_INVALID &&
	       code_reg_number(op[0].mem.base) >= 0 && op[1].type == X86_OP_REG &&
	       code_reg_number(op[1].reg) >= 0 && (disp < 0 || op[0].mem.disp == disp);
}

/* Where casgstatus itself has g.atomicstatus: -1 if that cannot be told. */
static int64_t status_offset(struct plan *p)
{
	const cs_insn *insn;
	struct pcln_func func;

	if (!pclntab_find(p->pcln, site_callee_names[CAS], &func) || !plan_decode(p, &func))
		return -1;
	while ((insn = code_next(p->code))) {
		if (is_swap(insn, -1))
			return insn->detail->x86.operands[0].mem.disp;
	}
	return -1;
}

static int small_status(int rule, int seen)
{
	int status = rule >= 0 ? rule : seen;

	return status >= 0 && status < SITE_STATUS_UNKNOWN ? status : SITE_STATUS_UNKNOWN;
}

/* What is known of the site of a compare-and-swap, but where it is. */
static struct site site_of(const struct site_rule *r, const struct site_call *call,
			   const char *whose, int gp)
{
	return (struct site){
		.kind = r->kind,
		.place = SITE_SWAP_RESULT,
		.func = whose,
		.must_hit = r->flags & RULE_BUSY,
		.skip_slot = -1,
		.reg = (uint8_t)gp,
		.old_status = small_status(r->old_status, call->old_status),
		.new_status = small_status(r->new_status, call->new_status),
	};
}

/* Is it the callee's, inlined? Then begin to look for its branch. */
static void swap_begin(struct plan *p, struct swap *w, const struct pcln_func *func,
		       enum callee callee, const cs_insn *insn, const struct values *v)
{
	const char *names[PLAN_MAX_DEPTH];
	size_t n = pclntab_logical(p->pcln, insn->address + p->bias, names, PLAN_MAX_DEPTH), i = 0;
	const cs_x86_op *op = insn->detail->x86.operands;
	struct site_call call = {.callee = callee};
	const struct site_rule *r;
	const char *whose;

	while (i + 1 < n && strcmp(names[i], site_callee_names[callee]) != 0)
		i++;
	if (i + 1 >= n)
		return;
	call.names = names + i + 1;
	call.nnames = n - i - 1;
	call.old_status = v->constant[FLOW_AX];
	call.new_status = v->constant[code_reg_number(op[1].reg)];
	r = plan_rule(p, &call, &whose);
	if (!r)
		return;
	*w = (struct swap){.rule = r, .gp = code_reg_number(op[0].mem.base), .result = -1};
	w->site = site_of(r, &call, whose, w->gp);
	if (!strcmp(whose, "runtime.ready") && !strcmp(whose, func->name))
		w->site.skip_slot = v->rbx_slot;
}

/*
 * The branch is not where it is expected: the instruction right behind the compare-and-swap will
 * do, though the kernel may have to single-step it. The compare-and-swap itself cannot be probed:
 * instructions with a LOCK prefix are refused (arch/x86/kernel/uprobes.c, is_prefix_bad).
 */
static void swap_give_up(struct plan *p, struct swap *w)
{
	if (!w->n) {
		plan_warn(p, "%.100s has no place to probe: %s", w->site.func, w->rule->without);
	} else {
		if (!w->cheap)
			plan_warn(p,
				  "%.100s can only be probed at an instruction that costs the "
				  "program 10 to 20 times as much as others: tracing will slow it "
				  "down",
				  w->site.func);
		plan_add(p, &w->site);
	}
	w->rule = NULL;
}

/* One more instruction behind the compare-and-swap. */
static void swap_follow(struct plan *p, struct swap *w, const cs_insn *insn)
{
	const cs_x86_op *op = insn->detail->x86.operands;
	uint32_t written = values_written(p->code, insn);

	if (!w->n++) {
		w->site.vaddr = insn->address;
		w->cheap = code_is_branch(insn);
	}
	if (w->tested && (insn->id == X86_INS_JE || insn->id == X86_INS_JNE) &&
	    code_is_branch(insn)) {
		w->site.vaddr = insn->address;
		w->site.place = SITE_SWAP_BRANCH;
		plan_add(p, &w->site);
		w->rule = NULL;
	} else if (w->result < 0 && insn->id == X86_INS_SETE && op[0].type == X86_OP_REG) {
		w->result = code_reg_number(op[0].reg);
	} else if (w->result >= 0 && !w->tested && insn->id == X86_INS_TEST &&
		   op[0].type == X86_OP_REG && op[1].type == X86_OP_REG && op[0].reg == op[1].reg &&
		   code_reg_number(op[0].reg) == w->result) {
		w->tested = true;
	} else if (w->result < 0 ||
		   (insn->id != X86_INS_MOV && insn->id != X86_INS_LEA &&
		    insn->id != X86_INS_MOVZX && insn->id != X86_INS_NOP) ||
		   (!w->tested && written & 1U << w->result)) {
		/* only what leaves the flags alone may be between, and the outcome must stay */
		swap_give_up(p, w);
		return;
	}
	if (w->rule && (written & 1U << w->gp || w->n > MAX_BETWEEN))
		swap_give_up(p, w);
}

static void plan_swaps(struct plan *p, const struct pcln_func *func, enum callee callee,
		       int64_t status)
{
	struct swap w = {0};
	const cs_insn *insn;
	struct values v;

	if (!plan_decode(p, func))
		return;
	values_begin(&v);
	while ((insn = code_next(p->code))) {
		if (w.rule)
			swap_follow(p, &w, insn);
		if (is_swap(insn, status))
			swap_begin(p, &w, func, callee, insn, &v);
		values_follow(&v, p->code, insn);
	}
	if (w.rule)
		swap_give_up(p, &w);
	if (!code_complete(p->code))
		plan_warn(p, "%.100s cannot be decoded to its end: what follows is not probed",
			  func->name);
}

void plan_inlined(struct plan *p)
{
	static const enum callee callees[] = {CAS, PREEMPT_SCAN};
	int64_t status = -1;

	for (size_t k = 0; k < sizeof(callees) / sizeof(callees[0]); k++) {
		const char *name = site_callee_names[callees[k]];
		uint64_t steps = p->budget;
		struct pcln_func func;

		for (size_t i = 0; pclntab_at(p->pcln, i, &func); i++) {
			if (!pclntab_inlines(p->pcln, i, name, &steps))
				continue;
			if (status < 0)
				status = status_offset(p);
			if (status < 0) {
				plan_warn(p,
					  "runtime.casgstatus, which was inlined into %.100s, "
					  "cannot be decoded: nothing in it is probed",
					  func.name);
				return;
			}
			plan_swaps(p, &func, callees[k], status);
		}
	}
}

/* One more instruction, which does not jump: the registers that still have what *holders had. */
static uint32_t follow_copies(struct plan *p, const cs_insn *insn, uint32_t holders)
{
	const cs_x86_op *op = insn->detail->x86.operands;
	uint32_t left = holders & ~values_written(p->code, insn);
	int from, to;

	if (insn->id != X86_INS_MOV || op[0].type != X86_OP_REG || op[1].type != X86_OP_REG ||
	    op[0].size != 8)
		return left;
	from = code_reg_number(op[1].reg);
	to = code_reg_number(op[0].reg);
	return from >= 0 && to >= 0 && holders & 1U << from ? left | 1U << to : left;
}

/*
 * The first instruction behind `call newproc1`, which returns the new g in AX, that the kernel
 * emulates, and in *reg what still has that g: 0 if there is none.
 */
static uint64_t behind_newproc1(struct plan *p, uint64_t newproc1, int *reg)
{
	uint32_t holders = 0;
	const cs_insn *insn;
	uint64_t to;

	while ((insn = code_next(p->code))) {
		bool call = code_is_call(insn, &to);

		if (holders && (call || code_is_branch(insn))) {
			*reg = __builtin_ctz(holders);
			return insn->address;
		}
		if (call && to == newproc1)
			holders = 1U << FLOW_AX;
		else if (insn->id == X86_INS_RET || insn->id == X86_INS_JMP ||
			 insn->id == X86_INS_CALL)
			holders = 0;
		else
			holders = follow_copies(p, insn, holders);
	}
	return 0;
}

/* In newproc's closure, which puts into a run queue what newproc1 made. */
void plan_created(struct plan *p)
{
	struct site site = {
		.kind = SITE_CREATE_RUNQPUT,
		.place = SITE_REGISTER,
		.skip_slot = -1,
		.old_status = SITE_STATUS_UNKNOWN,
		.new_status = SITE_STATUS_UNKNOWN,
	};
	struct site_call call = {.names = &site.func, .nnames = 1, .callee = RUNQPUT};
	struct pcln_func func, newproc1;
	const char *whose;
	int reg;

	if (!pclntab_find(p->pcln, "runtime.newproc1", &newproc1) ||
	    !pclntab_find(p->pcln, "runtime.newproc.func1", &func) || !plan_decode(p, &func))
		return;
	site.func = func.name;
	site.vaddr = behind_newproc1(p, newproc1.entry - p->bias, &reg);
	if (!site.vaddr || !plan_rule(p, &call, &whose))
		return;
	site.reg = (uint8_t)reg;
	plan_add(p, &site);
}
