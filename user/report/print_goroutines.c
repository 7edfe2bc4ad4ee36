// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Goroutines, as text. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "user/report/print.h"

/* So that lines have 140 columns at most, as long as counts are below ten million. */
#define NAME_WIDTH 45
#define NAME_WIDTH_SINGLE 26
#define STATE_WIDTH 15

#define REASONS_PER_GROUP 5

static const char *sort_text(enum report_sort sort)
{
	switch (sort) {
	case REPORT_SORT_TOTAL:
		return "total time";
	case REPORT_SORT_RUNNING:
		return "time running";
	case REPORT_SORT_OFF_CPU:
		return "time off CPU";
	case REPORT_SORT_RUNNABLE:
		return "time runnable";
	case REPORT_SORT_SYSCALL:
		return "time in syscalls";
	case REPORT_SORT_BLOCKED:
		return "time blocked";
	case REPORT_SORT_DELAY:
		return "99th percentile of the scheduling delay";
	case REPORT_SORT_COUNT:
		return "number";
	case REPORT_SORT_WAIT:
		break;
	}
	return "time blocked or runnable";
}

const char *start_name(const struct report *r, const struct report_process *rp,
		       const struct group *g, char buf[32])
{
	const char *name;

	if (g->start_pc == START_C_THREAD)
		return "(C threads in Go)";
	if (g->start_pc == START_OTHERS)
		return "(others: there are too many)";
	if (!g->start_pc)
		return "(start not seen)";
	name = symbols_func(r->symbols, rp->tgid, g->start_pc);
	if (*name)
		return name;
	snprintf(buf, 32, "0x%" PRIx64, g->start_pc);
	return buf;
}

static void add_account(struct table *t, const struct account *a, bool no_kernel)
{
	for (int i = 0; i < PARTS; i++)
		if (i != PART_OFF_CPU || !no_kernel)
			table_time(t, a->part[i]);
	table_time(t, account_total(a));
	table_time(t, histogram_percentile(&a->delay, 500));
	table_time(t, histogram_percentile(&a->delay, 990));
	table_time(t, a->delay.max);
}

#define OFF_CPU "off CPU"

/* clang-format off */
#define ACCOUNT_COLUMNS                 \
	{"running", COLUMN_TIME, 0},    \
	{OFF_CPU, COLUMN_TIME, 0},      \
	{"runnable", COLUMN_TIME, 0},   \
	{"syscall", COLUMN_TIME, 0},    \
	{"blocked", COLUMN_TIME, 0},    \
	{"total", COLUMN_TIME, 0},      \
	{"delay p50", COLUMN_TIME, 0},  \
	{"p99", COLUMN_TIME, 0},        \
	{"max", COLUMN_TIME, 0}
/* clang-format on */

/* All columns but that of what is not recorded; how many they are. */
static size_t columns_of(const struct report_process *rp, const struct column *all, size_t n,
			 struct column *columns)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++)
		if (!rp->no_kernel || strcmp(all[i].title, OFF_CPU) != 0)
			columns[k++] = all[i];
	return k;
}

static int compare_groups(const void *a, const void *b)
{
	const struct group *x = *(struct group *const *)a, *y = *(struct group *const *)b;

	if (x->system != y->system)
		return x->system ? 1 : -1;
	if (x->key != y->key)
		return x->key > y->key ? -1 : 1;
	return x->start_pc < y->start_pc ? -1 : x->start_pc > y->start_pc;
}

static struct group **sorted_groups(const struct report_process *rp, size_t *n)
{
	struct group **v, *g, *tmp;

	*n = 0;
	v = calloc(HASH_COUNT(rp->goroutines.groups) + 1, sizeof(struct group *));
	if (!v)
		return NULL;
	HASH_ITER(hh, rp->goroutines.groups, g, tmp)
		v[(*n)++] = g;
	qsort(v, *n, sizeof(struct group *), compare_groups);
	return v;
}

static int print_groups(const struct report *r, const struct report_process *rp,
			struct group *const *groups, size_t n, FILE *out)
{
	static const struct column all[] = {
		{"count", COLUMN_COUNT, 0},
		ACCOUNT_COLUMNS,
		{"start function", COLUMN_TEXT, NAME_WIDTH},
	};
	struct column columns[ARRAY_SIZE(all)];
	struct table *t = table_new(columns, columns_of(rp, all, ARRAY_SIZE(all), columns));
	char title[128], buf[32];

	for (size_t i = 0; t && i < shown(r, n); i++) {
		table_count(t, groups[i]->count);
		add_account(t, &groups[i]->a, rp->no_kernel);
		table_text(t, start_name(r, rp, groups[i], buf));
	}
	snprintf(title, sizeof(title), "Goroutines by start function, most %s first",
		 sort_text(r->options.sort));
	return table_end(t, n - shown(r, n), title, out);
}

static int print_activity(const struct report *r, const struct report_process *rp,
			  struct group *const *groups, size_t n, FILE *out)
{
	static const struct column columns[] = {
		{"starts", COLUMN_COUNT, 0},        {"blocks", COLUMN_COUNT, 0},
		{"woke others", COLUMN_COUNT, 0},   {"created others", COLUMN_COUNT, 0},
		{"start function", COLUMN_TEXT, 0},
	};
	struct table *t = table_new(columns, ARRAY_SIZE(columns));
	char buf[32];

	for (size_t i = 0; t && i < shown(r, n); i++) {
		table_count(t, groups[i]->a.starts);
		table_count(t, groups[i]->a.blocks);
		table_count(t, groups[i]->a.wakes);
		table_count(t, groups[i]->a.creates);
		table_text(t, start_name(r, rp, groups[i], buf));
	}
	return table_end(t, n - shown(r, n), "How often they ran, blocked, and moved others", out);
}

static int compare_waits(const void *a, const void *b)
{
	const struct wait *x = a, *y = b;

	if (x->ns != y->ns)
		return x->ns > y->ns ? -1 : 1;
	return strcmp(x->reason, y->reason);
}

static int print_waits(const struct report *r, const struct report_process *rp,
		       struct group *const *groups, size_t n, FILE *out)
{
	static const struct column columns[] = {
		{"blocked", COLUMN_TIME, 0},        {"times", COLUMN_COUNT, 0},
		{"mean", COLUMN_TIME, 0},           {"waiting for", COLUMN_TEXT, 32},
		{"start function", COLUMN_TEXT, 0},
	};
	struct table *t = table_new(columns, ARRAY_SIZE(columns));
	char buf[32];

	for (size_t i = 0; t && i < shown(r, n); i++) {
		struct account *a = &groups[i]->a;

		if (a->nwaits)
			qsort(a->waits, a->nwaits, sizeof(a->waits[0]), compare_waits);
		for (size_t k = 0; k < a->nwaits && k < REASONS_PER_GROUP; k++) {
			const struct wait *w = &a->waits[k];

			table_time(t, w->ns);
			table_count(t, w->count);
			table_time(t, w->count ? w->ns / w->count : 0);
			table_text(t, w->reason);
			table_text(t, start_name(r, rp, groups[i], buf));
		}
	}
	return table_end(t, 0, "What they were blocked on", out);
}

static const char *state_text(const struct goroutine_row *row)
{
	switch (row->state) {
	case G_DEAD:
		return "ended";
	case G_WAITING:
		return row->reason;
	default:
		return g_state_name(row->state);
	}
}

static int print_singles(const struct report *r, const struct report_process *rp, FILE *out)
{
	static const struct column all[] = {
		{"goroutine", COLUMN_COUNT, 0},
		{"at the end", COLUMN_TEXT, STATE_WIDTH},
		ACCOUNT_COLUMNS,
		{"start function", COLUMN_TEXT, NAME_WIDTH_SINGLE},
	};
	struct column columns[ARRAY_SIZE(all)];
	const struct goroutines *gs = &rp->goroutines;
	struct table *t = table_new(columns, columns_of(rp, all, ARRAY_SIZE(all), columns));
	char title[128], buf[32];

	for (size_t i = 0; t && i < gs->top.n; i++) {
		const struct goroutine_row *row = gs->top.items[i];

		table_count(t, row->id);
		table_text(t, state_text(row));
		add_account(t, &row->a, rp->no_kernel);
		table_text(t, start_name(r, rp, row->group, buf));
	}
	snprintf(title, sizeof(title), "Single goroutines, most %s first",
		 r->options.sort == REPORT_SORT_COUNT ? "starts" : sort_text(r->options.sort));
	return table_end(t, gs->top.offered - gs->top.n, title, out);
}

int print_goroutines(const struct report *r, const struct report_process *rp, FILE *out)
{
	struct group **groups;
	size_t n;
	int err;

	groups = sorted_groups(rp, &n);
	if (!groups)
		return -ENOMEM;
	err = print_groups(r, rp, groups, n, out);
	if (!err)
		err = print_waits(r, rp, groups, n, out);
	if (!err)
		err = print_activity(r, rp, groups, n, out);
	free(groups);
	return err ? err : print_singles(r, rp, out);
}
