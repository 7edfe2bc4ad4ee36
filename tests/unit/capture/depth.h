/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* How much stack a BPF program takes, by the rules of kernels that give none a stack of its own. */
#ifndef GSCOPE_TESTS_DEPTH_H
#define GSCOPE_TESTS_DEPTH_H

#include <linux/bpf.h>
#include <stddef.h>

#define BPF_STACK 512 /* what a program and all it calls have */
#define DEPTH_UNKNOWN (1 << 20) /* calls go too deep, or lead out of the program */

struct code {
	const struct bpf_insn *insn;
	size_t n;
};

/* Bytes of a function that begins at `at`, which is `calls` calls deep, and of the deepest it calls. */
int depth_of(const struct code *c, size_t at, int calls);

#endif
