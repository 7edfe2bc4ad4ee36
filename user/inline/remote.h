/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Threads of another process, held still for a moment (ptrace). Nothing of theirs is changed by it: an
 * interrupted system call goes on as after any signal that has no handler, and signals that are under
 * way arrive. Should this process end in between, the kernel lets all of them run on.
 */
#ifndef GSCOPE_INLINE_REMOTE_H
#define GSCOPE_INLINE_REMOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#include "user/base/error.h"
#include "user/inline/wait.h"
#include "user/target/process.h"

struct remote_thread {
	pid_t tid;
	bool stopped;
	bool gone; /* it ended meanwhile */
};

struct remote {
	const struct target_process *p;
	struct remote_wait wait;
	struct remote_thread *v;
	size_t n, room;
	size_t asleep; /* so many, the first ones, slept when they were asked to stop */
	uint64_t since_ns; /* when the first of the others was */
	uint64_t pause_ns; /* for how long those were stopped by an attempt that failed */
	char held_up[192]; /* what a thread was at that did not get on with a call: remote_call() */
};

/*
 * Stop one thread; all threads, those too that are born meanwhile. `wait` says how long that may take,
 * NULL: REMOTE_LIMIT_NS; while one does not stop, the others run on. EXIT_TARGET errors:
 * -ESRCH it has ended, -EPERM it may not be traced, or a debugger does, -EBUSY a thread does not stop in
 * that time, -EINTR the caller was asked to give up. After an error nothing is stopped, but threads that did not
 * stop belong to this process: it has to end soon, or to try again, or they stop whenever they can.
 */
int remote_stop_thread(struct remote *r, const struct target_process *p, pid_t tid,
		       const struct remote_wait *wait, struct error *e);
int remote_stop_all(struct remote *r, const struct target_process *p,
		    const struct remote_wait *wait, struct error *e);

/*
 * They run on. Takes one of which nothing is stopped, too. Returns for how long those were stopped that
 * did not sleep, in ns: the longest of all attempts it took.
 */
uint64_t remote_resume(struct remote *r);

/* Registers of a stopped thread: 0 or a negative errno. */
int remote_registers(const struct remote *r, size_t thread, struct user_regs_struct *out);

#endif
