/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the runtime does for a while, what the program annotates, the heap and CPU samples. */
#include <inttypes.h>
#include <string.h>

#include "user/export/dump_internal.h"

int dump_range(void *ctx, const struct range_change *c)
{
	static const char *const names[] = {
		[RANGE_STW] = "stw",
		[RANGE_GC] = "gc",
		[RANGE_MARK_ASSIST] = "mark-assist",
		[RANGE_SWEEP] = "sweep",
	};
	struct dump *d = ctx;

	dump_time(d, c->time);
	dump_who(d, c->m, c->p, c->g);
	fprintf(d->out, " %s-%s", names[c->kind], c->begin ? "begin" : "end");
	if (c->name && c->name[0])
		dump_text(d, c->name, strlen(c->name));
	if (c->kind == RANGE_SWEEP && !c->begin)
		fprintf(d->out, " swept=%" PRIu64, c->swept);
	if (c->reclaimed) /* only the runtime itself knows it, and only while it traces itself */
		fprintf(d->out, " reclaimed=%" PRIu64, c->reclaimed);
	if (!c->begin && c->since)
		dump_span(d, "took", c->time - c->since);
	if (c->begin)
		dump_stack(d, c->process->tgid, c->stack, c->skip);
	return dump_line_end(d, c->process->tgid, c->flags);
}

int dump_procs(void *ctx, const struct procs_change *c)
{
	struct dump *d = ctx;

	dump_time(d, c->time);
	dump_who(d, c->m, c->p, c->g);
	fprintf(d->out, " procs %u", c->n);
	dump_stack(d, c->process->tgid, c->stack, c->skip);
	return dump_line_end(d, c->process->tgid, c->flags);
}

int dump_user(void *ctx, const struct user_change *c)
{
	struct dump *d = ctx;

	dump_time(d, c->time);
	dump_who(d, c->m, c->p, c->g);
	fprintf(d->out, " %s", dump_kind(c->kind));
	if (c->task || c->parent)
		fprintf(d->out, " task=%" PRIu64, c->task);
	if (c->parent)
		fprintf(d->out, " parent=%" PRIu64, c->parent);
	if (c->name && c->kind != USER_TASK_END)
		dump_text(d, c->name, strlen(c->name));
	if (c->kind == USER_LOG && c->text)
		dump_text(d, c->text, strlen(c->text));
	dump_stack(d, c->g->process->tgid, c->stack, c->skip);
	return dump_line_end(d, c->g->process->tgid, c->flags);
}

int dump_label(void *ctx, const struct label_change *c)
{
	struct dump *d = ctx;

	dump_time(d, c->time);
	dump_who(d, c->m, c->p, c->g);
	fputs(c->gc_worker ? " gc-worker" : " labels", d->out);
	dump_text(d, c->label, strlen(c->label));
	return dump_line_end(d, c->g->process->tgid, 0);
}

int dump_heap(void *ctx, const struct heap_change *c)
{
	struct dump *d = ctx;

	dump_time(d, c->time);
	fprintf(d->out, " heap live=%" PRIu64 " goal=%" PRIu64, c->live, c->goal);
	return dump_line_end(d, c->process->tgid, 0);
}

int dump_sample(void *ctx, const struct cpu_sample *c)
{
	struct dump *d = ctx;

	dump_time(d, c->time);
	dump_who(d, c->t, c->p, c->g);
	fprintf(d->out, " sample cpu=%d%s", c->cpu, c->in_kernel ? " kernel" : "");
	dump_stack(d, c->t->tgid, c->stack, 0);
	return dump_line_end(d, c->t->tgid, 0);
}
