// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/report/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/report/internal.h"

/* More warnings than this help nobody, and a forged file could hold any number. */
#define MAX_SITES 64

/* Processes whose probes are counted: a replay has no more. */
#define MOST_PROBED 4096

/* Events between losses so close to each other are few. */
#define NEAR_GAPS 10000000 /* ns */

int report_sort_parse(const char *text, enum report_sort *sort, struct error *e)
{
	static const char *const names[] = {
		[REPORT_SORT_WAIT] = "wait",         [REPORT_SORT_TOTAL] = "total",
		[REPORT_SORT_RUNNING] = "running",   [REPORT_SORT_OFF_CPU] = "offcpu",
		[REPORT_SORT_RUNNABLE] = "runnable", [REPORT_SORT_SYSCALL] = "syscall",
		[REPORT_SORT_BLOCKED] = "blocked",   [REPORT_SORT_DELAY] = "delay",
		[REPORT_SORT_COUNT] = "count",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(text, names[i])) {
			*sort = (enum report_sort)i;
			return 0;
		}
	}
	return error_set(e, EXIT_USAGE, -EINVAL,
			 "cannot sort by \"%s\": use wait, total, running, offcpu, runnable, "
			 "syscall, blocked, delay or count",
			 text);
}

int report_new(struct report **out, const struct report_options *options,
	       const struct symbols *symbols, struct error *e)
{
	struct report *r = calloc(1, sizeof(*r));

	if (!r)
		return error_set(e, EXIT_FAILED, -ENOMEM, "report: out of memory");
	r->options = *options;
	r->symbols = symbols;
	r->gaps.near = NEAR_GAPS;
	tasks_init(&r->tasks, options->top, options->system_wide ? &r->system : NULL, &r->names);
	*out = r;
	return 0;
}

static struct report_process *process_find(const struct report *r, const struct process *ps)
{
	struct report_process *rp;

	HASH_FIND(hh, r->processes, &ps->tgid, sizeof(ps->tgid), rp);
	return rp;
}

static int on_process(void *ctx, struct process *ps, uint64_t time)
{
	struct report *r = ctx;
	struct report_process *rp = process_find(r, ps);

	if (rp)
		return 0;
	rp = calloc(1, sizeof(*rp));
	if (!rp)
		return -ENOMEM;
	rp->tgid = ps->tgid;
	rp->info = ps->info;
	rp->plain = ps->plain;
	rp->is_bare = ps->bare;
	rp->no_kernel = ps->no_kernel;
	rp->begin = time;
	tasks_rows_init(&rp->threads, r->options.top);
	rp->process = ps->plain || ps->bare ? NULL : ps;
	goroutines_init(&rp->goroutines, r->options.sort, r->options.top, &r->names, time);
	rp->goroutines.blind = r->shed.blind_since != 0 || ps->blind;
	bare_init(&rp->bare, r->options.sort, r->options.top);
	rp->gc.names = rp->annotations.names = &r->names;
	HASH_ADD(hh, r->processes, tgid, sizeof(rp->tgid), rp);
	return tasks_target(&r->tasks, ps->tgid, &rp->view, rp->plain ? &rp->threads : NULL);
}

/* The process of something that happens, NULL once it has ended. */
static struct report_process *process_live(const struct report *r, const struct process *ps)
{
	struct report_process *rp = ps ? process_find(r, ps) : NULL;

	return rp && !rp->end ? rp : NULL;
}

static int on_goroutine(void *ctx, const struct g_change *c)
{
	struct report_process *rp = process_live(ctx, c->g->process);

	if (!rp)
		return 0;
	procs_goroutine(&rp->procs, c);
	if (c->to == G_DEAD)
		annotations_leave(&rp->annotations, c->g);
	return goroutines_change(&rp->goroutines, c);
}

static int on_processor(void *ctx, const struct p_change *c)
{
	struct report_process *rp = process_live(ctx, c->p->process);

	if (rp)
		procs_change(&rp->procs, c);
	return 0;
}

static int on_thread(void *ctx, const struct t_change *c)
{
	struct report *r = ctx;
	struct report_process *rp = process_live(r, c->t->process);
	int err = 0;

	if (rp)
		err = goroutines_thread(&rp->goroutines, c);
	return err ? err : tasks_change(&r->tasks, c);
}

static int on_syscall(void *ctx, const struct syscall_span *s)
{
	struct report *r = ctx;
	struct report_process *rp = process_live(r, s->t->process);
	int err = rp && rp->is_bare ? bare_syscall(&rp->bare, s) : 0;

	return err ? err : tasks_syscall(&r->tasks, s);
}

static int on_span(void *ctx, const struct thread_span *s)
{
	struct report_process *rp = process_live(ctx, s->t->process);

	return rp ? bare_span(&rp->bare, s) : 0;
}

static int on_range(void *ctx, const struct range_change *c)
{
	struct report_process *rp = process_live(ctx, c->process);

	if (!rp)
		return 0;
	return c->kind == RANGE_MARK_ASSIST ? goroutines_assist(&rp->goroutines, c) :
					      gc_range(&rp->gc, c);
}

static int on_procs(void *ctx, const struct procs_change *c)
{
	struct report_process *rp = process_live(ctx, c->process);

	if (rp)
		procs_set(&rp->procs, c);
	return 0;
}

static int on_user(void *ctx, const struct user_change *c)
{
	struct report_process *rp = process_live(ctx, c->g->process);

	return rp ? annotations_add(&rp->annotations, c) : 0;
}

static int on_label(void *ctx, const struct label_change *c)
{
	struct report_process *rp = process_live(ctx, c->g->process);

	return rp && c->gc_worker ? goroutines_worker(&rp->goroutines, c) : 0;
}

static int on_heap(void *ctx, const struct heap_change *c)
{
	struct report_process *rp = process_live(ctx, c->process);

	if (rp)
		gc_heap(&rp->gc, c);
	return 0;
}

static int on_sample(void *ctx, const struct cpu_sample *c)
{
	struct report_process *rp = process_live(ctx, c->t->process);

	if (!rp)
		return 0;
	return samples_add(&rp->samples, c, goroutines_sample(&rp->goroutines, c->g));
}

static int on_loss(void *ctx, const struct ev_loss *l)
{
	struct report *r = ctx;

	if (l->count)
		gaps_add(&r->gaps, l->since_ns, l->h.time_ns);
	return 0;
}

static int on_missing(void *ctx, const struct ev_missing *m)
{
	struct report *r = ctx;

	if (r->nmissing < MOST_MISSING)
		r->missing[r->nmissing++] = *m;
	return 0;
}

static int on_shed(void *ctx, const struct ev_shed *s)
{
	bool turns = s->what == SHED_PROBES_OFF || s->what == SHED_PROBES_ON;
	struct report_process *rp, *tmp;
	struct report *r = ctx;
	int err = 0;

	/* steps are told in the order of time, whoever they are of */
	if (!s->h.tid || s->what == SHED_STEP)
		shed_note(&r->shed, s);
	HASH_ITER(hh, r->processes, rp, tmp) {
		if (s->h.tid && s->h.tid != rp->tgid)
			continue;
		if (s->h.tid)
			shed_note(&rp->shed, s);
		if (turns && !rp->end && !err)
			err = goroutines_blind(&rp->goroutines, s->what == SHED_PROBES_OFF,
					       s->h.time_ns);
	}
	return err;
}

static int on_notice(void *ctx, const struct ev_notice *n)
{
	struct report *r = ctx;

	notices_note(&r->notices, n);
	return 0;
}

static int on_repair(void *ctx, const struct repair *rep)
{
	struct report *r = ctx;
	struct report_repair *p;

	for (size_t i = 0; i < r->nrepairs; i++) {
		if (r->repairs[i].what == rep->what) {
			r->repairs[i].count++;
			return 0;
		}
	}
	p = realloc(r->repairs, (r->nrepairs + 1) * sizeof(*p));
	if (!p)
		return -ENOMEM;
	r->repairs = p;
	p[r->nrepairs++] = (struct report_repair){.what = rep->what, .count = 1};
	return 0;
}

static int on_damage(void *ctx, const struct process *ps, const struct ev_damage *d)
{
	struct report_process *rp = process_find(ctx, ps);

	if (rp)
		rp->damage = *d;
	return 0;
}

static int count_hits(struct report *r, const struct ev_site *s)
{
	struct report_probes *p = NULL;

	for (size_t i = 0; i < r->nprobes && !p; i++)
		if (r->probes[i].tgid == s->tgid)
			p = &r->probes[i];
	if (!p && r->nprobes == MOST_PROBED)
		return 0;
	if (!p) {
		p = realloc(r->probes, (r->nprobes + 1) * sizeof(*p));
		if (!p)
			return -ENOMEM;
		r->probes = p;
		p = &r->probes[r->nprobes++];
		*p = (struct report_probes){.tgid = s->tgid};
	}
	if (s->kind < PROBE_KINDS)
		p->hits[s->kind] += s->hits;
	return 0;
}

static int on_site(void *ctx, const struct ev_site *s)
{
	struct report *r = ctx;
	struct ev_site *p;

	if (!(s->flags & SITE_FINAL))
		return 0;
	if (count_hits(r, s))
		return -ENOMEM;
	if (!(s->flags & SITE_MUST_HIT) || s->hits || r->nsites == MAX_SITES)
		return 0;
	p = realloc(r->sites, (r->nsites + 1) * sizeof(*p));
	if (!p)
		return -ENOMEM;
	r->sites = p;
	p[r->nsites++] = *s;
	return 0;
}

static int end_process(struct report *r, struct report_process *rp, uint64_t time)
{
	int err, err2;

	rp->end = time > rp->begin ? time : rp->begin;
	procs_close(&rp->procs, rp->end);
	annotations_close(&rp->annotations);
	err = goroutines_close(&rp->goroutines, rp->process, rp->end);
	err2 = bare_close(&rp->bare);
	err = err ? err : err2;
	err2 = gc_close(&rp->gc, rp->end);
	err = err ? err : err2;
	err2 = tasks_close_process(&r->tasks, rp->tgid, rp->end);
	return err ? err : err2;
}

static int on_gone(void *ctx, struct process *ps, enum gone_how how, uint64_t time)
{
	struct report *r = ctx;
	struct report_process *rp = process_find(r, ps);

	if (!rp || rp->end)
		return 0;
	rp->gone = true;
	notices_gone(&r->notices, rp->tgid, time);
	rp->how = how;
	return end_process(r, rp, time);
}

static int on_end(void *ctx, const struct replay_totals *t, struct error *e)
{
	struct report *r = ctx;
	struct report_process *rp, *tmp;
	int err = 0, err2;

	r->totals = *t;
	HASH_ITER(hh, r->processes, rp, tmp) {
		err2 = rp->end ? 0 : end_process(r, rp, t->end_ns);
		err = err ? err : err2;
	}
	err2 = tasks_close(&r->tasks, t->end_ns);
	err = err ? err : err2;
	return err ? error_set(e, EXIT_FAILED, err, "report: out of memory") : 0;
}

struct sink report_sink(struct report *r)
{
	static const struct sink_ops ops = {
		.knows_crowd = true,
		.process = on_process,
		.goroutine = on_goroutine,
		.processor = on_processor,
		.thread = on_thread,
		.syscall = on_syscall,
		.span = on_span,
		.range = on_range,
		.procs = on_procs,
		.user = on_user,
		.label = on_label,
		.heap = on_heap,
		.sample = on_sample,
		.loss = on_loss,
		.shed = on_shed,
		.missing = on_missing,
		.notice = on_notice,
		.repair = on_repair,
		.damage = on_damage,
		.site = on_site,
		.gone = on_gone,
		.end = on_end,
	};

	return (struct sink){.ops = &ops, .ctx = r};
}

void report_set_damage(struct report *r, const char *damage)
{
	free(r->damage);
	r->damage = damage ? strdup(damage) : NULL;
}

void report_free(struct report *r)
{
	struct report_process *rp, *tmp;

	if (!r)
		return;
	tasks_free(&r->tasks);
	HASH_ITER(hh, r->processes, rp, tmp) {
		HASH_DELETE(hh, r->processes, rp);
		goroutines_free(&rp->goroutines);
		bare_free(&rp->bare);
		gc_free(&rp->gc);
		annotations_free(&rp->annotations);
		samples_free(&rp->samples);
		kernel_view_free(&rp->view);
		tasks_rows_free(&rp->threads);
		free(rp);
	}
	kernel_view_free(&r->system);
	interned_free(&r->names);
	free(r->sites);
	free(r->probes);
	free(r->repairs);
	free(r->damage);
	free(r);
}
