// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/capture/file_format.h"
#include "user/capture/file_queue.h"

struct capture_writer {
	struct file_queue *queue;
	struct file_chunk *chunk; /* the pending one */
	uint64_t begin_ns; /* time of its first record */
};

/* Both of size n; what follows the NUL stays zero, as nothing of our memory should get out. */
static void put_string(char *to, const char *from, size_t n)
{
	memcpy(to, from, strnlen(from, n - 1));
}

static int write_start(struct file_queue *q, const struct capture_info *info, struct error *e)
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
	return file_queue_write(q, &s, sizeof(s), e);
}

int capture_writer_open(struct capture_writer **out, int fd, const struct capture_info *info,
			const struct io_patience *patience, struct error *e)
{
	struct capture_writer *w = calloc(1, sizeof(*w));
	int err;

	if (!w)
		return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	err = file_queue_new(&w->queue, fd, patience, e);
	if (!err)
		err = write_start(w->queue, info, e);
	if (err) {
		file_queue_free(w->queue);
		free(w);
		return err;
	}
	w->chunk = file_queue_chunk(w->queue);
	*out = w;
	return 0;
}

static void end_chunk(struct capture_writer *w)
{
	file_queue_push(w->queue);
	w->chunk = file_queue_chunk(w->queue);
}

int capture_writer_flush(struct capture_writer *w, struct error *e)
{
	if (w->chunk->h.records)
		end_chunk(w);
	file_queue_settle(w->queue);
	return file_queue_error(w->queue, e);
}

int capture_writer_add(struct capture_writer *w, const struct event_head *ev, struct error *e)
{
	struct chunk_header *h = &w->chunk->h;
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
		end_chunk(w);
		h = &w->chunk->h;
	}
	err = file_queue_error(w->queue, e);
	if (err)
		return err;
	if (!h->records) {
		w->begin_ns = ev->time_ns;
		h->first_ns = ev->time_ns;
		h->last_ns = ev->time_ns;
	}
	if (ev->time_ns < h->first_ns)
		h->first_ns = ev->time_ns;
	if (ev->time_ns > h->last_ns)
		h->last_ns = ev->time_ns;
	memcpy(w->chunk->raw + h->raw_size, ev, ev->size);
	h->raw_size += ev->size;
	h->records++;
	return 0;
}

void capture_writer_set_nice(struct capture_writer *w, int nice)
{
	file_queue_set_nice(w->queue, nice);
}

uint64_t capture_writer_bytes(const struct capture_writer *w)
{
	return file_queue_bytes(w->queue);
}

int capture_writer_close(struct capture_writer *w, struct error *e)
{
	int err;

	if (!w)
		return 0;
	err = capture_writer_flush(w, e);
	file_queue_free(w->queue);
	free(w);
	return err;
}
