/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* gscope detach: take away what a gscope that was killed has left in a process. */
#include <argp.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "user/base/privilege.h"
#include "user/cmd/cmd.h"
#include "user/inline/engine.h"
#include "user/target/process.h"

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
	       "and memory.\vA gscope that ends in any other way does so itself.",
};

int cmd_detach(int argc, char **argv)
{
	struct target_process *p;
	struct error e;
	pid_t pid = 0;
	int err;

	argp_parse(&argp, argc, argv, 0, NULL, &pid);
	if (privilege_keep(PRIVILEGE_ATTACH, &e) || target_process_open(pid, &p, &e))
		return cmd_fail(&e);
	err = inline_clean(p, &e);
	target_process_close(p);
	if (err < 0 || e.text[0])
		return cmd_fail(&e);
	printf(err ? "process %d is as it was before it was traced\n" :
		     "there is nothing of gscope's in process %d\n",
	       (int)pid);
	return EXIT_DONE;
}
