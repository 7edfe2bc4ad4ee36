// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/inline/wait.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "user/base/clock.h"

/* From Linux's headers, which cannot be included together with glibc's. */
#define EVENT_STOP 128 /* PTRACE_EVENT_STOP */
#define SYSCALL_STOP (SIGTRAP | 0x80) /* PTRACE_O_TRACESYSGOOD */

/*
 * Who is waited for may need this very CPU, on which the planter is never kept waiting: a rest that
 * is too short gives it less time than a switch there and back takes.
 */
#define REST_NS 10000 /* the first one; each is twice as long as the one before, up to */
#define REST_MOST_NS 200000
#define LONG_NS 1000000000ULL /* a wait; from then on a rest may be */
#define REST_LONG_NS 5000000

uint64_t wait_until(const struct remote_wait *w)
{
	uint64_t now = now_ns();

	return w->limit_ns < UINT64_MAX - now ? now + w->limit_ns : UINT64_MAX;
}

static bool is_cancelled(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return fd >= 0 && poll(&p, 1, 0) > 0;
}

/* Not sched_yield(): on a busy machine that gives a whole slice away. */
static void rest(uint64_t ns)
{
	const struct timespec ts = {.tv_nsec = (long)ns};

	nanosleep(&ts, NULL);
}

static int classify(const siginfo_t *info, int *signal)
{
	if (info->si_code != CLD_TRAPPED && info->si_code != CLD_STOPPED)
		return WAIT_ENDED;
	if (info->si_status >> 8 == EVENT_STOP)
		return WAIT_STOP;
	if (info->si_status == SYSCALL_STOP)
		return WAIT_CALL;
	*signal = info->si_status & 0x7f;
	return WAIT_SIGNAL;
}

/* The end of a traced thread has to be seen: before that, it has not ended for others. */
static void reap(pid_t tid)
{
	siginfo_t info;

	waitid(P_PID, (id_t)tid, &info, WEXITED | WNOHANG | __WALL);
}

/* Between two looks; longer and longer ones. */
static void rest_between(uint64_t begin, unsigned int turn)
{
	uint64_t ns = turn < 5 ? REST_NS << turn : REST_MOST_NS;

	rest(now_ns() - begin < LONG_NS ? ns : REST_LONG_NS);
}

int wait_more(const struct remote_wait *w, uint64_t until_ns, uint64_t begin, unsigned int turn)
{
	if (now_ns() > until_ns)
		return -EBUSY;
	if (is_cancelled(w->cancel_fd))
		return -EINTR;
	rest_between(begin, turn);
	return 0;
}

int wait_thread(const struct remote_wait *w, pid_t tid, uint64_t until_ns, int *signal)
{
	uint64_t begin = now_ns();

	for (unsigned int turn = 0;; turn++) {
		siginfo_t info = {0};
		int err;

		if (waitid(P_PID, (id_t)tid, &info,
			   WSTOPPED | WEXITED | WNOHANG | WNOWAIT | __WALL)) {
			if (errno == ECHILD)
				return WAIT_ENDED;
			if (errno != EINTR)
				return -errno;
		} else if (info.si_pid) {
			int what = classify(&info, signal);

			if (what == WAIT_ENDED)
				reap(tid);
			return what;
		}
		err = wait_more(w, until_ns, begin, turn);
		if (err)
			return err;
	}
}

/* --- what a thread is at -------------------------------------------------------------------- */

/* The first line of a file of the thread's, "" if there is none. */
static void read_line(const struct target_process *p, pid_t tid, const char *file, char *out,
		      size_t size)
{
	char path[64];
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "task/%d/%s", (int)tid, file);
	fd = openat(p->proc_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, out, size - 1);
		close(fd);
	}
	out[n > 0 ? n : 0] = 0;
	out[strcspn(out, "\n")] = 0;
}

static const char *state_name(char state)
{
	switch (state) {
	case 'R':
		return "running, or waits for a CPU";
	case 'S':
		return "asleep";
	case 'D':
		return "in uninterruptible sleep";
	case 'T':
	case 't':
		return "stopped";
	}
	return "ending";
}

void wait_describe(const struct target_process *p, pid_t tid, char *out, size_t size)
{
	char line[512], where[64], *at, state = 'X';

	read_line(p, tid, "stat", line, sizeof(line));
	at = strrchr(line, ')'); /* the name, before it, may contain anything */
	if (at && at[1])
		state = at[2];
	/* a function of the kernel's; "0" if it is in none, or may not be known */
	read_line(p, tid, "wchan", where, sizeof(where));
	/* cgroup v1; v2, and where that is inlined: nothing else sleeps there */
	if (!strcmp(where, "__refrigerator") || !strcmp(where, "do_freezer_trap") ||
	    !strcmp(where, "get_signal"))
		snprintf(out, size, "thread %d of process %d is frozen by its cgroup (%c)",
			 (int)tid, (int)p->pid, state);
	else
		snprintf(out, size, "thread %d of process %d is %s (%c%s%s)", (int)tid, (int)p->pid,
			 state_name(state), state, where[0] > '0' ? ", in " : "",
			 where[0] > '0' ? where : "");
}

void wait_say(const struct remote_wait *w, const struct target_process *p, pid_t tid)
{
	char what[192];

	if (!w->say)
		return;
	wait_describe(p, tid, what, sizeof(what));
	w->say(w->ctx, what);
}

int wait_saying(const struct remote_wait *w, const struct target_process *p, pid_t tid,
		uint64_t until_ns, int *signal)
{
	for (;;) {
		uint64_t next = now_ns() + WAIT_SAY_NS;
		int what = wait_thread(w, tid, next < until_ns ? next : until_ns, signal);

		if (what != -EBUSY || now_ns() > until_ns)
			return what;
		wait_say(w, p, tid);
	}
}
