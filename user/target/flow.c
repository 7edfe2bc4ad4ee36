// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Decode a function once, find the state at every target of a jump by going round until nothing
 * changes, then go through it once more in order and tell what happens.
 */
#include "user/target/flow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/target/code.h"
#include "user/target/flow_value.h"

/* The functions that are looked at are far shorter. */
#define MAX_INSNS (1U << 13)
/* How often an instruction is run, on average; loops of the runtime need 3. */
#define MAX_ROUNDS 40

int flow_open(struct flow **out, struct elf_file *f, const struct pclntab *pcln, uint64_t bias,
	      struct error *e)
{
	struct flow *fl = calloc(1, sizeof(*fl));
	int err;

	*out = NULL;
	if (!fl)
		return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	fl->elf = f;
	fl->pcln = pcln;
	fl->bias = bias;
	err = code_open(&fl->code, e);
	if (err) {
		free(fl);
		return err;
	}
	*out = fl;
	return 0;
}

void flow_close(struct flow *fl)
{
	if (!fl)
		return;
	code_close(fl->code);
	free(fl->insn);
	free(fl->target);
	free(fl->in);
	free(fl->values);
	free(fl->buckets);
	free(fl);
}

static bool add_insn(struct flow *fl, const cs_insn *from)
{
	const cs_x86 *x = &from->detail->x86;
	struct flow_insn *insn;

	if (fl->ninsns == fl->room) {
		size_t room = fl->room ? 2 * fl->room : 512;
		struct flow_insn *v = room <= MAX_INSNS ? realloc(fl->insn, room * sizeof(*v)) :
							  NULL;

		if (!v)
			return false;
		fl->insn = v;
		fl->room = room;
	}
	insn = &fl->insn[fl->ninsns++];
	*insn = (struct flow_insn){
		.vaddr = from->address,
		.id = from->id,
		.size = from->size,
		.writes = code_written(fl->code, from),
		.noperands = x->op_count < FLOW_OPERANDS ? x->op_count : FLOW_OPERANDS,
	};
	memcpy(insn->op, x->operands, insn->noperands * sizeof(*insn->op));
	return true;
}

static bool decode(struct flow *fl, const char *name)
{
	struct pcln_func func;
	const cs_insn *insn;

	fl->ninsns = 0;
	if (!pclntab_find(fl->pcln, name, &func) || !code_begin(fl->code, fl->elf, fl->bias, &func))
		return false;
	while ((insn = code_next(fl->code))) {
		if (!add_insn(fl, insn))
			return false;
	}
	return fl->ninsns > 0;
}

static bool is_branch(const struct flow_insn *insn)
{
	return insn->id != X86_INS_CALL && insn->noperands == 1 && insn->op[0].type == X86_OP_IMM &&
	       (insn->id == X86_INS_JMP || code_is_conditional(insn->id));
}

/* Index of the instruction a branch leads to; ninsns: it leaves the function. */
static size_t branch_target(const struct flow *fl, const struct flow_insn *insn)
{
	uint64_t to = (uint64_t)insn->op[0].imm;
	size_t lo = 0, hi = fl->ninsns;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (fl->insn[mid].vaddr < to)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < fl->ninsns && fl->insn[lo].vaddr == to ? lo : fl->ninsns;
}

/* Number the targets of jumps in order of address; the entry is one. */
static bool find_targets(struct flow *fl)
{
	uint32_t n = 0;

	free(fl->target);
	free(fl->in);
	fl->in = NULL;
	fl->target = calloc(fl->ninsns + 1, sizeof(*fl->target));
	if (!fl->target)
		return false;
	fl->target[0] = 1;
	for (size_t i = 0; i < fl->ninsns; i++) {
		if (is_branch(&fl->insn[i]))
			fl->target[branch_target(fl, &fl->insn[i])] = 1;
	}
	for (size_t i = 0; i < fl->ninsns; i++) {
		if (fl->target[i])
			fl->target[i] = ++n;
	}
	fl->target[fl->ninsns] = 0;
	fl->in = calloc(n, sizeof(*fl->in));
	if (!fl->in)
		return false;
	for (enum flow_reg r = 0; r < FLOW_REGS; r++)
		fl->in[0].reg[r] = flow_intern(fl, FLOW_ENTRY, 0, r);
	fl->in[0].reg[FLOW_SP] = flow_intern(fl, FLOW_STACK, 0, 0);
	fl->in[0].seen = true;
	return true;
}

/*
 * Run from the jump target `at` to where the path ends or meets the next one. *pending are targets
 * whose state changed.
 */
static size_t run_block(struct flow *fl, size_t at, struct flow_state *st, bool *pending)
{
	size_t i = at;

	*st = fl->in[fl->target[at] - 1];
	for (; i < fl->ninsns; i++) {
		const struct flow_insn *insn = &fl->insn[i];

		if (i != at && fl->target[i]) {
			if (flow_merge(fl, &fl->in[fl->target[i] - 1], st, fl->target[i]))
				pending[i] = true;
			break;
		}
		if (is_branch(insn)) {
			size_t to = branch_target(fl, insn);

			if (to < fl->ninsns &&
			    flow_merge(fl, &fl->in[fl->target[to] - 1], st, fl->target[to]))
				pending[to] = true;
			if (insn->id == X86_INS_JMP)
				break;
		} else if (!flow_step(fl, insn, st)) {
			break;
		}
	}
	return i - at + 1;
}

static bool find_states(struct flow *fl, bool *pending)
{
	size_t budget = fl->ninsns * MAX_ROUNDS + 1000;
	struct flow_state st;
	bool again = true;

	pending[0] = true;
	while (again) {
		again = false;
		for (size_t i = 0; i < fl->ninsns; i++) {
			size_t steps;

			if (!pending[i])
				continue;
			pending[i] = false;
			again = true;
			steps = run_block(fl, i, &st, pending);
			if (fl->failed || steps > budget)
				return false;
			budget -= steps;
		}
	}
	return true;
}

bool flow_run(struct flow *fl, const char *name, flow_visitor visit, void *ctx)
{
	struct flow_state st;
	bool *pending, ok;

	flow_forget(fl);
	fl->visit = NULL;
	if (!decode(fl, name) || !find_targets(fl))
		return false;
	pending = calloc(fl->ninsns + 1, sizeof(*pending));
	ok = pending && find_states(fl, pending);
	fl->visit = visit;
	fl->ctx = ctx;
	for (size_t i = 0; ok && i < fl->ninsns; i++) {
		if (fl->target[i] && fl->in[fl->target[i] - 1].seen)
			run_block(fl, i, &st, pending);
	}
	fl->visit = NULL;
	free(pending);
	return ok && !fl->failed;
}
