/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Shares as people write them. */
#ifndef GSCOPE_BASE_SHARE_H
#define GSCOPE_BASE_SHARE_H

#include <stdint.h>

#include "user/base/error.h"

/*
 * Parse "3%", "2.5%" or "250%" into millionths. -EINVAL with a message, and *millionths untouched,
 * for anything else; zero, more than four decimals and more than 100000% included.
 */
int percent_parse(const char *text, uint32_t *millionths, struct error *e);

/* Parse "1/100" into 100; rules as above, 1/1 is the largest share and 1/1000000 the smallest. */
int one_in_parse(const char *text, uint32_t *n, struct error *e);

#endif
