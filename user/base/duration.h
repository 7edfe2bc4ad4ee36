/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Durations and sizes as people write and read them. */
#ifndef GSCOPE_BASE_DURATION_H
#define GSCOPE_BASE_DURATION_H

#include <stdint.h>

#include "user/base/error.h"

/*
 * Parse "500ms", "5s", "1.5s", "2m", "1h" or "1m30s" (units us, ms, s, m, h) into nanoseconds.
 * -EINVAL with a message, and *ns untouched, for anything else; zero, a negative value, a missing
 * unit and more than 584 years (2^64 ns) included.
 */
int duration_parse(const char *text, uint64_t *ns, struct error *e);

/* Parse "512K", "64M" or "1G" (powers of 1024) into bytes; rules as above. */
int size_parse(const char *text, uint64_t *bytes, struct error *e);

/* No duration needs more columns than this; right-align to it for a column of constant width. */
#define DURATION_WIDTH 7
#define DURATION_SIZE (DURATION_WIDTH + 1)

/*
 * Three significant digits and the fitting unit, rounded: "0", "999ns", "1.23us", "12.3ms", "123s",
 * then "16m40s", "2h46m", "11d13h". Returns buf.
 */
char *duration_format(char buf[DURATION_SIZE], uint64_t ns);

/* The same for bytes: "0B", "999B", "0.98K", "12.3M", up to "16.0E" (powers of 1024). Returns buf. */
char *size_format(char buf[DURATION_SIZE], uint64_t bytes);

#endif
