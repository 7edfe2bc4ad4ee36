// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/inline/remote.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <time.h>
#include <unistd.h>

#include "user/base/clock.h"

/* How long one attempt waits for threads, at first and at most: others stand still meanwhile. */
#define STOP_FIRST_NS 4000000
#define STOP_NS 50000000
#define BUSY_NS 5000000000ULL /* how long to try where threads stop, but not all in that time */
#define END_NS 1000000000 /* and for a thread that was killed to end */
#define STOP_EACH_NS 2000 /* what a sleeping thread needs to come to its stop */

static long trace(int request, pid_t tid, uintptr_t addr, uintptr_t data)
{
	return ptrace(request, tid, (void *)addr, (void *)data);
}

/*
 * Wait for the stop that PTRACE_INTERRUPT asks for: 1, 0 if the thread has ended, or as wait_thread().
 * Signals that are on their way are delivered first: their siginfo would be lost with any other stop.
 */
static int wait_interrupted(const struct remote *r, pid_t tid, uint64_t until)
{
	for (;;) {
		int signal = 0, what = wait_thread(&r->wait, tid, until, &signal);

		if (what < 0 || what == WAIT_ENDED)
			return what < 0 ? what : 0;
		if (what == WAIT_STOP)
			return 1;
		if (trace(PTRACE_CONT, tid, 0, (uintptr_t)signal))
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
	if (!trace(PTRACE_SEIZE, tid, 0, PTRACE_O_TRACESYSGOOD))
		return 1;
	err = errno == ESRCH ? 0 : -errno;
	/* one that did not stop in time is ours still */
	if (err == -EPERM && !trace(PTRACE_INTERRUPT, tid, 0, 0))
		return 1;
	r->n--;
	return err;
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

/* Those from `first` on that are in none of the states of `others` to the front: how many are there now. */
static size_t sort_by_state(struct remote *r, size_t first, const char *others)
{
	char name[32];

	for (size_t i = first; i < r->n; i++) {
		struct remote_thread t = r->v[i];

		snprintf(name, sizeof(name), "task/%d", (int)t.tid);
		if (strchr(others, thread_state(r->p->proc_fd, name)))
			continue;
		r->v[i] = r->v[first];
		r->v[first++] = t;
	}
	return first;
}

static int not_stopped(const struct remote *r, pid_t tid, int err, struct error *e)
{
	char what[192];

	if (err == -EINTR)
		return error_set(e, EXIT_TARGET, err, "interrupted");
	if (err != -EBUSY)
		return refuse(r, tid, err, e);
	wait_describe(r->p, tid, what, sizeof(what));
	return error_set(e, EXIT_TARGET, err, "%s, and does not stop", what);
}

static void ask_to_stop(const struct remote *r, size_t first, size_t end)
{
	const struct timespec ts = {.tv_nsec = (long)((end - first) * STOP_EACH_NS % 1000000)};

	for (size_t i = first; i < end; i++)
		trace(PTRACE_INTERRUPT, r->v[i].tid, 0, 0);
	nanosleep(&ts, NULL);
}

/* Stop those from `first` up to `end`. */
static int interrupt(struct remote *r, size_t first, size_t end, uint64_t limit, struct error *e)
{
	uint64_t until = now_ns() + limit;
	int failed = 0;

	if (first == end)
		return 0;
	ask_to_stop(r, first, end);
	for (size_t i = first; i < end; i++) {
		/* behind one that does not stop, those that have are to be known, and run on */
		int err = wait_interrupted(r, r->v[i].tid, failed ? 0 : until);

		r->v[i].stopped = err == 1;
		r->v[i].gone = err == 0;
		if (err < 0 && !failed)
			failed = not_stopped(r, r->v[i].tid, err, e);
	}
	return failed;
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
 * The end of a traced thread is told its tracer, and before that has taken notice the process has
 * not ended for anybody else.
 */
static void reap(const struct remote_thread *t)
{
	const struct remote_wait w = {.cancel_fd = -1};
	int signal;

	if (wait_thread(&w, t->tid, now_ns() + END_NS, &signal) > WAIT_ENDED)
		trace(PTRACE_DETACH, t->tid, 0, 0);
}

static void let_go(struct remote *r, size_t first, size_t end)
{
	for (size_t i = first; i < end; i++) {
		struct remote_thread *t = &r->v[i];

		if (!t->stopped)
			continue;
		t->gone = trace(PTRACE_DETACH, t->tid, 0, 0) && errno == ESRCH;
		t->stopped = false;
		if (!t->gone)
			t->tid = 0; /* nobody's */
	}
}

/* All that have stopped run on; those that have not stay. */
static void release(struct remote *r)
{
	struct remote_thread *main = NULL;
	uint64_t pause_ns;
	size_t left = 0;

	let_go(r, r->asleep, r->n);
	pause_ns = r->since_ns ? now_ns() - r->since_ns : 0;
	if (r->pause_ns < pause_ns)
		r->pause_ns = pause_ns;
	let_go(r, 0, r->asleep);
	for (size_t i = 0; i < r->n; i++) {
		if (r->v[i].gone && r->v[i].tid == r->p->pid)
			main = &r->v[i];
		else if (r->v[i].gone)
			reap(&r->v[i]);
	}
	if (main) /* it ends as the last */
		reap(main);
	for (size_t i = 0; i < r->n; i++)
		if (r->v[i].tid && !r->v[i].gone)
			r->v[left++] = r->v[i];
	r->n = left;
	r->asleep = 0;
	r->since_ns = 0;
}

/* The end of a main thread is told when all others have ended and were waited for. */
static bool has_ended(const struct remote *r, pid_t tid)
{
	char name[32];

	snprintf(name, sizeof(name), "task/%d", (int)tid);
	return is_dead(r->p->proc_fd, name);
}

/*
 * Those that did not stop with the others. A thread that runs can only be let go once it has stopped, and if
 * that was not waited for, it would stop all the same, for ever. Nothing else is stopped meanwhile.
 */
static int wait_for_rest(struct remote *r, uint64_t until, struct error *e)
{
	uint64_t begin = now_ns(), said = begin;
	int err = 0;

	ask_to_stop(r, 0, r->n);
	for (unsigned int turn = 0; !err; turn++) {
		bool look = now_ns() - said > WAIT_SAY_NS;

		for (size_t i = 0; i < r->n; i++) {
			struct remote_thread *t = &r->v[i];
			int got = wait_interrupted(r, t->tid, 0);

			t->stopped = got == 1;
			t->gone = !got || (look && has_ended(r, t->tid));
		}
		release(r);
		if (!r->n)
			return 0;
		if (look) {
			wait_say(&r->wait, r->p, r->v[0].tid);
			said = now_ns();
		}
		err = wait_more(&r->wait, until, begin, turn);
	}
	return not_stopped(r, r->v[0].tid, err, e);
}

static void forget(struct remote *r)
{
	free(r->v);
	*r = (struct remote){0};
}

uint64_t remote_resume(struct remote *r)
{
	uint64_t pause_ns;

	release(r);
	if (r->n)
		wait_for_rest(r, wait_until(&r->wait), NULL);
	pause_ns = r->pause_ns;
	forget(r);
	return pause_ns;
}

/*
 * Those that hardly can stop come first, then those that sleep: it may take a while until each has had a CPU
 * for that, and the others run on meanwhile. Then these, and those that are born between reading the
 * list and their parents' stop.
 */
static int try_stop_all(struct remote *r, uint64_t limit, struct error *e)
{
	size_t added, first = 0, disk;
	int err = seize_new(r, SIZE_MAX, &added, e);

	if (!err) {
		disk = sort_by_state(r, 0, "RSTtIPXZ");
		first = sort_by_state(r, disk, "R");
		err = interrupt(r, 0, disk, limit, e);
		if (!err)
			err = interrupt(r, disk, first, limit, e);
		r->asleep = first;
	}
	r->since_ns = now_ns();
	while (!err && added) {
		err = interrupt(r, first, r->n, limit, e);
		if (err)
			break;
		drop_ended(r);
		first = r->n;
		added = 0;
		err = seize_new(r, SIZE_MAX, &added, e);
	}
	if (!err && !r->n)
		err = error_set(e, EXIT_TARGET, -ESRCH, "process %d has ended", (int)r->p->pid);
	return err;
}

static int try_stop_thread(struct remote *r, pid_t tid, uint64_t limit, struct error *e)
{
	int err = seize(r, tid);

	if (err == -EPERM && has_ended(r, tid))
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

/* `tid`, or all. */
static int stop(struct remote *r, const struct target_process *p, pid_t tid,
		const struct remote_wait *wait, struct error *e)
{
	static const struct remote_wait usual = {.limit_ns = REMOTE_LIMIT_NS, .cancel_fd = -1};
	uint64_t limit = STOP_FIRST_NS, until = wait_until(wait ? wait : &usual);
	uint64_t begin = now_ns();
	int err;

	*r = (struct remote){.p = p, .wait = wait ? *wait : usual};
	/* a thread that waits for its child's exec, or for a disk, stops when that is over */
	for (;;) {
		struct error why;

		err = tid ? try_stop_thread(r, tid, limit, e) : try_stop_all(r, limit, e);
		if (!err)
			return 0;
		release(r);
		if (r->n && wait_for_rest(r, until, &why) && err == -EBUSY) {
			*e = why;
			break;
		}
		/* each does stop: it is the machine that has no time for all of them at once */
		if (err != -EBUSY || (now_ns() > until && now_ns() - begin > BUSY_NS))
			break;
		limit = 2 * limit < STOP_NS ? 2 * limit : STOP_NS;
	}
	forget(r);
	return err;
}

int remote_stop_all(struct remote *r, const struct target_process *p,
		    const struct remote_wait *wait, struct error *e)
{
	return stop(r, p, 0, wait, e);
}

int remote_stop_thread(struct remote *r, const struct target_process *p, pid_t tid,
		       const struct remote_wait *wait, struct error *e)
{
	return stop(r, p, tid, wait, e);
}

int remote_registers(const struct remote *r, size_t thread, struct user_regs_struct *out)
{
	return trace(PTRACE_GETREGS, r->v[thread].tid, 0, (uintptr_t)out) ? -errno : 0;
}
