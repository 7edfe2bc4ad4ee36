// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * libFuzzer target: a capture from anywhere, read as every command reads it. An input that begins
 * with the magic is a capture file, and its checksums are put right before it is read: no fuzzer
 * guesses them. Any other input is taken as the unpacked records of one chunk.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>

#include "user/base/io.h"
#include "user/capture/file_format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Volatile, or the reads that the address sanitizer should watch are optimised away. */
static volatile uint64_t sum;

/* Touch every byte that a later stage may touch. */
static void use(const struct event_head *ev)
{
	char *copy;

	if (!event_valid(ev) || !event_type_name(ev->type))
		abort();
	/* in a block of its own: a record that claims more than it has would be found out */
	copy = malloc(ev->size);
	if (!copy)
		abort();
	memcpy(copy, ev, ev->size);
	if (!event_valid((const struct event_head *)copy))
		abort();
	switch (ev->type) {
	case EV_STRING:
		sum += strlen(((const struct ev_string *)copy)->text);
		break;
	case EV_STACK:
		for (int i = 0; i < ((const struct ev_stack *)copy)->n; i++)
			sum += ((const struct ev_stack *)copy)->pc[i];
		break;
	case EV_SYMBOL: {
		const struct ev_symbol *s = (const void *)copy;
		const char *p = (const char *)(s + 1);

		for (int i = 0; i < s->n; i++) {
			const struct ev_frame *f = (const void *)p;

			p += sizeof(*f);
			for (int k = 0; k < f->func_len + f->file_len; k++)
				sum += (uint64_t)p[k];
			p += (f->func_len + f->file_len + 7) & ~7;
		}
		break;
	}
	}
	free(copy);
}

static void read_all(int fd)
{
	const struct event_head *ev;
	struct capture_reader *r;
	struct error e = {0};
	int err;

	if (lseek(fd, 0, SEEK_SET))
		abort();
	if (capture_reader_open(&r, fd, &e)) {
		if (!*e.text)
			abort();
		return;
	}
	sum += strlen(capture_reader_info(r)->host) + strlen(capture_reader_info(r)->kernel) +
	       strlen(capture_reader_info(r)->gscope);
	while ((err = capture_reader_next(r, &ev, &e)) > 0)
		use(ev);
	if (err && !*e.text)
		abort();
	capture_reader_close(r);
}

/* Put the checksums right, as far as there is anything to check. Returns where chunks begin. */
static size_t fix_start(uint8_t *data, size_t size)
{
	struct file_start s;

	if (size < sizeof(s))
		return size;
	memcpy(&s, data, sizeof(s));
	s.header.crc = file_start_crc(&s);
	memcpy(data, &s, sizeof(s));
	return sizeof(s);
}

static void fix_chunks(uint8_t *data, size_t at, size_t size)
{
	struct chunk_header h;

	while (size - at >= sizeof(h)) {
		memcpy(&h, data + at, sizeof(h));
		if (h.packed_size <= size - at - sizeof(h))
			h.packed_crc = file_crc(0, data + at + sizeof(h), h.packed_size);
		h.crc = file_crc(0, &h, offsetof(struct chunk_header, crc));
		memcpy(data + at, &h, sizeof(h));
		if (h.packed_size > size - at - sizeof(h))
			return;
		at += sizeof(h) + h.packed_size;
	}
}

/* The bytes as one chunk of records: zstd hides the records' structure from the fuzzer. */
static void read_as_records(int fd, const uint8_t *data, size_t size)
{
	struct file_start s = {
		.header =
			{
				.version = FILE_VERSION,
				.header_size = sizeof(s),
				.meta_size = sizeof(s.meta),
			},
	};
	struct chunk_header h = {.raw_size = (uint32_t)size, .first_ns = UINT64_MAX};
	size_t room = ZSTD_compressBound(size), n;
	char *packed;

	if (size > CHUNK_RAW_MAX || size < sizeof(struct event_head))
		return;
	/* what the header claims of the records is true as long as the records make sense */
	for (size_t at = 0; size - at >= sizeof(struct event_head);) {
		struct event_head ev;

		memcpy(&ev, data + at, sizeof(ev));
		if (ev.time_ns < h.first_ns)
			h.first_ns = ev.time_ns;
		if (ev.time_ns > h.last_ns)
			h.last_ns = ev.time_ns;
		h.records++;
		if (ev.size < sizeof(ev) || ev.size > size - at)
			break;
		at += ev.size;
	}
	packed = malloc(room);
	if (!packed)
		abort();
	n = ZSTD_compress(packed, room, data, size, 1);
	memcpy(s.header.magic, FILE_MAGIC, sizeof(s.header.magic));
	s.header.crc = file_start_crc(&s);
	memcpy(h.magic, CHUNK_MAGIC, sizeof(h.magic));
	memcpy(h.kind, CHUNK_EVENTS, sizeof(h.kind));
	h.packed_size = (uint32_t)n;
	h.packed_crc = file_crc(0, packed, n);
	h.crc = file_crc(0, &h, offsetof(struct chunk_header, crc));
	if (io_write(fd, &s, sizeof(s), NULL) || io_write(fd, &h, sizeof(h), NULL) ||
	    io_write(fd, packed, n, NULL))
		abort();
	free(packed);
	read_all(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	uint8_t *copy = malloc(size + 1);

	if (fd < 0)
		fd = memfd_create("capture", MFD_CLOEXEC);
	if (fd < 0 || !copy || ftruncate(fd, 0) || lseek(fd, 0, SEEK_SET))
		abort();
	if (size >= 8 && !memcmp(data, FILE_MAGIC, 8)) {
		memcpy(copy, data, size);
		fix_chunks(copy, fix_start(copy, size), size);
		if (io_write(fd, copy, size, NULL))
			abort();
		read_all(fd);
	} else {
		read_as_records(fd, data, size);
	}
	free(copy);
	return 0;
}
