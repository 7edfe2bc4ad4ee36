/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef GSCOPE_CMD_REPLAY_FILE_H
#define GSCOPE_CMD_REPLAY_FILE_H

#include <argp.h>

#include "user/capture/file.h"
#include "user/replay/replay.h"

/* The argument FILE, to be a child of a command's options; input: const char **. */
extern const struct argp replay_file_argp;

/*
 * Open a capture file for reading; "-" is standard input. Returns the fd, to be closed after the
 * reader, or a negative errno.
 */
int replay_file_open(const char *path, struct capture_reader **reader, struct error *e);

/*
 * Send all records of `reader` through `replay`, each of them to `raw` (may be NULL) first, and
 * finish the replay. What is damaged is named on standard error, under `name`; what was read up
 * to there counts.
 */
int replay_file(struct capture_reader *reader, const char *name, struct replay *replay,
		int (*raw)(void *ctx, const struct event_head *ev, struct error *e), void *raw_ctx,
		struct error *e);

#endif
