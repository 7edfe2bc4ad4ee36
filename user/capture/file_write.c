// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "user/base/io.h"
#include "user/capture/file_format.h"

/* Real records shrink to a seventh; levels 2 and 3 are slower and do no better, negative ones no faster. */
#define ZSTD_LEVEL 1

struct capture_writer {
	int fd;
	bool regular; /* fd can be truncated */
	uint64_t bytes;
	int err; /* the first one, and what it said */
	struct error why;
	ZSTD_CCtx *zstd;
	struct chunk_header chunk; /* of the pending chunk: records, sizes, times */
	uint64_t begin_ns; /* time of its first record */
	char *raw;
	char *packed; /* a chunk_header, then the compressed payload */
	size_t packed_room; /* for the payload */
};

static int failed(struct capture_writer *w, int err, struct error *e)
{
	w->err = error_set(&w->why, EXIT_FAILED, err, "cannot write the capture: %s",
			   io_write_reason(err));
	if (e)
		*e = w->why;
	return w->err;
}

/* All of it or, where fd can be truncated, nothing. */
static int write_whole(struct capture_writer *w, const void *data, size_t n, struct error *e)
{
	size_t done;
	int err = io_write(w->fd, data, n, &done);
	off_t end;

	if (!err) {
		w->bytes += n;
		return 0;
	}
	if (done && w->regular) {
		end = lseek(w->fd, 0, SEEK_CUR) - (off_t)done;
		if (end >= 0 && !ftruncate(w->fd, end) && lseek(w->fd, end, SEEK_SET) == end)
			done = 0;
	}
	w->bytes += done;
	return failed(w, err, e);
}

/* Both of size n; what follows the NUL stays zero, as nothing of our memory should get out. */
static void put_string(char *to, const char *from, size_t n)
{
	memcpy(to, from, strnlen(from, n - 1));
}

static int write_start(struct capture_writer *w, const struct capture_info *info, struct error *e)
{
	struct file_start s = {
		.header =
			{
				.version = FILE_VERSION,
				.header_size = sizeof(s),
				.features = info->features,
				.meta_size = sizeof(s.meta),
			},
		.meta =
			{
				.mono_ns = info->mono_ns,
				.wall_ns = info->wall_ns,
				.cpus = info->cpus,
			},
	};

	memcpy(s.header.magic, FILE_MAGIC, sizeof(s.header.magic));
	put_string(s.meta.host, info->host, sizeof(s.meta.host));
	put_string(s.meta.kernel, info->kernel, sizeof(s.meta.kernel));
	put_string(s.meta.gscope, info->gscope, sizeof(s.meta.gscope));
	s.header.crc = file_start_crc(&s);
	return write_whole(w, &s, sizeof(s), e);
}

static void writer_free(struct capture_writer *w)
{
	ZSTD_freeCCtx(w->zstd);
	free(w->packed);
	free(w->raw);
	free(w);
}

int capture_writer_open(struct capture_writer **out, int fd, const struct capture_info *info,
			struct error *e)
{
	struct capture_writer *w = calloc(1, sizeof(*w));
	struct stat st;
	int err;

	if (!w)
		return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	w->fd = fd;
	w->regular = !fstat(fd, &st) && S_ISREG(st.st_mode);
	w->packed_room = ZSTD_compressBound(CHUNK_RAW_TARGET);
	w->zstd = ZSTD_createCCtx();
	w->raw = malloc(CHUNK_RAW_TARGET);
	w->packed = malloc(sizeof(struct chunk_header) + w->packed_room);
	if (!w->zstd || !w->raw || !w->packed ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(w->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL)))
		err = error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	else
		err = write_start(w, info, e);
	if (err) {
		writer_free(w);
		return err;
	}
	*out = w;
	return 0;
}

int capture_writer_flush(struct capture_writer *w, struct error *e)
{
	struct chunk_header *h = &w->chunk;
	size_t n;
	int err;

	if (w->err) {
		if (e)
			*e = w->why;
		return w->err;
	}
	if (!h->records)
		return 0;
	n = ZSTD_compress2(w->zstd, w->packed + sizeof(*h), w->packed_room, w->raw, h->raw_size);
	/* the room is what zstd itself asks for, so only memory can be missing */
	if (ZSTD_isError(n))
		return failed(w, -ENOMEM, e);
	memcpy(h->magic, CHUNK_MAGIC, sizeof(h->magic));
	memcpy(h->kind, CHUNK_EVENTS, sizeof(h->kind));
	h->packed_size = (uint32_t)n;
	h->packed_crc = file_crc(0, w->packed + sizeof(*h), n);
	h->crc = file_crc(0, h, offsetof(struct chunk_header, crc));
	memcpy(w->packed, h, sizeof(*h));
	err = write_whole(w, w->packed, sizeof(*h) + n, e);
	*h = (struct chunk_header){.number = h->number + 1};
	return err;
}

int capture_writer_add(struct capture_writer *w, const struct event_head *ev, struct error *e)
{
	struct chunk_header *h = &w->chunk;
	int err;

	/* what no reader would accept must not cost the whole chunk */
	if (!event_valid(ev))
		return error_set(
			e, EXIT_FAILED, -EINVAL,
			"cannot record a malformed event (type %u, size %u): a bug in gscope",
			ev->type, ev->size);
	if (h->records &&
	    (h->raw_size + ev->size > CHUNK_RAW_TARGET ||
	     (ev->time_ns > w->begin_ns && ev->time_ns - w->begin_ns > CHUNK_SPAN_NS))) {
		err = capture_writer_flush(w, e);
		if (err)
			return err;
	}
	if (w->err) {
		if (e)
			*e = w->why;
		return w->err;
	}
	if (!h->records) {
		w->begin_ns = ev->time_ns;
		h->first_ns = ev->time_ns;
		h->last_ns = ev->time_ns;
	}
	if (ev->time_ns < h->first_ns)
		h->first_ns = ev->time_ns;
	if (ev->time_ns > h->last_ns)
		h->last_ns = ev->time_ns;
	memcpy(w->raw + h->raw_size, ev, ev->size);
	h->raw_size += ev->size;
	h->records++;
	return 0;
}

uint64_t capture_writer_bytes(const struct capture_writer *w)
{
	return w->bytes;
}

int capture_writer_close(struct capture_writer *w, struct error *e)
{
	int err;

	if (!w)
		return 0;
	err = capture_writer_flush(w, e);
	writer_free(w);
	return err;
}
