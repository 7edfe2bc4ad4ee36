// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * libFuzzer target: any order of well-formed records, through the replay into the report. Eight
 * bytes of input are one record about one of a few threads, goroutines and Ps, so that records
 * contradict each other as often as they can. What the report adds up must stay exact.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/capture/file.h"
#include "user/replay/replay.h"
#include "user/report/internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TGID 100
#define GO(n) (0xc000000000ULL + 0x200 * ((n) % 6))
#define PROC(n) ((n) % 4 ? 0xc800000000ULL + 0x200 * ((n) % 4) : 0)
#define TID(n) (TGID + (n) % 5)
#define PICK(n, first, last) ((__u8)((first) + (n) % ((last) - (first) + 1)))

static char room[1024] __attribute__((aligned(8)));

static struct ev_gctx context(const uint8_t *b)
{
	return (struct ev_gctx){
		.g = b[4] % 3 ? GO(b[4]) : 0, .curg = b[5] % 4 ? GO(b[5]) : 0, .p = PROC(b[6])};
}

static void make_go(struct ev_go *ev, const uint8_t *b)
{
	ev->tgid = TGID;
	ev->gp = GO(b[3]);
	ev->goid = 1 + b[3] % 6 + (b[4] & 0x80 ? 10 : 0);
	ev->p = PROC(b[4]);
	ev->other = b[5] & 8 ? GO(b[5]) : 0;
	ev->kind = PICK(b[6], GO_START, GO_CGO_EXIT);
	ev->block_reason = b[7] >> 4;
	ev->new_status = b[7] % 10;
	ev->skip = -1;
}

static void make_runtime(struct ev_runtime *ev, const uint8_t *b)
{
	ev->tgid = TGID;
	ev->gp = b[3] % 7 ? GO(b[3]) : 0;
	ev->goid = ev->gp ? 1 + b[3] % 6 : 0;
	ev->p = PROC(b[4]);
	ev->kind = PICK(b[6], RT_STW_BEGIN, RT_PROCS);
	ev->arg[0] = ev->kind >= RT_PROC_START && ev->kind <= RT_PROC_STEAL ? PROC(b[5]) : b[7];
	ev->arg[1] = b[5];
}

/* Few names and tasks, so that ends meet their begins, and others'. */
static void make_user(struct ev_user *ev, const uint8_t *b)
{
	ev->tgid = TGID;
	ev->gp = GO(b[3]);
	ev->goid = 1 + b[3] % 6;
	ev->p = PROC(b[4]);
	ev->kind = PICK(b[6], USER_TASK_BEGIN, USER_LABELS);
	ev->task = b[5] % 4;
	ev->parent = b[5] >> 6;
	if (ev->kind == USER_LABELS) {
		memcpy(ev->text, "k\0v", 4);
		ev->len[0] = 4;
		return;
	}
	if (ev->kind == USER_TASK_END) {
		ev->h.size = sizeof(*ev);
		return;
	}
	ev->text[0] = (char)('a' + b[7] % 3);
	ev->text[1] = ev->kind == USER_LOG ? 'x' : 0;
	ev->len[0] = 1;
	ev->len[1] = ev->kind == USER_LOG;
}

/* The record that eight bytes stand for. */
static struct event_head *make(const uint8_t *b)
{
	static const struct {
		uint16_t type;
		uint16_t size;
	} types[] = {
		{EV_GO, sizeof(struct ev_go)},
		{EV_GO, sizeof(struct ev_go)},
		{EV_GO, sizeof(struct ev_go)},
		{EV_GO_CREATE, sizeof(struct ev_go_create)},
		{EV_SWITCH, sizeof(struct ev_switch)},
		{EV_WAKEUP, sizeof(struct ev_wakeup)},
		{EV_FORK, sizeof(struct ev_task)},
		{EV_EXIT, sizeof(struct ev_task)},
		{EV_SYS_ENTER, sizeof(struct ev_sys_enter)},
		{EV_SYS_EXIT, sizeof(struct ev_sys_exit)},
		{EV_TASK, sizeof(struct ev_task_state)},
		{EV_SNAP_P, sizeof(struct ev_snap_p)},
		{EV_SNAP_M, sizeof(struct ev_snap_m)},
		{EV_SNAP_G, sizeof(struct ev_snap_g)},
		{EV_READY, sizeof(struct ev_ready)},
		{EV_GOROUTINE, sizeof(struct ev_goroutine)},
		{EV_OFF_CPU, sizeof(struct ev_off_cpu)},
		{EV_LOSS, sizeof(struct ev_loss)},
		{EV_GONE, sizeof(struct ev_gone)},
		{EV_SITE, sizeof(struct ev_site)},
		{EV_END, sizeof(struct ev_end)},
		{EV_TARGET, sizeof(struct ev_target)},
		{EV_PROCESS, sizeof(struct ev_process)},
		{EV_RUNTIME, sizeof(struct ev_runtime)},
		{EV_RUNTIME, sizeof(struct ev_runtime)},
		{EV_USER, sizeof(struct ev_user) + 8},
		{EV_SAMPLE, sizeof(struct ev_sample)},
		{EV_SNAP_GC, sizeof(struct ev_snap_gc)},
		{EV_HEAP, sizeof(struct ev_heap)},
		{EV_SHED, sizeof(struct ev_shed)},
		{EV_MISSING, sizeof(struct ev_missing)},
		{EV_DAMAGE, sizeof(struct ev_damage)},
	};
	struct event_head *h = (void *)room;

	memset(room, 0, sizeof(room));
	h->type = types[b[0] % (sizeof(types) / sizeof(types[0]))].type;
	h->size = types[b[0] % (sizeof(types) / sizeof(types[0]))].size;
	h->tid = TID(b[2]);
	switch (h->type) {
	case EV_GO:
	case EV_GO_CREATE:
		make_go((void *)room, b);
		break;
	case EV_SWITCH:
		*(struct ev_switch *)room = (struct ev_switch){
			.h = *h,
			.tgid = TGID,
			.next_tid = TID(b[3]),
			.next_tgid = TGID,
			.ctx = context(b),
			.prev_state = b[7] & 0x91,
			.flags = b[7] >> 1 & 7,
		};
		break;
	case EV_WAKEUP:
		*(struct ev_wakeup *)room = (struct ev_wakeup){
			.h = *h,
			.tgid = TGID,
			.wakee_tid = TID(b[3]),
			.wakee_tgid = TGID,
			.ctx = context(b),
		};
		break;
	case EV_FORK:
	case EV_EXIT:
		*(struct ev_task *)room = (struct ev_task){
			.h = *h,
			.tgid = TGID,
			.other = TID(b[3]),
			.other_tgid = b[4] & 1 ? TGID : 1,
			.flags = b[5] & 1,
		};
		break;
	case EV_SYS_ENTER:
		*(struct ev_sys_enter *)room = (struct ev_sys_enter){
			.h = *h,
			.tgid = TGID,
			.nr = b[3] % 4,
			.gstatus = b[7] % 5,
			.ctx = context(b),
		};
		break;
	case EV_SYS_EXIT:
		*(struct ev_sys_exit *)room = (struct ev_sys_exit){
			.h = *h,
			.tgid = TGID,
			.nr = b[3] % 4,
			.gstatus = b[7] % 5,
			.ctx = context(b),
			.oldp = PROC(b[3]),
			.oldp_status = b[7] >> 5,
		};
		break;
	case EV_TASK:
		((struct ev_task_state *)room)->tgid = TGID;
		((struct ev_task_state *)room)->state = b[3] & 1 ? 'R' : b[3] & 2 ? 'D' : 'S';
		((struct ev_task_state *)room)->sys = b[4] & 7;
		break;
	case EV_SNAP_P:
		*(struct ev_snap_p *)room = (struct ev_snap_p){
			.h = *h,
			.tgid = TGID,
			.id = b[3] % 4,
			.p = PROC(b[3] | 1),
			.status = b[7] % 5,
		};
		break;
	case EV_SNAP_M:
		*(struct ev_snap_m *)room = (struct ev_snap_m){
			.h = *h,
			.tgid = TGID,
			.m = 1 + h->tid,
			.curg = GO(b[3]),
			.p = PROC(b[4]),
			.oldp = PROC(b[5]),
		};
		break;
	case EV_SNAP_G:
		*(struct ev_snap_g *)room = (struct ev_snap_g){
			.h = *h,
			.tgid = TGID,
			.status = b[7] % 10,
			.gp = GO(b[3]),
			.goid = 1 + b[3] % 6,
			.m = b[4] & 1 ? 1 + h->tid : 0,
			.start_pc = b[5],
		};
		break;
	case EV_READY:
		((struct ev_ready *)room)->tgid = b[3] & 1 ? TGID : 0;
		((struct ev_ready *)room)->flags = b[3] >> 1 & (READY_BARE | READY_NO_KERNEL);
		break;
	case EV_GOROUTINE:
		*(struct ev_goroutine *)room = (struct ev_goroutine){
			.h = *h,
			.tgid = TGID,
			.gp = GO(b[3]),
			.goid = 1 + b[4] % 6,
			.start_pc = b[5],
		};
		break;
	case EV_OFF_CPU:
		*(struct ev_off_cpu *)room = (struct ev_off_cpu){
			.h = *h, .tgid = TGID, .gp = GO(b[3]), .stack = b[4] % 4};
		break;
	case EV_LOSS:
		((struct ev_loss *)room)->loss_class = b[3] % LOSS_CLASSES;
		((struct ev_loss *)room)->count = b[4];
		break;
	case EV_GONE:
		/* rarely: nothing follows it */
		((struct ev_gone *)room)->tgid = b[3] ? 1 : TGID;
		((struct ev_gone *)room)->how = GONE_EXIT;
		break;
	case EV_SITE:
		((struct ev_site *)room)->kind = GO_START;
		((struct ev_site *)room)->flags = b[3];
		break;
	case EV_END:
		((struct ev_end *)room)->why = END_DURATION;
		break;
	case EV_TARGET:
		((struct ev_target *)room)->tgid = TGID;
		((struct ev_target *)room)->go_minor = 21 + b[3] % 7;
		break;
	case EV_PROCESS:
		((struct ev_process *)room)->tgid = b[3] & 1 ? TGID : 1;
		break;
	case EV_RUNTIME:
		make_runtime((void *)room, b);
		break;
	case EV_USER:
		make_user((void *)room, b);
		break;
	case EV_SAMPLE:
		*(struct ev_sample *)room = (struct ev_sample){
			.h = *h, .tgid = TGID, .ctx = context(b), .stack = b[7], .flags = b[3] & 1};
		break;
	case EV_SNAP_GC:
		((struct ev_snap_gc *)room)->tgid = TGID;
		((struct ev_snap_gc *)room)->marking = b[3] & 1;
		break;
	case EV_SHED:
		*(struct ev_shed *)room = (struct ev_shed){
			.h = *h,
			.what = SHED_ASKED + b[3] % SHED_SUMMARY,
			.stacks = b[4] % 3,
			.from = b[5] % SHED_LEVELS,
			.to = b[6] % SHED_LEVELS,
			.overhead = (uint64_t)b[7] << b[1] % 56,
			.budget = b[4],
		};
		break;
	case EV_MISSING:
		memset(((struct ev_missing *)room)->why, b[3] | 1, 200);
		memset(((struct ev_missing *)room)->shows, b[4], 40);
		break;
	case EV_DAMAGE:
		*(struct ev_damage *)room = (struct ev_damage){
			.h = *h,
			.tgid = b[3] & 1 ? TGID : 1,
			.kinds = 1 + b[4] % DAMAGE_ALL,
			.found = b[5],
		};
		break;
	case EV_HEAP:
		*(struct ev_heap *)room =
			(struct ev_heap){.h = *h, .tgid = TGID, .live = b[3], .goal = b[4]};
		break;
	}
	return h;
}

/* The parts are no more than the whole. */
static void check_runtime(const struct report_process *rp)
{
	const struct procs *ps = &rp->procs;
	uint64_t span = rp->end - rp->begin, ran = 0, assisted = 0, workers = 0;
	const struct annotation *a, *atmp;
	const struct group *g, *tmp;

	HASH_ITER(hh, rp->goroutines.groups, g, tmp) {
		ran += g->a.part[PART_RUNNING];
		assisted += g->assist_ns;
		if (g->assists.times.count > g->assists.count)
			abort();
	}
	for (int i = GC_WORKER_DEDICATED; i <= GC_WORKER_IDLE; i++)
		workers += rp->goroutines.worker_ns[i];
	if (assisted > ran || workers > ran || rp->gc.cycles.ns > span)
		abort();
	/* there are three Ps */
	if (ps->running_ns + ps->syscall_ns > 3 * span)
		abort();
	for (size_t i = 0; i < rp->gc.npauses; i++)
		if (rp->gc.pauses[i].spans.ns > span)
			abort();
	HASH_ITER(hh, rp->annotations.types, a, atmp)
		if (a->ended.count > a->begun)
			abort();
	if (rp->samples.of_goroutines > rp->samples.n)
		abort();
}

static void check(const struct report *r)
{
	struct report_process *rp, *tmp;

	HASH_ITER(hh, r->processes, rp, tmp) {
		const struct goroutines *gs = &rp->goroutines;

		if (gs->live)
			abort();
		check_runtime(rp);
		for (size_t i = 0; i < gs->top.n; i++) {
			const struct goroutine_row *row = gs->top.items[i];

			if (account_total(&row->a) + row->unseen_ns != row->since - row->begin ||
			    row->begin < rp->begin || row->since > rp->end)
				abort();
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static FILE *null;
	struct report_options options = {.system_wide = size & 1};
	struct report *r;
	struct replay *replay;
	static const uint8_t first[][8] = {
		{19, 0, 0, 4}, {11, 0, 0, 1}, {11, 0, 0, 2}, {11, 0, 0, 3}};
	uint64_t now = 1000;

	if (!null)
		null = fopen("/dev/null", "w");
	if (!null || replay_new(&replay, NULL) ||
	    report_new(&r, &options, replay_symbols(replay), NULL))
		abort();
	replay_add_sink(replay, report_sink(r));
	/* a process with three Ps, without which most records mean nothing */
	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++)
		if (replay_event(replay, make(first[i]), NULL))
			abort();
	for (; size >= 8; data += 8, size -= 8) {
		struct event_head *h = make(data);

		now += data[1];
		h->time_ns = now;
		if (!event_valid(h) || replay_event(replay, h, NULL))
			abort();
	}
	if (replay_finish(replay, NULL))
		abort();
	check(r);
	if (report_print(r, null, NULL))
		abort();
	report_free(r);
	replay_free(replay);
	return 0;
}
