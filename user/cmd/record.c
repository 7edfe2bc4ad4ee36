/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* gscope record: capture only, to a file that report, export and dump read. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "user/base/outfile.h"
#include "user/base/privilege.h"
#include "user/cmd/cmd.h"
#include "user/cmd/live.h"

struct record_options {
	struct live_options live;
	const char *output;
};

static const struct argp_option options[] = {
	{"all", 'a', NULL, 0, "switches, wake-ups and syscalls of every task of the system", 0},
	{"output", 'o', "FILE", 0,
	 "the capture file (default capture.gscope); - is standard output", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct record_options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->live;
		return 0;
	case 'a':
		o->live.system_wide = true;
		return 0;
	case 'o':
		o->output = arg;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected argument '%s'; processes are given by -p PID", arg);
		return EINVAL;
	case ARGP_KEY_END:
		if (!o->live.npids && !o->live.system_wide)
			argp_error(state, "record what? give -p PID, or -a for the whole system");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp_child children[] = {{.argp = &live_argp}, {0}};

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.doc = "Record processes (-p, any number), the whole system (-a), or both, into a capture "
	       "file. Of Go processes it has goroutines, threads and system calls; of others the "
	       "latter two."
	       "\vNo program is stopped, restarted or changed. Needs root; reading the file later "
	       "does not.",
	.children = children,
};

static void show(void *out)
{
	outfile_show(out);
}

int cmd_record(int argc, char **argv)
{
	struct record_options o = {
		.live = {.duration_ns = 5000000000U, .max_overhead = LIVE_MAX_OVERHEAD},
		.output = "capture.gscope",
	};
	struct outfile *out = NULL;
	struct live_rest *rest = NULL;
	int status = EXIT_DONE;
	struct error e, e2;
	int err;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	if (!strcmp(o.output, "-") && isatty(STDOUT_FILENO)) {
		cmd_warn("a capture file is binary: redirect standard output, or give -o FILE");
		return EXIT_USAGE;
	}
	if (privilege_keep(PRIVILEGE_ATTACH, &e) || outfile_create(&out, o.output, &e))
		return cmd_fail(&e);
	o.live.begun = show;
	o.live.begun_ctx = out;
	err = live_capture(&o.live, outfile_fd(out), &status, &rest, &e);
	/* A capture that ended early, by a full disk say, is still worth having. */
	if (err && !outfile_shows(out))
		outfile_discard(out);
	else if (outfile_commit(out, err ? &e2 : &e) && !err)
		err = -EIO;
	if (err)
		status = cmd_fail(&e);
	if (!err && strcmp(o.output, "-") != 0)
		fprintf(stderr, "gscope: wrote %s; read it with: gscope report %s\n", o.output,
			o.output);
	return live_finish(rest, status);
}
