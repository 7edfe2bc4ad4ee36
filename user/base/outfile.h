/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Output files of a program that mostly runs as root: made with mode 0600 for the user behind sudo,
 * never through a symbolic link, never into a file that somebody else has open or linked.
 */
#ifndef GSCOPE_BASE_OUTFILE_H
#define GSCOPE_BASE_OUTFILE_H

#include <stdbool.h>

#include "user/base/error.h"

struct outfile;

/*
 * A new file beside `path`, ".NAME.XXXXXXXX" with eight hexadecimal digits at random; what is at `path`
 * stays until outfile_show() or outfile_commit(). "-" is standard output. A character device or a FIFO,
 * once something reads from it, is opened as it is; anything else that is not a regular file is refused.
 * The directory must exist.
 * -ENOENT, -EACCES, -EISDIR, -ELOOP (a symbolic link), -ENXIO (nothing reads) ... with a message.
 */
int outfile_create(struct outfile **out, const char *path, struct error *e);

/* It holds something worth keeping: put it in its place. What is written from now on survives a crash. */
void outfile_show(struct outfile *o);

/* Whether what is written is at the path by now, or goes elsewhere anyway. */
bool outfile_shows(const struct outfile *o);

/* For writing, until commit or discard. */
int outfile_fd(const struct outfile *o);

/* For messages: the path, or "standard output". */
const char *outfile_name(const struct outfile *o);

/* Message for a failed write; returns err, a negative errno. */
int outfile_write_error(const struct outfile *o, int err, struct error *e);

/* Close, put the file in its place, free. On an error nothing new is at the path. o may be NULL. */
int outfile_commit(struct outfile *o, struct error *e);

/* Close and free; no trace is left of a file that is not in its place yet. o may be NULL. */
void outfile_discard(struct outfile *o);

#endif
