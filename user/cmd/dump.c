/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* gscope dump: events and transitions of a capture file as text. */
#include "user/export/dump.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "user/cmd/cmd.h"
#include "user/cmd/replay_file.h"

struct options {
	bool events;
	bool transitions;
	const char *path;
};

static const struct argp_option options[] = {
	{"events", 'e', NULL, 0, "only what was recorded", 0},
	{"transitions", 't', NULL, 0, "only what it means", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case 'e':
		o->events = true;
		return 0;
	case 't':
		o->transitions = true;
		return 0;
	case ARGP_KEY_ARG:
		if (o->path)
			argp_error(state, "one capture file at a time");
		o->path = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which capture file? gscope record writes one");
		return EINVAL;
	case ARGP_KEY_END:
		/* Neither asked for means both. */
		if (!o->events && !o->transitions)
			o->events = o->transitions = true;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "FILE",
	.doc = "Print the records of a capture file and the transitions they amount to, a line "
	       "each, with times since the beginning.",
};

static int raw(void *ctx, const struct event_head *ev)
{
	return dump_event(ctx, ev);
}

int cmd_dump(int argc, char **argv)
{
	struct options o = {0};
	struct capture_reader *reader = NULL;
	struct replay *replay = NULL;
	struct dump *dump = NULL;
	struct error e;
	int fd, err;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	fd = replay_file_open(o.path, &e);
	if (fd < 0)
		return cmd_fail(&e);
	err = capture_reader_open(&reader, fd, &e);
	if (!err)
		err = replay_new(&replay, &e);
	if (!err)
		err = dump_new(&dump, stdout, replay_symbols(replay), &e);
	if (!err) {
		if (o.transitions)
			replay_add_sink(replay, dump_sink(dump));
		err = replay_file(reader, o.path, replay, o.events ? raw : NULL, dump, &e);
	}
	dump_free(dump);
	replay_free(replay);
	capture_reader_close(reader);
	close(fd);
	return err ? cmd_fail(&e) : EXIT_DONE;
}
