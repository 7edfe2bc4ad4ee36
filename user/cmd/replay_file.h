/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef GSCOPE_CMD_REPLAY_FILE_H
#define GSCOPE_CMD_REPLAY_FILE_H

#include <argp.h>

#include "user/base/privilege.h"
#include "user/capture/file.h"
#include "user/replay/replay.h"

/* The argument FILE, to be a child of a command's options; input: const char **. */
extern const struct argp replay_file_argp;

/*
 * Open a capture file, "-" is standard input, and have `work` read it in a process that has no privileges and
 * can do nothing but read and write what is open (user/base/confine.h). What `work` changes in memory
 * is lost. Once the file is open this process keeps the privileges of `rest` alone. 0, or a negative
 * errno.
 */
int replay_file_confined(const char *path, enum privilege_stage rest,
			 int (*work)(void *ctx, struct capture_reader *reader, struct error *e),
			 void *ctx, struct error *e);

/* The same with a file that is open and at its beginning, `name` for messages. */
int replay_fd_confined(int fd, const char *name,
		       int (*work)(void *ctx, struct capture_reader *reader, struct error *e),
		       void *ctx, struct error *e);

/*
 * Send all records of `reader` through `replay`, each of them to `raw` (may be NULL) first, and
 * finish the replay. What is damaged is named on standard error, under `name`; what was read up
 * to there counts.
 */
int replay_file(struct capture_reader *reader, const char *name, struct replay *replay,
		int (*raw)(void *ctx, const struct event_head *ev, struct error *e), void *raw_ctx,
		struct error *e);

#endif
