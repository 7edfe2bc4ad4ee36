// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The runtime's variables from the code that uses them. Which function does what with which of
 * them was read in src/runtime of Go 1.19 to 1.27; the functions named here are in every program.
 */
#include <string.h>

#include "user/target/flow.h"
#include "user/target/globals.h"

/* What is being looked for; addresses are vaddrs until the end. */
struct search {
	struct globals *out;
	uint64_t array, length; /* of a slice, or of a list kept as two variables */
	uint64_t bound; /* a number something of one byte was compared with */
	bool contradiction;
};

/* Keep the first answer; a different second one means that the code was not understood. */
static void found(struct search *s, uint64_t *where, uint64_t vaddr)
{
	if (*where && *where != vaddr)
		s->contradiction = true;
	*where = vaddr;
}

/* Is `base` an element of an array, of a variable that holds its address? */
static bool element_of(const struct flow *fl, flow_id base, uint64_t *variable)
{
	struct flow_value x = flow_value(fl, base);

	return x.kind == FLOW_ELEMENT && flow_is_global_load(fl, x.of, variable);
}

/* Is `base` an element of an array that is itself a variable? */
static bool element_in(const struct flow *fl, flow_id base, uint64_t *array)
{
	struct flow_value x = flow_value(fl, base);
	struct flow_value of = flow_value(fl, x.of);

	if (x.kind != FLOW_ELEMENT || of.kind != FLOW_GLOBAL)
		return false;
	*array = (uint64_t)of.v;
	return true;
}

/* Addresses of elements of `size` bytes, and the variables of 8 bytes that are read. */
struct accesses {
	uint64_t array; /* variable whose elements are read */
	uint64_t reads[8];
	size_t nreads;
	bool several;
};

static void note_accesses(void *ctx, const struct flow *fl, const struct flow_event *ev)
{
	struct flow_value base = flow_value(fl, ev->base);
	struct accesses *a = ctx;
	uint64_t variable;

	if (ev->kind != FLOW_READ || ev->size != 8)
		return;
	if (element_of(fl, ev->base, &variable)) {
		a->several |= a->array && a->array != variable;
		a->array = variable;
	} else if (base.kind == FLOW_GLOBAL) {
		for (size_t i = 0; i < a->nreads; i++) {
			if (a->reads[i] == (uint64_t)base.v)
				return;
		}
		if (a->nreads < sizeof(a->reads) / sizeof(a->reads[0]))
			a->reads[a->nreads++] = (uint64_t)base.v;
	}
}

static bool reads(const struct accesses *a, uint64_t variable)
{
	for (size_t i = 0; i < a->nreads; i++) {
		if (a->reads[i] == variable)
			return true;
	}
	return false;
}

/* atomicAllG, where it was not inlined: returns allgptr and allglen. */
static void note_all_g(void *ctx, const struct flow *fl, const struct flow_event *ev)
{
	struct search *s = ctx;
	uint64_t array, length;

	if (ev->kind == FLOW_RETURN && flow_is_global_load(fl, ev->args[FLOW_AX], &array) &&
	    flow_is_global_load(fl, ev->args[FLOW_BX], &length)) {
		found(s, &s->out->allgptr, array);
		found(s, &s->out->allglen, length);
	}
}

/* forEachGRace reads the two, and no other variable. */
static void find_goroutines(struct search *s, struct flow *fl)
{
	struct accesses a = {0};

	if (flow_run(fl, "runtime.forEachGRace", note_accesses, &a) && a.array && !a.several &&
	    a.nreads == 2 && reads(&a, a.array)) {
		found(s, &s->out->allgptr, a.array);
		found(s, &s->out->allglen, a.reads[a.reads[0] == a.array]);
		return;
	}
	flow_run(fl, "runtime.atomicAllG", note_all_g, s);
}

/* A []*p whose elements and length are read: allp, in all of these. */
static void find_processors(struct search *s, struct flow *fl)
{
	static const char *const functions[] = {"runtime.retake", "runtime.preemptall",
						"runtime.timeSleepUntil"};

	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		struct accesses a = {0};

		flow_run(fl, functions[i], note_accesses, &a);
		if (a.array && !a.several && reads(&a, a.array + 8))
			found(s, &s->out->allp, a.array);
	}
}

/* mcommoninit(mp): mp.alllink = allm, then allm = mp atomically. */
static void note_all_m(void *ctx, const struct flow *fl, const struct flow_event *ev)
{
	struct flow_value base = flow_value(fl, ev->base);
	struct search *s = ctx;

	if (ev->kind == FLOW_ATOMIC && ev->size == 8 && base.kind == FLOW_GLOBAL &&
	    flow_is_entry(fl, ev->value, FLOW_AX))
		found(s, &s->out->allm, (uint64_t)base.v);
}

/* newproc1: sched.goidgen.Add(16) when a P has used up its share of ids. */
static void note_goidgen(void *ctx, const struct flow *fl, const struct flow_event *ev)
{
	struct flow_value base = flow_value(fl, ev->base);
	struct search *s = ctx;

	if (ev->kind == FLOW_ATOMIC && ev->size == 8 && base.kind == FLOW_GLOBAL &&
	    flow_is_const(fl, ev->value, 16))
		found(s, &s->out->goidgen, (uint64_t)base.v);
}

/* gcControllerCommit: gcController.commit(...). */
static void note_controller(void *ctx, const struct flow *fl, const struct flow_event *ev)
{
	struct search *s = ctx;
	struct flow_value receiver;

	if (ev->kind != FLOW_CALL || !ev->callee ||
	    strcmp(ev->callee, "runtime.(*gcControllerState).commit") != 0)
		return;
	receiver = flow_value(fl, ev->args[FLOW_AX]);
	if (receiver.kind == FLOW_GLOBAL)
		found(s, &s->out->gc_controller, (uint64_t)receiver.v);
}

/* gcMarkDone: atomic.Store(&gcBlackenEnabled, 0), the only one of its kind. */
static void note_blacken(void *ctx, const struct flow *fl, const struct flow_event *ev)
{
	struct flow_value base = flow_value(fl, ev->base);
	struct search *s = ctx;

	if (ev->kind == FLOW_ATOMIC && ev->size == 4 && !ev->disp && base.kind == FLOW_GLOBAL &&
	    flow_is_const(fl, ev->value, 0))
		found(s, &s->out->gc_blacken, (uint64_t)base.v);
}

/*
 * waitReason.String, itself or inlined: the number is compared with that of the strings, then one
 * of them is read, its address and its length.
 */
static void note_wait_reasons(void *ctx, const struct flow *fl, const struct flow_event *ev)
{
	struct search *s = ctx;
	uint64_t array;

	if (ev->kind == FLOW_COMPARE && ev->size == 1 && !s->array) {
		struct flow_value n = flow_value(fl, ev->value);

		/* 27 in Go 1.19, 47 in 1.27 */
		if (n.kind == FLOW_CONST && n.v >= 20 && n.v < 128)
			s->bound = (uint64_t)n.v;
	} else if (ev->kind == FLOW_READ && ev->size == 8 && s->bound && !s->array &&
		   element_in(fl, ev->base, &array)) {
		s->array = array;
	}
}

static void find_wait_reasons(struct search *s, struct flow *fl)
{
	static const char *const functions[] = {"runtime.waitReason.String",
						"runtime.goroutineheader"};

	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		s->array = s->bound = 0;
		flow_run(fl, functions[i], note_wait_reasons, s);
		if (s->array) {
			s->out->wait_reasons = s->array;
			s->out->nwait_reasons = s->bound;
			return;
		}
	}
}

int globals_by_code(struct globals *out, struct elf_file *f, const struct pclntab *pcln,
		    uint64_t bias, struct error *e)
{
	uint64_t *const addresses[] = {&out->allglen,    &out->allgptr,     &out->allm,
				       &out->allp,       &out->goidgen,     &out->gc_controller,
				       &out->gc_blacken, &out->wait_reasons};
	struct search s = {.out = out};
	struct flow *fl;
	int err = flow_open(&fl, f, pcln, bias, e);

	*out = (struct globals){.rung = "code"};
	if (err)
		return err;
	find_goroutines(&s, fl);
	find_processors(&s, fl);
	flow_run(fl, "runtime.mcommoninit", note_all_m, &s);
	flow_run(fl, "runtime.newproc1", note_goidgen, &s);
	flow_run(fl, "runtime.gcControllerCommit", note_controller, &s);
	flow_run(fl, "runtime.gcMarkDone", note_blacken, &s);
	find_wait_reasons(&s, fl);
	flow_close(fl);
	if (s.contradiction)
		*out = (struct globals){.rung = "code"};
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		*addresses[i] += *addresses[i] ? bias : 0;
	return 0;
}
