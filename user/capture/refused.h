/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Programs that the kernel refuses: which can be missed, and its reason in words. */
#ifndef GSCOPE_CAPTURE_REFUSED_H
#define GSCOPE_CAPTURE_REFUSED_H

#include <stdbool.h>
#include <stddef.h>

#include "user/base/error.h"

/* Programs without which there is a trace all the same. */
enum dispensable { MISS_NOTES, MISS_LABELS, MISS_SWEEPS, MISS_SAMPLES, MISS_COST, DISPENSABLES };

/* Its name, and what will not be seen without it. */
const char *dispensable_program(enum dispensable d);
const char *dispensable_shows(enum dispensable d);

/* Which one program `name` is; DISPENSABLES: one that is needed. */
enum dispensable dispensable_of(const char *name);

/* Why a program was refused: one line without an end, into `text`. */
#define REFUSED_LOG 65536
struct refused {
	int err;
	char log[REFUSED_LOG]; /* what the verifier said; NUL-terminated */
};
void refused_reason(const struct refused *r, char *text, size_t room);

/* The same for an error that ends it all, with what to do. `program` NULL: it is of none of them. */
int refused_explain(const struct refused *r, const char *program, struct error *e);

#endif
