// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Threads of a child of this process, held still in whatever they are at; none of them notices. */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "user/inline/call.h"
#include "user/inline/remote.h"

#define THREADS 5

/* Code by which calls are made, and memory for them, at the same addresses in the child. */
extern const char remote_syscall[], remote_back[];
__asm__(".text\nremote_syscall:\n\tsyscall\n\tret\n"
	"remote_back:\n\tmov $15, %rax\n\tsyscall\n\tint3\n");
static uint8_t room[64 << 10];

static struct call_way way_into(const struct target_process *p)
{
	struct call_way way = {
		.mem_fd = openat(p->proc_fd, "mem", O_RDWR | O_CLOEXEC),
		.code = {(uint64_t)(uintptr_t)remote_syscall, (uint64_t)(uintptr_t)remote_back},
		.lo = (uint64_t)(uintptr_t)room,
		.hi = (uint64_t)(uintptr_t)room + sizeof(room),
	};

	CU_ASSERT_FATAL(way.mem_fd >= 0);
	return way;
}

/* Seen by both. */
struct state {
	volatile uint64_t turns; /* of the busy thread */
	volatile uint32_t ready;
	volatile uint32_t over;
	volatile uint32_t word; /* the futex */
	volatile uint32_t wrong; /* calls that came back as nobody asked them to */
	volatile uint32_t done; /* threads that got to their end */
	volatile uint64_t signals, sum, others; /* as the handler saw them */
	int pipe[2];
	pid_t sender;
};

static struct state *st;

static void rest_ms(long ms)
{
	const struct timespec ts = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&ts, NULL);
}

/* --- the child ------------------------------------------------------------------------------- */

static void *busy(void *arg)
{
	double x = 1;

	__atomic_add_fetch(&st->ready, 1, __ATOMIC_SEQ_CST);
	while (!st->over) {
		st->turns++;
		x = x * 1.5 - (double)(x > 1000) * x * 0.999;
		if (!(x > 0 && x < 2000))
			__atomic_add_fetch(&st->wrong, 1, __ATOMIC_SEQ_CST);
	}
	__atomic_add_fetch(&st->done, 1, __ATOMIC_SEQ_CST);
	return arg;
}

/* Sleep for as long as it was asked to, in one call. */
static void *sleeper(void *arg)
{
	const struct timespec ts = {.tv_nsec = 300000000};
	struct timespec before, after, left;

	__atomic_add_fetch(&st->ready, 1, __ATOMIC_SEQ_CST);
	while (!st->over) {
		long ns;

		clock_gettime(CLOCK_MONOTONIC, &before);
		if (syscall(SYS_nanosleep, &ts, &left))
			__atomic_add_fetch(&st->wrong, 1, __ATOMIC_SEQ_CST);
		clock_gettime(CLOCK_MONOTONIC, &after);
		ns = (after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec;
		if (ns < ts.tv_nsec)
			__atomic_add_fetch(&st->wrong, 1, __ATOMIC_SEQ_CST);
	}
	__atomic_add_fetch(&st->done, 1, __ATOMIC_SEQ_CST);
	return arg;
}

/* Wait, with a timeout that does not come, until the word is another one. */
static void *waiter(void *arg)
{
	const struct timespec ts = {.tv_sec = 600};

	__atomic_add_fetch(&st->ready, 1, __ATOMIC_SEQ_CST);
	if (syscall(SYS_futex, &st->word, FUTEX_WAIT, 0, &ts, NULL, 0) && errno != EAGAIN)
		__atomic_add_fetch(&st->wrong, 1, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&st->done, 1, __ATOMIC_SEQ_CST);
	return arg;
}

static void *reader(void *arg)
{
	char c = 0;

	__atomic_add_fetch(&st->ready, 1, __ATOMIC_SEQ_CST);
	if (read(st->pipe[0], &c, 1) != 1 || c != 'x')
		__atomic_add_fetch(&st->wrong, 1, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&st->done, 1, __ATOMIC_SEQ_CST);
	return arg;
}

/* Threads that are born and end all the time. */
static void *nothing(void *arg)
{
	return arg;
}

static void *parent(void *arg)
{
	__atomic_add_fetch(&st->ready, 1, __ATOMIC_SEQ_CST);
	while (!st->over) {
		pthread_t t;

		if (!pthread_create(&t, NULL, nothing, NULL))
			pthread_join(t, NULL);
	}
	__atomic_add_fetch(&st->done, 1, __ATOMIC_SEQ_CST);
	return arg;
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	if (info->si_code == SI_QUEUE && info->si_pid == st->sender) {
		__atomic_add_fetch(&st->signals, 1, __ATOMIC_SEQ_CST);
		__atomic_add_fetch(&st->sum, (uint64_t)info->si_value.sival_int, __ATOMIC_SEQ_CST);
	} else {
		__atomic_add_fetch(&st->others, 1, __ATOMIC_SEQ_CST);
	}
}

static void __attribute__((noreturn)) run_child(bool with_signals, bool leave)
{
	void *(*const work[THREADS])(void *) = {busy, sleeper, waiter, reader, parent};
	const struct sigaction sa = {.sa_sigaction = on_signal,
				     .sa_flags = SA_SIGINFO | SA_RESTART};
	pthread_t t[THREADS];
	int first = with_signals ? 3 : 0; /* signals end a sleep: that is no wonder */

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(300);
	sigaction(SIGRTMIN, &sa, NULL);
	sigaction(SIGTRAP, &sa, NULL);
	for (int i = first; i < THREADS; i++)
		pthread_create(&t[i], NULL, work[i], NULL);
	if (with_signals)
		pthread_create(&t[0], NULL, work[0], NULL);
	if (leave)
		syscall(SYS_exit, 0);
	while (st->done < THREADS - (uint32_t)(with_signals ? 2 : 0))
		rest_ms(1);
	_exit(0);
}

/* --- the parent ------------------------------------------------------------------------------ */

static pid_t start(struct target_process **p, bool with_signals, bool leave)
{
	uint32_t n = with_signals ? THREADS - 2 : THREADS;
	struct error e = {0};
	pid_t pid;

	st = mmap(NULL, sizeof(*st), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CU_ASSERT_FATAL(st != MAP_FAILED && !pipe(st->pipe));
	pid = fork();
	if (!pid)
		run_child(with_signals, leave);
	CU_ASSERT_FATAL(pid > 0);
	/* its identity cannot be had any more once its main thread has ended */
	CU_ASSERT_EQUAL_FATAL(target_process_open(pid, p, &e), 0);
	while (st->ready < n)
		rest_ms(1);
	return pid;
}

/* All goes on to its end, and nothing was wrong on the way. */
static void finish(pid_t pid, struct target_process *p)
{
	int status = -1;

	st->over = 1;
	st->word = 1;
	while (syscall(SYS_futex, &st->word, FUTEX_WAKE, 1, NULL, NULL, 0) < 0)
		;
	CU_ASSERT_EQUAL(write(st->pipe[1], "x", 1), 1);
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT_EQUAL(status, 0);
	CU_ASSERT_EQUAL(st->wrong, 0);
	target_process_close(p);
	close(st->pipe[0]);
	close(st->pipe[1]);
	munmap(st, sizeof(*st));
}

static char state_of(pid_t pid, pid_t tid)
{
	char path[64], line[512] = "", *at;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", (int)pid, (int)tid);
	f = fopen(path, "r");
	if (!f)
		return 0;
	at = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
	fclose(f);
	return at ? at[2] : 0;
}

static int tracer_of(pid_t pid)
{
	char path[64], line[256];
	int tracer = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "TracerPid: %d", &tracer);
	if (f)
		fclose(f);
	return tracer;
}

/* The signals it has handlers for: bit n - 1 is signal n. */
static unsigned long long caught_by(pid_t pid)
{
	unsigned long long caught = 0;
	char path[64], line[256];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "SigCgt: %llx", &caught);
	if (f)
		fclose(f);
	return caught;
}

static void test_still(void)
{
	struct target_process *p;
	struct error e = {0};
	struct remote r;
	pid_t pid = start(&p, false, false);

	for (int i = 0; i < 30; i++) {
		uint64_t turns;

		CU_ASSERT_EQUAL_FATAL(remote_stop_all(&r, p, NULL, &e), 0);
		CU_ASSERT(r.n >= THREADS + 1);
		turns = st->turns;
		for (size_t k = 0; k < r.n; k++)
			CU_ASSERT_EQUAL(state_of(pid, r.v[k].tid), 't');
		rest_ms(i % 3);
		CU_ASSERT_EQUAL(st->turns, turns);
		CU_ASSERT(remote_resume(&r) >= (uint64_t)(i % 3) * 1000000);
		CU_ASSERT_EQUAL(tracer_of(pid), 0);
		while (st->turns == turns)
			rest_ms(1);
	}
	finish(pid, p);
}

/* One thread after the other; all others run on. */
static void test_one_by_one(void)
{
	struct target_process *p;
	struct target_thread *v;
	struct error e = {0};
	pid_t pid = start(&p, false, false);
	size_t n;

	CU_ASSERT_EQUAL_FATAL(target_process_threads(p, NULL, &v, &n, &e), 0);
	CU_ASSERT(n >= THREADS + 1);
	for (size_t i = 0; i < n; i++) {
		struct remote r;
		int got = remote_stop_thread(&r, p, v[i].tid, NULL, &e), stopped = 0;

		if (got == -ESRCH) /* some are born and end */
			continue;
		CU_ASSERT_EQUAL_FATAL(got, 0);
		CU_ASSERT_EQUAL(r.n, 1);
		CU_ASSERT_EQUAL(r.v[0].tid, v[i].tid);
		for (size_t k = 0; k < n; k++)
			stopped += state_of(pid, v[k].tid) == 't';
		CU_ASSERT_EQUAL(stopped, 1);
		remote_resume(&r);
		CU_ASSERT_NOT_EQUAL(state_of(pid, v[i].tid), 't');
	}
	free(v);
	finish(pid, p);
}

/* Each thread makes a call in the midst of what it is at, and goes on with that. */
static void test_call(void)
{
	const uint64_t getpid_call[7] = {SYS_getpid};
	const uint64_t gettid_call[7] = {SYS_gettid};
	const uint64_t bad_call[7] = {SYS_munmap, 1, 1};
	struct target_process *p;
	struct error e = {0};
	struct remote r;
	pid_t pid = start(&p, false, false);
	struct call_way way = way_into(p);
	unsigned long long caught = caught_by(pid);

	CU_ASSERT(caught & 1ULL << (SIGTRAP - 1));
	for (int i = 0; i < 10; i++) {
		CU_ASSERT_EQUAL_FATAL(remote_stop_all(&r, p, NULL, &e), 0);
		for (size_t k = 0; k < r.n; k++) {
			struct user_regs_struct before, after;
			int64_t result = -1;

			CU_ASSERT_EQUAL(remote_registers(&r, k, &before), 0);
			CU_ASSERT_EQUAL(remote_call(&r, k, &way, getpid_call, &result), 0);
			CU_ASSERT_EQUAL(result, pid);
			CU_ASSERT_EQUAL(remote_call(&r, k, &way, gettid_call, &result), 0);
			CU_ASSERT_EQUAL(result, r.v[k].tid);
			CU_ASSERT_EQUAL(remote_call(&r, k, &way, bad_call, &result), 0);
			CU_ASSERT_EQUAL(result, -EINVAL);
			CU_ASSERT_EQUAL(remote_registers(&r, k, &after), 0);
			CU_ASSERT_EQUAL(memcmp(&before, &after, sizeof(before)), 0);
		}
		remote_resume(&r);
		rest_ms(1);
	}
	/* one only */
	for (int i = 0; i < 20; i++) {
		int64_t result = -1;

		CU_ASSERT_EQUAL_FATAL(remote_stop_thread(&r, p, pid, NULL, &e), 0);
		CU_ASSERT_EQUAL(r.n, 1);
		CU_ASSERT_EQUAL(remote_call(&r, 0, &way, getpid_call, &result), 0);
		CU_ASSERT_EQUAL(result, pid);
		remote_resume(&r);
	}
	CU_ASSERT_EQUAL(caught_by(pid), caught);
	close(way.mem_fd);
	finish(pid, p);
}

/* Signals with a number each, from another process, while threads are stopped and let go. */
static void test_signals(void)
{
	const uint64_t getpid_call[7] = {SYS_getpid}, count = 3000;
	struct target_process *p;
	struct error e = {0};
	struct remote r;
	unsigned int stops = 0;
	pid_t pid = start(&p, true, false), sender = fork();
	struct call_way way = way_into(p);
	int status = 1;

	if (!sender) {
		while (st->sender != getpid())
			sched_yield();
		for (uint64_t i = 1; i <= count; i++)
			while (sigqueue(pid, SIGRTMIN, (union sigval){.sival_int = (int)i}))
				sched_yield();
		_exit(0);
	}
	st->sender = sender;
	while (st->signals < count) {
		int64_t result = 0;

		CU_ASSERT_EQUAL_FATAL(remote_stop_all(&r, p, NULL, &e), 0);
		CU_ASSERT_EQUAL(remote_call(&r, stops % 2, &way, getpid_call, &result), 0);
		CU_ASSERT_EQUAL(result, pid);
		remote_resume(&r);
		stops++;
		rest_ms(1);
	}
	CU_ASSERT_EQUAL(waitpid(sender, &status, 0), sender);
	CU_ASSERT_EQUAL(status, 0);
	CU_ASSERT_EQUAL(st->signals, count);
	CU_ASSERT_EQUAL(st->sum, count * (count + 1) / 2);
	CU_ASSERT_EQUAL(st->others, 0);
	close(way.mem_fd);
	finish(pid, p);
}

/* What is stopped stays stopped. */
static void test_stopped(void)
{
	const uint64_t getpid_call[7] = {SYS_getpid};
	struct target_process *p;
	struct error e = {0};
	struct remote r;
	pid_t pid = start(&p, false, false);
	struct call_way way = way_into(p);
	uint64_t turns;

	kill(pid, SIGSTOP);
	while (state_of(pid, pid) != 'T')
		rest_ms(1);
	for (int i = 0; i < 5; i++) {
		int64_t result = 0;

		CU_ASSERT_EQUAL_FATAL(remote_stop_all(&r, p, NULL, &e), 0);
		CU_ASSERT_EQUAL(remote_call(&r, 0, &way, getpid_call, &result), 0);
		CU_ASSERT_EQUAL(result, pid);
		remote_resume(&r);
	}
	rest_ms(20);
	turns = st->turns;
	rest_ms(20);
	CU_ASSERT_EQUAL(st->turns, turns);
	CU_ASSERT_EQUAL(state_of(pid, pid), 'T');
	kill(pid, SIGCONT);
	while (st->turns == turns)
		rest_ms(1);
	close(way.mem_fd);
	finish(pid, p);
}

/* Its main thread is a zombie as long as others live. */
static void test_no_main(void)
{
	struct target_process *p;
	struct error e = {0};
	struct remote r;
	pid_t pid = start(&p, false, true);

	while (state_of(pid, pid) != 'Z')
		rest_ms(1);
	for (int i = 0; i < 10; i++) {
		CU_ASSERT_EQUAL_FATAL(remote_stop_all(&r, p, NULL, &e), 0);
		CU_ASSERT(r.n >= THREADS);
		for (size_t k = 0; k < r.n; k++)
			CU_ASSERT_NOT_EQUAL(r.v[k].tid, pid);
		remote_resume(&r);
	}
	CU_ASSERT_EQUAL(remote_stop_thread(&r, p, pid, NULL, &e), -ESRCH);
	finish(pid, p);
}

/* A debugger is there: nothing is done, and that is said. */
static void test_traced(void)
{
	struct target_process *p;
	struct error e = {0};
	struct remote r;
	pid_t pid = start(&p, false, false), debugger;
	int status;

	debugger = fork();
	if (!debugger) {
		alarm(60);
		if (ptrace(PTRACE_SEIZE, pid, 0, 0))
			_exit(1);
		for (;;)
			pause();
	}
	while (tracer_of(pid) == 0)
		rest_ms(1);
	CU_ASSERT_EQUAL(remote_stop_all(&r, p, NULL, &e), -EPERM);
	CU_ASSERT_EQUAL(e.status, EXIT_TARGET);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "debugger"));
	CU_ASSERT_EQUAL(r.n, 0);
	CU_ASSERT_EQUAL(remote_stop_thread(&r, p, pid, NULL, &e), -EPERM);
	CU_ASSERT_EQUAL(remote_stop_thread(&r, p, pid, NULL, &e), -EPERM);
	CU_ASSERT_EQUAL(tracer_of(pid), debugger);
	kill(debugger, SIGKILL);
	CU_ASSERT_EQUAL(waitpid(debugger, &status, 0), debugger);
	while (tracer_of(pid) != 0)
		rest_ms(1);
	CU_ASSERT_EQUAL(remote_stop_all(&r, p, NULL, &e), 0);
	remote_resume(&r);
	finish(pid, p);
}

static void test_gone(void)
{
	struct target_process *p;
	struct error e = {0};
	struct remote r;
	pid_t pid = start(&p, false, false);

	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	CU_ASSERT_EQUAL(remote_stop_thread(&r, p, pid, NULL, &e), -ESRCH);
	CU_ASSERT_EQUAL(remote_stop_all(&r, p, NULL, &e), -ESRCH);
	CU_ASSERT_EQUAL(e.status, EXIT_TARGET);
	CU_ASSERT_NOT_EQUAL(e.text[0], 0);
	remote_resume(&r);
	target_process_close(p);
	munmap(st, sizeof(*st));
}

/* It ends, by itself or not, at any moment. */
static void test_ends(void)
{
	for (int i = 0; i < 20; i++) {
		struct target_process *p;
		struct error e = {0};
		struct remote r;
		pid_t pid = start(&p, false, false);
		int err;

		if (i % 2)
			kill(pid, SIGKILL);
		err = remote_stop_all(&r, p, NULL, &e);
		CU_ASSERT(err == 0 || err == -ESRCH);
		if (!err) {
			struct call_way way = way_into(p);
			uint64_t call[7] = {SYS_getpid};
			int64_t result;

			kill(pid, SIGKILL);
			remote_call(&r, 0, &way, call, &result);
			close(way.mem_fd);
		}
		remote_resume(&r);
		kill(pid, SIGKILL);
		CU_ASSERT(waitpid(pid, NULL, 0) == pid || errno == ECHILD);
		target_process_close(p);
		close(st->pipe[0]);
		close(st->pipe[1]);
		munmap(st, sizeof(*st));
	}
}

/* A thread that waits for its child to become another program stops when that is over. */
static void test_vfork(void)
{
	struct target_process *p;
	struct error e = {0};
	struct remote r;
	int status = -1;
	pid_t pid;

	st = mmap(NULL, sizeof(*st), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CU_ASSERT_FATAL(st != MAP_FAILED);
	pid = fork();
	if (!pid) {
		pthread_t t;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pthread_create(&t, NULL, busy, NULL);
		if (!vfork()) {
			st->word = 1;
			rest_ms(700);
			_exit(0);
		}
		/* it is tried again, with a thread that has gone on meanwhile: not to its end */
		rest_ms(2000);
		st->over = 1;
		pthread_join(t, NULL);
		_exit(st->done == 1 ? 0 : 1);
	}
	CU_ASSERT_EQUAL_FATAL(target_process_open(pid, &p, &e), 0);
	while (!st->word || !st->ready)
		rest_ms(1);
	CU_ASSERT_EQUAL(remote_stop_all(&r, p, NULL, &e), 0);
	CU_ASSERT_EQUAL(r.n, 2);
	remote_resume(&r);
	CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
	CU_ASSERT_EQUAL(status, 0);
	target_process_close(p);
	munmap(st, sizeof(*st));
}

static CU_TestInfo tests[] = {
	{"all stand still", test_still},
	{"one thread after the other", test_one_by_one},
	{"system calls", test_call},
	{"signals come once", test_signals},
	{"a stopped process", test_stopped},
	{"a main thread that has ended", test_no_main},
	{"a process that is being debugged", test_traced},
	{"a process that has ended", test_gone},
	{"a process that ends", test_ends},
	{"a thread in vfork()", test_vfork},
	CU_TEST_INFO_NULL,
};

UNIT_SUITE("inline/remote", tests);
