/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "user/cmd/replay_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "user/base/confine.h"
#include "user/cmd/cmd.h"

static error_t parse(int key, char *arg, struct argp_state *state)
{
	const char **path = state->input;

	switch (key) {
	case ARGP_KEY_ARG:
		if (*path)
			argp_error(state, "one capture file at a time");
		*path = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which capture file? gscope record writes one");
		return EINVAL;
	}
	return ARGP_ERR_UNKNOWN;
}

const struct argp replay_file_argp = {.parser = parse, .args_doc = "FILE"};

/* What the child is to do. */
struct reading {
	int fd;
	const char *name;
	int (*work)(void *ctx, struct capture_reader *reader, struct error *e);
	void *ctx;
};

static int read_capture(void *ctx, void *result, struct error *e)
{
	const struct reading *r = ctx;
	struct capture_reader *reader = NULL;
	struct error why;
	int err = capture_reader_open(&reader, r->fd, &why);

	(void)result;
	if (err)
		return error_set(e, why.status, err, "%s: %s", r->name, why.text);
	err = r->work(r->ctx, reader, e);
	capture_reader_close(reader);
	return err;
}

int replay_fd_confined(int fd, const char *name,
		       int (*work)(void *ctx, struct capture_reader *reader, struct error *e),
		       void *ctx, struct error *e)
{
	struct reading r = {fd, name, work, ctx};

	return confine_run(read_capture, &r, NULL, 0, e);
}

int replay_file_confined(const char *path, enum privilege_stage rest,
			 int (*work)(void *ctx, struct capture_reader *reader, struct error *e),
			 void *ctx, struct error *e)
{
	bool standard = !strcmp(path, "-");
	int fd = standard ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC), err;

	if (fd < 0)
		return error_set(e, EXIT_FAILED, -errno, "cannot open the capture file %s: %s",
				 path, strerror(errno));
	err = privilege_keep(rest, e);
	if (!err)
		err = replay_fd_confined(fd, standard ? "standard input" : path, work, ctx, e);
	close(fd);
	return err;
}

int replay_file(struct capture_reader *reader, const char *name, struct replay *replay,
		int (*raw)(void *ctx, const struct event_head *ev, struct error *e), void *raw_ctx,
		struct error *e)
{
	const struct event_head *ev;
	int err, err2;

	while ((err = capture_reader_next(reader, &ev, e)) > 0) {
		err = raw ? raw(raw_ctx, ev, e) : 0;
		if (!err)
			err = replay_event(replay, ev, e);
		if (err)
			break;
	}
	if (capture_reader_damage(reader))
		cmd_warn("%s: %s", name, capture_reader_damage(reader));
	err2 = replay_finish(replay, err ? NULL : e);
	return err ? err : err2;
}
