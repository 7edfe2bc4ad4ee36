// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/inline/remote.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "user/base/clock.h"

/* From Linux's headers, which cannot be included together with glibc's. */
#define EVENT_STOP 128 /* PTRACE_EVENT_STOP */

/* How long to wait for all to stop, the first time and the last: the target stands still meanwhile. */
#define STOP_FIRST_NS 4000000
#define STOP_NS 50000000
#define END_NS 1000000000 /* and for a thread that was killed to end */
#define ATTEMPTS 40

static long trace(int request, pid_t tid, uintptr_t addr, uintptr_t data)
{
	return ptrace(request, tid, (void *)addr, (void *)data);
}

/*
 * Who is waited for may need this very CPU, on which the planter is never kept waiting: a rest that
 * is too short gives it less time than a switch there and back takes.
 */
#define REST_NS 10000 /* the first one; each is twice as long as the one before */
#define REST_MOST_NS 200000
#define STOP_EACH_NS 2000 /* what a sleeping thread needs to come to its stop */

/* Not sched_yield(): on a busy machine that gives a whole slice away. */
static void rest(uint64_t ns)
{
	const struct timespec ts = {.tv_nsec = (long)(ns < REST_MOST_NS ? ns : REST_MOST_NS)};

	nanosleep(&ts, NULL);
}

/* Wait for a stop: 1 and *status, 0 if the thread has ended, or a negative errno. */
static int wait_stop(pid_t tid, uint64_t begin, uint64_t limit, int *status)
{
	for (uint64_t ns = REST_NS;; ns *= 2) {
		pid_t got = waitpid(tid, status, __WALL | WNOHANG);

		if (got == tid)
			return WIFSTOPPED(*status) ? 1 : 0;
		if (got < 0 && errno != EINTR)
			return errno == ECHILD ? 0 : -errno;
		if (now_ns() - begin > limit)
			return -EBUSY;
		rest(ns);
	}
}

/*
 * Wait for the stop that PTRACE_INTERRUPT asks for. Signals that are on their way are delivered
 * first: their siginfo would be lost with any other stop.
 */
static int wait_interrupted(pid_t tid, uint64_t begin, uint64_t limit)
{
	int status, err;

	for (;;) {
		err = wait_stop(tid, begin, limit, &status);
		if (err <= 0)
			return err;
		if (status >> 16 == EVENT_STOP)
			return 1;
		if (trace(PTRACE_CONT, tid, 0, (uintptr_t)WSTOPSIG(status)))
			return errno == ESRCH ? 0 : -errno;
	}
}

static bool holds(const struct remote *r, pid_t tid)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->v[i].tid == tid)
			return true;
	return false;
}

static int keep(struct remote *r, pid_t tid)
{
	if (r->n == r->room) {
		size_t room = r->room ? 2 * r->room : 64;
		struct remote_thread *v = realloc(r->v, room * sizeof(*v));

		if (!v)
			return -ENOMEM;
		r->v = v;
		r->room = room;
	}
	r->v[r->n++] = (struct remote_thread){.tid = tid};
	return 0;
}

/* Become the tracer of a thread, which runs on. 1: done, 0: it has ended. */
static int seize(struct remote *r, pid_t tid)
{
	int err = keep(r, tid);

	if (err)
		return err;
	if (!trace(PTRACE_SEIZE, tid, 0, 0))
		return 1;
	r->n--;
	return errno == ESRCH ? 0 : -errno;
}

/* The letter of /proc/PID/task/TID/stat; X: it is not there any more. */
static char thread_state(int dir, const char *name)
{
	char path[300], line[512] = "", *at;
	int fd;

	snprintf(path, sizeof(path), "%s/stat", name);
	fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 'X';
	if (read(fd, line, sizeof(line) - 1) < 0)
		line[0] = 0;
	close(fd);
	at = strrchr(line, ')');
	return at && at[1] ? at[2] : 'X';
}

/* A main thread that has ended stays until all others have. */
static bool is_dead(int dir, const char *name)
{
	char state = thread_state(dir, name);

	return state == 'Z' || state == 'X';
}

static int refuse(const struct remote *r, pid_t tid, int err, struct error *e)
{
	if (err == -ENOMEM)
		return error_set(e, EXIT_FAILED, err, "out of memory");
	if (err == -EPERM)
		return error_set(e, EXIT_TARGET, err,
				 "it may not be traced, or a debugger traces it already");
	return error_set(e, EXIT_TARGET, err, "thread %d of process %d cannot be stopped: %s",
			 (int)tid, (int)r->p->pid, strerror(-err));
}

/*
 * Those that there are and that are not held yet, until `most` are. All others may stand still
 * while this goes on, so it reads no more than it must.
 */
static int seize_new(struct remote *r, size_t most, size_t *added, struct error *e)
{
	int fd = openat(r->p->proc_fd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	*added = 0;
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return error_set(e, EXIT_TARGET, -ESRCH, "process %d has ended", (int)r->p->pid);
	}
	while (!err && r->n < most && (entry = readdir(dir))) {
		pid_t tid = atoi(entry->d_name);

		if (tid <= 0 || holds(r, tid))
			continue;
		err = seize(r, tid);
		if (err == 1)
			++*added;
		err = err == 1 || (err == -EPERM && is_dead(fd, entry->d_name)) ? 0 : err;
		if (err)
			refuse(r, tid, err, e);
	}
	closedir(dir);
	return err;
}

/* Those that sleep, or are stopped anyway, to the front. */
static void sort_by_sleep(struct remote *r)
{
	char name[32];

	for (size_t i = 0; i < r->n; i++) {
		struct remote_thread t = r->v[i];

		snprintf(name, sizeof(name), "task/%d", (int)t.tid);
		if (thread_state(r->p->proc_fd, name) == 'R')
			continue;
		r->v[i] = r->v[r->asleep];
		r->v[r->asleep++] = t;
	}
}

/* Stop those from `first` up to `end`. */
static int interrupt(struct remote *r, size_t first, size_t end, uint64_t limit, struct error *e)
{
	uint64_t begin = now_ns();

	for (size_t i = first; i < end; i++)
		trace(PTRACE_INTERRUPT, r->v[i].tid, 0, 0);
	rest((end - first) * STOP_EACH_NS);
	for (size_t i = first; i < end; i++) {
		int err = wait_interrupted(r->v[i].tid, begin, limit);

		r->v[i].stopped = err == 1;
		if (err < 0)
			return error_set(e, EXIT_TARGET, err,
					 "thread %d of process %d does not stop: %s",
					 (int)r->v[i].tid, (int)r->p->pid, strerror(-err));
	}
	return 0;
}

/* Those that ended instead of stopping are nobody's any more. */
static void drop_ended(struct remote *r)
{
	size_t left = 0, asleep = 0;

	for (size_t i = 0; i < r->n; i++) {
		if (!r->v[i].stopped)
			continue;
		asleep += i < r->asleep;
		r->v[left++] = r->v[i];
	}
	r->n = left;
	r->asleep = asleep;
}

/*
 * However long it takes. The end of a main thread is told when all others have ended and were
 * waited for; so whether it has ended is looked at, too.
 */
static int wait_stop_or_end(const struct remote *r, pid_t tid, int *status)
{
	char name[32];
	int err;

	snprintf(name, sizeof(name), "task/%d", (int)tid);
	do
		err = wait_stop(tid, now_ns(), STOP_NS, status);
	while (err == -EBUSY && !is_dead(r->p->proc_fd, name));
	return err == -EBUSY ? 0 : err;
}

/* False: it was not there any more. */
static bool let_go(const struct remote_thread *t, int signal)
{
	return !trace(PTRACE_DETACH, t->tid, 0, (uintptr_t)signal) || errno != ESRCH;
}

/*
 * A thread that runs can only be let go once it has stopped, and if that was not waited for, it would
 * stop all the same, for ever.
 */
static bool stop_and_let_go(const struct remote *r, const struct remote_thread *t)
{
	int status;

	trace(PTRACE_INTERRUPT, t->tid, 0, 0);
	if (wait_stop_or_end(r, t->tid, &status) != 1)
		return true;
	return let_go(t, status >> 16 == EVENT_STOP ? 0 : WSTOPSIG(status));
}

/*
 * The end of a traced thread is told its tracer, and before that has taken notice the process has
 * not ended for anybody else.
 */
static void reap(const struct remote_thread *t)
{
	int status;

	if (wait_stop(t->tid, now_ns(), END_NS, &status) == 1)
		trace(PTRACE_DETACH, t->tid, 0, 0);
}

static void let_all_go(struct remote *r, size_t first, size_t end)
{
	for (size_t i = first; i < end; i++)
		if (r->v[i].stopped)
			r->v[i].gone = !let_go(&r->v[i], 0);
}

static void finish(const struct remote *r, struct remote_thread *t)
{
	if (!t->stopped)
		t->gone = !stop_and_let_go(r, t);
	if (t->gone)
		reap(t);
}

uint64_t remote_resume(struct remote *r)
{
	struct remote_thread *main = NULL;
	uint64_t pause_ns;

	let_all_go(r, r->asleep, r->n);
	pause_ns = r->since_ns ? now_ns() - r->since_ns : 0;
	if (pause_ns < r->pause_ns)
		pause_ns = r->pause_ns;
	let_all_go(r, 0, r->asleep);
	for (size_t i = 0; i < r->n; i++) {
		if (r->v[i].tid == r->p->pid)
			main = &r->v[i];
		else
			finish(r, &r->v[i]);
	}
	if (main) /* it ends as the last */
		finish(r, main);
	free(r->v);
	*r = (struct remote){0};
	return pause_ns;
}

/*
 * Those that sleep stop first: it may take a while until each has had a CPU for that, and the others
 * run on meanwhile. Then these, and those that are born between reading the list and their parents' stop.
 */
static int try_stop(struct remote *r, size_t most, uint64_t limit, struct error *e)
{
	size_t added, first = 0;
	int err = seize_new(r, most, &added, e);

	if (!err && most > 1) {
		sort_by_sleep(r);
		first = r->asleep;
		err = interrupt(r, 0, first, limit, e);
	}
	r->since_ns = now_ns();
	while (!err && added) {
		err = interrupt(r, first, r->n, limit, e);
		if (err)
			break;
		drop_ended(r);
		first = r->n;
		added = 0;
		if (r->n < most)
			err = seize_new(r, most, &added, e);
	}
	if (!err && !r->n)
		err = error_set(e, EXIT_TARGET, -ESRCH, "process %d has ended", (int)r->p->pid);
	return err;
}

static int try_stop_thread(struct remote *r, pid_t tid, uint64_t limit, struct error *e)
{
	char name[32];
	int err = seize(r, tid);

	snprintf(name, sizeof(name), "task/%d", (int)tid);
	if (err == -EPERM && is_dead(r->p->proc_fd, name))
		err = 0;
	if (err < 0)
		return refuse(r, tid, err, e);
	if (err)
		err = interrupt(r, 0, r->n, limit, e);
	if (!err)
		drop_ended(r);
	if (!err && !r->n)
		err = error_set(e, EXIT_TARGET, -ESRCH, "thread %d has ended", (int)tid);
	return err;
}

/* `tid`, or `most` of all. */
static int stop(struct remote *r, const struct target_process *p, pid_t tid, size_t most,
		struct error *e)
{
	uint64_t limit = STOP_FIRST_NS, pause_ns = 0;
	int err = -EBUSY;

	/* a thread that waits for its child's exec, or for a disk, stops when that is over */
	for (int i = 0; i < ATTEMPTS && err == -EBUSY; i++) {
		*r = (struct remote){.p = p, .pause_ns = pause_ns};
		err = tid ? try_stop_thread(r, tid, limit, e) : try_stop(r, most, limit, e);
		if (err)
			pause_ns = remote_resume(r);
		limit = 2 * limit < STOP_NS ? 2 * limit : STOP_NS;
	}
	return err;
}

int remote_stop_one(struct remote *r, const struct target_process *p, struct error *e)
{
	return stop(r, p, 0, 1, e);
}

int remote_stop_all(struct remote *r, const struct target_process *p, struct error *e)
{
	return stop(r, p, 0, SIZE_MAX, e);
}

int remote_stop_thread(struct remote *r, const struct target_process *p, pid_t tid, struct error *e)
{
	return stop(r, p, tid, 1, e);
}

int remote_registers(const struct remote *r, size_t thread, struct user_regs_struct *out)
{
	return trace(PTRACE_GETREGS, r->v[thread].tid, 0, (uintptr_t)out) ? -errno : 0;
}

/* Run one instruction. */
static int step(const struct remote *r, pid_t tid)
{
	int status, err;

	/* a thread of a stopped process (SIGSTOP) stops once more before it does anything */
	do {
		if (trace(PTRACE_SINGLESTEP, tid, 0, 0))
			return -errno;
		/* with these registers it cannot be let go */
		err = wait_stop_or_end(r, tid, &status);
		if (err != 1)
			return err ? err : -ESRCH;
	} while (status >> 16 == EVENT_STOP);
	return WSTOPSIG(status) == SIGTRAP ? 0 : -EINTR;
}

int remote_call(const struct remote *r, size_t thread, uint64_t insn, const uint64_t call[7],
		int64_t *result)
{
	pid_t tid = r->v[thread].tid;
	struct user_regs_struct saved, regs;
	/* a step's own SIGTRAP, were it blocked, would take the process its handler for that */
	uint64_t mask, all = ~(1ULL << (SIGTRAP - 1));
	int err, err2;

	if (trace(PTRACE_GETREGS, tid, 0, (uintptr_t)&saved) ||
	    trace(PTRACE_GETSIGMASK, tid, sizeof(mask), (uintptr_t)&mask))
		return -errno;
	/* a signal would be delivered before the instruction */
	if (trace(PTRACE_SETSIGMASK, tid, sizeof(all), (uintptr_t)&all))
		return -errno;
	regs = saved;
	regs.rip = insn;
	regs.orig_rax = ~0ULL; /* no system call to be restarted */
	regs.rax = call[0];
	regs.rdi = call[1];
	regs.rsi = call[2];
	regs.rdx = call[3];
	regs.r10 = call[4];
	regs.r8 = call[5];
	regs.r9 = call[6];
	err = trace(PTRACE_SETREGS, tid, 0, (uintptr_t)&regs) ? -errno : step(r, tid);
	if (!err && trace(PTRACE_GETREGS, tid, 0, (uintptr_t)&regs))
		err = -errno;
	*result = (int64_t)regs.rax;
	if (!err && regs.rip != insn + 2)
		err = -EPROTO;
	err2 = trace(PTRACE_SETREGS, tid, 0, (uintptr_t)&saved) ? -errno : 0;
	if (trace(PTRACE_SETSIGMASK, tid, sizeof(mask), (uintptr_t)&mask) && !err2)
		err2 = -errno;
	return err ? err : err2;
}
