/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The capture file byte by byte, for its reader and writer; specified in docs/capture-format.md. */
#ifndef GSCOPE_CAPTURE_FILE_FORMAT_H
#define GSCOPE_CAPTURE_FILE_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "user/capture/file.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "captures are little-endian");

#define FILE_VERSION 1U

/* As in PNG: text-mode transfers, 7-bit channels and "is this text?" all show in the magic. */
#define FILE_MAGIC "\211GSCOPE\n"

#define FILE_FEATURES_KNOWN CAPTURE_SYSTEM_WIDE

struct file_header {
	uint8_t magic[8];
	uint32_t version;
	uint32_t header_size; /* where the first chunk begins: this, then the META part */
	uint64_t features;
	uint32_t meta_size;
	uint32_t crc; /* CRC-32 of all header_size bytes with this field zero */
};
_Static_assert(sizeof(struct file_header) == 32, "file_header");

struct file_meta {
	uint64_t mono_ns;
	uint64_t wall_ns;
	uint32_t cpus;
	uint32_t pad;
	char host[64];
	char kernel[128];
	char gscope[32];
};
_Static_assert(sizeof(struct file_meta) == 248, "file_meta");

struct file_start {
	struct file_header header;
	struct file_meta meta;
};
_Static_assert(sizeof(struct file_start) == 280, "file_start");

#define CHUNK_MAGIC "GSCK"
#define CHUNK_EVENTS "EVTS"

/* No chunk holds more; what bounds a reader's memory. */
#define CHUNK_RAW_MAX (1U << 20)
#define CHUNK_PACKED_MAX (CHUNK_RAW_MAX + CHUNK_RAW_MAX / 128 + 1024)

/* When the writer ends a chunk. */
#define CHUNK_RAW_TARGET (256U << 10)
#define CHUNK_SPAN_NS 1000000000ULL

struct chunk_header {
	uint8_t magic[4];
	uint8_t kind[4];
	uint32_t number; /* 0, 1, ...: a chunk lost or doubled on the way shows */
	uint32_t records;
	uint32_t raw_size;
	uint32_t packed_size; /* of the zstd frame that follows */
	uint64_t first_ns; /* earliest time of a record */
	uint64_t last_ns; /* latest */
	uint32_t packed_crc; /* CRC-32 of the zstd frame */
	uint32_t crc; /* CRC-32 of this header up to here */
};
_Static_assert(sizeof(struct chunk_header) == 48, "chunk_header");

/* CRC-32 as in zlib, gzip and PNG. */
uint32_t file_crc(uint32_t crc, const void *data, size_t n);

/* The CRC of a file start, its field taken as zero. */
uint32_t file_start_crc(const struct file_start *s);

#endif
