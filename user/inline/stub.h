/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The code that redirected calls lead to. It writes a struct inline_record and jumps on to the
 * function that was called, with everything as it was but the registers Go's calling convention
 * leaves to the callee (Go's src/cmd/compile/abi-internal.md): DX, SI, DI, R8 to R13, the flags. It has no stack
 * frame, calls nothing, and reads no memory but the runtime's own structs and, between its
 * bounds, the stack of a goroutine that cannot run meanwhile.
 */
#ifndef GSCOPE_INLINE_STUB_H
#define GSCOPE_INLINE_STUB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/base/error.h"
#include "user/inline/shared.h"
#include "user/inline/x86.h"
#include "user/target/callback.h"
#include "user/target/layout.h"

/* What a stub looks at; the registers are those of user/target/sites.h. */
enum stub_kind {
	STUB_NONE, /* the site takes no stub */
	STUB_PLAIN, /* AX = gp, BX = old status, CX = new one, as most of the others */
	STUB_NO_P, /* the same where the thread may not own the P in m.p */
	STUB_SYSEXIT, /* R14 = gp, which may not own it either: arg = m.oldp, and its status; no status */
	STUB_PARK,
	STUB_READY,
	STUB_WORKER, /* STUB_READY of a GC worker */
	STUB_YIELD,
	STUB_SYSENTER, /* R14 = gp, AX = PC of its leaf, whose frame BP leads to; no status */
	STUB_CREATE,
	STUB_CREATE_RUNQPUT, /* BX = gp; no status */
};

struct stub_site {
	uint32_t number; /* what its records have as their site */
	enum stub_kind kind;
	int skip_slot; /* struct site */
	uint64_t callee; /* the function called */
	uint64_t entry; /* of the stub: filled in by stubs_write() */
};

struct stub_options {
	const struct layout *layout;
	struct callback callback;
	struct inline_geometry geometry;
	uint64_t base; /* of the shared memory, in the target */
	uint64_t seed; /* of the numbers of stacks: another one for each process */
};

/* Bytes that suffice for the stubs of `n` sites. */
size_t stubs_room(size_t n);

/* Whether the layout has all that a stub of this kind reads. */
bool stub_possible(const struct layout *l, enum stub_kind kind);

/*
 * Write the stubs, to run at c->addr: 0, or -ERANGE if the callees are too far from there.
 */
int stubs_write(struct x86_code *c, const struct stub_options *o, struct stub_site *sites,
		size_t n);

#endif
