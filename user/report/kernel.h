/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the kernel did to a process, or to all of them: system calls, and who took the CPU. */
#ifndef GSCOPE_REPORT_KERNEL_H
#define GSCOPE_REPORT_KERNEL_H

#include "user/base/hash.h"
#include "user/replay/sink.h"
#include "user/report/histogram.h"

/* One task, several, or all. */
struct task_stats {
	uint64_t on_cpu, runnable, sleeping; /* ns */
	uint64_t switches; /* off a CPU ... */
	uint64_t preempted; /* ... of them because somebody else got it */
	uint64_t wakeups;
	uint64_t syscalls, syscall_ns;
	struct histogram latency; /* runnable to running */
};

int task_stats_merge(struct task_stats *to, const struct task_stats *from);

struct syscall_stats {
	unsigned int key; /* 2 * nr + own */
	unsigned int nr;
	bool own; /* not made for a goroutine: by the Go runtime for itself, or not by Go */
	uint64_t ns;
	uint64_t errors;
	struct histogram times;
	UT_hash_handle hh;
};

/* What a thread sleeps in. */
enum sleep_kind { SLEEP_NORMAL, SLEEP_DISK, SLEEP_HALTED, SLEEP_UNKNOWN, SLEEP_KINDS };

struct sleep_stats {
	int key; /* SLEEP_KINDS * (nr + 1) + kind; see sleep_key() */
	uint64_t times;
	uint64_t ns;
	uint64_t max;
	UT_hash_handle hh;
};

/* Of a thread that falls asleep. */
int sleep_key(const struct thread *t);
/* The system call it sleeps in, -1 if in none. */
int sleep_nr(int key);
enum sleep_kind sleep_kind(int key);

/* Who got the CPU that was taken away. */
struct antagonist {
	const char *name; /* interned */
	uint64_t times;
	uint64_t ns; /* until the task got a CPU again */
	UT_hash_handle hh;
};

struct kernel_view {
	struct task_stats stats;
	uint64_t threads; /* that are in stats */
	struct syscall_stats *syscalls;
	struct antagonist *antagonists;
	struct sleep_stats *sleeps;
};

/* Larger numbers are counted under this one: no kernel has them, and files may be forged. */
#define SYSCALL_NR_OTHER 1024U

/* 0 or -ENOMEM. */
int kernel_view_syscall(struct kernel_view *v, const struct syscall_span *s);
int kernel_view_taken(struct kernel_view *v, const char *by, uint64_t ns);
int kernel_view_slept(struct kernel_view *v, int key, uint64_t ns);
void kernel_view_free(struct kernel_view *v);

#endif
