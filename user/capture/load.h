/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The BPF programs in the kernel: which ones, loading, settings. */
#ifndef GSCOPE_CAPTURE_LOAD_H
#define GSCOPE_CAPTURE_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "user/base/error.h"
#include "user/capture/features.h"
#include "user/capture/refused.h"

struct bpf_program;
struct ring_taken;
struct gscope_bpf;

struct load_options {
	bool system_wide;
	uint64_t buffer_bytes; /* of all rings together; 0: default */
	bool bare; /* there are targets in which nothing is planted, */
	bool probed; /* and others */
	bool samples; /* CPU samples will be asked for */
	bool no_kernel; /* no switches, wake-ups and system calls */
	size_t sites; /* probe sites of all targets */
	FILE *messages; /* what is left out; NULL: nothing is said */
};

#define PROGRAM_NAME 64 /* bytes of a program's name, at most */
#define MISSING_WHY 256

/* A program that is missing. */
struct missing {
	char *why; /* it was refused, in words; NULL: it was not */
	int err; /* -errno */
};

struct programs {
	struct gscope_bpf *skel;
	struct features has; /* what the kernel has */
	struct missing missing[DISPENSABLES];
	size_t ncpus; /* possible ones */
	int *ring_fds; /* by CPU; -1: the CPU is offline and has none */
	uint64_t ring_bytes; /* of one ring; it takes an eighth more: struct ring_chunk */
	struct ring_taken *ring_taken; /* by CPU, as the programs see it */
};

/*
 * Load all that is wanted; nothing runs yet. What the kernel refuses and can be missed is left out, and
 * named on `messages`. Errors say what is missing and what to do: -EPERM, -ENOTSUP (the kernel lacks
 * something), -ENOMEM, or as the kernel refused a program. Free with programs_close(), which takes NULL.
 */
int programs_load(struct programs **out, const struct load_options *opt, struct error *e);
void programs_close(struct programs *p);

/* The same for a kernel that has what `has` says, as tests want it. */
int programs_load_with(struct programs **out, const struct load_options *opt,
		       const struct features *has, struct error *e);

/* Whether a program is one of a tracepoint. */
bool programs_is_tracepoint(const struct bpf_program *prog);

#endif
