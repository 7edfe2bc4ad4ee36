// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/base/table.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/duration.h"
#include "user/base/text.h"

struct table {
	const struct column *columns;
	size_t ncolumns;
	char **cells;
	size_t n, room;
	bool failed;
};

struct table *table_new(const struct column *columns, size_t n)
{
	struct table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->columns = columns;
	t->ncolumns = n;
	return t;
}

void table_free(struct table *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t);
}

/* Takes `cell`, which may be NULL for want of memory. */
static void add(struct table *t, char *cell)
{
	if (t->n == t->room) {
		size_t room = t->room ? 2 * t->room : 16 * t->ncolumns;
		char **cells = realloc(t->cells, room * sizeof(*cells));

		if (!cells) {
			free(cell);
			t->failed = true;
			return;
		}
		t->cells = cells;
		t->room = room;
	}
	if (!cell)
		t->failed = true;
	t->cells[t->n++] = cell;
}

static const struct column *next_column(const struct table *t)
{
	return &t->columns[t->n % t->ncolumns];
}

void table_text(struct table *t, const char *text)
{
	assert(next_column(t)->kind == COLUMN_TEXT);
	add(t, text_fit(text, next_column(t)->max));
}

void table_count(struct table *t, uint64_t n)
{
	char text[24];

	assert(next_column(t)->kind == COLUMN_COUNT);
	snprintf(text, sizeof(text), "%" PRIu64, n);
	add(t, strdup(text));
}

void table_time(struct table *t, uint64_t ns)
{
	char text[DURATION_SIZE];

	assert(next_column(t)->kind == COLUMN_TIME);
	add(t, strdup(ns ? duration_format(text, ns) : "-"));
}

void table_none(struct table *t)
{
	add(t, strdup(next_column(t)->kind == COLUMN_TEXT ? "" : "-"));
}

size_t table_rows(const struct table *t)
{
	return t->n / t->ncolumns;
}

static size_t column_width(const struct table *t, size_t column)
{
	size_t width = text_width(t->columns[column].title);

	if (t->columns[column].kind == COLUMN_TIME && width < DURATION_WIDTH)
		width = DURATION_WIDTH;
	for (size_t i = column; i < t->n; i += t->ncolumns) {
		size_t w = text_width(t->cells[i]);

		width = w > width ? w : width;
	}
	return width;
}

static void print_cell(const struct table *t, size_t column, size_t width, const char *text,
		       bool last, FILE *out)
{
	int pad = (int)(width - text_width(text));

	if (t->columns[column].kind != COLUMN_TEXT)
		fprintf(out, "  %*s%s", pad, "", text);
	else /* no blanks at the end of a line */
		fprintf(out, "  %s%*s", text, last ? 0 : pad, "");
}

static void print_row(const struct table *t, const size_t *widths, char *const *cells, FILE *out)
{
	size_t n = t->ncolumns;

	while (n && !*cells[n - 1])
		n--;
	for (size_t c = 0; c < n; c++)
		print_cell(t, c, widths[c], cells[c], c + 1 == n, out);
	fputc('\n', out);
}

int table_print(const struct table *t, FILE *out)
{
	size_t *widths;

	if (t->failed)
		return -ENOMEM;
	widths = calloc(t->ncolumns, sizeof(*widths));
	if (!widths)
		return -ENOMEM;
	for (size_t c = 0; c < t->ncolumns; c++)
		widths[c] = column_width(t, c);
	for (size_t c = 0; c < t->ncolumns; c++)
		print_cell(t, c, widths[c], t->columns[c].title, c + 1 == t->ncolumns, out);
	fputc('\n', out);
	for (size_t i = 0; i + t->ncolumns <= t->n; i += t->ncolumns)
		print_row(t, widths, t->cells + i, out);
	free(widths);
	return 0;
}
