// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Ps, garbage collection and stop-the-world, as text. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "user/report/print.h"

static void print_procs(const struct report_process *rp, FILE *out)
{
	const struct procs *ps = &rp->procs;
	uint64_t used = ps->running_ns + ps->syscall_ns, user = 0, own = 0;
	const struct group *g, *tmp;

	if (!ps->all_ns)
		return;
	HASH_ITER(hh, rp->goroutines.groups, g, tmp) {
		uint64_t ns = g->a.part[PART_RUNNING] + g->a.part[PART_OFF_CPU];

		user += g->system ? 0 : ns;
		own += g->system ? ns : 0;
	}
	fprintf(out, "GOMAXPROCS %u", ps->n ? ps->n : ps->known);
	if (ps->changes)
		fprintf(out, " (%" PRIu64 " change%s, %u to %u)", ps->changes, plural(ps->changes),
			ps->min, ps->max);
	/* without the kernel's events most system calls are time of goroutines: all are, then */
	if (rp->no_kernel)
		fprintf(out, "; time of Ps: %.1f%% goroutines and system calls, ",
			percent(user + ps->syscall_ns, ps->all_ns));
	else
		fprintf(out, "; time of Ps: %.1f%% goroutines, ", percent(user, ps->all_ns));
	fprintf(out, "%.1f%% the runtime's own, ", percent(own, ps->all_ns));
	if (!rp->no_kernel)
		fprintf(out, "%.1f%% system calls, ", percent(ps->syscall_ns, ps->all_ns));
	fprintf(out, "%.1f%% scheduling, %.1f%% idle\n",
		percent(ps->running_ns > user + own ? ps->running_ns - user - own : 0, ps->all_ns),
		percent(ps->all_ns > used ? ps->all_ns - used : 0, ps->all_ns));
}

static void print_collections(const struct report_process *rp, FILE *out)
{
	const struct spans *s = &rp->gc.cycles;

	if (!s->count)
		return;
	fprintf(out, "%" PRIu64 " garbage collection%s, marking for %s, %.1f%% of the time",
		s->count, plural(s->count), time_text(s->ns), percent(s->ns, rp->end - rp->begin));
	if (s->times.count)
		fprintf(out, " (p50 %s, max %s)", time_text(histogram_percentile(&s->times, 500)),
			time_text(s->times.max));
	fputc('\n', out);
}

/* Who marked. */
static void print_marking(const struct goroutines *gs, FILE *out)
{
	static const char *const names[] = {
		[GC_WORKER_DEDICATED] = "dedicated",
		[GC_WORKER_FRACTIONAL] = "fractional",
		[GC_WORKER_IDLE] = "idle",
	};
	const char *comma = "GC workers ran ";
	uint64_t assists = 0, ran = 0;
	const struct group *g, *tmp;

	for (int i = GC_WORKER_DEDICATED; i <= GC_WORKER_IDLE; i++) {
		if (!gs->worker_ns[i])
			continue;
		fprintf(out, "%s%s %s", comma, time_text(gs->worker_ns[i]), names[i]);
		comma = ", ";
	}
	HASH_ITER(hh, gs->groups, g, tmp) {
		assists += g->assists.count;
		ran += g->assist_ns;
	}
	if (assists)
		fprintf(out, "%sgoroutines ran %s in %" PRIu64 " mark assist%s",
			*comma == ',' ? "; " : "", time_text(ran), assists, plural(assists));
	if (assists || *comma == ',')
		fputc('\n', out);
}

static void print_heap(const struct gc *gc, FILE *out)
{
	if (gc->heap_known) {
		fprintf(out, "Heap: %s to %s live, ", size_text(gc->live_min),
			size_text(gc->live_max));
		fprintf(out, "%s at the end", size_text(gc->live));
		if (gc->goal)
			fprintf(out, ", goal %s", size_text(gc->goal));
	}
	if (gc->sweeps)
		fprintf(out, "%s%s swept in %" PRIu64 " sweep%s", gc->heap_known ? "; " : "",
			size_text(gc->swept), gc->sweeps, plural(gc->sweeps));
	if (gc->heap_known || gc->sweeps)
		fputc('\n', out);
}

void print_runtime(const struct report_process *rp, FILE *out)
{
	print_procs(rp, out);
	print_collections(rp, out);
	print_marking(&rp->goroutines, out);
	print_heap(&rp->gc, out);
}

static int compare_pauses(const void *a, const void *b)
{
	const struct pause *x = a, *y = b;

	if (x->spans.ns != y->spans.ns)
		return x->spans.ns > y->spans.ns ? -1 : 1;
	return strcmp(x->reason, y->reason);
}

static int print_pauses(const struct report *r, const struct gc *gc, FILE *out)
{
	static const struct column columns[] = {
		{"count", COLUMN_COUNT, 0}, {"total", COLUMN_TIME, 0}, {"p50", COLUMN_TIME, 0},
		{"p99", COLUMN_TIME, 0},    {"max", COLUMN_TIME, 0},   {"for", COLUMN_TEXT, 0},
	};
	struct table *t = table_new(columns, ARRAY_SIZE(columns));

	if (gc->npauses)
		qsort(gc->pauses, gc->npauses, sizeof(gc->pauses[0]), compare_pauses);
	for (size_t i = 0; t && i < shown(r, gc->npauses); i++) {
		const struct pause *p = &gc->pauses[i];

		table_count(t, p->spans.count);
		table_time(t, p->spans.ns);
		table_time(t, histogram_percentile(&p->spans.times, 500));
		table_time(t, histogram_percentile(&p->spans.times, 990));
		table_time(t, p->spans.times.max);
		table_text(t, *p->reason ? p->reason : "(this Go does not tell)");
	}
	return table_end(t, gc->npauses - shown(r, gc->npauses), "The world was stopped", out);
}

static int compare_assists(const struct group *a, const struct group *b)
{
	if (a->assists.ns != b->assists.ns)
		return a->assists.ns > b->assists.ns ? -1 : 1;
	return a->start_pc < b->start_pc ? -1 : a->start_pc > b->start_pc;
}

static int print_assists(const struct report *r, struct report_process *rp, FILE *out)
{
	static const struct column columns[] = {
		{"total", COLUMN_TIME, 0},
		{"running", COLUMN_TIME, 0},
		{"times", COLUMN_COUNT, 0},
		{"p50", COLUMN_TIME, 0},
		{"p99", COLUMN_TIME, 0},
		{"max", COLUMN_TIME, 0},
		{"start function", COLUMN_TEXT, 0},
	};
	struct table *t = table_new(columns, ARRAY_SIZE(columns));
	struct group *g, *tmp;
	size_t n = 0, left_out = 0;
	char buf[32];

	HASH_SORT(rp->goroutines.groups, compare_assists);
	HASH_ITER(hh, rp->goroutines.groups, g, tmp) {
		if (!t || !g->assists.count)
			break;
		if (r->options.top && n++ >= r->options.top) {
			left_out++;
			continue;
		}
		table_time(t, g->assists.ns);
		table_time(t, g->assist_ns);
		table_count(t, g->assists.count);
		table_time(t, histogram_percentile(&g->assists.times, 500));
		table_time(t, histogram_percentile(&g->assists.times, 990));
		table_time(t, g->assists.times.max);
		table_text(t, start_name(r, rp, g, buf));
	}
	return table_end(t, left_out, "Goroutines that had to help the garbage collector", out);
}

int print_gc(const struct report *r, struct report_process *rp, FILE *out)
{
	int err = print_pauses(r, &rp->gc, out);

	return err ? err : print_assists(r, rp, out);
}
