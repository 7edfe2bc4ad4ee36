/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Tables as text: columns as wide as their widest cell, numbers to the right, texts to the left. */
#ifndef GSCOPE_BASE_TABLE_H
#define GSCOPE_BASE_TABLE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum column_kind {
	COLUMN_TEXT,
	COLUMN_COUNT, /* a number */
	COLUMN_TIME, /* ns; always DURATION_WIDTH wide, for tables below each other to line up */
};

struct column {
	const char *title;
	enum column_kind kind;
	size_t max; /* texts: longest, in columns of the terminal; 0: any */
};

struct table;

/* The columns are not copied. NULL: out of memory. */
struct table *table_new(const struct column *columns, size_t n);
void table_free(struct table *t);

/*
 * Cells are added row by row, left to right; each has to fit its column's kind. Being out of memory
 * is remembered, and told by table_print().
 */
void table_text(struct table *t, const char *text); /* copied, made printable, and cut */
void table_count(struct table *t, uint64_t n);
void table_time(struct table *t, uint64_t ns); /* 0 shows as "-" */
void table_none(struct table *t); /* "-", "" in a text column: there is no value */

size_t table_rows(const struct table *t);

/* Titles and rows, each line indented by two. 0 or -ENOMEM; errors of `out` stay with it. */
int table_print(const struct table *t, FILE *out);

#endif
