/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef GSCOPE_BASE_VERSION_H
#define GSCOPE_BASE_VERSION_H

#include <stdio.h>

/* "0.1", "0.1+g5d1f3c2a7b": of the tag, or of the file VERSION with the commit; made by tools/version. */
extern const char gscope_version[];

/* What --version prints: several lines, each of one fact a report of a fault should have. */
void version_print(FILE *out);

#endif
