// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The process that closes what gscope has open: it shares the descriptors, and is replaced. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "user/capture/guardian.h"

static pid_t guardian_pid(void)
{
	char path[64];
	pid_t pid = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	f = fopen(path, "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	if (fscanf(f, "%d", &pid) != 1)
		pid = 0;
	fclose(f);
	return pid;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void await_zombie(pid_t pid)
{
	siginfo_t info;

	CU_ASSERT_EQUAL(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
}

/* Which process closes makes no difference to what is open. */
static void closes_here(void)
{
	struct guardian *g = NULL;
	struct error e;
	int fds[2];

	CU_ASSERT_EQUAL_FATAL(guardian_start(&g, &e), 0);
	CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
	guardian_close(g, fds, 2);
	CU_ASSERT_FALSE(is_open(fds[0]));
	CU_ASSERT_FALSE(is_open(fds[1]));
	guardian_stop(g);
	CU_ASSERT_EQUAL(guardian_pid(), 0);
}

/* The next one has nothing of the last one's: its socket is ours, too. */
static void is_replaced(void)
{
	struct guardian *g = NULL;
	struct error e;
	pid_t first, second;
	int fds[2];

	CU_ASSERT_EQUAL_FATAL(guardian_start(&g, &e), 0);
	first = guardian_pid();
	CU_ASSERT_FALSE(guardian_look(g));
	kill(first, SIGKILL);
	await_zombie(first);
	CU_ASSERT_TRUE(guardian_look(g));
	second = guardian_pid();
	CU_ASSERT_NOT_EQUAL(second, first);
	/* also when nobody has looked */
	kill(second, SIGKILL);
	await_zombie(second);
	CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
	guardian_close(g, fds, 2);
	CU_ASSERT_FALSE(is_open(fds[0]));
	CU_ASSERT_FALSE(is_open(fds[1]));
	guardian_stop(g);
	CU_ASSERT_EQUAL(guardian_pid(), 0);
}

/* One that is stopped holds nobody up for long. */
static void goes_on(void)
{
	struct guardian *g = NULL;
	struct error e;
	int fds[2];

	CU_ASSERT_EQUAL_FATAL(guardian_start(&g, &e), 0);
	kill(guardian_pid(), SIGSTOP);
	CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
	guardian_close(g, fds, 2);
	CU_ASSERT_FALSE(is_open(fds[0]));
	kill(guardian_pid(), SIGSTOP);
	guardian_stop(g);
	CU_ASSERT_EQUAL(guardian_pid(), 0);
}

/* What ends other processes does not end it. */
static void ignores_signals(void)
{
	const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
	struct guardian *g = NULL;
	struct error e;
	pid_t pid;
	int fds[2];

	CU_ASSERT_EQUAL_FATAL(guardian_start(&g, &e), 0);
	pid = guardian_pid();
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		kill(pid, signals[i]);
	CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
	guardian_close(g, fds, 2);
	CU_ASSERT_EQUAL(guardian_pid(), pid);
	CU_ASSERT_FALSE(guardian_look(g));
	guardian_stop(g);
}

static void attach_fails_the_same(void)
{
	const unsigned long offset = 0;
	const uint64_t cookie = 0;
	const struct uprobes u = {
		.prog_fd = -1,
		.multi = true,
		.pid = getpid(),
		.path = "/proc/self/exe",
		.offsets = &offset,
		.cookies = &cookie,
		.n = 1,
	};
	struct guardian *g = NULL;
	struct error e;

	CU_ASSERT_EQUAL_FATAL(guardian_start(&g, &e), 0);
	CU_ASSERT_EQUAL(guardian_attach(NULL, &u), -EBADF);
	CU_ASSERT_EQUAL(guardian_attach(g, &u), -EBADF);
	guardian_stop(g);
}

static CU_TestInfo tests[] = {
	{"closes what is open here", closes_here},
	{"is replaced", is_replaced},
	{"goes on when it is stopped", goes_on},
	{"ignores signals", ignores_signals},
	{"tells why it cannot attach", attach_fails_the_same},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("capture/guardian", tests);
