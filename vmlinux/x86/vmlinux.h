/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Made by tools/gen-vmlinux from vmlinux/types.list. Do not edit. */
#ifndef __VMLINUX_H__
#define __VMLINUX_H__

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef unsigned char __u8;
typedef signed char __s8;
typedef short unsigned int __u16;
typedef short int __s16;
typedef unsigned int __u32;
typedef int __s32;
typedef long long unsigned int __u64;
typedef long long int __s64;
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;
typedef _Bool bool;
typedef int __kernel_pid_t;
typedef __kernel_pid_t pid_t;

enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PROG_ARRAY = 3,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_ARRAY_OF_MAPS = 12,
	BPF_MAP_TYPE_RINGBUF = 27,
};


enum {
	false = 0,
	true = 1,
};


enum {
	BPF_RB_NO_WAKEUP = 1,
	BPF_RB_FORCE_WAKEUP = 2,
};


enum {
	BPF_ANY = 0,
};

typedef struct {
	int counter;
} atomic_t;

struct pt_regs {
	long unsigned int r14;
	long unsigned int bp;
	long unsigned int bx;
	long unsigned int ax;
	long unsigned int cx;
	long unsigned int si;
	long unsigned int di;
	long unsigned int orig_ax;
	long unsigned int ip;
	long unsigned int flags;
	long unsigned int sp;
};

struct thread_struct {
	long unsigned int fsbase;
};

struct signal_struct {
	atomic_t live;
};

struct thread_info {
	u32 status;
};

struct task_struct {
	struct thread_info thread_info;
	unsigned int __state;
	int wake_cpu;
	struct mm_struct *mm;
	pid_t pid;
	pid_t tgid;
	char comm[16];
	struct signal_struct *signal;
	struct thread_struct thread;
};

#pragma clang attribute pop

#endif
