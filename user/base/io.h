/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* read(2) and write(2) that do all of it, whatever the file descriptor is. */
#ifndef GSCOPE_BASE_IO_H
#define GSCOPE_BASE_IO_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Write n bytes; interrupted and short writes go on, a non-blocking fd is waited for. Returns 0 or
 * a negative errno; *done (may be NULL) is the number of bytes written in either case.
 */
int io_write(int fd, const void *data, size_t n, size_t *done);

/* What ends the waiting for a reader that does not read. */
struct io_patience {
	const volatile sig_atomic_t *stop; /* not 0: the user has had enough; may be NULL */
	uint64_t until_ns; /* CLOCK_MONOTONIC; after that it takes longer */
};

/*
 * io_write() into a pipe, which waits for its reader: -ETIMEDOUT once that is to end and the reader has taken
 * nothing for a while. Never hangs in a call that a signal to another thread would not end.
 */
int io_write_pipe(int fd, const void *data, size_t n, const struct io_patience *p, size_t *done);

/* Read n bytes; *done < n with a return of 0 is the end of the file. */
int io_read(int fd, void *data, size_t n, size_t *done);

/* What a write error means to the user: "the disk is full", or strerror(). err: negative errno. */
const char *io_write_reason(int err);

#endif
