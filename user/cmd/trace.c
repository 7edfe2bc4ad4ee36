/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* gscope trace: attach to a process, trace it, write a Go trace, print the report. */
#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "user/base/outfile.h"
#include "user/base/privilege.h"
#include "user/cmd/cmd.h"
#include "user/cmd/go_version.h"
#include "user/cmd/live.h"
#include "user/cmd/replay_file.h"
#include "user/cmd/report_args.h"
#include "user/export/export.h"
#include "user/report/report.h"

struct trace_options {
	struct live_options live;
	struct report_options report;
	unsigned int go_minor;
	const char *output;
	struct outfile *out; /* NULL: the report alone */
};

static const struct argp_option options[] = {
	{"output", 'o', "FILE", 0, "the Go trace (default trace.out); - is standard output", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct trace_options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->live;
		state->child_inputs[1] = &o->report;
		state->child_inputs[2] = &o->go_minor;
		return 0;
	case 'o':
		o->output = arg;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected argument '%s'; the process is given by -p PID", arg);
		return EINVAL;
	case ARGP_KEY_END:
		if (o->live.kernel && o->output)
			argp_error(
				state,
				"a Go trace needs every transition of goroutines, and level kernel "
				"sees none: leave out -o, or keep what it sees by gscope record "
				"--level kernel -o FILE");
		if (!o->live.kernel && !o->output)
			o->output = "trace.out";
		if (o->live.npids != 1)
			argp_error(state, "%s",
				   o->live.npids ? "trace takes one -p PID; record takes several" :
						   "which process? give its id: -p PID");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp_child children[] = {{.argp = &live_argp},
					     {.argp = &report_argp},
					     {.argp = &go_version_argp},
					     {0}};

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.doc = "Attach to a running Go process, trace it for a while, write a trace that `go tool "
	       "trace` opens, and print what its goroutines did and waited for."
	       "\vThe program is not stopped, restarted or changed. Needs root.",
	.children = children,
};

/* The Go trace on its way. */
struct go_trace {
	const struct exporter *x;
	void *ctx; /* NULL: none is written */
};

static int open_go_trace(struct go_trace *t, const struct trace_options *o,
			 const struct capture_info *info, struct replay *replay, struct error *e)
{
	struct export_options eo = {
		.tgid = (uint32_t)o->live.pids[0],
		.go_minor = o->go_minor,
		.mono_ns = info->mono_ns,
		.wall_ns = info->wall_ns,
	};
	int err = t->x->open(&t->ctx, outfile_fd(o->out), &eo, e);

	if (err)
		return err;
	t->x->symbols(t->ctx, replay_symbols(replay));
	replay_add_sink(replay, t->x->sink(t->ctx));
	return 0;
}

/* The capture is read back from memory: the same road as a file's. */
static int finish(void *ctx, struct capture_reader *reader, struct error *e)
{
	const struct trace_options *o = ctx;
	struct go_trace trace = {.x = exporter_find("go")};
	struct replay *replay = NULL;
	struct report *report = NULL;
	const char *untold;
	int err, err2;

	err = replay_new(&replay, e);
	if (!err)
		err = report_new(&report, &o->report, replay_symbols(replay), e);
	if (!err) {
		replay_add_sink(replay, report_sink(report));
		if (o->out)
			err = open_go_trace(&trace, o, capture_reader_info(reader), replay, e);
	}
	if (!err) {
		err = replay_file(reader, "capture", replay, NULL, NULL, e);
		report_set_damage(report, capture_reader_damage(reader));
		if (trace.ctx) {
			err2 = trace.x->finish(trace.ctx, err ? NULL : e);
			err = err ? err : err2;
			untold = err ? NULL : trace.x->untold(trace.ctx);
			if (untold)
				cmd_warn("%s", untold);
		}
		/* What was seen is worth telling even if the trace could not be written. */
		err2 = report_print(report, o->out && !strcmp(o->output, "-") ? stderr : stdout,
				    err ? NULL : e);
		err = err ? err : err2;
	}
	trace.x->free(trace.ctx);
	report_free(report);
	replay_free(replay);
	return err;
}

int cmd_trace(int argc, char **argv)
{
	struct trace_options o = {
		.live = {.duration_ns = 5000000000U,
			 .max_overhead = LIVE_MAX_OVERHEAD,
			 .goroutines = true},
		.report = {.top = REPORT_TOP_DEFAULT},
	};
	struct live_rest *rest = NULL;
	int status = EXIT_DONE;
	bool captured = false;
	struct error e;
	int fd, err;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	if (privilege_keep(PRIVILEGE_ATTACH, &e))
		return cmd_fail(&e);
	if (o.live.kernel)
		cmd_warn("level kernel: no Go trace will be written, as its format needs every "
			 "transition of goroutines; the report follows");
	/* What cannot be written is known before anything is attached. */
	else if (outfile_create(&o.out, o.output, &e))
		return cmd_fail(&e);
	fd = memfd_create("gscope-capture", MFD_CLOEXEC);
	if (fd < 0) {
		err = error_set(&e, EXIT_FAILED, -errno, "no memory for the capture: %s",
				strerror(errno));
	} else {
		err = live_capture(&o.live, fd, &status, &rest, &e);
		if (!err && lseek(fd, 0, SEEK_SET) < 0)
			err = error_set(&e, EXIT_FAILED, -errno, "cannot read the capture back");
		captured = !err;
		if (captured)
			err = replay_fd_confined(fd, "capture", finish, &o, &e);
		close(fd);
	}
	/* A trace that had to end early, -EPROTO of the exporter, is a valid one. */
	if (err && !(captured && err == -EPROTO))
		outfile_discard(o.out);
	else if (outfile_commit(o.out, err ? NULL : &e) && !err)
		err = -EIO;
	if (err)
		status = cmd_fail(&e);
	if (!err && o.output && strcmp(o.output, "-") != 0)
		printf("\nThe Go trace is in %s; open it with: go tool trace %s\n", o.output,
		       o.output);
	return live_finish(rest, status);
}
