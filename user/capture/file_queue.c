// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/file_queue.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "user/base/io.h"
#include "user/base/privilege.h"

/*
 * Real records shrink to a seventh; levels 2 and 3 are slower and do no better, negative ones no
 * faster.
 */
#define ZSTD_LEVEL 1

/* With the one that is filled: 8 MiB, what ten million records a second are in 10 ms. */
#define CHUNKS 32

struct file_queue {
	int fd;
	bool regular; /* fd can be truncated */
	bool pipe; /* fd has a reader, who may be slow */
	struct io_patience patience; /* with that one */
	bool threaded;
	pthread_t thread;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t work, progress;
	uint64_t pushed, done; /* chunks; v[pushed % CHUNKS] is the one that is filled */
	bool stop;
	struct error why; /* of err */
	/*
	 * Buffers nobody uses, in turn: what was compressed just now is in the cache of another CPU, from
	 * which to take it for writing costs more than to fetch what nobody has.
	 */
	char *spare[CHUNKS];
	size_t spares;
	/* written by whoever compresses, read by both */
	atomic_int err;
	atomic_int nice; /* wanted of the thread */
	_Atomic uint64_t bytes;
	/* only of whoever compresses */
	ZSTD_CCtx *zstd;
	char *packed; /* a chunk_header, then the compressed payload */
	size_t packed_room; /* for the payload */
	struct file_chunk v[CHUNKS];
};

static void failed(struct file_queue *q, int err)
{
	pthread_mutex_lock(&q->lock);
	error_set(&q->why, EXIT_FAILED, err, "cannot write the capture: %s", io_write_reason(err));
	q->err = err;
	pthread_mutex_unlock(&q->lock);
}

/* All of it or, where fd can be truncated, nothing. */
static void write_whole(struct file_queue *q, const void *data, size_t n)
{
	size_t done;
	int err = q->pipe ? io_write_pipe(q->fd, data, n, &q->patience, &done) :
			    io_write(q->fd, data, n, &done);
	off_t end;

	if (err && done && q->regular) {
		end = lseek(q->fd, 0, SEEK_CUR) - (off_t)done;
		if (end >= 0 && !ftruncate(q->fd, end) && lseek(q->fd, end, SEEK_SET) == end)
			done = 0;
	}
	q->bytes += done;
	if (err)
		failed(q, err);
}

static void pack(struct file_queue *q, struct file_chunk *c)
{
	struct chunk_header *h = &c->h;
	size_t n;

	if (q->err)
		return;
	n = ZSTD_compress2(q->zstd, q->packed + sizeof(*h), q->packed_room, c->raw, h->raw_size);
	/* the room is what zstd itself asks for, so only memory can be missing */
	if (ZSTD_isError(n)) {
		failed(q, -ENOMEM);
		return;
	}
	memcpy(h->magic, CHUNK_MAGIC, sizeof(h->magic));
	memcpy(h->kind, CHUNK_EVENTS, sizeof(h->kind));
	h->packed_size = (uint32_t)n;
	h->packed_crc = file_crc(0, q->packed + sizeof(*h), n);
	h->crc = file_crc(0, h, offsetof(struct chunk_header, crc));
	memcpy(q->packed, h, sizeof(*h));
	write_whole(q, q->packed, sizeof(*h) + n);
}

/* Goes on after an error, too: nobody may wait for it in vain. */
static void *work(void *arg)
{
	struct file_queue *q = arg;
	int nice = q->nice, err;
	struct error e;

	pthread_setname_np(pthread_self(), "gscope-write");
	err = privilege_keep(PRIVILEGE_WRITE, &e);
	if (err)
		failed(q, err);
	pthread_mutex_lock(&q->lock);
	for (;;) {
		while (q->done == q->pushed && !q->stop)
			pthread_cond_wait(&q->work, &q->lock);
		if (q->done == q->pushed)
			break;
		pthread_mutex_unlock(&q->lock);
		if (nice != q->nice) {
			nice = q->nice;
			setpriority(PRIO_PROCESS, 0, nice);
		}
		pack(q, &q->v[q->done % CHUNKS]);
		pthread_mutex_lock(&q->lock);
		q->spare[q->spares++] = q->v[q->done % CHUNKS].raw;
		q->done++;
		pthread_cond_signal(&q->progress);
	}
	pthread_mutex_unlock(&q->lock);
	return NULL;
}

void file_queue_set_nice(struct file_queue *q, int nice)
{
	q->nice = nice;
}

/* Signals are for the thread that can be interrupted by them; a write fails without SIGXFSZ. */
static void start_thread(struct file_queue *q)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	q->threaded = !pthread_create(&q->thread, NULL, work, q);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

int file_queue_new(struct file_queue **out, int fd, const struct io_patience *patience,
		   struct error *e)
{
	struct file_queue *q = calloc(1, sizeof(*q));
	bool ok = q != NULL;
	struct stat st;

	if (ok) {
		q->fd = fd;
		q->nice = getpriority(PRIO_PROCESS, 0);
		if (!fstat(fd, &st)) {
			q->regular = S_ISREG(st.st_mode);
			q->pipe = S_ISFIFO(st.st_mode);
		}
		q->patience = patience ? *patience : (struct io_patience){NULL, UINT64_MAX};
		pthread_mutex_init(&q->lock, NULL);
		pthread_cond_init(&q->work, NULL);
		pthread_cond_init(&q->progress, NULL);
		q->packed_room = ZSTD_compressBound(CHUNK_RAW_TARGET);
		q->packed = malloc(sizeof(struct chunk_header) + q->packed_room);
		q->zstd = ZSTD_createCCtx();
		ok = q->packed && q->zstd &&
		     !ZSTD_isError(
			     ZSTD_CCtx_setParameter(q->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL));
	}
	for (; ok && q->spares < CHUNKS; q->spares += ok) {
		q->spare[q->spares] = malloc(CHUNK_RAW_TARGET);
		ok = q->spare[q->spares] != NULL;
	}
	if (!ok) {
		file_queue_free(q);
		return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	}
	q->v[0].raw = q->spare[--q->spares];
	start_thread(q);
	*out = q;
	return 0;
}

int file_queue_write(struct file_queue *q, const void *data, size_t n, struct error *e)
{
	write_whole(q, data, n);
	return file_queue_error(q, e);
}

struct file_chunk *file_queue_chunk(struct file_queue *q)
{
	return &q->v[q->pushed % CHUNKS];
}

void file_queue_push(struct file_queue *q)
{
	struct file_chunk *c = file_queue_chunk(q), *next;

	if (!q->threaded) {
		pack(q, c);
		c->h = (struct chunk_header){.number = c->h.number + 1};
		return;
	}
	pthread_mutex_lock(&q->lock);
	q->pushed++;
	pthread_cond_signal(&q->work);
	while (!q->spares)
		pthread_cond_wait(&q->progress, &q->lock);
	next = file_queue_chunk(q);
	next->raw = q->spare[0];
	q->spares--;
	memmove(q->spare, q->spare + 1, q->spares * sizeof(q->spare[0]));
	next->h = (struct chunk_header){.number = c->h.number + 1};
	pthread_mutex_unlock(&q->lock);
}

void file_queue_settle(struct file_queue *q)
{
	if (!q->threaded)
		return;
	pthread_mutex_lock(&q->lock);
	while (q->done < q->pushed)
		pthread_cond_wait(&q->progress, &q->lock);
	pthread_mutex_unlock(&q->lock);
}

int file_queue_error(struct file_queue *q, struct error *e)
{
	int err = q->err;

	if (!err)
		return 0;
	pthread_mutex_lock(&q->lock);
	if (e)
		*e = q->why;
	pthread_mutex_unlock(&q->lock);
	return err;
}

uint64_t file_queue_bytes(const struct file_queue *q)
{
	return q->bytes;
}

void file_queue_free(struct file_queue *q)
{
	if (!q)
		return;
	if (q->threaded) {
		pthread_mutex_lock(&q->lock);
		q->stop = true;
		pthread_cond_signal(&q->work);
		pthread_mutex_unlock(&q->lock);
		pthread_join(q->thread, NULL);
	}
	pthread_cond_destroy(&q->work);
	pthread_cond_destroy(&q->progress);
	pthread_mutex_destroy(&q->lock);
	free(file_queue_chunk(q)->raw);
	while (q->spares)
		free(q->spare[--q->spares]);
	ZSTD_freeCCtx(q->zstd);
	free(q->packed);
	free(q);
}
