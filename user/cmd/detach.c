/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* gscope detach: take away what a gscope that was killed has left in a process. */
#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/files.h"
#include "user/base/privilege.h"
#include "user/capture/breakpoints.h"
#include "user/cmd/cmd.h"
#include "user/inline/engine.h"
#include "user/target/process.h"

#define WHAT_LEN 192
#define FILES 32 /* that are open at once, and some more */

static const struct argp_option options[] = {{"pid", 'p', "PID", 0, "the process", 0}, {0}};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	pid_t *pid = state->input;
	char *end;
	long n;

	switch (key) {
	case 'p':
		errno = 0;
		n = strtol(arg, &end, 10);
		if (errno || *end || end == arg || n <= 0 || n > INT32_MAX)
			argp_error(state, "'%s' is not a process id; give a number, -p 1234", arg);
		*pid = (pid_t)n;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected argument '%s'; the process is given by -p PID", arg);
		return EINVAL;
	case ARGP_KEY_END:
		if (!*pid)
			argp_error(state, "which process? give its id: -p PID");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.doc = "Put back what a gscope that was killed has left in a process: calls it had redirected, "
	       "memory, and breakpoints.\vA gscope that ends in any other way does so itself.",
};

/* Ctrl-C ends it at any moment, and leaves a process that goes on. */
static void say(void *ctx, const char *what)
{
	char *last = ctx;

	if (!strncmp(last, what, WHAT_LEN - 1))
		return;
	snprintf(last, WHAT_LEN, "%s", what);
	cmd_warn("waiting for it to stop: %s", what);
}

/* Signal handlers can reach nothing else. */
static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

/* One that ended this process while it removes a breakpoint would leave that one behind. */
static void catch_signals(void)
{
	struct sigaction sa = {.sa_handler = on_signal};

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* What was done, and what was not: an exit status. */
static int report(pid_t pid, bool calls, const struct breakpoints_left *left)
{
	if (left->removed)
		printf("removed %zu breakpoint%s from process %d that a tracer had left behind\n",
		       left->removed, left->removed > 1 ? "s" : "", (int)pid);
	if (left->in_use)
		printf("%zu breakpoint%s in process %d %s of a tracer that is at work: left alone\n",
		       left->in_use, left->in_use > 1 ? "s" : "", (int)pid,
		       left->in_use > 1 ? "are" : "is");
	if (left->refused || left->partly) {
		cmd_warn("process %d: %s; run `gscope detach -p %d` again", (int)pid,
			 left->refused ? "the kernel does not remove all breakpoints" :
					 "there may be more breakpoints than could be looked at",
			 (int)pid);
		return stop ? EXIT_INTERRUPTED : EXIT_FAILED;
	}
	if ((calls || left->removed) && !left->in_use)
		printf("process %d is as it was before it was traced\n", (int)pid);
	else if (!calls && !left->removed)
		printf("there is nothing of gscope's in process %d\n", (int)pid);
	return EXIT_DONE;
}

int cmd_detach(int argc, char **argv)
{
	char last[WHAT_LEN] = "";
	const struct remote_wait wait = {
		.limit_ns = REMOTE_FOR_EVER, .cancel_fd = -1, .say = say, .ctx = last};
	struct breakpoints_left left = {0};
	struct target_process *p;
	struct error e;
	pid_t pid = 0;
	int calls, err;

	argp_parse(&argp, argc, argv, 0, NULL, &pid);
	if (privilege_keep(PRIVILEGE_ATTACH, &e) || files_check(FILES, &e) ||
	    target_process_open(pid, &p, &e))
		return cmd_fail(&e);
	calls = inline_clean(p, &wait, &e);
	catch_signals();
	err = calls < 0 ? calls : 0;
	/* breakpoints are no matter of memory that stays */
	if (!err && e.text[0])
		err = cmd_fail(&e);
	if (calls >= 0 && breakpoints_remove(p, &stop, &left, &e))
		err = -1;
	target_process_close(p);
	if (err < 0)
		return cmd_fail(&e);
	return err ? err : report(pid, calls, &left);
}
