/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Maps and settings all programs share. Weak: every .bpf.c has them, the linker keeps one.
 * Sizes left at 1 are set by user/capture/load.c before loading.
 */
#ifndef GSCOPE_MAPS_BPF_H
#define GSCOPE_MAPS_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "bpf/control.h"
#include "bpf/event.h"

/* A record of every task, not only of those of the targets. */
const volatile bool system_wide __weak = false;

/*
 * Targets there may be: bare ones (TARGET_BARE), and others. What is of no use is not loaded: walks of
 * stacks take the verifier a second.
 */
const volatile bool any_bare __weak = false;
const volatile bool any_probed __weak = false;

/* Bytes put into a ring between two wake-ups of the collector. */
const volatile __u32 wake_bytes __weak = 0;

/*
 * By target_cfg.index; the collector changes it while the programs run. Whose stacks are walked
 * (stack_choice()); hits of probes are counted and nothing else: they are about to be taken away, or coming.
 */
volatile __u64 stack_limits[MAX_TARGETS] __weak;
volatile __u8 probes_rest[MAX_TARGETS] __weak;

/* What is known of those that are traced, from 1 on. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 + MAX_TARGETS);
	__type(key, __u32);
	__type(value, struct target_cfg);
} targets __weak SEC(".maps");

volatile __u8 target_slots[TARGET_SLOTS] __weak;
volatile __u32 target_factor __weak;

/*
 * By target_cfg.index: stubs tell when its goroutines begin and end system calls. The collector sets it
 * after they begin to and before they end to.
 */
volatile __u8 told_by_stubs[MAX_TARGETS] __weak;

/* NULL: it is not traced. */
static __always_inline struct target_cfg *target_of(__u32 tgid)
{
	__u32 key = target_slots[target_slot(tgid, target_factor) & (TARGET_SLOTS - 1)];
	struct target_cfg *cfg;

	if (!key)
		return NULL;
	cfg = bpf_map_lookup_elem(&targets, &key);
	return cfg && cfg->tgid == tgid ? cfg : NULL;
}

static __always_inline __u64 stack_limit(const struct target_cfg *cfg)
{
	return stack_limits[cfg->index & (MAX_TARGETS - 1)];
}

#ifndef BPF_F_MMAPABLE
#define BPF_F_MMAPABLE (1U << 10) /* of an enum without a name: include/uapi/linux/bpf.h */
#endif

/* Of each ring: its size, and the number of its chunks - 1. */
const volatile __u64 ring_bytes __weak = 0;
const volatile __u32 ring_mask __weak = 0;

/*
 * One ring per CPU, an array of struct ring_chunk: nobody waits for another CPU's record, and a loss is
 * one CPU's.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} rings __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ring_taken);
} ring_taken __weak SEC(".maps");

/* What it is filled with is of no interest: it wakes the collector. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} bell __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct cpu_state);
} cpu_state __weak SEC(".maps");

/*
 * A program with a tail call runs on the kernel's stack and not on one of its own (e00931c02568, "bpf:
 * Enable private stack for eligible subprogs", v6.13): what is copied from user space is checked
 * faster there. So those that read much end with a tail call into a map that is always empty. Each has its
 * own, as the kernel wants all programs of such a map to have the same arguments.
 */
#define NO_PROGRAM(map)                                \
	struct {                                       \
		__uint(type, BPF_MAP_TYPE_PROG_ARRAY); \
		__uint(max_entries, 1);                \
		__type(key, __u32);                    \
		__type(value, __u32);                  \
	} map SEC(".maps")

#define END_ON_KERNEL_STACK(ctx, map) (bpf_tail_call(ctx, &(map), 0), 0)

#endif
