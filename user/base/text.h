/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Text from elsewhere (names of functions, of tasks) made fit for a terminal; UTF-8, any locale. */
#ifndef GSCOPE_BASE_TEXT_H
#define GSCOPE_BASE_TEXT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

/* Columns a terminal needs for s. */
size_t text_width(const char *s);

/*
 * A copy without control characters and bytes that are no UTF-8 (each becomes "?"), of at most
 * `width` columns: if it is wider, its beginning is replaced by "…". The end of a Go name says more
 * than its beginning. Width 0: as wide as it is. NULL: out of memory.
 */
char *text_fit(const char *s, size_t width);

/*
 * The same in place, and as wide as it is: to be done with everything that was made with the words of
 * others before a terminal gets it.
 */
void text_clean(char *s);

/* Write one line made of what may come from elsewhere; a newline is added. */
void text_line(FILE *out, const char *fmt, va_list ap);

/*
 * Write the `n` bytes at s so that they stay on one line, and different texts look different:
 * control characters, bytes that are no UTF-8, quotation marks and backslashes become "\xNN".
 */
void text_escape(const char *s, size_t n, FILE *out);

#endif
