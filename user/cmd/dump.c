/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* gscope dump: events and transitions of a capture file as text. */
#include "user/export/dump.h"

#include <argp.h>
#include <stdio.h>

#include "user/cmd/cmd.h"
#include "user/cmd/replay_file.h"

struct options {
	struct dump_options dump;
	const char *path;
};

static const struct argp_option options[] = {
	{"events", 'e', NULL, 0, "only what was recorded", 0},
	{"transitions", 't', NULL, 0, "only what it means", 0},
	{"verbose", 'v', NULL, 0, "also addresses, whole stacks and processes", 0},
	{0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	(void)arg;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->path;
		return 0;
	case 'e':
		o->dump.events = true;
		return 0;
	case 't':
		o->dump.transitions = true;
		return 0;
	case 'v':
		o->dump.verbose = true;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp_child children[] = {{.argp = &replay_file_argp}, {0}};

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.children = children,
	.doc = "Print the records of a capture file and the transitions they amount to, a line "
	       "each, with times since the beginning.",
};

static int raw(void *ctx, const struct event_head *ev, struct error *e)
{
	return dump_event(ctx, ev, e);
}

static int print(void *ctx, struct capture_reader *reader, struct error *e)
{
	const struct options *o = ctx;
	struct replay *replay = NULL;
	struct dump *dump = NULL;
	int err, err2;

	err = replay_new(&replay, e);
	if (!err)
		err = dump_new(&dump, stdout, &o->dump, e);
	if (!err) {
		dump_set_symbols(dump, replay_symbols(replay));
		replay_add_sink(replay, dump_sink(dump));
		err = replay_file(reader, o->path, replay, raw, dump, e);
		err2 = dump_finish(dump, err ? NULL : e);
		err = err ? err : err2;
	}
	dump_free(dump);
	replay_free(replay);
	return err;
}

int cmd_dump(int argc, char **argv)
{
	struct options o = {0};
	struct error e;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	return replay_file_confined(o.path, PRIVILEGE_NONE, print, &o, &e) ? cmd_fail(&e) :
									     EXIT_DONE;
}
