/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The capture file: a header, then self-delimiting, compressed, checksummed chunks of records
 * (bpf/event.h) in time order. docs/capture-format.md specifies it. A file cut anywhere reads back
 * to its last whole chunk.
 */
#ifndef GSCOPE_CAPTURE_FILE_H
#define GSCOPE_CAPTURE_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/event.h"
#include "user/base/error.h"
#include "user/base/io.h"

#define CAPTURE_SYSTEM_WIDE (1ULL << 0) /* tasks of all processes were recorded */

/* What the header says about the whole capture. */
struct capture_info {
	uint64_t features; /* CAPTURE_* */
	uint64_t mono_ns; /* CLOCK_MONOTONIC ... */
	uint64_t wall_ns; /* ... and CLOCK_REALTIME at the same moment */
	uint32_t cpus; /* possible CPUs */
	uint32_t pad;
	char host[64];
	char kernel[128]; /* uname release and version */
	char gscope[32]; /* version that wrote it */
};

struct capture_writer;

/*
 * Start a capture on fd, which stays the caller's and need not be seekable. *info is copied. If fd is a pipe
 * whose reader does not read, *patience says how long that is waited for; NULL: without end.
 * Returns 0 or a negative errno with *e filled.
 */
int capture_writer_open(struct capture_writer **out, int fd, const struct capture_info *info,
			const struct io_patience *patience, struct error *e);

/*
 * Append one record; records come in time order. Data reach fd a chunk at a time, soon after its
 * last record: a thread of the writer's own compresses and writes, and is waited for only when it
 * is 8 MiB behind. After the first error (-ENOSPC: disk full) nothing more is written and every
 * call from the one on that learns of it returns that error; what is on disk ends with a whole
 * chunk wherever fd can be truncated.
 */
int capture_writer_add(struct capture_writer *w, const struct event_head *ev, struct error *e);

/* Write the pending chunk now; returns when all is written. */
int capture_writer_flush(struct capture_writer *w, struct error *e);

/* The nice value of that thread: it starts with that of the one that opens the file. */
void capture_writer_set_nice(struct capture_writer *w, int nice);

/* Bytes that reached fd up to now. */
uint64_t capture_writer_bytes(const struct capture_writer *w);

/* Flush and free. Returns the first error there was; w may be NULL. */
int capture_writer_close(struct capture_writer *w, struct error *e);

struct capture_reader;

/* Read from fd (the caller's; a pipe will do). -EINVAL with a message for what is no capture. */
int capture_reader_open(struct capture_reader **out, int fd, struct error *e);

const struct capture_info *capture_reader_info(const struct capture_reader *r);

/*
 * Next record: 1 and *ev, valid until the next call and checked to be of the size its type asks
 * for; 0 at the end; a negative errno with *e for read errors. A damaged or cut file ends early
 * with 0; capture_reader_damage() then says what and where, and is NULL for a whole file.
 */
int capture_reader_next(struct capture_reader *r, const struct event_head **ev, struct error *e);
const char *capture_reader_damage(const struct capture_reader *r);
void capture_reader_close(struct capture_reader *r);

/* Whether *ev, of ev->size readable bytes, has the size and shape its type asks for. */
bool event_valid(const struct event_head *ev);

/* Name of a record type ("switch", "go", ...) or NULL. */
const char *event_type_name(unsigned int type);

#endif
