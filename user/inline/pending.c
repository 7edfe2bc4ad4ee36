// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/inline/pending.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include "user/base/clock.h"
#include "user/inline/call.h"

#define LIMIT_NS \
	(10 * REMOTE_LIMIT_NS) /* for a thread to get a CPU, on a machine that has none to spare */

/*
 * A thread with a call to make is runnable, or waits inside of it for the lock of its memory. One that another
 * process traces is that one's affair.
 */
static bool may_have_one(const struct target_thread *t)
{
	switch (t->state) {
	case 'R':
	case 'T':
		return true;
	case 'D':
		return t->sys == SYS_mmap || t->sys == SYS_munmap || t->sys == SYS_memfd_create ||
		       t->sys == SYS_close;
	default:
		return false;
	}
}

/* 1: it stands before the call; 0: it does not, or has ended. A call it was inside of is done when it stops. */
static int has_one(const struct target_process *p, pid_t tid, uint64_t call,
		   const struct remote_wait *wait, struct error *e)
{
	struct user_regs_struct regs;
	struct remote r;
	int err = remote_stop_thread(&r, p, tid, wait, e);

	if (err)
		return err == -ESRCH ? 0 : err;
	err = remote_registers(&r, 0, &regs);
	remote_resume(&r);
	return !err && regs.rip == call;
}

/* The first thread that has one: 1; 0: none has. */
static int look(const struct target_process *p, uint64_t call, const struct remote_wait *wait,
		pid_t *tid, struct error *e)
{
	struct target_thread *v;
	size_t n;
	int got = target_process_threads(p, NULL, &v, &n, e);

	for (size_t i = 0; !got && i < n; i++) {
		if (!may_have_one(&v[i]))
			continue;
		*tid = v[i].tid;
		got = has_one(p, v[i].tid, call, wait, e);
	}
	free(v);
	return got == -ESRCH ? 0 : got;
}

int pending_wait(const struct target_process *p, const struct remote_wait *wait, struct error *e)
{
	uint64_t begin = now_ns(), until = begin + LIMIT_NS;
	struct call_code code;
	int got, over = 0;
	pid_t tid = 0;

	/* without such code no call was made by it */
	if (call_code_find(p, &code))
		return 0;
	got = look(p, code.call, wait, &tid, e);
	for (unsigned int turn = 0; got == 1 && !over; turn++) {
		over = wait_more(wait, until, begin, turn);
		if (!over)
			got = look(p, code.call, wait, &tid, e);
	}
	if (over)
		return error_set(e, EXIT_TARGET, over,
				 "thread %d of process %d has a system call to make that a gscope "
				 "which was killed has left to it, and does not get on",
				 (int)tid, (int)p->pid);
	return got;
}
