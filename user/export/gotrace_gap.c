/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Losses, and what was left out on purpose. A gap is a task of its own, "gscope: events lost" or the
 * like, from its begin to its end, and a log message that says what was lost; see gotrace.h.
 *
 * A loss is known at its end. The begin of the task is put behind the last mark before it: a batch
 * that was closed early, when a goroutine ran that could be the one to begin a task.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "user/export/gotrace_state.h"

#define MARK_NS 10000000U
#define FIRST_TASK (1ULL << 62) /* the runtime counts from 1 */

void gap_mark(struct gotrace *t, struct wire_m *m, uint64_t time)
{
	struct wire_mark *last = t->nmarks ? &t->marks[t->nmarks - 1] : NULL;

	if (t->nmarks == WIRE_MARKS_MAX || (last && time < last->time + MARK_NS))
		return;
	batch_flush(&m->batch, &t->out, t->gen, m->tid);
	t->marks[t->nmarks++] = (struct wire_mark){
		.time = time,
		.tid = m->tid,
		.at = t->out.len,
	};
}

/* The last mark before the gap, or the first one of the generation. */
static unsigned int mark_before(const struct gotrace *t, uint64_t since)
{
	unsigned int i = 0;

	while (i + 1 < t->nmarks && t->marks[i + 1].time <= since)
		i++;
	return i;
}

/* Before what was inserted there already. */
static void insert(struct gotrace *t, unsigned int i, enum wire_type type, unsigned int nargs,
		   const uint64_t *args)
{
	const struct wire_mark *mark = &t->marks[i];
	struct bytes added = {0}, *out = &t->out;
	struct batch b = {0};
	size_t behind = out->len - mark->at;

	batch_event(&b, &added, t->gen, mark->tid, mark->time, type, args, nargs);
	batch_flush(&b, &added, t->gen, mark->tid);
	/* make room, then move what was written behind the mark */
	bytes_add(out, added.data, added.len);
	out->failed |= added.failed;
	if (!out->failed) {
		uint8_t *at = out->data + mark->at;

		memmove(at + added.len, at, behind);
		memcpy(at, added.data, added.len);
		while (++i < t->nmarks)
			t->marks[i].at += added.len;
	}
	bytes_free(&b.data);
	bytes_free(&added);
}

static void describe(const struct wire_gap *gap, char *text, size_t size)
{
	static const char *const what[LOSS_CLASSES] = {
		[LOSS_SCHED] = "thread switches", [LOSS_SYSCALL] = "system calls",
		[LOSS_GO] = "goroutine events",   [LOSS_STACK] = "stacks",
		[LOSS_SAMPLE] = "CPU samples",
	};
	size_t len = (size_t)snprintf(
		text, size, "lost within %" PRIu64 " us:", (gap->until - gap->since) / 1000);
	const char *comma = "";

	for (int i = 0; i < LOSS_CLASSES; i++) {
		if (!gap->lost[i])
			continue;
		len += (size_t)snprintf(text + len, size - len, "%s %s %" PRIu64, comma, what[i],
					gap->lost[i]);
		comma = ",";
	}
}

/* From the last mark before `since` to now or, without a thread, to the last mark there is. */
static void say(struct gotrace *t, struct wire_m *m, uint64_t time, const struct wire_note *note)
{
	unsigned int last = t->nmarks - 1, first = mark_before(t, note->since);
	struct tables *tables = &t->tables;
	uint64_t begin[4], end[2] = {0}, log[4] = {0};
	int err;

	do
		begin[0] = log[0] = end[0] = FIRST_TASK + t->gaps++;
	while (!(err = wire_open_task(t, begin[0])));
	wire_close_task(t, begin[0]);
	t->out.failed |= err < 0;
	begin[1] = begin[3] = 0;
	begin[2] = tables_string(tables, note->what);
	log[1] = tables_string(tables, "gscope");
	log[2] = tables_string(tables, note->text);
	if (m) {
		wire_emit(t, m, time, WIRE_USER_LOG, 4, log);
		wire_emit(t, m, time, WIRE_TASK_END, 2, end);
	} else {
		insert(t, last, WIRE_TASK_END, 2, end);
		insert(t, last, WIRE_USER_LOG, 4, log);
	}
	insert(t, first, WIRE_TASK_BEGIN, 4, begin);
}

static void say_gap(struct gotrace *t, struct wire_m *m, uint64_t time)
{
	struct wire_note note = {
		.since = t->gap.since, .until = t->gap.until, .what = "gscope: events lost"};

	describe(&t->gap, note.text, sizeof(note.text));
	say(t, m, time, &note);
	t->gap = (struct wire_gap){0};
}

static void say_notes(struct gotrace *t, struct wire_m *m, uint64_t time)
{
	for (unsigned int i = 0; i < t->nnotes; i++)
		say(t, m, time, &t->notes[i]);
	t->nnotes = 0;
}

void tell_gap(struct gotrace *t, struct wire_m *m, uint64_t time)
{
	/* losses of one moment come one by one: tell them together, with what comes after */
	if (t->gap.until && time > t->gap.until)
		say_gap(t, m, time);
	if (t->nnotes && time > t->notes[t->nnotes - 1].until)
		say_notes(t, m, time);
}

void wire_loss(struct gotrace *t, const struct ev_loss *l)
{
	struct wire_gap *gap = &t->gap;
	uint64_t since = l->since_ns < l->h.time_ns ? l->since_ns : l->h.time_ns;

	if (!gap->until || since < gap->since)
		gap->since = since;
	if (l->h.time_ns > gap->until)
		gap->until = l->h.time_ns;
	gap->lost[l->loss_class] += l->count;
}

/* --- what was left out ----------------------------------------------------------------------- */

/* If nobody could say anything for very long, the last note stands for those that do not fit. */
static struct wire_note *new_note(struct gotrace *t, const char *what, uint64_t since,
				  uint64_t until)
{
	struct wire_note *note;

	if (t->nnotes < WIRE_NOTES_MAX)
		t->nnotes++;
	note = &t->notes[t->nnotes - 1];
	*note = (struct wire_note){.since = since, .until = until, .what = what};
	return note;
}

static void note_step(struct gotrace *t, const struct ev_shed *s)
{
	static const char *const texts[] = {
		[SHED_NOTHING] = "all is recorded",
		[SHED_STACKS] = "no stacks",
		[SHED_WINDOWS] = "no stacks, goroutines now and then",
		[SHED_KERNEL] = "no goroutines, threads and system calls only",
	};
	struct wire_note *note =
		new_note(t, s->to > s->from ? "gscope: detail shed" : "gscope: detail taken back",
			 s->h.time_ns, s->h.time_ns);

	snprintf(note->text, sizeof(note->text),
		 "%s from here on: tracing %s %.1f%%, the budget is %.1f%%",
		 s->to < SHED_LEVELS ? texts[s->to] : "?",
		 s->h.time_ns == t->foreseen_ns ? "was predicted to cost" : "cost",
		 (double)s->overhead / 1e4, (double)s->budget / 1e4);
}

/* Times of which nobody could say anything in between become one. */
static void note_blind(struct gotrace *t, uint64_t until)
{
	struct wire_note *note = t->nnotes ? &t->notes[t->nnotes - 1] : NULL;

	if (!note || !note->blind_ns)
		note = new_note(t, "gscope: probes off", t->blind_since, until);
	note->until = until;
	note->blind_ns += until - t->blind_since;
	snprintf(note->text, sizeof(note->text),
		 "goroutines not seen for %" PRIu64 " us within %" PRIu64 " us, to keep the budget",
		 note->blind_ns / 1000, (until - note->since) / 1000);
	t->blind_since = 0;
}

void wire_shed(struct gotrace *t, const struct ev_shed *s)
{
	t->shed_ns = s->h.time_ns;
	if (s->what == SHED_FORESEEN)
		t->foreseen_ns = s->h.time_ns;
	else if (s->what == SHED_STEP)
		note_step(t, s);
	else if (s->what == SHED_PROBES_OFF)
		t->blind_since = s->h.time_ns;
	else if (s->what == SHED_PROBES_ON && t->blind_since && s->h.time_ns > t->blind_since)
		note_blind(t, s->h.time_ns);
}

const char *gotrace_untold(const struct gotrace *t)
{
	if (t->gap.until)
		return "the Go trace does not say that events were lost, as no goroutine runs in "
		       "it after that; the report does";
	if (t->nnotes)
		return "the Go trace does not say what was left out to keep the budget, as no "
		       "goroutine runs in it after that; the report does";
	return NULL;
}

void tell_last_gap(struct gotrace *t)
{
	uint64_t end = t->last > t->shed_ns ? t->last : t->shed_ns;

	if (t->blind_since && end > t->blind_since)
		note_blind(t, end);
	if (!t->nmarks)
		return;
	if (t->gap.until)
		say_gap(t, NULL, 0);
	say_notes(t, NULL, 0);
}
