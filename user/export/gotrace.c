/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "user/export/gotrace.h"

#include <errno.h>
#include <stdlib.h>

#include "user/export/gotrace_state.h"

/* The release whose header and events are written for those of Go 1.minor. */
static unsigned int header_of(unsigned int minor)
{
	if (minor < 23)
		return 22;
	if (minor < 25)
		return 23;
	return minor < 26 ? 25 : 26;
}

static int on_process(void *ctx, struct process *ps, uint64_t time)
{
	struct gotrace *t = ctx;

	if (t->process || t->done || (t->options.tgid && t->options.tgid != ps->tgid))
		return 0;
	if (ps->plain || ps->bare) {
		t->plain |= !ps->bare;
		t->bare |= ps->bare;
		return 0;
	}
	t->process = ps;
	t->tgid = ps->tgid;
	t->minor = header_of(t->options.go_minor ? t->options.go_minor : ps->info.go_minor);
	t->begin = time ? time : 1;
	if (t->blind_since && t->blind_since < t->begin)
		t->blind_since = t->begin;
	return 0;
}

static bool ours(const struct gotrace *t, const struct process *ps)
{
	return t->process && t->process == ps && !t->done && !t->err;
}

/*
 * After a contradiction the trace ends with the last good event. The replay goes on, for the other
 * sinks; the message comes at the end. Other errors stop the replay at once.
 */
static int result(struct gotrace *t, int err)
{
	if (err == -EPROTO)
		gen_end(t, t->last, true);
	t->err = err;
	return err == -EPROTO ? 0 : err;
}

static int on_goroutine(void *ctx, const struct g_change *c)
{
	struct gotrace *t = ctx;
	int err = 0;

	if (!ours(t, c->g->process))
		return 0;
	/* what exists at the start is announced together, with the first transition */
	if (c->cause != G_INIT)
		err = gen_for(t, c->time);
	return result(t, err ? err : wire_change_g(t, c));
}

static int on_processor(void *ctx, const struct p_change *c)
{
	struct gotrace *t = ctx;
	int err = 0;

	if (!ours(t, c->p->process))
		return 0;
	if (c->cause != P_INIT)
		err = gen_for(t, c->time);
	return result(t, err ? err : wire_change_p(t, c));
}

static int on_range(void *ctx, const struct range_change *c)
{
	struct gotrace *t = ctx;
	int err = 0;

	if (!ours(t, c->process))
		return 0;
	if (!(c->flags & CHANGE_INITIAL))
		err = gen_for(t, c->time);
	if (!err)
		wire_range(t, c);
	return result(t, err);
}

static int on_procs(void *ctx, const struct procs_change *c)
{
	struct gotrace *t = ctx;
	int err = 0;

	if (!ours(t, c->process))
		return 0;
	if (c->g)
		err = gen_for(t, c->time);
	if (!err)
		wire_procs(t, c);
	return result(t, err);
}

static int on_heap(void *ctx, const struct heap_change *c)
{
	struct gotrace *t = ctx;
	int err;

	if (!ours(t, c->process))
		return 0;
	err = gen_for(t, c->time);
	if (!err)
		wire_heap(t, c);
	return result(t, err);
}

static int on_user(void *ctx, const struct user_change *c)
{
	struct gotrace *t = ctx;
	int err;

	if (!ours(t, c->g->process))
		return 0;
	err = gen_for(t, c->time);
	return result(t, err ? err : wire_user(t, c));
}

static int on_label(void *ctx, const struct label_change *c)
{
	struct gotrace *t = ctx;
	int err;

	if (!ours(t, c->g->process))
		return 0;
	err = gen_for(t, c->time);
	if (!err)
		wire_label(t, c);
	return result(t, err);
}

static int on_sample(void *ctx, const struct cpu_sample *c)
{
	struct gotrace *t = ctx;
	int err;

	if (!c->t->process || !ours(t, c->t->process))
		return 0;
	err = gen_for(t, c->time);
	if (!err)
		wire_sample(t, c);
	return result(t, err);
}

static int on_loss(void *ctx, const struct ev_loss *l)
{
	struct gotrace *t = ctx;

	if (t->process && !t->done && !t->err && l->loss_class < LOSS_CLASSES)
		wire_loss(t, l);
	return 0;
}

static int on_shed(void *ctx, const struct ev_shed *s)
{
	struct gotrace *t = ctx;

	if (s->h.tid && (!t->process || s->h.tid != t->tgid))
		return 0;
	/* what is left out of all from the beginning is known before there is a process */
	if (!t->done && !t->err)
		wire_shed(t, s);
	return 0;
}

static int complete(struct gotrace *t, uint64_t time)
{
	if (t->err || t->done || !t->process)
		return t->err;
	if (time < t->last)
		time = t->last;
	t->err = gen_for(t, t->gen ? t->last : t->begin);
	if (!t->err)
		t->err = gen_end(t, time, true);
	t->done = true;
	return t->err;
}

static int on_gone(void *ctx, struct process *ps, enum gone_how how, uint64_t time)
{
	struct gotrace *t = ctx;

	(void)how;
	return ours(t, ps) ? complete(t, time) : 0;
}

static int on_end(void *ctx, const struct replay_totals *totals, struct error *e)
{
	struct gotrace *t = ctx;

	complete(t, totals->end_ns);
	if (t->err && e)
		*e = t->error;
	return t->err;
}

static const struct sink_ops ops = {
	.knows_crowd = true,
	.process = on_process,
	.goroutine = on_goroutine,
	.processor = on_processor,
	.range = on_range,
	.procs = on_procs,
	.user = on_user,
	.label = on_label,
	.heap = on_heap,
	.sample = on_sample,
	.loss = on_loss,
	.shed = on_shed,
	.gone = on_gone,
	.end = on_end,
};

struct sink gotrace_sink(struct gotrace *t)
{
	return (struct sink){.ops = &ops, .ctx = t};
}

int gotrace_new(struct gotrace **out, int fd, const struct gotrace_options *options,
		const struct symbols *symbols, struct error *e)
{
	struct gotrace *t = calloc(1, sizeof(*t));

	if (!t)
		return error_set(e, EXIT_FAILED, -ENOMEM, "no memory left for the Go trace");
	if (options)
		t->options = *options;
	t->symbols = symbols;
	out_open(&t->file, fd);
	*out = t;
	return 0;
}

void gotrace_set_symbols(struct gotrace *t, const struct symbols *symbols)
{
	t->symbols = symbols;
}

int gotrace_finish(struct gotrace *t, struct error *e)
{
	if (!t->process && t->bare)
		t->err = error_set(
			&t->error, EXIT_FAILED, -ENODATA,
			"no Go trace can be made: %s was recorded at level kernel, and the "
			"format needs every transition of goroutines; record it at level "
			"goroutines, or see gscope report and gscope dump",
			t->options.tgid ? "that process" : "the process");
	else if (!t->process && t->plain)
		t->err = error_set(
			&t->error, EXIT_FAILED, -ENODATA,
			"no Go trace can be made: of %s the capture has threads and system "
			"calls only, no goroutines; gscope report and gscope dump show them",
			t->options.tgid ? "that process" : "what was recorded");
	else if (!t->process)
		t->err = error_set(&t->error, EXIT_FAILED, -ENODATA,
				   "nothing to write to the Go trace: the capture has no goroutine "
				   "events of %s; was it recorded at level goroutines?",
				   t->options.tgid ? "that process" : "a Go process");
	complete(t, t->last);
	if (t->err && e)
		*e = t->error;
	return t->err;
}

void gotrace_free(struct gotrace *t)
{
	struct wire_m *m, *next_m;
	struct wire_p *p, *next_p;
	struct wire_g *g, *next_g;

	if (!t)
		return;
	HASH_ITER(hh, t->gs, g, next_g)
		wire_del_g(t, g);
	HASH_ITER(hh, t->ps, p, next_p) {
		HASH_DEL(t->ps, p);
		free(p);
	}
	HASH_ITER(hh, t->ms, m, next_m) {
		HASH_DEL(t->ms, m);
		bytes_free(&m->batch.data);
		free(m);
	}
	tables_clear(&t->tables);
	bytes_free(&t->out);
	bytes_free(&t->samples);
	bytes_free(&t->unbound.data);
	wire_free_tasks(t);
	free(t->loose);
	free(t);
}
