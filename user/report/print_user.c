// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What the program tells of itself, and where its CPU time goes, as text. */
#include <errno.h>
#include <inttypes.h>

#include "user/report/print.h"

#define SAMPLED_FUNCS 10

static const char *kind_text(uint64_t kind)
{
	switch (kind) {
	case ANNOTATION_TASK:
		return "task";
	case ANNOTATION_REGION:
		return "region";
	case ANNOTATION_REGION_BEGIN:
		return "region, end not seen";
	default:
		return "log";
	}
}

int print_annotations(const struct report *r, const struct report_process *rp, FILE *out)
{
	static const struct column columns[] = {
		{"count", COLUMN_COUNT, 0}, {"ended", COLUMN_COUNT, 0}, {"total", COLUMN_TIME, 0},
		{"p50", COLUMN_TIME, 0},    {"p99", COLUMN_TIME, 0},    {"max", COLUMN_TIME, 0},
		{"kind", COLUMN_TEXT, 0},   {"type", COLUMN_TEXT, 60},
	};
	const struct annotations *as = &rp->annotations;
	struct table *t = table_new(columns, ARRAY_SIZE(columns));
	size_t all = HASH_COUNT(as->types), n = 0;
	const struct annotation *a, *tmp;

	HASH_ITER(hh, as->types, a, tmp) {
		if (!t || n++ >= shown(r, all))
			break;
		table_count(t, a->begun);
		if (a->key.kind <= ANNOTATION_REGION)
			table_count(t, a->ended.count);
		else
			table_none(t);
		table_time(t, a->ended.ns);
		table_time(t, histogram_percentile(&a->ended.times, 500));
		table_time(t, histogram_percentile(&a->ended.times, 990));
		table_time(t, a->ended.times.max);
		table_text(t, kind_text(a->key.kind));
		table_text(t, *a->key.name ? a->key.name : "\"\"");
	}
	return table_end(t, all - shown(r, all), "The program's own tasks, regions and logs", out);
}

/* Columns of tables have no per cent. */
static void table_percent(struct table *t, uint64_t part, uint64_t all)
{
	char text[16];

	snprintf(text, sizeof(text), "%5.1f%%", percent(part, all));
	table_text(t, text);
}

static int print_functions(const struct report *r, const struct report_process *rp, FILE *out)
{
	static const struct column columns[] = {
		{"itself", COLUMN_COUNT, 0},      {"", COLUMN_TEXT, 0},
		{"and callees", COLUMN_COUNT, 0}, {"", COLUMN_TEXT, 0},
		{"function", COLUMN_TEXT, 0},
	};
	const struct samples *s = &rp->samples;
	struct sampled_func *funcs, *f, *tmp;
	size_t n = 0, all, most = SAMPLED_FUNCS;
	struct table *t;
	char title[160];
	int err = sampled_funcs(&funcs, s, r->symbols, rp->tgid);

	if (err)
		return err;
	all = HASH_COUNT(funcs);
	most = r->options.top && r->options.top < most ? r->options.top : most;
	most = r->options.top && all > most ? most : all;
	t = table_new(columns, ARRAY_SIZE(columns));
	HASH_ITER(hh, funcs, f, tmp) {
		if (!t || n++ >= most)
			break;
		table_count(t, f->flat);
		table_percent(t, f->flat, s->n);
		table_count(t, f->cumulative);
		table_percent(t, f->cumulative, s->n);
		table_text(t, f->name);
	}
	sampled_funcs_free(&funcs);
	snprintf(title, sizeof(title),
		 "%" PRIu64 " CPU sample%s, %.1f%% of them in the kernel, by function", s->n,
		 plural(s->n), percent(s->in_kernel, s->n));
	return table_end(t, all - most, title, out);
}

static int compare_sampled(const struct group *a, const struct group *b)
{
	if (a->samples != b->samples)
		return a->samples > b->samples ? -1 : 1;
	return a->start_pc < b->start_pc ? -1 : a->start_pc > b->start_pc;
}

static int print_sampled_groups(const struct report *r, struct report_process *rp, FILE *out)
{
	static const struct column columns[] = {
		{"samples", COLUMN_COUNT, 0},
		{"", COLUMN_TEXT, 0},
		{"start function", COLUMN_TEXT, 0},
	};
	const struct samples *s = &rp->samples;
	struct table *t = table_new(columns, ARRAY_SIZE(columns));
	size_t n = 0, left_out = 0;
	struct group *g, *tmp;
	char buf[32];

	HASH_SORT(rp->goroutines.groups, compare_sampled);
	HASH_ITER(hh, rp->goroutines.groups, g, tmp) {
		if (!t || !g->samples)
			break;
		if (r->options.top && n++ >= r->options.top) {
			left_out++;
			continue;
		}
		table_count(t, g->samples);
		table_percent(t, g->samples, s->n);
		table_text(t, start_name(r, rp, g, buf));
	}
	if (t && s->n > s->of_goroutines) {
		table_count(t, s->n - s->of_goroutines);
		table_percent(t, s->n - s->of_goroutines, s->n);
		table_text(t, "(no goroutine: the scheduler, or C)");
	}
	return table_end(t, left_out, "CPU samples by goroutine", out);
}

int print_samples(const struct report *r, struct report_process *rp, FILE *out)
{
	int err = print_functions(r, rp, out);

	return err ? err : print_sampled_groups(r, rp, out);
}
