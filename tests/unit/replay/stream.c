/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "tests/unit/replay/stream_check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void stream_broken(struct stream *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (!s->broken++)
		vsnprintf(s->broken_text, sizeof(s->broken_text), fmt, ap);
	va_end(ap);
}

void stream_say(struct stream *s, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(s->text + s->len, sizeof(s->text) - s->len, fmt, ap);
	va_end(ap);
	if ((size_t)n < sizeof(s->text) - s->len)
		s->len += (size_t)n;
}

void stream_check_time(struct stream *s, uint64_t time, bool may_equal)
{
	if (time < s->check->last || (time == s->check->last && !may_equal))
		stream_broken(s, "time %llu not after %llu", (unsigned long long)time,
			      (unsigned long long)s->check->last);
	s->check->last = time;
}

static bool m_runs_p(struct check *k, uint32_t tid)
{
	return k->m[tid].p && k->p[k->m[tid].p - 1].state == P_RUNNING;
}

bool stream_runs(const struct stream *s, int g, uint32_t tid)
{
	struct check *k = s->check;

	return k->m[tid].g == g && k->g[g].state == G_RUNNING && m_runs_p(k, tid);
}

static void check_goroutine(struct stream *s, const struct g_change *c)
{
	struct check *k = s->check;
	uint32_t tid = c->m ? c->m->tid : 0;
	int g = (int)c->g->id;
	const char *cause = g_cause_name(c->cause);

	stream_check_time(s, c->time, c->cause == G_INIT || c->cause == G_SWITCH_IN);
	if (k->g[g].state != c->from)
		stream_broken(s, "G%d %s from %s, was %s", g, cause, g_state_name(c->from),
			      g_state_name(k->g[g].state));
	if (k->switching && c->cause != G_SWITCH_IN)
		stream_broken(s, "no switch-in after a switch-out");
	switch (c->cause) {
	case G_CREATE:
	case G_CREATE_BLOCKED:
		if (!m_runs_p(k, tid) || (k->m[tid].g && k->g[k->m[tid].g].state != G_RUNNING))
			stream_broken(s, "G%d created on M%u without P", g, tid);
		break;
	case G_START:
	case G_SWITCH_IN:
		if (!m_runs_p(k, tid) || k->m[tid].g)
			stream_broken(s, "G%d %s on M%u without P or with G%d", g, cause, tid,
				      k->m[tid].g);
		if (c->cause == G_SWITCH_IN && k->switching != g)
			stream_broken(s, "switch to G%d, but G%d starts", k->switching, g);
		k->switching = 0;
		break;
	case G_SYSCALL_RETURN:
		if (k->m[tid].g != g || !k->m[tid].p || k->p[k->m[tid].p - 1].state != P_SYSCALL)
			stream_broken(s, "G%d returns to M%u without its P", g, tid);
		else
			k->p[k->m[tid].p - 1].state = P_RUNNING;
		break;
	case G_SYSCALL_LOST:
		if (k->m[tid].g != g || (k->m[tid].p && !m_runs_p(k, tid)))
			stream_broken(s, "G%d ends its syscall blocked, but has its P", g);
		break;
	case G_SWITCH_OUT:
	case G_SWITCH_EXIT:
	case G_STOP:
	case G_BLOCK:
	case G_EXIT:
	case G_SYSCALL_ENTER:
		if (k->m[tid].g != g || !m_runs_p(k, tid))
			stream_broken(s, "G%d %s, not running on M%u", g, cause, tid);
		else if (c->cause == G_SYSCALL_ENTER)
			k->p[k->m[tid].p - 1].state = P_SYSCALL;
		if (c->cause == G_SWITCH_OUT || c->cause == G_SWITCH_EXIT)
			k->switching = (int)c->other->id;
		break;
	case G_EXTRA_LEAVE:
		if (k->m[tid].g != g)
			stream_broken(s, "G%d leaves M%u", g, tid);
		if (m_runs_p(k, tid))
			stream_broken(s, "G%d leaves M%u with a P that runs", g, tid);
		break;
	case G_INIT:
	case G_UNBLOCK:
	case G_EXTRA_ENTER:
	case G_CAUSES:
		break;
	}
	if (k->g[g].tid && k->m[k->g[g].tid].g == g)
		k->m[k->g[g].tid].g = 0;
	k->g[g].tid = 0;
	if (c->to == G_RUNNING || c->to == G_SYSCALL) {
		k->g[g].tid = tid;
		k->m[tid].g = g;
		if (c->to == G_RUNNING && !m_runs_p(k, tid))
			stream_broken(s, "G%d runs without a P", g);
	}
	k->g[g].state = c->to;
	if (c->to == G_DEAD)
		stream_check_end(s, g);
}

static int on_goroutine(void *ctx, const struct g_change *c)
{
	struct stream *s = ctx;

	check_goroutine(s, c);
	stream_say(s, "%sG%d %s",
		   c->flags & CHANGE_REPAIR   ? "!" :
		   c->flags & CHANGE_INFERRED ? "~" :
						"",
		   (int)c->g->id, g_cause_name(c->cause));
	if (c->cause == G_INIT)
		stream_say(s, " %s", g_state_name(c->to));
	if (c->m)
		stream_say(s, " M%u", c->m->tid);
	if (c->other)
		stream_say(s, " by G%d", (int)c->other->id);
	if (*c->reason)
		stream_say(s, " '%s'", c->reason);
	if (*c->block)
		stream_say(s, " (%s)", c->block);
	stream_say(s, "\n");
	return 0;
}

static int on_processor(void *ctx, const struct p_change *c)
{
	static const char *const causes[] = {"init", "start", "stop", "steal"};
	struct stream *s = ctx;
	struct check *k = s->check;
	uint32_t tid = c->m ? c->m->tid : 0;
	int p = c->p->id;

	stream_check_time(s, c->time, c->cause == P_INIT);
	if (c->cause == P_INIT)
		k->p[p].known = true;
	else if (!k->p[p].known || k->p[p].state != c->from)
		stream_broken(s, "P%d %s from %s", p, causes[c->cause], p_state_name(c->from));
	switch (c->cause) {
	case P_INIT:
		break;
	case P_START:
		if (c->from != P_IDLE || k->m[tid].p)
			stream_broken(s, "P%d starts on M%u", p, tid);
		break;
	case P_STOP:
		if (k->m[tid].p != p + 1 || (k->m[tid].g && k->g[k->m[tid].g].state == G_RUNNING))
			stream_broken(s, "P%d stops on M%u", p, tid);
		break;
	case P_STEAL:
		if (c->from != P_SYSCALL || !c->victim || k->m[c->victim->tid].p != p + 1)
			stream_broken(s, "P%d stolen", p);
		break;
	}
	if (c->to == P_IDLE && k->p[p].sweeps)
		stream_broken(s, "P%d is left while it sweeps", p);
	if (k->p[p].tid)
		k->m[k->p[p].tid].p = 0;
	k->p[p].tid = 0;
	if (c->to != P_IDLE) {
		k->m[tid].p = p + 1;
		k->p[p].tid = tid;
	}
	k->p[p].state = c->to;
	if (c->cause == P_INIT && c->to == P_IDLE)
		return 0;
	stream_say(s, "%sP%d %s M%u\n", c->flags & CHANGE_INFERRED ? "~" : "", p, causes[c->cause],
		   tid);
	return 0;
}

static int on_repair(void *ctx, const struct repair *r)
{
	struct stream *s = ctx;

	stream_check_time(s, r->time, false);
	stream_say(s, "# %s\n", r->what);
	return 0;
}

static int on_syscall(void *ctx, const struct syscall_span *sp)
{
	struct stream *s = ctx;

	if (sp->end < sp->begin)
		stream_broken(s, "syscall ends before it begins");
	stream_say(s, "S%d M%u G%d\n", sp->nr, sp->t->tid, sp->g ? (int)sp->g->id : 0);
	return 0;
}

static int on_thread(void *ctx, const struct t_change *c)
{
	struct stream *s = ctx;

	if (c->time < s->check->last)
		stream_broken(s, "a thread's time is before the last transition");
	if (c->from != c->to && c->from != T_UNKNOWN)
		stream_say(s, "M%u %s\n", c->t->tid, t_state_name(c->to));
	return 0;
}

static const struct sink_ops ops = {
	.goroutine = on_goroutine,
	.processor = on_processor,
	.repair = on_repair,
	.syscall = on_syscall,
	.thread = on_thread,
	.range = stream_on_range,
	.procs = stream_on_procs,
	.user = stream_on_user,
	.label = stream_on_label,
	.heap = stream_on_heap,
	.sample = stream_on_sample,
};

void stream_add(struct stream *s, struct event_head *h, unsigned int type, size_t size,
		uint32_t tid)
{
	h->time_ns = s->time;
	h->tid = tid;
	h->type = (__u16)type;
	h->size = (__u16)size;
	s->time += 1000;
	replay_event(s->replay, h, NULL);
}

static void add_string(struct stream *s, unsigned int kind, unsigned int n, const char *text)
{
	union {
		struct ev_string e;
		char bytes[96];
	} u = {.e = {.tgid = STREAM_TGID, .kind = (__u16)kind, .number = (__u16)n}};

	strcpy(u.bytes + sizeof(u.e), text);
	stream_add(s, &u.e.h, EV_STRING, sizeof(u), 0);
}

void stream_open(struct stream *s, int minor, int nprocs)
{
	struct sink sink = {.ops = &ops, .ctx = s};

	memset(s, 0, sizeof(*s));
	s->time = 1000000000;
	s->check = calloc(1, sizeof(*s->check));
	replay_new(&s->replay, NULL);
	replay_add_sink(s->replay, sink);
	ADD(s, EV_TARGET, STREAM_TGID,
	    (struct ev_target){.tgid = STREAM_TGID, .go_minor = (__u16)minor});
	add_string(s, STRING_WAIT_REASON, 1, "chan receive");
	add_string(s, STRING_WAIT_REASON, 2, "GC worker (active)");
	for (int i = 0; i < nprocs; i++)
		ADD(s, EV_SNAP_P, 0,
		    (struct ev_snap_p){.tgid = STREAM_TGID, .id = i, .p = P_ADDR(i)});
}

void stream_close(struct stream *s)
{
	replay_finish(s->replay, NULL);
	replay_free(s->replay);
	stream_check_free(s->check);
}

void stream_ready(struct stream *s)
{
	ADD(s, EV_READY, 0, (struct ev_ready){.tgid = STREAM_TGID});
}

void stream_snap_m(struct stream *s, uint32_t tid, int g, int p)
{
	ADD(s, EV_SNAP_M, tid,
	    (struct ev_snap_m){
		    .tgid = STREAM_TGID, .m = M_ADDR(tid), .curg = g_addr(g), .p = p_addr(p)});
}

void stream_snap_g(struct stream *s, int g, int status, uint32_t tid)
{
	ADD(s, EV_SNAP_G, 0,
	    (struct ev_snap_g){.tgid = STREAM_TGID,
			       .status = (__u8)status,
			       .wait_reason = 1,
			       .gp = G_ADDR(g),
			       .goid = (__u64)g,
			       .m = tid ? M_ADDR(tid) : 0});
}

void stream_go(struct stream *s, enum go_kind kind, uint32_t tid, int p, int g, int other)
{
	struct ev_go_create ev = {
		.go = {.tgid = STREAM_TGID,
		       .gp = g_addr(g),
		       .goid = (__u64)g,
		       .p = p_addr(p),
		       .other = g_addr(other),
		       .kind = (__u8)kind,
		       .wait_reason = kind == GO_PARK,
		       .skip = -1},
	};
	bool create = kind == GO_CREATE || kind == GO_CREATE_BLOCKED;

	stream_add(s, &ev.go.h, create ? EV_GO_CREATE : EV_GO, create ? sizeof(ev) : sizeof(ev.go),
		   tid);
}

void stream_switch_exit(struct stream *s, uint32_t tid, int p, int g, int other)
{
	struct ev_go ev = {
		.tgid = STREAM_TGID,
		.gp = g_addr(g),
		.goid = (__u64)g,
		.p = p_addr(p),
		.other = g_addr(other),
		.kind = GO_SWITCH,
		.new_status = 6, /* _Gdead */
		.skip = -1,
	};

	stream_add(s, &ev.h, EV_GO, sizeof(ev), tid);
	stream_go(s, GO_EXIT, tid, p, g, -1);
}

static struct ev_gctx context(int g, int p)
{
	return (struct ev_gctx){.g = g < 0 ? 1 : G_ADDR(g), .curg = g_addr(g), .p = p_addr(p)};
}

void stream_sys_enter(struct stream *s, uint32_t tid, int g, int p, int gstatus)
{
	ADD(s, EV_SYS_ENTER, tid,
	    (struct ev_sys_enter){
		    .tgid = STREAM_TGID, .nr = 1, .gstatus = (__u32)gstatus, .ctx = context(g, p)});
}

void stream_sys_exit(struct stream *s, uint32_t tid, int g, int p, int oldp, int oldp_status,
		     int gstatus)
{
	ADD(s, EV_SYS_EXIT, tid,
	    (struct ev_sys_exit){.tgid = STREAM_TGID,
				 .nr = 1,
				 .gstatus = (__u32)gstatus,
				 .ctx = context(g, p),
				 .oldp = p_addr(oldp),
				 .oldp_status = (__u32)oldp_status});
}

void stream_sys_runtime(struct stream *s, uint32_t tid, int g, int p)
{
	struct ev_gctx ctx = context(g, p);

	ctx.g = 1; /* g0 */
	ADD(s, EV_SYS_ENTER, tid,
	    (struct ev_sys_enter){.tgid = STREAM_TGID, .nr = 1, .gstatus = 2, .ctx = ctx});
	ADD(s, EV_SYS_EXIT, tid,
	    (struct ev_sys_exit){.tgid = STREAM_TGID, .nr = 1, .gstatus = 2, .ctx = ctx});
}

void stream_switch(struct stream *s, uint32_t prev, int g, int p, uint32_t prev_state,
		   uint32_t next)
{
	ADD(s, EV_SWITCH, prev,
	    (struct ev_switch){.tgid = STREAM_TGID,
			       .next_tid = next,
			       .next_tgid = STREAM_TGID,
			       .prev_state = prev_state,
			       .flags = (prev ? SWITCH_PREV_TRACED : 0) |
					(next ? SWITCH_NEXT_TRACED : 0),
			       .ctx = context(g, p)});
}

bool stream_expect(struct stream *s, const char *expected)
{
	bool same = !strcmp(s->text, expected);

	if (!same)
		fprintf(stderr, "\n--- expected\n%s--- got\n%s---\n", expected, s->text);
	if (s->broken)
		fprintf(stderr, "\nrule broken: %s\n", s->broken_text);
	s->len = 0;
	s->text[0] = 0;
	return same && !s->broken;
}
