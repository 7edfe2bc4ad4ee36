/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Where a goroutine's stack goes on below Go code that C called. runtime.cgocallback opens its
 * frame on the goroutine's stack right below where asmcgocall left it for C, but with the frame
 * pointer of the thread's own stack: runtime/asm_amd64.s, Go 1.21 to 1.27.
 */
#ifndef GSCOPE_TARGET_CALLBACK_H
#define GSCOPE_TARGET_CALLBACK_H

#include <stdint.h>

#include "user/target/pclntab.h"

struct callback {
	uint64_t lo, hi; /* [lo, hi): code of runtime.cgocallback; empty: not known */
	/*
	 * From the frame of the function it called to that of asmcgocall; in the word before that
	 * one is the PC of what comes in between.
	 */
	uint64_t up;
	/* From SP where runtime.cgocall calls others to its frame pointer; 0: not known. */
	uint64_t cgocall_frame;
};

void callback_find(struct callback *c, const struct pclntab *t);

#endif
