/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* read(2) and write(2) that do all of it, whatever the file descriptor is. */
#ifndef GSCOPE_BASE_IO_H
#define GSCOPE_BASE_IO_H

#include <stddef.h>

/*
 * Write n bytes; interrupted and short writes go on, a non-blocking fd is waited for. Returns 0 or
 * a negative errno; *done (may be NULL) is the number of bytes written in either case.
 */
int io_write(int fd, const void *data, size_t n, size_t *done);

/* Read n bytes; *done < n with a return of 0 is the end of the file. */
int io_read(int fd, void *data, size_t n, size_t *done);

/* What a write error means to the user: "the disk is full", or strerror(). err: negative errno. */
const char *io_write_reason(int err);

#endif
