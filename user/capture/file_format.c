// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/file_format.h"

#include <zlib.h>

uint32_t file_crc(uint32_t crc, const void *data, size_t n)
{
	return (uint32_t)crc32_z(crc, data, n);
}

uint32_t file_start_crc(const struct file_start *s)
{
	struct file_start copy = *s;

	copy.header.crc = 0;
	return file_crc(0, &copy, sizeof(copy));
}
