/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "user/cmd/go_version.h"

#include <stdlib.h>

#include "user/export/gotrace.h"

#define KEY_GO_VERSION 0x100

static const struct argp_option options[] = {
	{"go-version", KEY_GO_VERSION, "1.NN", 0,
	 "write the Go trace for the tools of this release and later: 1.22 ... 1.27 (default: of the "
	 "release the process was built with)",
	 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	unsigned int *minor = state->input, n = 0;

	if (key != KEY_GO_VERSION)
		return ARGP_ERR_UNKNOWN;
	/* two digits: 1.22, nothing before or behind */
	if (arg[0] == '1' && arg[1] == '.' && arg[2] >= '1' && arg[2] <= '9' && arg[3] >= '0' &&
	    arg[3] <= '9' && !arg[4])
		n = (unsigned int)atoi(arg + 2);
	if (n < GOTRACE_MINOR_MIN || n > GOTRACE_MINOR_MAX)
		argp_error(
			state,
			"'%s' is no release of Go whose traces can be written; give 1.%u to 1.%u",
			arg, GOTRACE_MINOR_MIN, GOTRACE_MINOR_MAX);
	*minor = n;
	return 0;
}

const struct argp go_version_argp = {.options = options, .parser = parse};
