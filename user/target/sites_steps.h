/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* One function, decoded as a whole: what leads where. */
#ifndef GSCOPE_TARGET_SITES_STEPS_H
#define GSCOPE_TARGET_SITES_STEPS_H

#include "user/target/sites_plan.h"

#define NO_STEP SIZE_MAX
#define NO_REGISTER (-1)
#define NO_STORE (-1)

/* What is kept of an instruction. */
struct step {
	uint64_t vaddr;
	uint64_t to; /* of a call, or jump, to a fixed place; else 0 */
	uint32_t written; /* registers, a bit each, as values_written() */
	int8_t stored; /* small number it stores as a word of some object; NO_STORE */
	int8_t copied, loaded; /* register it sets to another one, or to what is at [it + x] */
	bool call; /* that the kernel emulates */
	bool jump; /* to `to` */
	bool conditional; /* a jump that may go on to the next step, too */
	bool ends; /* does not go on to the next step */
	bool cheap; /* the kernel emulates it */
	bool pushes_bp;
	bool checks_stack; /* the branch of the prologue, or another one of its kind */
	bool scales; /* what it writes is a multiple of what that register had */
};

struct steps {
	struct step *v;
	size_t n;
};

/* Decode `func`: false, after a warning, if it cannot be read. Free with steps_free(). */
bool steps_decode(struct plan *p, const struct pcln_func *func, struct steps *out);
void steps_free(struct steps *s);

/* The one step that leads to number `i`: NO_STEP if there is none, or more than one. */
size_t steps_before(const struct steps *s, size_t i);

/* Does every way to step `i` lead over one that stores `number`? Takes s->n steps from *effort for
 * each step it looks at: false when there is no more. */
bool steps_stored_before(const struct steps *s, size_t i, int number, uint64_t *effort);

#endif
