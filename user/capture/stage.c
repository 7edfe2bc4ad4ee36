// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/stage.h"

#include <errno.h>
#include <string.h>

#include "user/capture/annotation.h"
#include "user/target/snapshot.h"

#define PROCS_MOST 65536 /* Ps of a process */

int stage_write(struct stage *st, const struct event_head *ev)
{
	return capture_writer_add(st->w, ev, st->e);
}

static int write_symbol(void *ctx, const struct event_head *ev)
{
	return stage_write(ctx, ev);
}

int stage_init(struct stage *st)
{
	for (size_t i = 0; i < st->n; i++) {
		struct symbol_source source;

		if (!target_has_goroutines(st->v[i].t))
			continue;
		source = symbol_source_modules(st->v[i].t->modules);
		source.native = st->v[i].native = native_new(st->v[i].t->process);
		if (!source.native)
			return -ENOMEM;
		st->v[i].symbolizer = symbolizer_new(st->v[i].tgid, &source, write_symbol, st);
		if (!st->v[i].symbolizer)
			return -ENOMEM;
	}
	return 0;
}

void stage_free(struct stage *st)
{
	for (size_t i = 0; i < st->n; i++) {
		symbolizer_free(st->v[i].symbolizer);
		native_free(st->v[i].native);
		pcset_free(&st->v[i].procs);
	}
}

struct traced *stage_find(struct stage *st, uint32_t tgid)
{
	if (st->last && st->last->tgid == tgid)
		return st->last;
	for (size_t i = 0; i < st->n; i++)
		if (st->v[i].tgid == tgid)
			return st->last = &st->v[i];
	return NULL;
}

int stage_gone(struct stage *st, struct traced *t, uint64_t time_ns, enum gone_how how)
{
	struct ev_gone ev = {
		.h = {.time_ns = time_ns, .tid = t->tgid, .type = EV_GONE, .size = sizeof(ev)},
		.tgid = t->tgid,
		.how = how,
	};

	if (t->gone)
		return 0;
	t->gone = true;
	st->gone++;
	return stage_write(st, &ev.h);
}

/* A P that is named for the first time: GOMAXPROCS was raised since the snapshot. */
static int need_proc(struct stage *st, uint32_t tgid, uint64_t p, uint64_t time_ns)
{
	struct traced *t;
	struct snapshot_p snap;
	struct ev_snap_p ev;
	int err;

	if (!p)
		return 0;
	t = stage_find(st, tgid);
	if (!t || t->last_proc == p || !target_has_goroutines(t->t))
		return 0;
	t->last_proc = p;
	/* a process that names others all the time makes them up */
	if (pcset_find(&t->procs, p) || t->procs.n >= PROCS_MOST)
		return 0;
	err = pcset_add(&t->procs, p, 0);
	if (err)
		return error_set(st->e, EXIT_FAILED, err, "out of memory");
	if (t->gone || snapshot_read_p(t->t, p, &snap))
		return 0; /* the process has ended: nobody can tell any more */
	ev = (struct ev_snap_p){
		.h = {.time_ns = time_ns, .type = EV_SNAP_P, .size = sizeof(ev)},
		.tgid = tgid,
		.id = snap.id,
		.p = p,
		.m = snap.m,
		.status = snap.status,
	};
	return stage_write(st, &ev.h);
}

static int no_memory(struct stage *st, int err)
{
	return err == -ENOMEM ? error_set(st->e, EXIT_FAILED, err, "out of memory") : err;
}

static int need_start(struct stage *st, uint32_t tgid, uint64_t time_ns, uint64_t start_pc,
		      uint64_t go_pc)
{
	struct traced *t = stage_find(st, tgid);

	if (!t)
		return 0;
	return no_memory(st, symbolize_start(t->symbolizer, time_ns, start_pc, go_pc));
}

/* The P that changes hands, where it does; only the kinds of that name one. */
static uint64_t named_proc(const struct ev_runtime *ev)
{
	bool names = ev->kind == RT_PROC_START || ev->kind == RT_PROC_STOP ||
		     ev->kind == RT_PROC_STEAL;

	return names ? ev->arg[0] : 0;
}

static int before(struct stage *st, struct event_head *ev)
{
	const struct ev_runtime *runtime = (const void *)ev;
	const struct ev_user *user = (const void *)ev;
	const struct ev_go_create *create = (const void *)ev;
	const struct ev_goroutine *seen = (const void *)ev;
	const struct ev_sys_enter *enter = (const void *)ev;
	const struct ev_switch *sw = (const void *)ev;
	const struct ev_sample *sample = (const void *)ev;
	const struct ev_sys_exit *leave = (const void *)ev;
	const struct ev_wakeup *wakeup = (const void *)ev;
	const struct ev_snap_g *g = (const void *)ev;
	const struct ev_go *go = (const void *)ev;
	struct ev_stack *stack = (void *)ev;
	struct traced *t;
	int err;

	switch (ev->type) {
	case EV_SWITCH:
		return need_proc(st, sw->tgid, sw->ctx.p, ev->time_ns);
	case EV_WAKEUP:
		return need_proc(st, wakeup->tgid, wakeup->ctx.p, ev->time_ns);
	case EV_SYS_ENTER:
		return need_proc(st, enter->tgid, enter->ctx.p, ev->time_ns);
	case EV_SYS_EXIT:
		return need_proc(st, leave->tgid, leave->ctx.p, ev->time_ns);
	case EV_SAMPLE:
		return need_proc(st, sample->tgid, sample->ctx.p, ev->time_ns);
	case EV_GO:
		return need_proc(st, go->tgid, go->p, ev->time_ns);
	case EV_GO_CREATE:
		err = need_proc(st, go->tgid, go->p, ev->time_ns);
		return err ? err :
			     need_start(st, go->tgid, ev->time_ns, create->start_pc, create->go_pc);
	case EV_GOROUTINE:
		return need_start(st, seen->tgid, ev->time_ns, seen->start_pc, seen->go_pc);
	case EV_RUNTIME:
		err = need_proc(st, runtime->tgid, runtime->p, ev->time_ns);
		return err ? err : need_proc(st, runtime->tgid, named_proc(runtime), ev->time_ns);
	case EV_USER:
		return need_proc(st, user->tgid, user->p, ev->time_ns);
	case EV_SNAP_G:
		return need_start(st, g->tgid, ev->time_ns, g->start_pc, g->go_pc);
	case EV_STACK:
		t = stage_find(st, stack->tgid);
		return t ? no_memory(st, symbolize_stack(t->symbolizer, stack)) : 0;
	default:
		return 0;
	}
}

/* Whose record of a tracepoint it is; of two targets that of the task that was current. */
static struct traced *traced_of(struct stage *st, const struct event_head *ev)
{
	const struct ev_switch *sw = (const void *)ev;
	const struct ev_wakeup *wakeup = (const void *)ev;
	struct traced *t;

	switch (ev->type) {
	case EV_SWITCH:
		t = stage_find(st, sw->tgid);
		return t ? t : stage_find(st, sw->next_tgid);
	case EV_WAKEUP:
		t = stage_find(st, wakeup->tgid);
		return t ? t : stage_find(st, wakeup->wakee_tgid);
	case EV_SYS_ENTER:
		return stage_find(st, ((const struct ev_sys_enter *)ev)->tgid);
	case EV_SYS_EXIT:
		return stage_find(st, ((const struct ev_sys_exit *)ev)->tgid);
	default:
		return stage_find(st, ((const struct ev_task *)ev)->tgid);
	}
}

static void count(struct stage *st, const struct event_head *ev)
{
	const struct ev_loss *loss = (const void *)ev;

	if (ev->type < EV_USER_FIRST) {
		st->events++;
		if (ev->type <= EV_SYS_EXIT) {
			struct traced *t = traced_of(st, ev);

			st->traces++;
			if (t)
				t->traces++;
		}
	} else if (ev->type == EV_LOSS) {
		st->lost += loss->count;
		if (loss->loss_class == LOSS_SCHED || loss->loss_class == LOSS_SYSCALL)
			st->lost_traces += loss->count;
	}
}

/* Whoever reads the growing file sees that the tracing has begun. */
static int begun(struct stage *st)
{
	int err = capture_writer_flush(st->w, st->e);

	if (!err && st->begun)
		st->begun(st->begun_ctx);
	return err;
}

static int after(struct stage *st, const struct event_head *ev)
{
	const struct ev_snap_p *p = (const void *)ev;
	const struct ev_task *task = (const void *)ev;
	struct traced *t;

	switch (ev->type) {
	case EV_EXIT:
		t = task->flags & TASK_LAST_THREAD ? stage_find(st, task->tgid) : NULL;
		return t ? stage_gone(st, t, ev->time_ns, GONE_EXIT) : 0;
	case EV_EXEC:
		t = stage_find(st, task->tgid);
		return t ? stage_gone(st, t, ev->time_ns, GONE_EXEC) : 0;
	case EV_READY:
		return begun(st);
	case EV_SNAP_P:
		t = stage_find(st, p->tgid);
		if (t && p->p && !pcset_find(&t->procs, p->p) && pcset_add(&t->procs, p->p, 0))
			return error_set(st->e, EXIT_FAILED, -ENOMEM, "out of memory");
		return 0;
	default:
		return 0;
	}
}

/* What a probe sent before the others of its process were refused: nobody can read it. */
static bool is_stray(struct stage *st, const struct event_head *ev)
{
	const struct traced *t;
	uint32_t tgid;

	switch (ev->type) {
	case EV_GO:
	case EV_GO_CREATE:
		tgid = ((const struct ev_go *)ev)->tgid;
		break;
	case EV_STACK:
		tgid = ((const struct ev_stack *)ev)->tgid;
		break;
	case EV_RUNTIME:
		tgid = ((const struct ev_runtime *)ev)->tgid;
		break;
	case EV_USER:
		tgid = ((const struct ev_user *)ev)->tgid;
		break;
	case EV_SAMPLE:
		tgid = ((const struct ev_sample *)ev)->tgid;
		break;
	case EV_GOROUTINE:
		tgid = ((const struct ev_goroutine *)ev)->tgid;
		break;
	case EV_OFF_CPU:
		tgid = ((const struct ev_off_cpu *)ev)->tgid;
		break;
	default:
		return false;
	}
	t = stage_find(st, tgid);
	return t && !target_has_goroutines(t->t);
}

/* An annotation gets the form it has in files. */
static int write_annotation(struct stage *st, const struct ev_user *raw)
{
	const struct traced *t = stage_find(st, raw->tgid);
	union annotation note;
	struct constants c;

	if (!t)
		return 0;
	c = constants_modules(t->t->modules);
	if (annotation_finish(&note, raw, &c))
		return error_set(st->e, EXIT_FAILED, -EBADMSG,
				 "a BPF program sent a malformed record");
	return stage_write(st, &note.ev.h);
}

/*
 * Most records by far, where there are many: a goroutine of the target that had the last one changes
 * state, on a P that is known.
 */
static bool is_plain(const struct stage *st, const struct event_head *ev)
{
	const struct ev_go *go = (const void *)ev;
	const struct traced *t = st->last;

	return ev->type == EV_GO && t && t->tgid == go->tgid && target_has_goroutines(t->t) &&
	       ev->time_ns < st->until_ns && (!go->p || pcset_find(&t->procs, go->p));
}

int stage_record(void *ctx, struct event_head *ev)
{
	struct stage *st = ctx;
	int err;

	if (is_plain(st, ev)) {
		st->events++;
		return stage_write(st, ev);
	}

	if (ev->type < EV_USER_FIRST && (ev->time_ns >= st->until_ns || is_stray(st, ev)))
		return 0;
	count(st, ev);
	if (ev->type == EV_GONE) {
		struct traced *t = stage_find(st, ((struct ev_gone *)ev)->tgid);

		return t ? stage_gone(st, t, ev->time_ns, GONE_EXIT) : 0;
	}
	err = before(st, ev);
	if (!err)
		err = ev->type == EV_USER ? write_annotation(st, (const struct ev_user *)ev) :
					    stage_write(st, ev);
	if (!err)
		err = after(st, ev);
	return err;
}
