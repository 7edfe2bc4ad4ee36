/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Stubs run in this very process, on a goroutine, an M and a P that are nothing but the fields the
 * stubs read: to measure them, and to test them.
 */
#ifndef GSCOPE_INLINE_MOCK_H
#define GSCOPE_INLINE_MOCK_H

#include <stddef.h>
#include <stdint.h>

#include "user/inline/stub.h"

struct mock;

/* Registers at the call, and what they are behind it. */
struct mock_registers {
	uint64_t ax, bx, cx, r14;
};

/*
 * Write the stubs of `sites`, all of which call a function that does nothing. The layout is that
 * of `o`; base and geometry are the mock's own. The goroutine's stack has so many frames.
 * -ENOMEM, -ERANGE. Free with mock_free().
 */
int mock_new(struct mock **out, const struct stub_options *o, struct stub_site *sites, size_t n,
	     unsigned int frames);
void mock_free(struct mock *m);

/* Call a stub as the site of a goroutine that parks would. */
void mock_run(struct mock *m, uint64_t entry);

/* The same with registers of the caller's choice; returns those behind the call. */
struct mock_registers mock_call(struct mock *m, uint64_t entry, const struct mock_registers *r);

/* The objects, to be read and changed: their bytes. */
uint8_t *mock_g0(struct mock *m);
uint8_t *mock_g(struct mock *m);
uint8_t *mock_m(struct mock *m);
uint8_t *mock_p(struct mock *m);
struct inline_ring *mock_ring(struct mock *m, uint32_t i);
const struct inline_geometry *mock_geometry(const struct mock *m);

/* As if the rings had been read. */
void mock_empty(struct mock *m);

#endif
