/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* gscope export: a capture file in the format of a viewer. */
#include "user/export/export.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/base/outfile.h"
#include "user/cmd/cmd.h"
#include "user/cmd/go_version.h"
#include "user/cmd/replay_file.h"

struct options {
	struct export_options export;
	const struct exporter *format;
	const char *path;
	const char *output;
	struct outfile *out;
};

static const struct argp_option options[] = {
	{"format", 'f', "FORMAT", 0, "go: for `go tool trace` and gotraceui", 0},
	{"output", 'o', "FILE", 0, "where to (default: the capture's name with another ending)", 0},
	{"pid", 'p', "PID", 0, "which process, if the capture has several", 0},
	{0},
};

static void parse_format(struct argp_state *state, struct options *o, const char *arg)
{
	char known[256] = "";

	o->format = exporter_find(arg);
	for (const struct exporter *x = exporters; x->name; x++) {
		strncat(known, x == exporters ? "" : ", ", sizeof(known) - strlen(known) - 1);
		strncat(known, x->name, sizeof(known) - strlen(known) - 1);
	}
	if (!o->format)
		argp_error(state, "there is no format '%s'; known: %s", arg, known);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	char *end;
	long pid;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->path;
		state->child_inputs[1] = &o->export.go_minor;
		return 0;
	case 'f':
		parse_format(state, o, arg);
		return 0;
	case 'o':
		o->output = arg;
		return 0;
	case 'p':
		errno = 0;
		pid = strtol(arg, &end, 10);
		if (errno || *end || pid <= 0 || pid > INT32_MAX)
			argp_error(state, "'%s' is not a process id", arg);
		o->export.tgid = (uint32_t)pid;
		return 0;
	case ARGP_KEY_END:
		if (!o->format)
			argp_error(state, "in which format? give -f go");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp_child children[] = {{.argp = &replay_file_argp},
					     {.argp = &go_version_argp},
					     {0}};

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.children = children,
	.doc = "Write a capture file in the format of a viewer.",
};

/* capture.gscope -> capture.trace; free() it */
static char *default_output(const char *path, const char *suffix)
{
	const char *dot = strrchr(path, '.');
	size_t len = dot && !strchr(dot, '/') && dot != path ? (size_t)(dot - path) : strlen(path);
	char *out = NULL;

	if (!strcmp(path, "-"))
		return strdup("-");
	if (asprintf(&out, "%.*s%s", (int)len, path, suffix) < 0)
		return NULL;
	return out;
}

static int export(void *arg, struct capture_reader *reader, struct error *e)
{
	struct options *o = arg;
	const struct exporter *x = o->format;
	struct replay *replay = NULL;
	const char *untold;
	void *ctx = NULL;
	int err, err2;

	o->export.mono_ns = capture_reader_info(reader)->mono_ns;
	o->export.wall_ns = capture_reader_info(reader)->wall_ns;
	err = replay_new(&replay, e);
	if (!err)
		err = x->open(&ctx, outfile_fd(o->out), &o->export, e);
	if (!err) {
		x->symbols(ctx, replay_symbols(replay));
		replay_add_sink(replay, x->sink(ctx));
		err = replay_file(reader, o->path, replay, NULL, NULL, e);
		err2 = x->finish(ctx, err ? NULL : e);
		err = err ? err : err2;
		untold = err ? NULL : x->untold(ctx);
		if (untold)
			cmd_warn("%s", untold);
	}
	x->free(ctx);
	replay_free(replay);
	return err;
}

int cmd_export(int argc, char **argv)
{
	struct options o = {0};
	char *output;
	struct error e;
	int err;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	output = o.output ? strdup(o.output) : default_output(o.path, o.format->suffix);
	if (!output) {
		cmd_warn("out of memory");
		return EXIT_FAILED;
	}
	if (!strcmp(output, "-") && isatty(STDOUT_FILENO)) {
		cmd_warn("a trace is binary: redirect standard output, or give -o FILE");
		free(output);
		return EXIT_USAGE;
	}
	err = outfile_create(&o.out, output, &e);
	if (!err)
		err = replay_file_confined(o.path, PRIVILEGE_OUTPUT, export, &o, &e);
	/* A trace that had to end early, -EPROTO, is a valid one. */
	if (err && err != -EPROTO)
		outfile_discard(o.out);
	else if (outfile_commit(o.out, err ? NULL : &e) && !err)
		err = -EIO;
	if (!err && strcmp(output, "-") != 0)
		fprintf(stderr, "gscope: wrote %s\n", output);
	free(output);
	return err ? cmd_fail(&e) : EXIT_DONE;
}
