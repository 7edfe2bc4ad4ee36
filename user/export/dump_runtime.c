/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Records about the runtime itself, the program's annotations and CPU samples, as text. */
#include <inttypes.h>
#include <string.h>

#include "user/export/dump_internal.h"

static void print_runtime(struct dump *d, const struct ev_runtime *ev)
{
	fprintf(d->out, " %s", dump_kind(ev->kind));
	names_print(d, 'G', ev->tgid, ev->gp);
	names_print(d, 'P', ev->tgid, ev->p);
	switch (ev->kind) {
	case RT_STW_BEGIN:
		if (ev->arg[0] != RT_NO_REASON)
			fprintf(d->out, " reason=%" PRIu64, (uint64_t)ev->arg[0]);
		break;
	case RT_SWEEP_END:
		fprintf(d->out, " swept=%" PRIu64 " reclaimed=%" PRIu64, (uint64_t)ev->arg[0],
			(uint64_t)ev->arg[1]);
		break;
	case RT_PROC_START:
	case RT_PROC_STOP:
	case RT_PROC_STEAL:
		fputs(" which", d->out);
		names_print(d, 'P', ev->tgid, ev->arg[0]);
		break;
	case RT_PROCS:
		fprintf(d->out, " n=%" PRIu64, (uint64_t)ev->arg[0]);
		break;
	}
	fprintf(d->out, " cpu=%" PRIu32 " site=%u", ev->cpu, ev->site);
	dump_stack(d, ev->tgid, ev->stack, 0);
}

static void print_labels(struct dump *d, const char *at, const char *end)
{
	while (at < end) {
		unsigned int len = (unsigned int)strnlen(at, (size_t)(end - at));

		dump_text(d, at, len);
		at += len + 1;
	}
}

static void print_user(struct dump *d, const struct ev_user *ev)
{
	fprintf(d->out, " %s", dump_kind(ev->kind));
	names_print(d, 'G', ev->tgid, ev->gp);
	names_print(d, 'P', ev->tgid, ev->p);
	if (ev->task || ev->parent)
		fprintf(d->out, " task=%" PRIu64, (uint64_t)ev->task);
	if (ev->parent)
		fprintf(d->out, " parent=%" PRIu64, (uint64_t)ev->parent);
	if (ev->kind == USER_LABELS) {
		print_labels(d, ev->text, ev->text + ev->len[0]);
	} else {
		dump_text(d, ev->text, ev->len[0]);
		if (ev->kind == USER_LOG)
			dump_text(d, ev->text + ev->len[0], ev->len[1]);
	}
	if (ev->flags & USER_CUT)
		fputs(" cut", d->out);
	fprintf(d->out, " cpu=%" PRIu32 " site=%u", ev->cpu, ev->site);
	dump_stack(d, ev->tgid, ev->stack, 0);
}

static void print_sample(struct dump *d, const struct ev_sample *ev)
{
	dump_ctx(d, ev->tgid, &ev->ctx);
	fprintf(d->out, " cpu=%" PRIu32 "%s", ev->cpu, ev->flags & SAMPLE_KERNEL ? " kernel" : "");
	dump_stack(d, ev->tgid, ev->stack, 0);
}

static void print_heap(struct dump *d, const struct ev_heap *ev)
{
	fprintf(d->out, " live=%" PRIu64 " goal=%" PRIu64, (uint64_t)ev->live, (uint64_t)ev->goal);
}

static void print_inline(struct dump *d, const struct ev_inline *ev)
{
	fprintf(d->out,
		" calls=%" PRIu32 " hits=%" PRIu64 " hit-ns=%" PRIu64 " pause-ns=%" PRIu64
		" threads=%" PRIu32 " clock-ns=%" PRIu64 " memory-kib=%" PRIu32,
		ev->sites, (uint64_t)ev->hits, (uint64_t)ev->hit_ns, (uint64_t)ev->pause_ns,
		ev->threads, (uint64_t)ev->clock_ns, ev->memory_kib);
}

static void print_damage(struct dump *d, const struct ev_damage *ev)
{
	static const char *const kinds[] = {"position", "record", "time", "counter",
					    "flood",    "held",   "cut"};
	const char *before = " kinds=";

	fprintf(d->out, " pid=%" PRIu32 " found=%" PRIu64, ev->tgid, (uint64_t)ev->found);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!(ev->kinds & 1U << i))
			continue;
		fprintf(d->out, "%s%s", before, kinds[i]);
		before = ",";
	}
}

/* Shares are in millionths. */
static void print_percent(struct dump *d, const char *key, uint64_t share)
{
	fprintf(d->out, " %s=%" PRIu64 ".%02" PRIu64 "%%", key, share / 10000, share % 10000 / 100);
}

void dump_shed(struct dump *d, const struct ev_shed *ev)
{
	static const char *const whats[] = {
		[SHED_ASKED] = "asked",           [SHED_STEP] = "step",
		[SHED_PROBES_OFF] = "probes-off", [SHED_PROBES_ON] = "probes-on",
		[SHED_SUMMARY] = "summary",       [SHED_FORESEEN] = "foreseen",
	};

	fprintf(d->out, " %s", ev->what <= SHED_FORESEEN ? whats[ev->what] : "?");
	if (ev->what == SHED_STEP)
		fprintf(d->out, " %s->%s", shed_level_name(ev->from), shed_level_name(ev->to));
	else
		fprintf(d->out, " level=%s", shed_level_name(ev->to));
	if (ev->stacks != 1)
		fprintf(d->out, ev->stacks ? " stacks=1/%" PRIu32 : " stacks=none", ev->stacks);
	if (ev->what != SHED_ASKED)
		print_percent(d, "overhead", ev->overhead);
	if (ev->budget)
		print_percent(d, "budget", ev->budget);
}

static void print_missing(struct dump *d, const struct ev_missing *ev)
{
	fprintf(d->out, " errno=%" PRIu32, ev->err);
	dump_text(d, ev->program, (unsigned int)strlen(ev->program));
	dump_text(d, ev->shows, (unsigned int)strlen(ev->shows));
	dump_text(d, ev->why, (unsigned int)strlen(ev->why));
}

static void print_notice(struct dump *d, const struct ev_notice *ev)
{
	static const char *const whats[] = {
		[NOTICE_STOPPED] = "stopped", [NOTICE_TRACED] = "traced",
		[NOTICE_FROZEN] = "frozen",   [NOTICE_GOES_ON] = "goes-on",
		[NOTICE_MODULE] = "module",   [NOTICE_PLUGIN] = "plugin",
		[NOTICE_RUNTIME] = "runtime",
	};

	fprintf(d->out, " %s", ev->what <= NOTICE_RUNTIME ? whats[ev->what] : "?");
	if (ev->text[0]) {
		fputc(' ', d->out);
		dump_text(d, ev->text, strnlen(ev->text, sizeof(ev->text)));
	}
}

void dump_runtime(struct dump *d, const struct event_head *ev)
{
	const void *p = ev;

	switch (ev->type) {
	case EV_RUNTIME:
		print_runtime(d, p);
		break;
	case EV_USER:
		print_user(d, p);
		break;
	case EV_SAMPLE:
		print_sample(d, p);
		break;
	case EV_SNAP_GC:
		fputs(((const struct ev_snap_gc *)p)->marking ? " marking" : " off", d->out);
		break;
	case EV_HEAP:
		print_heap(d, p);
		break;
	case EV_INLINE:
		print_inline(d, p);
		break;
	case EV_DAMAGE:
		print_damage(d, p);
		break;
	case EV_SHED:
		dump_shed(d, p);
		break;
	case EV_MISSING:
		print_missing(d, p);
		break;
	case EV_NOTICE:
		print_notice(d, p);
		break;
	}
}
