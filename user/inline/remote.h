/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Threads of another process, held still for a moment (ptrace), and system calls made by one of
 * them. Nothing of theirs is changed by it: registers and signal masks are put back, and an
 * interrupted system call goes on as after any signal that has no handler.
 */
#ifndef GSCOPE_INLINE_REMOTE_H
#define GSCOPE_INLINE_REMOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#include "user/base/error.h"
#include "user/target/process.h"

struct remote_thread {
	pid_t tid;
	bool stopped;
	bool gone; /* it ended meanwhile */
};

struct remote {
	const struct target_process *p;
	struct remote_thread *v;
	size_t n, room;
	size_t asleep; /* so many, the first ones, slept when they were asked to stop */
	uint64_t since_ns; /* when the first of the others was */
	uint64_t pause_ns; /* for how long those were stopped by an attempt that failed */
};

/*
 * Stop one thread, any or that; all threads, those too that are born meanwhile. EXIT_TARGET errors:
 * -ESRCH it has ended, -EPERM it may not be traced, or a debugger does, -EBUSY a thread does not stop
 * (again may help). After an error nothing is stopped.
 */
int remote_stop_one(struct remote *r, const struct target_process *p, struct error *e);
int remote_stop_thread(struct remote *r, const struct target_process *p, pid_t tid,
		       struct error *e);
int remote_stop_all(struct remote *r, const struct target_process *p, struct error *e);

/*
 * They run on. Takes one of which nothing is stopped, too. Returns for how long those were stopped that
 * did not sleep, in ns: the longest of all attempts it took.
 */
uint64_t remote_resume(struct remote *r);

/* Registers of a stopped thread: 0 or a negative errno. */
int remote_registers(const struct remote *r, size_t thread, struct user_regs_struct *out);

/*
 * Have a stopped thread make a system call, by an instruction `syscall` at `insn` of its code.
 * *result is what the kernel returned. 0, or a negative errno if it was not made.
 */
int remote_call(const struct remote *r, size_t thread, uint64_t insn, const uint64_t call[7],
		int64_t *result);

#endif
