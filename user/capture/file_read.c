// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "user/base/io.h"
#include "user/capture/file_format.h"

struct capture_reader {
	int fd;
	struct capture_info info;
	ZSTD_DCtx *zstd;
	uint64_t offset; /* of what is read next */
	uint32_t chunks; /* whole ones read */
	uint64_t records; /* in them */
	bool done;
	char damage[256];
	char *raw; /* the current chunk, every record of it checked */
	size_t raw_room, at, end;
	char *packed;
	size_t packed_room;
};

/* For messages: bytes of a file may be anything, terminal escapes included. */
static char *printable(char *text)
{
	for (char *p = text; *p; p++)
		if (!isprint((unsigned char)*p))
			*p = '?';
	return text;
}

static int check_start(const struct file_start *s, size_t n, struct error *e)
{
	const struct file_header *h = &s->header;
	uint64_t unknown;

	if (n < sizeof(h->magic) || memcmp(h->magic, FILE_MAGIC, sizeof(h->magic)))
		return error_set(e, EXIT_FAILED, -EINVAL, "this is no gscope capture%s",
				 n ? "" : ": it is empty");
	if (n < sizeof(*h))
		return error_set(e, EXIT_FAILED, -EINVAL,
				 "this capture is cut within its header: nothing can be read");
	if (h->version != FILE_VERSION)
		return error_set(e, EXIT_FAILED, -EINVAL,
				 "this capture has format version %" PRIu32
				 "; this gscope reads version %u: use the gscope that recorded it",
				 h->version, FILE_VERSION);
	unknown = h->features & ~FILE_FEATURES_KNOWN;
	if (unknown)
		return error_set(e, EXIT_FAILED, -EINVAL,
				 "this capture uses feature %d (of bits 0x%" PRIx64
				 "), which this gscope does not know: use a newer one",
				 __builtin_ctzll(unknown), unknown);
	if (h->header_size != sizeof(*s) || h->meta_size != sizeof(s->meta))
		return error_set(e, EXIT_FAILED, -EINVAL,
				 "the header of this capture is damaged: it claims %" PRIu32
				 " bytes and not %zu",
				 h->header_size, sizeof(*s));
	if (n < sizeof(*s))
		return error_set(e, EXIT_FAILED, -EINVAL,
				 "this capture is cut within its header: nothing can be read");
	if (h->crc != file_start_crc(s))
		return error_set(e, EXIT_FAILED, -EINVAL,
				 "the header of this capture is damaged: its checksum is wrong");
	return 0;
}

static void take_string(char *to, const char *from, size_t n)
{
	memcpy(to, from, n);
	to[n - 1] = 0;
	printable(to);
}

int capture_reader_open(struct capture_reader **out, int fd, struct error *e)
{
	struct capture_reader *r = calloc(1, sizeof(*r));
	struct file_start s = {0};
	size_t n;
	int err;

	if (!r)
		return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	err = io_read(fd, &s, sizeof(s), &n);
	if (err)
		err = error_set(e, EXIT_FAILED, err, "cannot read the capture: %s", strerror(-err));
	else
		err = check_start(&s, n, e);
	if (!err) {
		r->zstd = ZSTD_createDCtx();
		if (!r->zstd)
			err = error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	}
	if (err) {
		free(r);
		return err;
	}
	r->fd = fd;
	r->offset = sizeof(s);
	r->info.features = s.header.features;
	r->info.mono_ns = s.meta.mono_ns;
	r->info.wall_ns = s.meta.wall_ns;
	r->info.cpus = s.meta.cpus;
	take_string(r->info.host, s.meta.host, sizeof(r->info.host));
	take_string(r->info.kernel, s.meta.kernel, sizeof(r->info.kernel));
	take_string(r->info.gscope, s.meta.gscope, sizeof(r->info.gscope));
	*out = r;
	return 0;
}

const struct capture_info *capture_reader_info(const struct capture_reader *r)
{
	return &r->info;
}

/* Note the damage, end the reading; returns 0, the end for capture_reader_next(). */
static int __attribute__((format(printf, 2, 3)))
damaged(struct capture_reader *r, const char *fmt, ...)
{
	char what[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	snprintf(r->damage, sizeof(r->damage),
		 "damaged at byte %" PRIu64 ": %s; the %" PRIu64 " records before it are whole",
		 r->offset, what, r->records);
	r->done = true;
	return 0;
}

static int room_for(char **buf, size_t *room, size_t n, struct error *e)
{
	char *p;

	if (n <= *room)
		return 0;
	p = realloc(*buf, n);
	if (!p)
		return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	*buf = p;
	*room = n;
	return 0;
}

/* Read exactly n bytes of a chunk: 1; 0 with the damage noted if the file is cut there. */
static int read_part(struct capture_reader *r, void *data, size_t n, struct error *e)
{
	size_t done;
	int err = io_read(r->fd, data, n, &done);

	if (err)
		return error_set(e, EXIT_FAILED, err, "cannot read the capture: %s",
				 strerror(-err));
	return done == n ? 1 : damaged(r, "the file is cut within chunk %" PRIu32, r->chunks);
}

/* The next chunk's header: 1, or as for capture_reader_next(). */
static int read_chunk_header(struct capture_reader *r, struct chunk_header *h, struct error *e)
{
	char kind[sizeof(h->kind) + 1] = {0};
	size_t done;
	int err = io_read(r->fd, h, sizeof(*h), &done);

	if (err)
		return error_set(e, EXIT_FAILED, err, "cannot read the capture: %s",
				 strerror(-err));
	if (!done) {
		r->done = true;
		return 0;
	}
	if (done < sizeof(*h))
		return damaged(r, "the file is cut within the header of chunk %" PRIu32, r->chunks);
	if (memcmp(h->magic, CHUNK_MAGIC, sizeof(h->magic)))
		return damaged(r, "no chunk begins there");
	if (h->crc != file_crc(0, h, offsetof(struct chunk_header, crc)))
		return damaged(r, "the checksum of a chunk's header is wrong");
	/* from here on it is as it was written */
	if (memcmp(h->kind, CHUNK_EVENTS, sizeof(h->kind))) {
		memcpy(kind, h->kind, sizeof(h->kind));
		r->done = true;
		return error_set(e, EXIT_FAILED, -ENOTSUP,
				 "the chunk at byte %" PRIu64 " is of kind \"%s\", which this "
				 "gscope does not know: use a newer one",
				 r->offset, printable(kind));
	}
	if (h->number != r->chunks)
		return damaged(r, "chunk %" PRIu32 " follows where %" PRIu32 " is due", h->number,
			       r->chunks);
	if (!h->records || h->raw_size > CHUNK_RAW_MAX || h->packed_size > CHUNK_PACKED_MAX ||
	    h->records > h->raw_size / sizeof(struct event_head))
		return damaged(r, "a chunk claims impossible sizes");
	return 1;
}

/* Whether the unpacked chunk is what its header says: 1, or as for capture_reader_next(). */
static int check_records(struct capture_reader *r, const struct chunk_header *h, struct error *e)
{
	uint64_t first = UINT64_MAX, last = 0;
	uint32_t records = 0;

	for (size_t at = 0; at < h->raw_size; records++) {
		const struct event_head *ev = (const void *)(r->raw + at);
		size_t room = h->raw_size - at;

		if (room < sizeof(*ev) || ev->size < sizeof(*ev) || ev->size > room)
			return damaged(r, "a record does not fit into chunk %" PRIu32, h->number);
		if (!event_type_name(ev->type)) {
			r->done = true;
			return error_set(e, EXIT_FAILED, -ENOTSUP,
					 "the chunk at byte %" PRIu64 " has a record of type %u, "
					 "which this gscope does not know: use a newer one",
					 r->offset, ev->type);
		}
		if (!event_valid(ev))
			return damaged(r, "a malformed %s record", event_type_name(ev->type));
		if (ev->time_ns < first)
			first = ev->time_ns;
		if (ev->time_ns > last)
			last = ev->time_ns;
		at += ev->size;
	}
	if (records != h->records)
		return damaged(r, "chunk %" PRIu32 " has %" PRIu32 " records and claims %" PRIu32,
			       h->number, records, h->records);
	if (first != h->first_ns || last != h->last_ns)
		return damaged(r, "chunk %" PRIu32 " covers another time than it claims",
			       h->number);
	return 1;
}

static int read_chunk(struct capture_reader *r, struct error *e)
{
	struct chunk_header h;
	size_t n;
	int err;

	err = read_chunk_header(r, &h, e);
	if (err <= 0)
		return err;
	err = room_for(&r->packed, &r->packed_room, h.packed_size, e);
	if (!err)
		err = room_for(&r->raw, &r->raw_room, h.raw_size, e);
	if (err)
		return err;
	err = read_part(r, r->packed, h.packed_size, e);
	if (err <= 0)
		return err;
	if (h.packed_crc != file_crc(0, r->packed, h.packed_size))
		return damaged(r, "the checksum of chunk %" PRIu32 " is wrong", h.number);
	n = ZSTD_decompressDCtx(r->zstd, r->raw, h.raw_size, r->packed, h.packed_size);
	if (ZSTD_isError(n))
		return damaged(r, "chunk %" PRIu32 " does not unpack: %s", h.number,
			       ZSTD_getErrorName(n));
	if (n != h.raw_size)
		return damaged(r, "chunk %" PRIu32 " unpacks to %zu bytes and claims %" PRIu32,
			       h.number, n, h.raw_size);
	err = check_records(r, &h, e);
	if (err <= 0)
		return err;
	r->at = 0;
	r->end = h.raw_size;
	r->offset += sizeof(h) + h.packed_size;
	r->chunks++;
	r->records += h.records;
	return 1;
}

int capture_reader_next(struct capture_reader *r, const struct event_head **ev, struct error *e)
{
	int err;

	if (r->at == r->end) {
		if (r->done)
			return 0;
		err = read_chunk(r, e);
		if (err <= 0) {
			r->done = true;
			return err;
		}
	}
	*ev = (const void *)(r->raw + r->at);
	r->at += (*ev)->size;
	return 1;
}

const char *capture_reader_damage(const struct capture_reader *r)
{
	return *r->damage ? r->damage : NULL;
}

void capture_reader_close(struct capture_reader *r)
{
	if (!r)
		return;
	ZSTD_freeDCtx(r->zstd);
	free(r->packed);
	free(r->raw);
	free(r);
}
