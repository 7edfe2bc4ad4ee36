/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* gscope report: the latency report of a capture file. */
#include "user/report/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "user/cmd/cmd.h"
#include "user/cmd/replay_file.h"
#include "user/cmd/report_args.h"

static const struct argp_option options[] = {
	{"sort", 's', "KEY", 0,
	 "order of rows: wait (default: blocked or runnable), total, running, offcpu, runnable, "
	 "syscall, blocked, delay, count",
	 0},
	{"top", 'n', "N", 0, "rows of each table (default 20); 0: all", 0},
	{0},
};

static error_t parse_report(int key, char *arg, struct argp_state *state)
{
	struct report_options *o = state->input;
	struct error e;
	char *end;
	long n;

	switch (key) {
	case 's':
		if (report_sort_parse(arg, &o->sort, &e))
			argp_error(state, "%s", e.text);
		return 0;
	case 'n':
		errno = 0;
		n = strtol(arg, &end, 10);
		if (errno || *end || end == arg || n < 0 || n > 1000000)
			argp_error(state, "'%s' is not a number of rows, 0 to 1000000", arg);
		o->top = (unsigned int)n;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

const struct argp report_argp = {.options = options, .parser = parse_report};

struct file_options {
	struct report_options report;
	const char *path;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct file_options *o = state->input;

	(void)arg;
	if (key != ARGP_KEY_INIT)
		return ARGP_ERR_UNKNOWN;
	state->child_inputs[0] = &o->report;
	state->child_inputs[1] = &o->path;
	return 0;
}

static const struct argp_child children[] = {{.argp = &report_argp},
					     {.argp = &replay_file_argp},
					     {0}};

static const struct argp argp = {
	.parser = parse,
	.doc = "Print what the goroutines of a capture did, how long they waited, and for what.",
	.children = children,
};

static int print(void *ctx, struct capture_reader *reader, struct error *e)
{
	struct file_options *o = ctx;
	struct replay *replay = NULL;
	struct report *report = NULL;
	int err, err2;

	err = replay_new(&replay, e);
	if (!err) {
		o->report.system_wide = capture_reader_info(reader)->features & CAPTURE_SYSTEM_WIDE;
		err = report_new(&report, &o->report, replay_symbols(replay), e);
	}
	if (!err) {
		replay_add_sink(replay, report_sink(report));
		err = replay_file(reader, o->path, replay, NULL, NULL, e);
		report_set_damage(report, capture_reader_damage(reader));
		err2 = report_print(report, stdout, err ? NULL : e);
		err = err ? err : err2;
	}
	report_free(report);
	replay_free(replay);
	return err;
}

int cmd_report(int argc, char **argv)
{
	struct file_options o = {.report = {.top = REPORT_TOP_DEFAULT}};
	struct error e;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	return replay_file_confined(o.path, PRIVILEGE_NONE, print, &o, &e) ? cmd_fail(&e) :
									     EXIT_DONE;
}
