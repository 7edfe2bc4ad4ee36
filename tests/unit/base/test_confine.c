// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "user/base/confine.h"

static int answers(void *ctx, void *result, struct error *e)
{
	*(int *)result = *(const int *)ctx + 1;
	return error_set(e, EXIT_TARGET, -EBADMSG, "what the child says: \033[31m");
}

static void passes_result_and_error_on(void)
{
	struct error e = {0};
	int n = 41, result = 0;

	CU_ASSERT_EQUAL(confine_run(answers, &n, &result, sizeof(result), &e), -EBADMSG);
	CU_ASSERT_EQUAL(result, 42);
	CU_ASSERT_EQUAL(e.status, EXIT_TARGET);
	CU_ASSERT_STRING_EQUAL(e.text, "what the child says: ?[31m");
}

/* What the confined process could do: 0, or the errno that kept it from that. */
struct might {
	int opens, executes, connects, maps_code, traces, reads, writes;
};

static int tried(long result)
{
	return result < 0 ? errno : 0;
}

static int tries(void *ctx, void *result, struct error *e)
{
	int *fds = ctx;
	struct might *m = result;
	char *const argv[] __attribute__((unused)) = {(char *)"true", NULL};
	char byte;

	(void)e;
	m->reads = pread(fds[0], &byte, 1, 0) == 1;
	m->writes = write(fds[1], "x", 1) == 1;
	m->opens = tried(open("/dev/null", O_RDONLY));
#ifndef __SANITIZE_ADDRESS__ /* there is no filter then, and this would be the end */
	m->executes = tried(execv("/bin/true", argv));
#endif
	m->connects = tried(socket(AF_UNIX, SOCK_STREAM, 0));
	m->traces = tried(ptrace(PTRACE_SEIZE, getppid(), 0, 0));
	m->maps_code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			    0) == MAP_FAILED ?
			       errno :
			       0;
	return 0;
}

static void can_do_nothing_but_read_and_write(void)
{
	struct might m = {0};
	struct error e;
	int pipes[2], fds[2];

	CU_ASSERT_EQUAL_FATAL(pipe(pipes), 0);
	fds[0] = open("/proc/self/exe", O_RDONLY);
	fds[1] = pipes[1];
	CU_ASSERT_EQUAL_FATAL(confine_run(tries, fds, &m, sizeof(m), &e), 0);
	CU_ASSERT_EQUAL(m.reads, 1);
	CU_ASSERT_EQUAL(m.writes, 1);
#ifndef __SANITIZE_ADDRESS__
	CU_ASSERT_EQUAL(m.opens, EPERM);
	CU_ASSERT_EQUAL(m.executes, EPERM);
	CU_ASSERT_EQUAL(m.connects, EPERM);
	CU_ASSERT_EQUAL(m.maps_code, EPERM);
#endif
	CU_ASSERT_NOT_EQUAL(m.traces, 0);
	close(fds[0]);
	close(pipes[0]);
	close(pipes[1]);
}

static int dies(void *ctx, void *result, struct error *e)
{
	struct rlimit none = {0, 0};

	(void)result;
	(void)e;
	setrlimit(RLIMIT_CORE, &none);
	signal(*(int *)ctx, SIG_DFL);
	raise(*(int *)ctx);
	return 0;
}

static void says_when_it_dies(void)
{
	static const struct {
		int signal_number;
		enum exit_status status;
		const char *text;
	} ways[] = {
		{SIGSEGV, EXIT_FAILED, "a bug in gscope"},
		{SIGKILL, EXIT_FAILED, "too little memory"},
		{SIGINT, EXIT_INTERRUPTED, "interrupted"},
		{SIGTERM, EXIT_INTERRUPTED, "interrupted"},
	};

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		struct error e = {0};
		int n = ways[i].signal_number;

		CU_ASSERT(confine_run(dies, &n, NULL, 0, &e) < 0);
		CU_ASSERT_EQUAL(e.status, ways[i].status);
		CU_ASSERT_PTR_NOT_NULL(strstr(e.text, ways[i].text));
	}
}

static int leaves(void *ctx, void *result, struct error *e)
{
	(void)ctx;
	(void)result;
	(void)e;
	_exit(0);
}

static void does_not_take_an_early_exit_for_success(void)
{
	struct error e;

	CU_ASSERT(confine_run(leaves, NULL, NULL, 0, &e) < 0);
}

static CU_TestInfo tests[] = {
	{"passes result and error on", passes_result_and_error_on},
	{"can do nothing but read and write", can_do_nothing_but_read_and_write},
	{"says when it dies", says_when_it_dies},
	{"does not take an early exit for success", does_not_take_an_early_exit_for_success},
	CU_TEST_INFO_NULL,
};

UNIT_SUITE("base/confine", tests);
