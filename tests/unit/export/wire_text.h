/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef GSCOPE_TESTS_UNIT_EXPORT_WIRE_TEXT_H
#define GSCOPE_TESTS_UNIT_EXPORT_WIRE_TEXT_H

#include <stddef.h>
#include <stdint.h>

/*
 * A Go execution trace as text, byte for byte what `go tool trace -d=wire` of Go 1.27 prints.
 * The caller frees it. NULL if it does not have the shape of one.
 */
char *wire_text(const uint8_t *data, size_t n);

/* The whole of a file, NUL-terminated; the caller frees it. NULL if it cannot be read. */
uint8_t *wire_read(int fd, size_t *n);

#endif
