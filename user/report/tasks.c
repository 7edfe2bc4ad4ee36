// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/report/tasks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The longest waits for a CPU come first, then who used most of it. */
static int compare_stats(const struct task_stats *x, const struct task_stats *y)
{
	if (x->runnable != y->runnable)
		return x->runnable < y->runnable ? -1 : 1;
	if (x->on_cpu != y->on_cpu)
		return x->on_cpu < y->on_cpu ? -1 : 1;
	return 0;
}

static int compare_tasks(const void *a, const void *b)
{
	const struct task *x = a, *y = b;
	int r = compare_stats(&x->stats, &y->stats);

	return r ? r : x->serial > y->serial ? -1 : x->serial < y->serial;
}

static int compare_processes(const void *a, const void *b)
{
	const struct task_process *x = a, *y = b;
	int r = compare_stats(&x->stats, &y->stats);

	return r ? r : x->serial > y->serial ? -1 : x->serial < y->serial;
}

void tasks_init(struct tasks *ts, unsigned int top, struct kernel_view *system,
		struct interned **names)
{
	*ts = (struct tasks){
		.names = names,
		.system = system,
		.top = {.compare = compare_tasks, .max = top},
		.top_processes = {.compare = compare_processes, .max = top},
	};
}

static void task_free(struct task *t)
{
	if (t)
		histogram_free(&t->stats.latency);
	free(t);
}

static void process_free(struct task_process *ps)
{
	if (ps)
		histogram_free(&ps->stats.latency);
	free(ps);
}

static struct task_process *process_get(struct tasks *ts, uint32_t tgid)
{
	struct task_process *ps;

	HASH_FIND(hh, ts->processes, &tgid, sizeof(tgid), ps);
	if (ps)
		return ps;
	ps = calloc(1, sizeof(*ps));
	if (!ps)
		return NULL;
	ps->tgid = tgid;
	ps->serial = ++ts->serial;
	HASH_ADD(hh, ts->processes, tgid, sizeof(ps->tgid), ps);
	return ps;
}

void tasks_rows_init(struct top *rows, unsigned int top)
{
	*rows = (struct top){.compare = compare_tasks, .max = top};
}

void tasks_rows_free(struct top *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		task_free(rows->items[i]);
	free(rows->items);
}

int tasks_target(struct tasks *ts, uint32_t tgid, struct kernel_view *view, struct top *rows)
{
	struct task_process *ps = process_get(ts, tgid);

	if (!ps)
		return -ENOMEM;
	ps->view = view;
	ps->rows = rows;
	return 0;
}

static struct task *task_find(const struct tasks *ts, uint32_t tid)
{
	struct task *t;

	HASH_FIND(hh, ts->live, &tid, sizeof(tid), t);
	return t;
}

static struct task *task_new(struct tasks *ts, const struct thread *m)
{
	struct task *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->process = process_get(ts, m->tgid);
	if (!t->process) {
		free(t);
		return NULL;
	}
	t->tid = m->tid;
	t->tgid = m->tgid;
	t->serial = ++ts->serial;
	t->process->live++;
	t->process->threads++;
	HASH_ADD(hh, ts->live, tid, sizeof(t->tid), t);
	return t;
}

/* Names change: by exec, and threads name themselves. */
static void task_name(struct task *t, const struct thread *m)
{
	memcpy(t->comm, m->comm, sizeof(t->comm));
	t->comm[sizeof(t->comm) - 1] = 0;
	if (t->tid == t->tgid || !*t->process->comm)
		memcpy(t->process->comm, t->comm, sizeof(t->comm));
}

/* Account the time in the state that is left at `time`. */
static int task_advance(struct tasks *ts, struct task *t, uint64_t time)
{
	uint64_t ns = time > t->since ? time - t->since : 0;
	int err = 0;

	switch (t->state) {
	case T_RUNNING:
		t->stats.on_cpu += ns;
		break;
	case T_RUNNABLE:
		t->stats.runnable += ns;
		if (t->taken_by && t->process->view)
			err = kernel_view_taken(t->process->view, t->taken_by, ns);
		if (t->taken_by_name && ts->system && !err)
			err = kernel_view_taken(ts->system, t->taken_by_name, ns);
		break;
	case T_SLEEPING:
		t->stats.sleeping += ns;
		if (t->process->rows)
			err = kernel_view_slept(t->process->view, t->asleep, ns);
		break;
	case T_UNKNOWN:
	case T_DEAD:
		break;
	}
	t->taken_by = t->taken_by_name = NULL;
	t->since = time;
	return err;
}

/* The last thread is gone. */
static int process_finish(struct tasks *ts, struct task_process *ps)
{
	void *out = ps;
	int err = 0;

	HASH_DELETE(hh, ts->processes, ps);
	if (ts->system && ps->threads)
		err = top_offer(&ts->top_processes, ps, &out);
	process_free(err ? ps : out);
	return err;
}

/* A row goes to its process's and to the system's table; one of them has to make a copy. */
static int offer_row(struct top *rows, const struct task *t)
{
	struct task *copy = malloc(sizeof(*copy));
	void *out = copy;
	int err;

	if (!copy)
		return -ENOMEM;
	*copy = *t;
	copy->process = NULL;
	copy->stats.latency = (struct histogram){0};
	err = histogram_merge(&copy->stats.latency, &t->stats.latency);
	if (!err)
		err = top_offer(rows, copy, &out);
	task_free(err ? copy : out);
	return err;
}

static int task_finish(struct tasks *ts, struct task *t, uint64_t time)
{
	struct task_process *ps = t->process;
	void *out = t;
	int err = task_advance(ts, t, time);

	HASH_DELETE(hh, ts->live, t);
	if (!err)
		err = task_stats_merge(&ps->stats, &t->stats);
	if (!err && ps->view) {
		err = task_stats_merge(&ps->view->stats, &t->stats);
		ps->view->threads++;
	}
	if (!err && ps->rows)
		err = offer_row(ps->rows, t);
	t->process = NULL;
	if (!err && ts->system)
		err = top_offer(&ts->top, t, &out);
	task_free(err ? t : out);
	/* a target's row stays: it says where its threads belong */
	if (!--ps->live && !ps->view) {
		int e = process_finish(ts, ps);

		err = err ? err : e;
	}
	return err;
}

/* Names of whoever got the CPU; kernel workers are one, whatever they work on. */
static const char *taker_name(struct tasks *ts, const struct t_change *c)
{
	char name[EVENT_COMM_LEN];

	if (!c->by_tid)
		return intern(ts->names, "(nobody: the CPU quota was used up, or it was moved)");
	snprintf(name, sizeof(name), "%s", c->by_comm ? c->by_comm : "");
	if (!strncmp(name, "kworker/", 8))
		name[7] = 0;
	return intern(ts->names, name);
}

static int note_taker(struct tasks *ts, struct task *t, const struct t_change *c)
{
	const struct task *by = task_find(ts, c->by_tid);

	t->taken_by_name = taker_name(ts, c);
	t->taken_by = by && by->tgid == t->tgid ? intern(ts->names, "(its own other threads)") :
						  t->taken_by_name;
	return t->taken_by && t->taken_by_name ? 0 : -ENOMEM;
}

int tasks_change(struct tasks *ts, const struct t_change *c)
{
	struct task *t = task_find(ts, c->t->tid);
	int err;

	if (!ts->begin)
		ts->begin = c->time;
	/* the number was given to somebody else */
	if (t && t->tgid != c->t->tgid) {
		err = task_finish(ts, t, c->time);
		if (err)
			return err;
		t = NULL;
	}
	if (!t) {
		if (c->to == T_DEAD)
			return 0;
		t = task_new(ts, c->t);
		if (!t)
			return -ENOMEM;
		t->state = c->from;
		t->asleep = SLEEP_UNKNOWN;
		t->since = c->since > ts->begin ? c->since : ts->begin;
	}
	task_name(t, c->t);
	if (t->state == T_RUNNABLE && c->to == T_RUNNING && c->time >= t->since) {
		err = histogram_add(&t->stats.latency, c->time - t->since);
		if (err)
			return err;
	}
	t->stats.switches += t->state == T_RUNNING && c->to != T_RUNNING;
	t->stats.preempted += t->state == T_RUNNING && c->to == T_RUNNABLE;
	t->stats.wakeups += t->state != T_RUNNING && c->to == T_RUNNABLE;
	err = task_advance(ts, t, c->time);
	if (!err && t->state == T_RUNNING && c->to == T_RUNNABLE)
		err = note_taker(ts, t, c);
	t->state = c->to;
	if (c->to == T_SLEEPING)
		t->asleep = sleep_key(c->t);
	if (!err && c->to == T_DEAD)
		err = task_finish(ts, t, c->time);
	return err;
}

int tasks_syscall(struct tasks *ts, const struct syscall_span *s)
{
	struct task *t = task_find(ts, s->t->tid);
	int err = 0;

	/* only counted; a thread that is never switched has no row, and its process one */
	if (t) {
		t->stats.syscalls++;
		t->stats.syscall_ns += s->end > s->begin ? s->end - s->begin : 0;
	}
	if (s->t->process) {
		struct task_process *ps = process_get(ts, s->t->tgid);

		if (!ps)
			return -ENOMEM;
		if (ps->view)
			err = kernel_view_syscall(ps->view, s);
	}
	if (ts->system && !err)
		err = kernel_view_syscall(ts->system, s);
	return err;
}

int tasks_close_process(struct tasks *ts, uint32_t tgid, uint64_t time)
{
	struct task_process *ps;
	struct task *t, *tmp;
	int err = 0;

	HASH_ITER(hh, ts->live, t, tmp) {
		int e = t->tgid == tgid ? task_finish(ts, t, time) : 0;

		err = err ? err : e;
	}
	HASH_FIND(hh, ts->processes, &tgid, sizeof(tgid), ps);
	if (ps && ps->rows) {
		top_sort(ps->rows);
		ps->rows = NULL;
	}
	return err;
}

int tasks_close(struct tasks *ts, uint64_t time)
{
	struct task_process *ps, *pstmp;
	struct task *t, *tmp;
	int err = 0, e;

	HASH_ITER(hh, ts->live, t, tmp) {
		e = task_finish(ts, t, time);
		err = err ? err : e;
	}
	HASH_ITER(hh, ts->processes, ps, pstmp) {
		e = process_finish(ts, ps);
		err = err ? err : e;
	}
	top_sort(&ts->top);
	top_sort(&ts->top_processes);
	return err;
}

void tasks_free(struct tasks *ts)
{
	struct task_process *ps, *pstmp;
	struct task *t, *tmp;

	HASH_ITER(hh, ts->live, t, tmp) {
		HASH_DELETE(hh, ts->live, t);
		task_free(t);
	}
	HASH_ITER(hh, ts->processes, ps, pstmp) {
		HASH_DELETE(hh, ts->processes, ps);
		process_free(ps);
	}
	for (size_t i = 0; i < ts->top.n; i++)
		task_free(ts->top.items[i]);
	for (size_t i = 0; i < ts->top_processes.n; i++)
		process_free(ts->top_processes.items[i]);
	free(ts->top.items);
	free(ts->top_processes.items);
}
