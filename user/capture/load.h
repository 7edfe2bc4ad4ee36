/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The BPF programs in the kernel: what this kernel can do, loading, rings, settings. */
#ifndef GSCOPE_CAPTURE_LOAD_H
#define GSCOPE_CAPTURE_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/base/error.h"

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
};

struct programs {
	struct gscope_bpf *skel;
	bool typed; /* tracepoints are tp_btf programs, else raw_tp */
	bool steady; /* system calls by perf tracepoints, whose programs are never preempted */
	bool multi; /* many uprobes per link */
	size_t ncpus; /* possible ones */
	int *ring_fds; /* by CPU; -1: the CPU is offline and has none */
	uint64_t ring_bytes; /* of one ring; it takes an eighth more: struct ring_chunk */
	struct ring_taken *ring_taken; /* by CPU, as the programs see it */
};

/*
 * Load everything; nothing runs yet. Errors say what is missing and what to do: -EPERM, -ENOTSUP
 * (the kernel lacks something), -ENOMEM. Free with programs_close(), which takes NULL.
 */
int programs_load(struct programs **out, const struct load_options *opt, struct error *e);
void programs_close(struct programs *p);

/* Whether a program is one of a tracepoint. */
bool programs_is_tracepoint(const struct bpf_program *prog);

/*
 * Size of one ring for `cpus` CPUs: a power of two not less than 64 KiB. `total` bytes are
 * shared out, rounded up; 0 asks for a second of 500,000 records on the whole machine, and for
 * 4 MiB at least, as far as `memory`, the bytes of the machine, is 32 times what all rings are.
 */
uint64_t ring_size(uint64_t total, size_t cpus, uint64_t memory);

#endif
