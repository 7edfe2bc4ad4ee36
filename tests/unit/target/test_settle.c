// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "user/target/settle.h"

static unsigned long long run_time(pid_t pid)
{
	unsigned long long ns = 0;
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", (int)pid);
	f = fopen(path, "r");
	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	CU_ASSERT_EQUAL(fscanf(f, "%llu", &ns), 1);
	fclose(f);
	return ns;
}

/* A child that only computes, or only sleeps. */
static pid_t start_child(bool busy)
{
	pid_t pid = fork();

	if (!pid) {
		alarm(60);
		for (;;)
			if (!busy)
				pause();
	}
	CU_ASSERT_FATAL(pid > 0);
	return pid;
}

static void end_child(pid_t pid, struct target_process *p)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	target_process_close(p);
}

static void test_busy(void)
{
	pid_t pid = start_child(true);
	struct target_process *p;
	unsigned long long before;
	struct error e = {0};

	CU_ASSERT_EQUAL_FATAL(target_process_open(pid, &p, &e), 0);
	for (int i = 0; i < 10; i++) {
		before = run_time(pid);
		CU_ASSERT_EQUAL(target_settle(p, &e), 0);
		CU_ASSERT(run_time(pid) >= before + 50000);
	}
	end_child(pid, p);
}

static void test_asleep(void)
{
	pid_t pid = start_child(false);
	struct target_process *p;
	struct error e = {0};

	CU_ASSERT_EQUAL_FATAL(target_process_open(pid, &p, &e), 0);
	CU_ASSERT_EQUAL(target_settle(p, &e), 0);
	end_child(pid, p);
}

static void test_gone(void)
{
	pid_t pid = start_child(false);
	struct target_process *p;
	struct error e = {0};

	CU_ASSERT_EQUAL_FATAL(target_process_open(pid, &p, &e), 0);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	CU_ASSERT_EQUAL(target_settle(p, &e), -ESRCH);
	CU_ASSERT_NOT_EQUAL(e.text[0], '\0');
	target_process_close(p);
}

static CU_TestInfo tests[] = {
	{"a busy thread has run on", test_busy},
	{"a sleeping thread is not waited for", test_asleep},
	{"a process that ended", test_gone},
	CU_TEST_INFO_NULL,
};

UNIT_SUITE("target/settle", tests);
