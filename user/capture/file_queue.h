/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Chunks on their way to the file. A thread compresses and writes them, so that whoever drains the
 * rings need not; if there can be no thread, it is done where they are handed over. The queue is
 * short: when it is full the other side waits, and the rings take what comes meanwhile.
 */
#ifndef GSCOPE_CAPTURE_FILE_QUEUE_H
#define GSCOPE_CAPTURE_FILE_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "user/base/error.h"
#include "user/base/io.h"
#include "user/capture/file_format.h"

struct file_queue;

/* What is filled; records, sizes, times of the header are the caller's. */
struct file_chunk {
	struct chunk_header h;
	char *raw; /* CHUNK_RAW_TARGET bytes */
};

/*
 * For fd, which stays the caller's; `patience` with the reader of a pipe, NULL: without end. Returns 0 or
 * -ENOMEM.
 */
int file_queue_new(struct file_queue **out, int fd, const struct io_patience *patience,
		   struct error *e);

/*
 * Write some bytes at once, all of them or, where fd can be truncated, none; only before the first
 * chunk. Returns 0 or a negative errno with *e filled.
 */
int file_queue_write(struct file_queue *q, const void *data, size_t n, struct error *e);

/* The chunk to be filled: until the next push the same one. */
struct file_chunk *file_queue_chunk(struct file_queue *q);

/*
 * Hand over the chunk, which has at least one record; the next one is empty. Waits for room.
 * Nothing is written after an error; the first one is kept.
 */
void file_queue_push(struct file_queue *q);

/* Wait until all that was handed over is written, or will never be. */
void file_queue_settle(struct file_queue *q);

/* The nice value of the thread that writes, from the next chunk on. */
void file_queue_set_nice(struct file_queue *q, int nice);

/* The first error there was, with *e (may be NULL); 0: none up to now. Cheap. */
int file_queue_error(struct file_queue *q, struct error *e);

/* Bytes that reached fd. */
uint64_t file_queue_bytes(const struct file_queue *q);

/* Write what was handed over, free. q may be NULL. */
void file_queue_free(struct file_queue *q);

#endif
