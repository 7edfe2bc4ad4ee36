// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "user/target/process.h"
#include "user/target/procfs.h"
#include "user/target/target.h"

/* A child that waits until its pipe is closed, then ends, or runs `then`. */
static pid_t start_child(int *go, const char *then)
{
	int p[2];
	pid_t pid;

	if (pipe(p))
		return -1;
	pid = fork();
	if (!pid) {
		char c;

		close(p[1]);
		if (read(p[0], &c, 1) < 0)
			_exit(1);
		if (then)
			execl(then, then, "1000", NULL);
		_exit(0);
	}
	close(p[0]);
	*go = p[1];
	return pid;
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void refuses(pid_t pid, int want, const char *text)
{
	struct target_process *p;
	struct error e = {0};

	CU_ASSERT_EQUAL(target_process_open(pid, &p, &e), want);
	CU_ASSERT_PTR_NULL(p);
	CU_ASSERT_EQUAL(e.status, EXIT_TARGET);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, text));
	if (!strstr(e.text, text))
		printf("\n    %s", e.text);
}

static void *wait_thread(void *arg)
{
	int *fds = arg;
	char c;

	fds[2] = syscall(SYS_gettid);
	fds[3] = 1;
	return (void *)(long)read(fds[0], &c, 1);
}

static void says_what_is_wrong(void)
{
	volatile int fds[4] = {0};
	char main_pid[64];
	pthread_t thread;
	pid_t child;
	int go;

	refuses(0, -ESRCH, "no such process");
	refuses(-1, -ESRCH, "no such process");
	refuses(4194304 + 7, -ESRCH, "no such process"); /* above the largest pid_max */
	/* kthreadd */
	if (access("/proc/2/exe", F_OK) && !access("/proc/2/stat", F_OK) && getpid() != 2)
		refuses(2, -EINVAL, "a thread of the kernel");

	child = start_child(&go, NULL);
	close(go);
	while (kill(child, 0) == 0) {
		siginfo_t info;

		if (!waitid(P_PID, child, &info, WEXITED | WNOWAIT))
			break;
	}
	refuses(child, -ESRCH, "zombie");
	end_child(child);
	refuses(child, -ESRCH, "no such process");

	CU_ASSERT_EQUAL_FATAL(pipe((int *)fds), 0);
	pthread_create(&thread, NULL, wait_thread, (void *)fds);
	while (!fds[3])
		usleep(1000);
	snprintf(main_pid, sizeof(main_pid), "use -p %d", getpid());
	refuses(fds[2], -EINVAL, main_pid);
	close(fds[1]);
	pthread_join(thread, NULL);
	close(fds[0]);
}

static void sees_the_end(void)
{
	struct target_process *p;
	struct error e = {0};
	char byte;
	int go;
	pid_t child = start_child(&go, NULL);

	CU_ASSERT_EQUAL_FATAL(target_process_open(child, &p, &e), 0);
	CU_ASSERT_TRUE(target_process_alive(p));
	CU_ASSERT_TRUE(target_process_same(p));
	CU_ASSERT_EQUAL(target_process_read(p, p->witness, &byte, 1), 0);
	end_child(child);
	CU_ASSERT_FALSE(target_process_alive(p));
	CU_ASSERT_FALSE(target_process_same(p));
	CU_ASSERT(target_process_read(p, p->witness, &byte, 1) < 0);
	target_process_close(p);
	close(go);
}

/* The PID, the start time, even the file may be the same: the program is another one. */
static void sees_exec(void)
{
	struct target_process *p;
	struct error e = {0};
	int go, tries = 0;
	pid_t child = start_child(&go, "/bin/sleep");

	CU_ASSERT_EQUAL_FATAL(target_process_open(child, &p, &e), 0);
	CU_ASSERT_TRUE(target_process_same(p));
	close(go);
	while (target_process_same(p) && tries++ < 5000)
		usleep(1000);
	CU_ASSERT_FALSE(target_process_same(p));
	CU_ASSERT_TRUE(target_process_alive(p));
	target_process_close(p);
	end_child(child);
}

static void sees_another_start_time(void)
{
	struct target_process *p;
	struct error e = {0};

	CU_ASSERT_EQUAL_FATAL(target_process_open(getpid(), &p, &e), 0);
	CU_ASSERT_TRUE(target_process_same(p));
	p->start_time++;
	CU_ASSERT_FALSE(target_process_same(p));
	target_process_close(p);
}

static void reads_memory(void)
{
	enum { N = 1500 };
	static const char text[] = "some bytes of this process";
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct target_piece *pieces = calloc(N, sizeof(*pieces));
	uint32_t *values = calloc(N, sizeof(*values)), *copies = calloc(N, sizeof(*copies));
	struct target_process *p;
	struct error e = {0};
	char buf[sizeof(text)];
	char two[16];

	CU_ASSERT_EQUAL_FATAL(target_process_open(getpid(), &p, &e), 0);
	CU_ASSERT_EQUAL(target_process_read(p, (uintptr_t)text, buf, sizeof(text)), 0);
	CU_ASSERT_STRING_EQUAL(buf, text);
	/* an unmapped page, and a range that runs into one */
	memset(page, 'x', 4096);
	munmap(page + 4096, 4096);
	CU_ASSERT_EQUAL(target_process_read(p, (uintptr_t)page + 4096, buf, 8), -EFAULT);
	CU_ASSERT(target_process_read(p, (uintptr_t)page + 4088, two, 16) < 0);
	CU_ASSERT_EQUAL(target_process_read(p, (uintptr_t)page + 4088, two, 8), 0);
	CU_ASSERT_EQUAL(target_process_read(p, 0, buf, 1), -EFAULT);

	/* more pieces than a system call takes, bad ones at the edges and in the middle */
	for (int i = 0; i < N; i++) {
		values[i] = i * 7 + 1;
		pieces[i] = (struct target_piece){(uintptr_t)&values[i], &copies[i], 4, true};
	}
	pieces[0].addr = 0;
	pieces[511].addr = (uintptr_t)page + 4094;
	pieces[512].addr = 8;
	pieces[1000].addr = ~0ULL;
	pieces[N - 1].addr = 16;
	CU_ASSERT_EQUAL(target_process_read_pieces(p, pieces, N), N - 5);
	for (int i = 0; i < N; i++) {
		bool bad = i == 0 || i == 511 || i == 512 || i == 1000 || i == N - 1;

		CU_ASSERT_EQUAL(pieces[i].done, !bad);
		if (!bad)
			CU_ASSERT_EQUAL(copies[i], values[i]);
	}
	target_process_close(p);
	munmap(page, 4096);
	free(pieces);
	free(values);
	free(copies);
}

static void lists_maps_and_threads(void)
{
	struct target_thread *threads;
	struct target_process *p;
	struct target_map *maps;
	struct error e = {0};
	char comm[16] = {0};
	bool code = false;
	size_t n;

	prctl(PR_GET_NAME, comm);
	prctl(PR_SET_NAME, "a) R (b c");
	CU_ASSERT_EQUAL_FATAL(target_process_open(getpid(), &p, &e), 0);
	CU_ASSERT_STRING_EQUAL(p->comm, "a) R (b c");
	CU_ASSERT_EQUAL_FATAL(target_process_maps(p, &maps, &n, &e), 0);
	for (size_t i = 0; i < n; i++) {
		uintptr_t here = (uintptr_t)lists_maps_and_threads;

		CU_ASSERT(maps[i].start < maps[i].end);
		CU_ASSERT(i == 0 || maps[i].start >= maps[i - 1].end);
		code |= maps[i].start <= here && here < maps[i].end && maps[i].prot[2] == 'x';
	}
	CU_ASSERT_TRUE(code);
	free(maps);
	CU_ASSERT_EQUAL_FATAL(target_process_threads(p, NULL, &threads, &n, &e), 0);
	for (size_t i = 0; i < n; i++) {
		if (threads[i].tid != getpid())
			continue;
		CU_ASSERT_EQUAL(threads[i].state, 'R');
		CU_ASSERT_STRING_EQUAL(threads[i].comm, "a) R (b c");
	}
	CU_ASSERT(n >= 1);
	free(threads);
	target_process_close(p);
	prctl(PR_SET_NAME, comm);
}

/* target_open() of what is no Go program: refused with the PID and the reason. */
static void refuses_other_programs(void)
{
	struct error e = {0};
	struct target *t;
	char pid[32];

	CU_ASSERT_EQUAL(target_open(getpid(), &t, &e), -ENOEXEC);
	CU_ASSERT_PTR_NULL(t);
	CU_ASSERT_EQUAL(e.status, EXIT_TARGET);
	snprintf(pid, sizeof(pid), "pid %d: ", getpid());
	CU_ASSERT_FALSE(strncmp(e.text, pid, strlen(pid)));
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "is not a Go program"));
	target_close(NULL);
}

static void opens_other_programs_for_their_threads(void)
{
	struct target_thread *threads;
	struct error e = {0};
	struct target *t;
	int go;
	size_t n;
	pid_t child = start_child(&go, NULL);

	CU_ASSERT_EQUAL_FATAL(target_open_any(child, NULL, &t, &e), 0);
	CU_ASSERT_FALSE(target_has_goroutines(t));
	/* the PID is in front of it when it is printed, not before */
	CU_ASSERT_PTR_NOT_NULL(strstr(t->plain, "is not a Go program"));
	CU_ASSERT_EQUAL(strncmp(t->plain, "pid ", 4) != 0, true);
	CU_ASSERT_EQUAL(t->process->pid, child);
	/* asleep in the read() of the pipe */
	for (int tries = 0; tries < 5000; tries++) {
		CU_ASSERT_EQUAL_FATAL(target_process_threads(t->process, NULL, &threads, &n, &e),
				      0);
		CU_ASSERT_EQUAL(n, 1);
		if (threads[0].sys == SYS_read)
			break;
		CU_ASSERT_EQUAL_FATAL(threads[0].sys, -1);
		free(threads);
		threads = NULL;
		usleep(1000);
	}
	CU_ASSERT_PTR_NOT_NULL(threads);
	free(threads);
	target_close(t);
	end_child(child);
	close(go);
	/* no process at all is no such target */
	CU_ASSERT_EQUAL(target_open_any(child, NULL, &t, &e), -ESRCH);
	CU_ASSERT_PTR_NULL(t);
}

static void knows_proc(void)
{
	int go;
	pid_t child = start_child(&go, NULL);

	CU_ASSERT_EQUAL(procfs_check(NULL), 0);
	CU_ASSERT_FALSE(procfs_hides(child));
	end_child(child);
	close(go);
	CU_ASSERT_FALSE(procfs_hides(child));
	CU_ASSERT_FALSE(procfs_hides(0));
	CU_ASSERT_FALSE(procfs_hides(-1));
}

/* What the kernel writes: the last lines of /proc/PID/status. */
static void knows_shadow_stacks(void)
{
	static const char rest[] = "Name:\tx\nnonvoluntary_ctxt_switches:\t2\n";
	static const struct {
		const char *lines;
		bool is;
	} cases[] = {
		{"", false},
		{"x86_Thread_features:\t\nx86_Thread_features_locked:\t\n", false},
		{"x86_Thread_features:\tshstk \nx86_Thread_features_locked:\tshstk wrss \n", true},
		{"x86_Thread_features:\twrss shstk \nx86_Thread_features_locked:\t\n", true},
		{"x86_Thread_features:\t\nx86_Thread_features_locked:\tshstk \n", false},
		{"x86_Thread_features:\tshstk2 xshstk \n", false},
		{"x86_Thread_features:\tshstk", true},
		{"x86_Thread_features:", false},
	};
	struct target_process *p;
	char text[256];
	struct error e;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		snprintf(text, sizeof(text), "%s%s", rest, cases[i].lines);
		CU_ASSERT_EQUAL(target_status_shadowed(text), cases[i].is);
	}
	/* a process may call itself so */
	CU_ASSERT_FALSE(target_status_shadowed("Name:\tx86_Thread_features: shstk\n"));
	CU_ASSERT_EQUAL_FATAL(target_process_open(getpid(), &p, &e), 0);
	CU_ASSERT_FALSE(target_thread_shadowed(p, INT32_MAX));
	target_process_close(p);
}

static CU_TestInfo tests[] = {
	{"knows threads with shadow stacks", knows_shadow_stacks},
	{"says what is wrong with a PID", says_what_is_wrong},
	{"sees a process end", sees_the_end},
	{"sees another program under the same PID", sees_exec},
	{"sees another process under the same PID", sees_another_start_time},
	{"reads memory, exactly or not at all", reads_memory},
	{"lists mappings and threads", lists_maps_and_threads},
	{"refuses what is not Go", refuses_other_programs},
	{"knows whether /proc tells the truth", knows_proc},
	{"opens it for its threads", opens_other_programs_for_their_threads},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("target/process", tests);
