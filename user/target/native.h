/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Names for code of a process that is not Go's: C functions of the program and its libraries, the
 * vdso, and mappings without names. Files are opened as the process has them mapped, never by a
 * path of ours.
 */
#ifndef GSCOPE_TARGET_NATIVE_H
#define GSCOPE_TARGET_NATIVE_H

#include <stdint.h>

#include "user/target/pclntab.h"
#include "user/target/process.h"

struct native;

/* For `p`, which must stay open as long. NULL: out of memory. Nothing is read yet. */
struct native *native_new(const struct target_process *p);
void native_free(struct native *n);

/*
 * Name the return address `pc` (looked up as pc - 1). out->func is that of the symbol table,
 * else "libfoo.so.1+0x1234" (an address of the file), "[heap]+0x1234" or "[anon]+0x1234" (from
 * the begin of the mapping); out->file is the path of the object as the process sees it; the line
 * is 0. Strings live until the next call. Returns 0, -ENOENT if nothing is mapped there or the
 * process is gone, -ENOMEM.
 */
int native_frame(struct native *n, uint64_t pc, struct pcln_frame *out);

#endif
