/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Transitions as text. */
#include "user/export/dump.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "user/base/io.h"
#include "user/base/text.h"
#include "user/export/dump_internal.h"
#include "user/report/syscall_names.h"

#define SHORT_STACK 3 /* frames shown of a longer stack */

void dump_time(struct dump *d, uint64_t time)
{
	bool before;

	if (!d->begun) {
		d->begun = true;
		d->begin = d->options.begin_ns ? d->options.begin_ns : time;
	}
	before = time < d->begin;
	time = before ? d->begin - time : time - d->begin;
	fprintf(d->out, "%s%" PRIu64 ".%09" PRIu64, before ? "-" : "", time / 1000000000,
		time % 1000000000);
}

void dump_name(struct dump *d, const char *name)
{
	text_escape(name, strlen(name), d->out);
}

void dump_field(struct dump *d, const char *text, size_t size)
{
	text_escape(text, strnlen(text, size), d->out);
}

void dump_text(struct dump *d, const char *text, size_t len)
{
	fputs(" \"", d->out);
	text_escape(text, len, d->out);
	fputc('"', d->out);
}

static void print_func(struct dump *d, const struct frame *f)
{
	if (f->func[0])
		dump_name(d, f->func);
	else
		fprintf(d->out, "0x%" PRIx64, f->pc);
	if (d->options.verbose && f->file[0]) {
		fputc('(', d->out);
		dump_name(d, f->file);
		fprintf(d->out, ":%" PRIu32 ")", f->line);
	}
}

void dump_stack(struct dump *d, uint32_t tgid, uint64_t stack, int skip)
{
	size_t n = 0, shown;
	struct frame frames[EVENT_MAX_FRAMES];

	if (!stack)
		return;
	if (d->symbols)
		n = symbols_stack(d->symbols, tgid, stack, skip, frames, EVENT_MAX_FRAMES);
	if (!n) {
		fprintf(d->out, " stack=#%" PRIu64, stack);
		return;
	}
	shown = d->options.verbose || n <= SHORT_STACK + 1 ? n : SHORT_STACK;
	fputs(" stack=", d->out);
	for (size_t i = 0; i < shown; i++) {
		if (i)
			fputc('<', d->out);
		print_func(d, &frames[i]);
	}
	if (shown < n)
		fprintf(d->out, "<+%zu", n - shown);
}

void dump_func(struct dump *d, const char *key, uint32_t tgid, uint64_t pc)
{
	const char *func = d->symbols ? symbols_func(d->symbols, tgid, pc) : "";

	if (!pc)
		return;
	fprintf(d->out, " %s=", key);
	if (func[0])
		dump_name(d, func);
	else
		fprintf(d->out, "0x%" PRIx64, pc);
}

void dump_who(struct dump *d, const struct thread *m, const struct proc *p,
	      const struct goroutine *g)
{
	if (m)
		fprintf(d->out, " M%" PRIu32, m->tid);
	else
		fputs(" M-", d->out);
	if (p)
		fprintf(d->out, " P%d", p->id);
	else
		fputs(" P-", d->out);
	if (g)
		fprintf(d->out, " G%" PRIu64, g->id);
	else
		fputs(" G-", d->out);
	if (d->options.verbose && g)
		fprintf(d->out, "@0x%" PRIx64, g->addr);
}

void dump_span(struct dump *d, const char *key, uint64_t ns)
{
	fprintf(d->out, " %s=%" PRIu64 ".%09" PRIu64, key, ns / 1000000000, ns % 1000000000);
}

int dump_line_end(struct dump *d, uint32_t tgid, unsigned int flags)
{
	if (flags & CHANGE_INITIAL)
		fputs(" initial", d->out);
	if (flags & CHANGE_INFERRED)
		fputs(" inferred", d->out);
	if (flags & CHANGE_REPAIR)
		fputs(" repair", d->out);
	if (d->options.verbose && tgid)
		fprintf(d->out, " tgid=%" PRIu32, tgid);
	fputc('\n', d->out);
	return ferror(d->out) ? -EIO : 0;
}

static const char *other_role(enum g_cause cause)
{
	switch (cause) {
	case G_SWITCH_OUT:
	case G_SWITCH_EXIT:
		return "to";
	case G_SWITCH_IN:
		return "from";
	default:
		return "by";
	}
}

static int on_process(void *ctx, struct process *ps, uint64_t time)
{
	struct dump *d = ctx;

	dump_time(d, time);
	fprintf(d->out, " process %" PRIu32 " ", ps->tgid);
	dump_field(d, ps->plain ? "no-go" : ps->info.go_version, sizeof(ps->info.go_version));
	fputc(' ', d->out);
	dump_field(d, ps->info.exe, sizeof(ps->info.exe));
	return dump_line_end(d, 0, 0);
}

static int on_goroutine(void *ctx, const struct g_change *c)
{
	struct dump *d = ctx;
	uint32_t tgid = c->g->process->tgid;

	dump_time(d, c->time);
	dump_who(d, c->m, c->p, c->g);
	fprintf(d->out, " %s", g_cause_name(c->cause));
	if (c->cause == G_INIT)
		fprintf(d->out, " %s", g_state_name(c->to));
	if (c->reason && c->reason[0])
		dump_text(d, c->reason, strlen(c->reason));
	if (c->block && c->block[0]) {
		fputs(" (", d->out);
		dump_name(d, c->block);
		fputc(')', d->out);
	}
	if (c->other)
		fprintf(d->out, " %s G%" PRIu64, other_role(c->cause), c->other->id);
	if (c->since && c->from != G_DEAD)
		dump_span(d, g_state_name(c->from), c->time - c->since);
	if (c->from == G_DEAD)
		dump_func(d, "start", tgid, c->g->start_pc);
	dump_stack(d, tgid, c->stack, c->skip);
	return dump_line_end(d, tgid, c->flags);
}

static int on_processor(void *ctx, const struct p_change *c)
{
	static const char *const names[] = {
		[P_INIT] = "init",
		[P_START] = "start",
		[P_STOP] = "stop",
		[P_STEAL] = "steal",
	};
	struct dump *d = ctx;

	dump_time(d, c->time);
	dump_who(d, c->m, c->p, NULL);
	fprintf(d->out, " proc-%s", names[c->cause]);
	if (c->cause == P_INIT)
		fprintf(d->out, " %s", p_state_name(c->to));
	if (c->victim)
		fprintf(d->out, " from M%" PRIu32, c->victim->tid);
	return dump_line_end(d, c->p->process->tgid, c->flags);
}

static int on_thread(void *ctx, const struct t_change *c)
{
	struct dump *d = ctx;

	dump_time(d, c->time);
	dump_who(d, c->t, c->t->p, c->t->g);
	fprintf(d->out, " thread-%s cpu=%d", t_state_name(c->to), c->cpu);
	if (c->by_tid) {
		fputs(" by ", d->out);
		dump_field(d, c->by_comm ? c->by_comm : "", EVENT_COMM_LEN);
		fprintf(d->out, "/%" PRIu32, c->by_tid);
	}
	if (c->since && c->from != T_UNKNOWN)
		dump_span(d, t_state_name(c->from), c->time - c->since);
	return dump_line_end(d, c->t->tgid, 0);
}

static int on_syscall(void *ctx, const struct syscall_span *s)
{
	const char *name = s->nr < 0 ? NULL : syscall_name((unsigned int)s->nr);
	struct dump *d = ctx;

	dump_time(d, s->end);
	dump_who(d, s->t, s->t->p, s->g);
	if (name)
		fprintf(d->out, " syscall %s", name);
	else
		fprintf(d->out, " syscall %d", s->nr);
	fprintf(d->out, " ret=%" PRId64, s->ret);
	dump_span(d, "took", s->end - s->begin);
	return dump_line_end(d, s->t->tgid, 0);
}

/* What is told of time on a CPU would be a line for every event that is there anyway. */
static int on_span(void *ctx, const struct thread_span *s)
{
	struct dump *d = ctx;

	if (s->kind == SPAN_ON_CPU)
		return 0;
	dump_time(d, s->end);
	dump_who(d, s->t, s->t->p, s->g);
	if (s->kind == SPAN_WAKE) {
		fputs(" wakes a thread", d->out);
	} else {
		fputs(s->preempted ? " off-cpu preempted" : " off-cpu", d->out);
		dump_span(d, "took", s->end - s->begin);
		if (s->runnable_since)
			dump_span(d, "runnable", s->end - s->runnable_since);
		dump_stack(d, s->t->tgid, s->stack, 0);
	}
	return dump_line_end(d, s->t->tgid, 0);
}

static int on_loss(void *ctx, const struct ev_loss *l)
{
	static const char *const names[LOSS_CLASSES] = {
		[LOSS_SCHED] = "sched", [LOSS_SYSCALL] = "syscall", [LOSS_GO] = "go",
		[LOSS_STACK] = "stack", [LOSS_SAMPLE] = "sample",
	};
	struct dump *d = ctx;

	dump_time(d, l->h.time_ns);
	fprintf(d->out, " loss %s count=%" PRIu64 " cpu=%" PRIu32,
		l->loss_class < LOSS_CLASSES ? names[l->loss_class] : "?", (uint64_t)l->count,
		l->cpu);
	if (l->since_ns && l->since_ns <= l->h.time_ns)
		dump_span(d, "within", l->h.time_ns - l->since_ns);
	return dump_line_end(d, 0, 0);
}

static int on_shed(void *ctx, const struct ev_shed *s)
{
	struct dump *d = ctx;

	if (s->what == SHED_ASKED || s->what == SHED_SUMMARY)
		return 0;
	dump_time(d, s->h.time_ns);
	fputs(" shed", d->out);
	dump_shed(d, s);
	return dump_line_end(d, 0, 0);
}

static int on_repair(void *ctx, const struct repair *r)
{
	struct dump *d = ctx;

	dump_time(d, r->time);
	dump_who(d, r->m, r->p, r->g);
	fprintf(d->out, " repair: %s", r->what);
	return dump_line_end(d, r->process ? r->process->tgid : 0, 0);
}

static int on_gone(void *ctx, struct process *ps, enum gone_how how, uint64_t time)
{
	struct dump *d = ctx;

	dump_time(d, time);
	fprintf(d->out, " process %" PRIu32 " gone: %s", ps->tgid,
		how == GONE_EXEC ? "exec" : "exit");
	return dump_line_end(d, 0, 0);
}

static int on_end(void *ctx, const struct replay_totals *t, struct error *e)
{
	struct dump *d = ctx;

	dump_time(d, t->end_ns);
	fprintf(d->out,
		" end: records=%" PRIu64 " lost=%" PRIu64 " repairs=%" PRIu64 " inferred=%" PRIu64,
		t->events, t->lost, t->repairs, t->inferred);
	dump_line_end(d, 0, 0);
	return dump_finish(d, e);
}

static const struct sink_ops ops = {
	.process = on_process,
	.goroutine = on_goroutine,
	.processor = on_processor,
	.thread = on_thread,
	.syscall = on_syscall,
	.span = on_span,
	.range = dump_range,
	.procs = dump_procs,
	.user = dump_user,
	.label = dump_label,
	.heap = dump_heap,
	.sample = dump_sample,
	.loss = on_loss,
	.shed = on_shed,
	.repair = on_repair,
	.gone = on_gone,
	.end = on_end,
};

static const struct sink_ops no_ops;

struct sink dump_sink(struct dump *d)
{
	return (struct sink){.ops = d->options.transitions ? &ops : &no_ops, .ctx = d};
}

int dump_new(struct dump **out, FILE *f, const struct dump_options *options, struct error *e)
{
	struct dump *d = calloc(1, sizeof(*d));

	if (!d)
		return error_set(e, EXIT_FAILED, -ENOMEM, "no memory left for the dump");
	d->out = f;
	if (options)
		d->options = *options;
	if (!d->options.events && !d->options.transitions)
		d->options.events = d->options.transitions = true;
	*out = d;
	return 0;
}

void dump_set_symbols(struct dump *d, const struct symbols *symbols)
{
	d->symbols = symbols;
}

int dump_finish(struct dump *d, struct error *e)
{
	errno = 0;
	if (!fflush(d->out) && !ferror(d->out))
		return 0;
	return error_set(e, EXIT_FAILED, errno ? -errno : -EIO, "cannot write the dump: %s",
			 io_write_reason(errno ? -errno : -EIO));
}

void dump_free(struct dump *d)
{
	if (!d)
		return;
	names_free(d);
	free(d);
}
