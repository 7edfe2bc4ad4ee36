/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Output files of a program that mostly runs as root: made with mode 0600 for the user behind sudo,
 * never through a symbolic link, never into a file that somebody else has open or linked.
 */
#ifndef GSCOPE_BASE_OUTFILE_H
#define GSCOPE_BASE_OUTFILE_H

#include <stdbool.h>

#include "user/base/error.h"

enum outfile_mode {
	OUTFILE_WHOLE, /* appears at outfile_commit(), whole; an old file stays until then */
	OUTFILE_GROWS, /* is there, empty, from the start: what is written survives a crash. An old
			  file is kept aside, and put back if nothing is written. */
};

struct outfile;

/*
 * "-" is standard output. A character device or a FIFO is opened as it is; anything else that is
 * not a regular file is refused. The directory must exist.
 * -ENOENT, -EACCES, -EISDIR, -ELOOP (a symbolic link), ... with a message.
 */
int outfile_create(struct outfile **out, const char *path, enum outfile_mode mode, struct error *e);

/* For writing, until commit or discard. */
int outfile_fd(const struct outfile *o);

/* For messages: the path, or "standard output". */
const char *outfile_name(const struct outfile *o);

/* Message for a failed write; returns err, a negative errno. */
int outfile_write_error(const struct outfile *o, int err, struct error *e);

/*
 * Close, put the file in its place, free. On an error nothing new is at the path in OUTFILE_WHOLE
 * mode. o may be NULL.
 */
int outfile_commit(struct outfile *o, struct error *e);

/*
 * Close and free; no trace is left of a file that is not in its place yet, or has nothing in it.
 * o may be NULL.
 */
void outfile_discard(struct outfile *o);

#endif
