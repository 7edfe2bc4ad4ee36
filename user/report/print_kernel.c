// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Threads, system calls, and who took the CPU, as text; and what all of the printing uses. */
#include "user/report/print.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/duration.h"
#include "user/base/text.h"
#include "user/report/syscall_names.h"

#define ANTAGONISTS 5

/* One of four places, in turn. */
static char *place(void)
{
	static _Thread_local char buf[4][DURATION_SIZE];
	static _Thread_local unsigned int next;

	return buf[next++ % 4];
}

const char *time_text(uint64_t ns)
{
	return duration_format(place(), ns);
}

const char *size_text(uint64_t bytes)
{
	return size_format(place(), bytes);
}

double percent(uint64_t part, uint64_t all)
{
	return all ? 100 * (double)part / (double)all : 0;
}

const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

/* A new table; printed, with a title and if it has rows, and freed by table_end(). */
int table_end(struct table *t, size_t left_out, const char *title, FILE *out)
{
	int err = 0;

	if (!t)
		return -ENOMEM;
	if (table_rows(t)) {
		fprintf(out, "\n%s\n", title);
		err = table_print(t, out);
		if (left_out)
			fprintf(out, "  ... and %zu more\n", left_out);
	}
	table_free(t);
	return err;
}

size_t shown(const struct report *r, size_t n)
{
	return r->options.top && r->options.top < n ? r->options.top : n;
}

void print_text(const char *text, FILE *out)
{
	char *clean = text_fit(text, 0);

	fputs(clean ? clean : "?", out);
	free(clean);
}

static int compare_antagonists(const struct antagonist *a, const struct antagonist *b)
{
	if (a->ns != b->ns)
		return a->ns > b->ns ? -1 : 1;
	return strcmp(a->name, b->name);
}

int print_antagonists(struct kernel_view *v, FILE *out)
{
	static const struct column columns[] = {
		{"off CPU", COLUMN_TIME, 0},
		{"times", COLUMN_COUNT, 0},
		{"mean", COLUMN_TIME, 0},
		{"the CPU went to", COLUMN_TEXT, 0},
	};
	struct table *t = table_new(columns, ARRAY_SIZE(columns));
	struct antagonist *a, *tmp;
	size_t n = 0;

	HASH_SORT(v->antagonists, compare_antagonists);
	HASH_ITER(hh, v->antagonists, a, tmp) {
		if (!t || n++ >= ANTAGONISTS)
			break;
		table_time(t, a->ns);
		table_count(t, a->times);
		table_time(t, a->ns / a->times);
		table_text(t, *a->name ? a->name : "(not known)");
	}
	n = HASH_COUNT(v->antagonists);
	return table_end(t, n > ANTAGONISTS ? n - ANTAGONISTS : 0,
			 "Who took the CPU while it was wanted, until it was given back", out);
}

static int compare_syscalls(const struct syscall_stats *a, const struct syscall_stats *b)
{
	if (a->own != b->own)
		return a->own ? 1 : -1;
	if (a->ns != b->ns)
		return a->ns > b->ns ? -1 : 1;
	return a->key < b->key ? -1 : a->key > b->key;
}

/* "futex"; `text` is for numbers without a name. */
static const char *call_name(unsigned int nr, char text[32])
{
	const char *name = syscall_name(nr);

	if (name)
		return name;
	if (nr == SYSCALL_NR_OTHER)
		return "(not known)";
	snprintf(text, 32, "number %u%s", nr & ~SYS_NR_32BIT, nr & SYS_NR_32BIT ? " (32-bit)" : "");
	return text;
}

int print_syscalls(const struct report *r, struct kernel_view *v, bool go, FILE *out)
{
	static const struct column columns[] = {
		{"count", COLUMN_COUNT, 0}, {"errors", COLUMN_COUNT, 0}, {"total", COLUMN_TIME, 0},
		{"p50", COLUMN_TIME, 0},    {"p99", COLUMN_TIME, 0},     {"max", COLUMN_TIME, 0},
		{"name", COLUMN_TEXT, 0},
	};
	struct table *t = table_new(columns, ARRAY_SIZE(columns));
	struct syscall_stats *s, *tmp;
	size_t all = HASH_COUNT(v->syscalls), n = 0;

	HASH_SORT(v->syscalls, compare_syscalls);
	HASH_ITER(hh, v->syscalls, s, tmp) {
		char text[64], number[32];

		if (!t || n++ >= shown(r, all))
			break;
		snprintf(text, sizeof(text), "%.48s%s", call_name(s->nr, number),
			 go && s->own ? " (runtime)" : "");
		table_count(t, s->times.count);
		table_count(t, s->errors);
		table_time(t, s->ns);
		table_time(t, histogram_percentile(&s->times, 500));
		table_time(t, histogram_percentile(&s->times, 990));
		table_time(t, s->times.max);
		table_text(t, text);
	}
	return table_end(t, all - shown(r, all),
			 go ? "System calls, those for goroutines first" : "System calls", out);
}

static int compare_sleeps(const struct sleep_stats *a, const struct sleep_stats *b)
{
	if (a->ns != b->ns)
		return a->ns > b->ns ? -1 : 1;
	return a->key < b->key ? -1 : a->key > b->key;
}

static void sleep_text(int key, char *text, size_t size)
{
	int nr = sleep_nr(key);
	char number[32];

	switch (sleep_kind(key)) {
	case SLEEP_HALTED:
		snprintf(text, size, "(stopped by a signal or a debugger)");
		return;
	case SLEEP_DISK:
		if (nr < 0)
			snprintf(text, size,
				 "(the kernel's work for it: page faults and the like)");
		else
			snprintf(text, size, "%s, not interruptible",
				 call_name((unsigned int)nr, number));
		return;
	default:
		if (nr < 0)
			snprintf(text, size, "(not known)");
		else
			snprintf(text, size, "%s", call_name((unsigned int)nr, number));
	}
}

int print_sleeps(const struct report *r, struct kernel_view *v, FILE *out)
{
	static const struct column columns[] = {
		{"asleep", COLUMN_TIME, 0}, {"times", COLUMN_COUNT, 0}, {"mean", COLUMN_TIME, 0},
		{"max", COLUMN_TIME, 0},    {"in", COLUMN_TEXT, 0},
	};
	struct table *t = table_new(columns, ARRAY_SIZE(columns));
	size_t all = HASH_COUNT(v->sleeps), n = 0;
	struct sleep_stats *s, *tmp;

	HASH_SORT(v->sleeps, compare_sleeps);
	HASH_ITER(hh, v->sleeps, s, tmp) {
		char text[80];

		if (!t || n++ >= shown(r, all))
			break;
		sleep_text(s->key, text, sizeof(text));
		table_time(t, s->ns);
		table_count(t, s->times);
		table_time(t, s->ns / s->times);
		table_time(t, s->max);
		table_text(t, text);
	}
	return table_end(t, all - shown(r, all), "What the threads slept in", out);
}

/* clang-format off */
#define TASK_COLUMNS                       \
	{"on CPU", COLUMN_TIME, 0},        \
	{"runnable", COLUMN_TIME, 0},      \
	{"delay p50", COLUMN_TIME, 0},     \
	{"p99", COLUMN_TIME, 0},           \
	{"max", COLUMN_TIME, 0},           \
	{"switches", COLUMN_COUNT, 0},     \
	{"preempted", COLUMN_COUNT, 0},    \
	{"wake-ups", COLUMN_COUNT, 0},     \
	{"syscalls", COLUMN_COUNT, 0},     \
	{"in them", COLUMN_TIME, 0},       \
	{"name", COLUMN_TEXT, 0}
/* clang-format on */

static void add_task(struct table *t, const struct task_stats *s, const char *name)
{
	table_time(t, s->on_cpu);
	table_time(t, s->runnable);
	table_time(t, histogram_percentile(&s->latency, 500));
	table_time(t, histogram_percentile(&s->latency, 990));
	table_time(t, s->latency.max);
	table_count(t, s->switches);
	table_count(t, s->preempted);
	table_count(t, s->wakeups);
	table_count(t, s->syscalls);
	table_time(t, s->syscall_ns);
	table_text(t, name);
}

int print_threads(const struct top *rows, FILE *out)
{
	static const struct column columns[] = {
		{"thread", COLUMN_COUNT, 0},
		{"asleep", COLUMN_TIME, 0},
		TASK_COLUMNS,
	};
	struct table *t = table_new(columns, ARRAY_SIZE(columns));

	for (size_t i = 0; t && i < rows->n; i++) {
		const struct task *task = rows->items[i];

		table_count(t, task->tid);
		table_time(t, task->stats.sleeping);
		add_task(t, &task->stats, task->comm);
	}
	return table_end(t, rows->offered - rows->n,
			 "Threads, those that waited longest for a CPU first", out);
}

int print_tasks(const struct report *r, FILE *out)
{
	static const struct column process_columns[] = {
		{"process", COLUMN_COUNT, 0},
		{"threads", COLUMN_COUNT, 0},
		TASK_COLUMNS,
	};
	static const struct column thread_columns[] = {
		{"process", COLUMN_COUNT, 0},
		{"thread", COLUMN_COUNT, 0},
		TASK_COLUMNS,
	};
	const struct tasks *ts = &r->tasks;
	struct table *t = table_new(process_columns, ARRAY_SIZE(process_columns));
	int err;

	for (size_t i = 0; t && i < ts->top_processes.n; i++) {
		const struct task_process *ps = ts->top_processes.items[i];

		table_count(t, ps->tgid);
		table_count(t, ps->threads);
		add_task(t, &ps->stats, ps->comm);
	}
	err = table_end(t, ts->top_processes.offered - ts->top_processes.n,
			"Processes, those that waited longest for a CPU first", out);
	if (err)
		return err;
	t = table_new(thread_columns, ARRAY_SIZE(thread_columns));
	for (size_t i = 0; t && i < ts->top.n; i++) {
		const struct task *task = ts->top.items[i];

		table_count(t, task->tgid);
		table_count(t, task->tid);
		add_task(t, &task->stats, task->comm);
	}
	return table_end(t, ts->top.offered - ts->top.n,
			 "Threads, those that waited longest for a CPU first", out);
}
