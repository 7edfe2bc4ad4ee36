/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Records as text. */
#include <inttypes.h>
#include <string.h>

#include "user/capture/file.h"
#include "user/export/dump_internal.h"
#include "user/report/syscall_names.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* runtime/runtime2.go; the same in Go 1.19 to 1.27 */
static const char *status_name(unsigned int status)
{
	static const char *const names[] = {
		"idle", "runnable", "running", "syscall",   "waiting", "5",
		"dead", "7",        "copy",    "preempted", "leaked",  "dead-extra",
	};

	if (status == GSTATUS_TOLD)
		return "told";
	return status < ARRAY_SIZE(names) ? names[status] : "?";
}

static const char *p_status_name(unsigned int status)
{
	static const char *const names[] = {"idle", "running", "syscall", "gcstop", "dead"};

	return status < ARRAY_SIZE(names) ? names[status] : "?";
}

const char *dump_kind(unsigned int kind)
{
	static const char *const names[] = {
		[GO_START] = "start",
		[GO_PARK] = "park",
		[GO_PARK_REFUSED] = "park-refused",
		[GO_READY] = "ready",
		[GO_YIELD] = "yield",
		[GO_YIELD_PREEMPTED] = "yield-preempted",
		[GO_PREEMPT_PARK] = "preempt-park",
		[GO_EXIT] = "exit",
		[GO_SYSBLOCK] = "sysblock",
		[GO_SYSEXIT_NOP] = "sysexit-nop",
		[GO_SYSEXIT_NEWP] = "sysexit-newp",
		[GO_CREATE] = "create",
		[GO_CREATE_BLOCKED] = "create-blocked",
		[GO_SWITCH] = "switch",
		[GO_NEEDM] = "needm",
		[GO_DROPM] = "dropm",
		[GO_CGO_ENTER] = "cgo-enter",
		[GO_CGO_EXIT] = "cgo-exit",
		[GO_SYSCALL_ENTER] = "syscall-enter",
		[GO_SYSCALL_EXIT] = "syscall-exit",
		[RT_STW_BEGIN] = "stw-begin",
		[RT_STW_END] = "stw-end",
		[RT_GC_BEGIN] = "gc-begin",
		[RT_GC_END] = "gc-end",
		[RT_ASSIST_BEGIN] = "assist-begin",
		[RT_ASSIST_END] = "assist-end",
		[RT_SWEEP_BEGIN] = "sweep-begin",
		[RT_SWEEP_END] = "sweep-end",
		[RT_PROC_START] = "proc-start",
		[RT_PROC_STOP] = "proc-stop",
		[RT_PROC_STEAL] = "proc-steal",
		[RT_PROCS] = "procs",
		[USER_TASK_BEGIN] = "task-begin",
		[USER_TASK_END] = "task-end",
		[USER_REGION_BEGIN] = "region-begin",
		[USER_REGION_END] = "region-end",
		[USER_LOG] = "log",
		[USER_START_REGION] = "start-region",
		[USER_LABELS] = "labels",
	};

	return kind < ARRAY_SIZE(names) && names[kind] ? names[kind] : "?";
}

/* include/linux/sched.h, task_state_to_char() */
static void print_state(struct dump *d, uint32_t state)
{
	static const struct {
		uint32_t bit;
		char letter;
	} states[] = {{1, 'S'},    {2, 'D'},    {4, 'T'},   {8, 't'},
		      {0x10, 'X'}, {0x20, 'Z'}, {0x40, 'P'}};

	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		if (state & states[i].bit) {
			fprintf(d->out, " state=%c", states[i].letter);
			return;
		}
	}
	fprintf(d->out, " state=%s", state ? "?" : "R");
}

void dump_ctx(struct dump *d, uint32_t tgid, const struct ev_gctx *ctx)
{
	names_print(d, 'G', tgid, ctx->curg);
	names_print(d, 'P', tgid, ctx->p);
	if (ctx->g && ctx->g != ctx->curg)
		fputs(" system-stack", d->out);
}

static void print_comm(struct dump *d, const char *comm, uint32_t tid)
{
	dump_field(d, comm, EVENT_COMM_LEN);
	fprintf(d->out, "/%" PRIu32, tid);
}

/* " key=name" */
static void print_name(struct dump *d, const char *key, const char *name, size_t max)
{
	fprintf(d->out, " %s=", key);
	dump_field(d, name, max);
}

static void print_nr(struct dump *d, uint32_t nr)
{
	const char *name = syscall_name(nr);

	if (name)
		fprintf(d->out, " %s", name);
	else
		fprintf(d->out, " %" PRIu32, nr);
}

static void print_switch(struct dump *d, const struct ev_switch *ev)
{
	fprintf(d->out, " cpu=%" PRIu32, ev->cpu);
	print_state(d, ev->prev_state);
	if (ev->flags & SWITCH_PREEMPT)
		fputs(" preempted", d->out);
	dump_ctx(d, ev->tgid, &ev->ctx);
	fputs(" next=", d->out);
	print_comm(d, ev->next_comm, ev->next_tid);
}

static void print_wakeup(struct dump *d, const struct ev_wakeup *ev)
{
	fprintf(d->out, " wakes=T%" PRIu32 " cpu=%" PRIu32 " target-cpu=%" PRIu32 "%s",
		ev->wakee_tid, ev->cpu, ev->target_cpu, ev->flags & WAKEUP_NEW ? " new" : "");
	dump_ctx(d, ev->tgid, &ev->ctx);
	fputs(" by=", d->out);
	print_comm(d, ev->comm, ev->h.tid);
}

static void print_task(struct dump *d, const struct ev_task *ev)
{
	fprintf(d->out, " cpu=%" PRIu32, ev->cpu);
	if (ev->other)
		fprintf(d->out, " other=T%" PRIu32 " other-tgid=%" PRIu32, ev->other,
			ev->other_tgid);
	print_name(d, "comm", ev->comm, sizeof(ev->comm));
	if (ev->flags & TASK_LAST_THREAD)
		fputs(" last-thread", d->out);
}

static void print_sys_enter(struct dump *d, const struct ev_sys_enter *ev)
{
	print_nr(d, ev->nr);
	dump_ctx(d, ev->tgid, &ev->ctx);
	if (ev->ctx.curg)
		fprintf(d->out, " %s", status_name(ev->gstatus));
	dump_stack(d, ev->tgid, ev->stack, 0);
}

static void print_sys_exit(struct dump *d, const struct ev_sys_exit *ev)
{
	print_nr(d, ev->nr);
	fprintf(d->out, " ret=%" PRId64, (int64_t)ev->ret);
	dump_ctx(d, ev->tgid, &ev->ctx);
	if (ev->ctx.curg)
		fprintf(d->out, " %s", status_name(ev->gstatus));
	if (ev->oldp) {
		fputs(" old", d->out);
		names_print(d, 'P', ev->tgid, ev->oldp);
		fprintf(d->out, " %s", p_status_name(ev->oldp_status));
	}
}

static void print_reason(struct dump *d, uint32_t tgid, enum string_kind kind, unsigned int number)
{
	const char *text = names_string(d, tgid, kind, number);
	bool wait = kind == STRING_WAIT_REASON;

	if (text ? !text[0] : !number)
		return;
	fputs(wait ? " \"" : " (", d->out);
	if (text)
		dump_name(d, text);
	else
		fprintf(d->out, "#%u", number);
	fputc(wait ? '"' : ')', d->out);
}

static void print_go(struct dump *d, const struct ev_go *ev)
{
	fprintf(d->out, " %s", dump_kind(ev->kind));
	names_print(d, 'G', ev->tgid, ev->gp);
	names_print(d, 'P', ev->tgid, ev->p);
	fprintf(d->out, " %s->%s", status_name(ev->old_status), status_name(ev->new_status));
	if (ev->kind == GO_PARK) {
		print_reason(d, ev->tgid, STRING_WAIT_REASON, ev->wait_reason);
		print_reason(d, ev->tgid, STRING_BLOCK_REASON, ev->block_reason);
	}
	if (ev->other) {
		fputs(" other", d->out);
		names_print(d, 'G', ev->tgid, ev->other);
	}
	if (ev->h.type == EV_GO_CREATE)
		dump_func(d, "start", ev->tgid, ((const struct ev_go_create *)ev)->start_pc);
	fprintf(d->out, " cpu=%" PRIu32 " site=%u", ev->cpu, ev->site);
	if (ev->stack)
		fprintf(d->out, " skip=%d", ev->skip);
	dump_stack(d, ev->tgid, ev->stack, 0);
}

static void print_stack(struct dump *d, const struct ev_stack *ev)
{
	fprintf(d->out, " #%" PRIu64 " frames=%u%s", (uint64_t)ev->id, ev->n,
		ev->flags & STACK_TRUNCATED ? " truncated" : "");
	for (unsigned int i = 0; i < ev->n; i++) {
		const char *func = d->symbols ? symbols_func(d->symbols, ev->tgid, ev->pc[i]) : "";

		fputc(i ? '<' : ' ', d->out);
		if (func[0])
			dump_name(d, func);
		else
			fprintf(d->out, "0x%" PRIx64, (uint64_t)ev->pc[i]);
	}
}

static void print_symbol(struct dump *d, const struct ev_symbol *ev)
{
	const char *at = (const char *)(ev + 1);

	if (d->options.verbose)
		fprintf(d->out, " 0x%" PRIx64, (uint64_t)ev->pc);
	for (unsigned int i = 0; i < ev->n; i++) {
		struct ev_frame f;

		memcpy(&f, at, sizeof(f));
		at += sizeof(f);
		fputs(i ? " < " : " ", d->out);
		dump_field(d, at, f.func_len);
		fputc(' ', d->out);
		dump_field(d, at + f.func_len, f.file_len);
		fprintf(d->out, ":%" PRIu32, f.line);
		at += ((size_t)f.func_len + f.file_len + 7) & ~(size_t)7;
	}
	if (!ev->n)
		fputs(" unknown", d->out);
}

static void print_target(struct dump *d, const struct ev_target *ev)
{
	fputc(' ', d->out);
	dump_field(d, ev->go_version, sizeof(ev->go_version));
	print_name(d, "layout", ev->layout, sizeof(ev->layout));
	print_name(d, "exe", ev->exe, sizeof(ev->exe));
}

static void print_process(struct dump *d, const struct ev_process *ev)
{
	fprintf(d->out, " tgid=%" PRIu32, ev->tgid);
	print_name(d, "exe", ev->exe, sizeof(ev->exe));
	fputs(" why=\"", d->out);
	dump_field(d, ev->why, sizeof(ev->why));
	fputc('"', d->out);
}

static void print_string(struct dump *d, const struct ev_string *ev)
{
	fprintf(d->out, " %s %u", ev->kind == STRING_WAIT_REASON ? "wait-reason" : "block-reason",
		ev->number);
	dump_text(d, ev->text, strnlen(ev->text, ev->h.size - sizeof(*ev)));
}

static void print_task_state(struct dump *d, const struct ev_task_state *ev)
{
	fprintf(d->out, " state=%c", ev->state >= 'A' && ev->state <= 'z' ? (char)ev->state : '?');
	print_name(d, "comm", ev->comm, sizeof(ev->comm));
	if (ev->sys) {
		fputs(" in", d->out);
		print_nr(d, ev->sys - 1U);
	}
}

static void print_snap_p(struct dump *d, const struct ev_snap_p *ev)
{
	names_print(d, 'P', ev->tgid, ev->p);
	fprintf(d->out, " %s", p_status_name(ev->status));
}

static void print_snap_m(struct dump *d, const struct ev_snap_m *ev)
{
	fprintf(d->out, " id=%" PRId64, (int64_t)ev->id);
	names_print(d, 'G', ev->tgid, ev->curg);
	names_print(d, 'P', ev->tgid, ev->p);
	if (ev->oldp) {
		fputs(" old", d->out);
		names_print(d, 'P', ev->tgid, ev->oldp);
	}
}

static void print_snap_g(struct dump *d, const struct ev_snap_g *ev)
{
	names_print(d, 'G', ev->tgid, ev->gp);
	fprintf(d->out, " %s", status_name(ev->status));
	if (ev->status == 4) /* _Gwaiting; otherwise it is a reason of the past */
		print_reason(d, ev->tgid, STRING_WAIT_REASON, ev->wait_reason);
	fprintf(d->out, " parent=G%" PRIu64, (uint64_t)ev->parent_goid);
	dump_func(d, "start", ev->tgid, ev->start_pc);
	dump_stack(d, ev->tgid, ev->stack, 0);
}

static void print_loss(struct dump *d, const struct ev_loss *ev)
{
	fprintf(d->out, " class=%" PRIu32 " count=%" PRIu64 " cpu=%" PRIu32, ev->loss_class,
		(uint64_t)ev->count, ev->cpu);
}

static void print_site(struct dump *d, const struct ev_site *ev)
{
	fprintf(d->out, " %u %s in ", ev->site, dump_kind(ev->kind));
	dump_field(d, ev->func, sizeof(ev->func));
	if (ev->flags & SITE_FINAL)
		fprintf(d->out, " hits=%" PRIu64, (uint64_t)ev->hits);
	if (d->options.verbose)
		fprintf(d->out, " pc=0x%" PRIx64, (uint64_t)ev->pc);
}

static void print_cost(struct dump *d, const struct ev_cost *ev)
{
	fprintf(d->out,
		" probe-hits=%" PRIu64 " trap-ns=%" PRIu64 " probe-run-ns=%" PRIu64
		" trace-hits=%" PRIu64 " trace-run-ns=%" PRIu64,
		(uint64_t)ev->probe_hits, (uint64_t)ev->trap_ns, (uint64_t)ev->probe_run_ns,
		(uint64_t)ev->trace_hits, (uint64_t)ev->trace_run_ns);
}

static void print_end(struct dump *d, const struct ev_end *ev)
{
	static const char *const why[] = {
		[END_DURATION] = "duration",
		[END_INTERRUPT] = "interrupt",
		[END_TARGETS_GONE] = "targets-gone",
		[END_DISK_FULL] = "disk-full",
	};

	fprintf(d->out, " %s events=%" PRIu64 " lost=%" PRIu64,
		ev->why < ARRAY_SIZE(why) && why[ev->why] ? why[ev->why] : "?",
		(uint64_t)ev->events, (uint64_t)ev->lost);
}

static void print_ready(struct dump *d, const struct ev_ready *ev)
{
	fprintf(d->out, " tgid=%" PRIu32 "%s%s", ev->tgid, ev->flags & READY_BARE ? " bare" : "",
		ev->flags & READY_NO_KERNEL ? " no-kernel" : "");
}

static void print_goroutine(struct dump *d, const struct ev_goroutine *ev)
{
	names_print(d, 'G', ev->tgid, ev->gp);
	dump_func(d, "start", ev->tgid, ev->start_pc);
	fprintf(d->out, " cpu=%" PRIu32, ev->cpu);
}

static void print_off_cpu(struct dump *d, const struct ev_off_cpu *ev)
{
	names_print(d, 'G', ev->tgid, ev->gp);
	fprintf(d->out, " cpu=%" PRIu32, ev->cpu);
	dump_stack(d, ev->tgid, ev->stack, 0);
}

static void print_record(struct dump *d, const struct event_head *ev)
{
	const void *p = ev;

	switch ((enum event_type)ev->type) {
	case EV_SWITCH:
		print_switch(d, p);
		break;
	case EV_WAKEUP:
		print_wakeup(d, p);
		break;
	case EV_FORK:
	case EV_EXEC:
	case EV_EXIT:
		print_task(d, p);
		break;
	case EV_SYS_ENTER:
		print_sys_enter(d, p);
		break;
	case EV_SYS_EXIT:
		print_sys_exit(d, p);
		break;
	case EV_GO:
	case EV_GO_CREATE:
		print_go(d, p);
		break;
	case EV_STACK:
		print_stack(d, p);
		break;
	case EV_TARGET:
		print_target(d, p);
		break;
	case EV_STRING:
		print_string(d, p);
		break;
	case EV_TASK:
		print_task_state(d, p);
		break;
	case EV_SNAP_P:
		print_snap_p(d, p);
		break;
	case EV_SNAP_M:
		print_snap_m(d, p);
		break;
	case EV_SNAP_G:
		print_snap_g(d, p);
		break;
	case EV_READY:
		print_ready(d, p);
		break;
	case EV_GOROUTINE:
		print_goroutine(d, p);
		break;
	case EV_OFF_CPU:
		print_off_cpu(d, p);
		break;
	case EV_SYSCALL: /* in no file */
		break;
	case EV_LOSS:
		print_loss(d, p);
		break;
	case EV_SYMBOL:
		print_symbol(d, p);
		break;
	case EV_GONE:
		fputs(((const struct ev_gone *)p)->how == GONE_EXEC ? " exec" : " exit", d->out);
		break;
	case EV_SITE:
		print_site(d, p);
		break;
	case EV_COST:
		print_cost(d, p);
		break;
	case EV_END:
		print_end(d, p);
		break;
	case EV_PROCESS:
		print_process(d, p);
		break;
	case EV_RUNTIME:
	case EV_USER:
	case EV_SAMPLE:
	case EV_SNAP_GC:
	case EV_HEAP:
	case EV_INLINE:
	case EV_DAMAGE:
	case EV_SHED:
	case EV_MISSING:
		dump_runtime(d, ev);
		break;
	}
}

int dump_event(struct dump *d, const struct event_head *ev, struct error *e)
{
	const char *name = event_type_name(ev->type);

	names_learn(d, ev);
	if (!d->options.events)
		return 0;
	fputs("> ", d->out);
	dump_time(d, ev->time_ns);
	fprintf(d->out, " T%" PRIu32 " %s", ev->tid, name ? name : "?");
	print_record(d, ev);
	fputc('\n', d->out);
	return ferror(d->out) ? dump_finish(d, e) : 0;
}
