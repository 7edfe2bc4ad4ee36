// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Goroutines of a process in which nothing was planted, as text. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "user/report/print.h"

#define NAME_WIDTH 40
#define STACK_WIDTH 90

/* clang-format off */
#define STATS_COLUMNS                   \
	{"syscalls", COLUMN_COUNT, 0},  \
	{"in them", COLUMN_TIME, 0},    \
	{"on CPU", COLUMN_TIME, 0},     \
	{"asleep", COLUMN_TIME, 0},     \
	{"runnable", COLUMN_TIME, 0},   \
	{"delay p50", COLUMN_TIME, 0},  \
	{"p99", COLUMN_TIME, 0},        \
	{"max", COLUMN_TIME, 0},        \
	{"preempted", COLUMN_COUNT, 0}, \
	{"woke", COLUMN_COUNT, 0},      \
	{"start function", COLUMN_TEXT, NAME_WIDTH}
/* clang-format on */

static const char *sort_text(enum report_sort sort)
{
	switch (sort) {
	case REPORT_SORT_TOTAL:
		return "time on and off CPU";
	case REPORT_SORT_RUNNING:
		return "time on CPU";
	case REPORT_SORT_RUNNABLE:
		return "time runnable";
	case REPORT_SORT_SYSCALL:
		return "time in syscalls";
	case REPORT_SORT_BLOCKED:
		return "time asleep";
	case REPORT_SORT_DELAY:
		return "99th percentile of the scheduling delay";
	case REPORT_SORT_COUNT:
		return "number";
	case REPORT_SORT_OFF_CPU:
	case REPORT_SORT_WAIT:
		break;
	}
	return "time off CPU";
}

static void add_stats(struct table *t, const struct bare_stats *s)
{
	table_count(t, s->syscalls);
	table_time(t, s->syscall_ns);
	table_time(t, s->on_cpu);
	table_time(t, s->asleep);
	table_time(t, s->waiting);
	table_time(t, histogram_percentile(&s->delay, 500));
	table_time(t, histogram_percentile(&s->delay, 990));
	table_time(t, s->delay.max);
	table_count(t, s->preempted);
	table_count(t, s->wakes);
}

static const char *start_text(const struct report *r, const struct report_process *rp,
			      uint64_t start_pc, char buf[32])
{
	const struct group g = {.start_pc = start_pc};

	return start_name(r, rp, &g, buf);
}

static int compare_groups(const struct bare_group *x, const struct bare_group *y)
{
	if (x->system != y->system)
		return x->system ? 1 : -1;
	if (x->key != y->key)
		return x->key > y->key ? -1 : 1;
	return x->start_pc < y->start_pc ? -1 : x->start_pc > y->start_pc;
}

static int print_groups(const struct report *r, struct report_process *rp, FILE *out)
{
	static const struct column columns[] = {{"count", COLUMN_COUNT, 0}, STATS_COLUMNS};
	struct table *t = table_new(columns, ARRAY_SIZE(columns));
	size_t all = HASH_COUNT(rp->bare.groups), n = 0;
	struct bare_group *g, *tmp;
	char title[128], buf[32];

	HASH_SORT(rp->bare.groups, compare_groups);
	HASH_ITER(hh, rp->bare.groups, g, tmp) {
		if (!t || n++ >= shown(r, all))
			break;
		table_count(t, g->count);
		add_stats(t, &g->s);
		table_text(t, start_text(r, rp, g->start_pc, buf));
	}
	snprintf(title, sizeof(title), "Goroutines by start function, most %s first",
		 sort_text(r->options.sort));
	return table_end(t, all - shown(r, all), title, out);
}

static int print_singles(const struct report *r, const struct report_process *rp, FILE *out)
{
	static const struct column columns[] = {{"goroutine", COLUMN_COUNT, 0}, STATS_COLUMNS};
	struct table *t = table_new(columns, ARRAY_SIZE(columns));
	const struct top *top = &rp->bare.top;
	char title[128], buf[32];

	for (size_t i = 0; t && i < top->n; i++) {
		const struct bare_row *row = top->items[i];

		table_count(t, row->id);
		add_stats(t, &row->s);
		table_text(t, start_text(r, rp, row->group->start_pc, buf));
	}
	snprintf(title, sizeof(title), "Single goroutines, most %s first",
		 r->options.sort == REPORT_SORT_COUNT ? "syscalls" : sort_text(r->options.sort));
	return table_end(t, top->offered - top->n, title, out);
}

static int compare_stacks(const struct bare_stack *a, const struct bare_stack *b)
{
	if (a->ns != b->ns)
		return a->ns > b->ns ? -1 : 1;
	if (a->key.start_pc != b->key.start_pc)
		return a->key.start_pc < b->key.start_pc ? -1 : 1;
	return a->key.stack < b->key.stack ? -1 : a->key.stack > b->key.stack;
}

/* "leaf < caller < ...", as many frames as there is room for. */
static void stack_text(const struct report *r, const struct report_process *rp, uint64_t stack,
		       char *text, size_t size)
{
	struct frame frames[EVENT_MAX_FRAMES];
	size_t len = 0, n = symbols_stack(r->symbols, rp->tgid, stack, 0, frames, EVENT_MAX_FRAMES);

	snprintf(text, size, "(not known)");
	for (size_t i = 0; i < n; i++) {
		const char *func = *frames[i].func ? frames[i].func : "?";
		int more = snprintf(text + len, size - len, "%s%s", i ? " < " : "", func);

		if (more < 0 || (size_t)more >= size - len) {
			snprintf(text + len, size - len, "%s", i ? " ..." : func);
			break;
		}
		len += (size_t)more;
	}
}

static int print_stacks(const struct report *r, struct report_process *rp, FILE *out)
{
	static const struct column columns[] = {
		{"off CPU", COLUMN_TIME, 0},         {"runnable", COLUMN_TIME, 0},
		{"times", COLUMN_COUNT, 0},          {"mean", COLUMN_TIME, 0},
		{"where", COLUMN_TEXT, STACK_WIDTH},
	};
	struct table *t = table_new(columns, ARRAY_SIZE(columns));
	size_t all = HASH_COUNT(rp->bare.stacks), n = 0;
	struct bare_stack *s, *tmp;
	char text[STACK_WIDTH];

	HASH_SORT(rp->bare.stacks, compare_stacks);
	HASH_ITER(hh, rp->bare.stacks, s, tmp) {
		if (!t || n++ >= shown(r, all))
			break;
		stack_text(r, rp, s->key.stack, text, sizeof(text));
		table_time(t, s->ns);
		table_time(t, s->waiting);
		table_count(t, s->times);
		table_time(t, s->ns / s->times);
		table_text(t, text);
	}
	return table_end(t, all - shown(r, all),
			 "Where goroutines were when their thread left its CPU", out);
}

void print_bare_header(const struct report_process *rp, FILE *out)
{
	const struct bare *b = &rp->bare;
	const struct bare_group *g, *tmp;
	uint64_t on_cpu = 0;

	HASH_ITER(hh, b->groups, g, tmp)
		on_cpu += g->s.on_cpu;
	fprintf(out, "%" PRIu64 " goroutine%s seen on threads; ", b->seen, plural(b->seen));
	fprintf(out, "%s on CPUs for them, %s for the runtime or not told\n", time_text(on_cpu),
		time_text(b->on_cpu - on_cpu));
	fputs("Level kernel leaves out what goroutines do while they are on no thread: why and how "
	      "long they block, when they become runnable, who wakes them.\n",
	      out);
}

int print_bare(const struct report *r, struct report_process *rp, FILE *out)
{
	int err = print_groups(r, rp, out);

	if (!err)
		err = print_stacks(r, rp, out);
	return err ? err : print_singles(r, rp, out);
}
