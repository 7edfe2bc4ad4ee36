// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * A tracer that is killed, at each system call it makes on its way, before it and behind it: a thread for
 * which it had a system call made goes on as if nothing had been. So does a thread it had only stopped.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
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
#include "user/inline/pending.h"

extern const char killed_syscall[], killed_back[];
__asm__(".text\nkilled_syscall:\n\tsyscall\n\tret\n"
	"killed_back:\n\tmov $15, %rax\n\tsyscall\n\tint3\n");
static uint8_t room[64 << 10];

enum thread { COUNTS, READS, SLEEPS, THREADS };

/* Seen by all. */
struct state {
	volatile pid_t tid[THREADS];
	volatile uint64_t turns[THREADS];
	volatile uint64_t traps; /* that its handler saw */
	volatile uint32_t wrong; /* 1 + the thread to which something happened */
	int pipe[2];
};

static struct state *st;

static void rest_us(long us)
{
	const struct timespec ts = {us / 1000000, us % 1000000 * 1000};

	nanosleep(&ts, NULL);
}

/* --- the program ------------------------------------------------------------------------------ */

/* All registers hold something: it is computed with them, and no system call is made. */
static void count(void)
{
	uint64_t a[6] = {1, 2, 3, 4, 5, 6}, sum = 21;
	double x[8] = {1, 2, 3, 4, 5, 6, 7, 8};

	for (int i = 0; i < 1000; i++) {
		for (int k = 0; k < 6; k++)
			a[k] = a[k] * 6364136223846793005ULL + 1442695040888963407ULL;
		for (int k = 0; k < 6; k++)
			a[k] = (a[k] - 1442695040888963407ULL) * 0xc097ef87329e28a5ULL;
		for (int k = 0; k < 8; k++)
			x[k] = x[k] * 2 + 1;
		for (int k = 0; k < 8; k++)
			x[k] = (x[k] - 1) / 2;
	}
	for (int k = 0; k < 6; k++)
		sum -= a[k];
	for (int k = 0; k < 8; k++)
		if (sum || x[k] != k + 1)
			st->wrong = 1 + COUNTS;
}

/* A system call leaves all registers but three alone: what the kernel keeps of them while it sleeps. */
static long call_with_vectors(long nr, long a, long b, long c)
{
	double before[4] = {1.5, -2.5, 3.5, (double)a}, after[4];
	uint64_t kept = 0x1234567887654321, seen;
	long ret;

	__asm__ volatile("movups (%[in]), %%xmm7\n\tmovups 16(%[in]), %%xmm15\n\t"
			 "mov %[kept], %%r12\n\tsyscall\n\tmov %%r12, %[seen]\n\t"
			 "movups %%xmm7, (%[out])\n\tmovups %%xmm15, 16(%[out])"
			 : "=a"(ret), [seen] "=&r"(seen)
			 : "0"(nr), "D"(a), "S"(b),
			   "d"(c), [in] "r"(before), [out] "r"(after), [kept] "r"(kept)
			 : "rcx", "r11", "r12", "xmm7", "xmm15", "memory");
	if (seen != kept || memcmp(before, after, sizeof(before)) != 0)
		st->wrong = 1 + READS;
	return ret;
}

static void *thread(void *arg)
{
	enum thread me = (enum thread)(uintptr_t)arg;
	const struct timespec ts = {.tv_nsec = 1000000};

	st->tid[me] = (pid_t)syscall(SYS_gettid);
	for (;;) {
		char c = 0;
		long ret = 0;

		if (me == COUNTS)
			count();
		else if (me == READS)
			ret = call_with_vectors(SYS_read, st->pipe[0], (long)&c, 1) - 1;
		else
			ret = call_with_vectors(SYS_nanosleep, (long)&ts, 0, 0);
		/* a sleep may end early */
		if (ret && !(me == SLEEPS && ret == -EINTR))
			st->wrong = 1 + me;
		st->turns[me]++;
	}
	return arg;
}

static void on_trap(int sig)
{
	(void)sig;
	st->traps++;
}

static void __attribute__((noreturn)) run_program(void)
{
	pthread_t t;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(600);
	signal(SIGTRAP, on_trap);
	for (uintptr_t i = 1; i < THREADS; i++)
		pthread_create(&t, NULL, thread, (void *)i);
	thread(COUNTS);
	_exit(0);
}

static pid_t start(struct target_process **p)
{
	struct error e = {0};
	pid_t pid;

	st = mmap(NULL, sizeof(*st), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CU_ASSERT_FATAL(st != MAP_FAILED && !pipe(st->pipe));
	pid = fork();
	if (!pid)
		run_program();
	CU_ASSERT_EQUAL_FATAL(target_process_open(pid, p, &e), 0);
	while (!st->tid[COUNTS] || !st->tid[READS] || !st->tid[SLEEPS])
		rest_us(1000);
	return pid;
}

static void finish(pid_t pid, struct target_process *p)
{
	kill(pid, SIGKILL);
	CU_ASSERT_EQUAL(waitpid(pid, NULL, 0), pid);
	target_process_close(p);
	close(st->pipe[0]);
	close(st->pipe[1]);
	munmap(st, sizeof(*st));
}

/* Each thread gets on, with its own registers and results. */
static void check(pid_t pid)
{
	uint64_t before[THREADS], end = 0;
	int status;

	for (int i = 0; i < THREADS; i++)
		before[i] = st->turns[i];
	CU_ASSERT_EQUAL(write(st->pipe[1], "x", 1), 1);
	for (int i = 0; i < THREADS; i++)
		while (st->turns[i] == before[i] && end++ < 100000)
			rest_us(100);
	CU_ASSERT(end < 100000);
	CU_ASSERT_EQUAL_FATAL(waitpid(pid, &status, WNOHANG), 0);
	CU_ASSERT_EQUAL(st->wrong, 0);
}

/* --- the tracer, and who kills it ------------------------------------------------------------- */

static struct call_way way_of(const struct target_process *p)
{
	return (struct call_way){
		.mem_fd = openat(p->proc_fd, "mem", O_RDWR | O_CLOEXEC),
		.code = {(uint64_t)(uintptr_t)killed_syscall, (uint64_t)(uintptr_t)killed_back},
		.lo = (uint64_t)(uintptr_t)room,
		.hi = (uint64_t)(uintptr_t)room + sizeof(room),
	};
}

static void __attribute__((noreturn)) run_tracer(const struct target_process *p, pid_t tid)
{
	const uint64_t call[7] = {SYS_getppid};
	struct call_way way = way_of(p);
	int64_t result = 0;
	struct error e;
	struct remote r;

	raise(SIGSTOP); /* from here on it is counted */
	if (remote_stop_thread(&r, p, tid, NULL, &e) || remote_call(&r, 0, &way, call, &result) ||
	    result != getppid())
		_exit(1);
	remote_resume(&r);
	if (remote_stop_all(&r, p, NULL, &e))
		_exit(2);
	remote_resume(&r);
	_exit(0);
}

/* Naps are no steps: how many there are is a matter of time. */
static bool is_nap(pid_t tracer)
{
	struct user_regs_struct regs;

	return ptrace(PTRACE_GETREGS, tracer, 0, &regs) || regs.orig_rax == SYS_nanosleep ||
	       regs.orig_rax == SYS_clock_nanosleep || regs.orig_rax == SYS_waitid ||
	       regs.orig_rax == SYS_poll;
}

/* Let it come to its system call number `steps`, twice each; true: it ended before. */
static bool run_steps(pid_t tracer, unsigned int steps, int *status)
{
	CU_ASSERT_EQUAL_FATAL(waitpid(tracer, status, WUNTRACED), tracer);
	CU_ASSERT_EQUAL_FATAL(ptrace(PTRACE_SEIZE, tracer, 0, PTRACE_O_TRACESYSGOOD), 0);
	kill(tracer, SIGCONT);
	for (;;) {
		int sig = 0;

		if (waitpid(tracer, status, 0) != tracer || WIFEXITED(*status) ||
		    WIFSIGNALED(*status))
			return true;
		if (WSTOPSIG(*status) == (SIGTRAP | 0x80)) {
			if (!is_nap(tracer) && !steps--)
				return false;
		} else if (!(*status >> 16)) {
			sig = WSTOPSIG(*status);
		}
		if (ptrace(PTRACE_SYSCALL, tracer, 0, (void *)(uintptr_t)sig))
			return true;
	}
}

static void kill_everywhere(enum thread which)
{
	struct target_process *p;
	pid_t pid = start(&p);
	bool ended = false;
	unsigned int steps = 0;

	for (; !ended && steps < 1000; steps++) {
		pid_t tracer;
		int status;

		tracer = fork();
		if (!tracer)
			run_tracer(p, st->tid[which]);
		ended = run_steps(tracer, steps, &status);
		if (ended) {
			CU_ASSERT_EQUAL(status, 0);
		} else {
			kill(tracer, SIGKILL);
			CU_ASSERT_EQUAL(waitpid(tracer, &status, 0), tracer);
		}
		check(pid);
	}
	CU_ASSERT_TRUE(ended);
	CU_ASSERT(steps > 60);
	CU_ASSERT_EQUAL(st->traps, 0);
	finish(pid, p);
}

static void test_counts(void)
{
	kill_everywhere(COUNTS);
}

static void test_reads(void)
{
	kill_everywhere(READS);
}

static void test_sleeps(void)
{
	kill_everywhere(SLEEPS);
}

/* --- what the thread has still to do then ----------------------------------------------------- */

static void __attribute__((noreturn)) run_opener(const struct target_process *p, pid_t tid)
{
	const uint64_t call[7] = {SYS_dup, 0};
	struct call_way way = way_of(p);
	int64_t result;
	struct error e;
	struct remote r;

	if (call_code_find(p, &way.code))
		_exit(1);
	raise(SIGSTOP);
	if (remote_stop_thread(&r, p, tid, NULL, &e) || remote_call(&r, 0, &way, call, &result))
		_exit(1);
	remote_resume(&r);
	_exit(0);
}

static unsigned int descriptors(const struct target_process *p)
{
	int fd = openat(p->proc_fd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fdopendir(fd);
	unsigned int n = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* Once that was waited for the process does nothing more of it. */
static void test_pending(void)
{
	const struct remote_wait wait = {.limit_ns = 60 * REMOTE_LIMIT_NS, .cancel_fd = -1};
	struct target_process *p;
	pid_t pid = start(&p);
	unsigned int steps = 0, first = descriptors(p), n = first;
	bool ended = false;

	for (; !ended && steps < 1000; steps++) {
		struct error e;
		int status;
		pid_t tracer = fork();

		if (!tracer)
			run_opener(p, st->tid[COUNTS]);
		ended = run_steps(tracer, steps, &status);
		if (!ended) {
			kill(tracer, SIGKILL);
			CU_ASSERT_EQUAL(waitpid(tracer, &status, 0), tracer);
		}
		CU_ASSERT_EQUAL(pending_wait(p, &wait, &e), 0);
		n = descriptors(p);
		check(pid);
		CU_ASSERT_EQUAL(descriptors(p), n);
	}
	CU_ASSERT_TRUE(ended);
	CU_ASSERT(n > first + 4);
	finish(pid, p);
}

static CU_TestInfo tests[] = {
	{"its call is made, and no more of it comes", test_pending},

	{"of a thread that computes", test_counts},
	{"of a thread that waits", test_reads},
	{"of a thread that sleeps for a time", test_sleeps},
	CU_TEST_INFO_NULL,
};

UNIT_SUITE("inline/killed", tests);
