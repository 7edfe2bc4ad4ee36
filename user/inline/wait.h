/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Waiting for threads this process traces: never for ever, unless that is asked for. */
#ifndef GSCOPE_INLINE_WAIT_H
#define GSCOPE_INLINE_WAIT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "user/target/process.h"

#define REMOTE_LIMIT_NS 1000000000ULL
#define REMOTE_FOR_EVER UINT64_MAX
#define WAIT_SAY_NS 1000000000ULL /* between two words on what is waited for */

struct remote_wait {
	uint64_t limit_ns; /* how long one thing may take, or REMOTE_FOR_EVER */
	int cancel_fd; /* when it can be read, waiting ends; -1: there is none */
	/* when that takes longer than a second: what is waited for; may be NULL */
	void (*say)(void *ctx, const char *what);
	void *ctx;
};

/* What a thread has come to. */
enum wait_what {
	WAIT_ENDED,
	WAIT_STOP, /* at the stop PTRACE_INTERRUPT asks for, or that of a stopped process (SIGSTOP) */
	WAIT_CALL, /* at the begin or end of a system call */
	WAIT_SIGNAL, /* a signal is about to be delivered: resume with it */
};

/* From now on, ns of CLOCK_MONOTONIC. */
uint64_t wait_until(const struct remote_wait *w);

/*
 * An enum wait_what, *signal with WAIT_SIGNAL; -EBUSY: nothing until `until_ns`; -EINTR: cancelled.
 * A stop stays to be seen by others who wait, so that the kernel still delivers its signal should
 * this process be killed before it resumes the thread.
 */
int wait_thread(const struct remote_wait *w, pid_t tid, uint64_t until_ns, int *signal);

/* The same, and says meanwhile what it waits for. */
int wait_saying(const struct remote_wait *w, const struct target_process *p, pid_t tid,
		uint64_t until_ns, int *signal);

/* Say it now. */
void wait_say(const struct remote_wait *w, const struct target_process *p, pid_t tid);

/* Rest before look number `turn` of a wait that began then: 0, or as above why there is to be none. */
int wait_more(const struct remote_wait *w, uint64_t until_ns, uint64_t begin, unsigned int turn);

/* "thread 12 of process 10 is in uninterruptible sleep (D, in io_schedule)": what it is at. */
void wait_describe(const struct target_process *p, pid_t tid, char *out, size_t size);

#endif
