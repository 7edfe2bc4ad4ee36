// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* A process in which nothing is planted: what is told, and what is not. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/unit.h"
#include "user/replay/replay.h"

#define TGID 100
#define G(n) (0xc000000000ULL + (uint64_t)(n)*0x1000)
#define P(n) (0xc800000000ULL + (uint64_t)(n)*0x1000)
#define ON(gp, pp) ((struct ev_gctx){.g = (gp), .curg = (gp), .p = (pp)})

static struct replay *replay;
static uint64_t now;
static char text[4096];
static size_t len;
static unsigned int changes; /* which there must not be */

__attribute__((format(printf, 1, 2))) static void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	len += (size_t)vsnprintf(text + len, sizeof(text) - len, fmt, ap);
	va_end(ap);
}

static int on_goroutine(void *ctx, const struct g_change *c)
{
	(void)ctx;
	(void)c;
	changes++;
	return 0;
}

static int on_processor(void *ctx, const struct p_change *c)
{
	(void)ctx;
	(void)c;
	changes++;
	return 0;
}

static int on_syscall(void *ctx, const struct syscall_span *s)
{
	(void)ctx;
	say("call %d M%u P%d G%d %lluns\n", s->nr, s->t->tid, s->t->p ? s->t->p->id : -1,
	    s->g ? (int)s->g->id : 0, (unsigned long long)(s->end - s->begin));
	return 0;
}

static int on_span(void *ctx, const struct thread_span *s)
{
	static const char *const kinds[] = {"on", "off", "wake"};

	(void)ctx;
	say("%s M%u G%d %lluns", kinds[s->kind], s->t->tid, s->g ? (int)s->g->id : 0,
	    (unsigned long long)(s->end - s->begin));
	if (s->runnable_since)
		say(" runnable %lluns", (unsigned long long)(s->end - s->runnable_since));
	say("%s", s->preempted ? " preempted" : "");
	if (s->stack)
		say(" stack %llu", (unsigned long long)s->stack);
	say("\n");
	return 0;
}

static void add(void *ev, unsigned int type, size_t size, uint32_t tid)
{
	struct event_head *h = ev;

	now += 1000;
	*h = (struct event_head){
		.time_ns = now, .tid = tid, .type = (__u16)type, .size = (__u16)size};
	CU_ASSERT_EQUAL(replay_event(replay, h, NULL), 0);
}

#define ADD(type, tid, ...)                                \
	do {                                               \
		__typeof__(__VA_ARGS__) ev_ = __VA_ARGS__; \
		add(&ev_, type, sizeof(ev_), tid);         \
	} while (0)

static void begin(void)
{
	static const struct sink_ops ops = {
		.goroutine = on_goroutine,
		.processor = on_processor,
		.syscall = on_syscall,
		.span = on_span,
	};

	CU_ASSERT_EQUAL_FATAL(replay_new(&replay, NULL), 0);
	replay_add_sink(replay, (struct sink){.ops = &ops});
	now = 1000000;
	text[len = 0] = 0;
	changes = 0;
	ADD(EV_TARGET, TGID, (struct ev_target){.tgid = TGID, .go_minor = 26});
	ADD(EV_SNAP_P, 0, (struct ev_snap_p){.tgid = TGID, .id = 0, .p = P(0)});
	ADD(EV_SNAP_G, 0, (struct ev_snap_g){.tgid = TGID, .status = 4, .gp = G(1), .goid = 1});
	ADD(EV_READY, 0, (struct ev_ready){.tgid = TGID, .flags = READY_BARE});
}

static void expect(const char *expected)
{
	CU_ASSERT_STRING_EQUAL(text, expected);
	if (strcmp(text, expected) != 0)
		fprintf(stderr, "--- expected\n%s--- is\n%s", expected, text);
	CU_ASSERT_EQUAL(changes, 0);
	CU_ASSERT_EQUAL(replay_finish(replay, NULL), 0);
	CU_ASSERT_EQUAL(replay_totals(replay)->repairs, 0);
	CU_ASSERT_EQUAL(replay_totals(replay)->inferred, 0);
	replay_free(replay);
}

static void enter(uint32_t tid, unsigned int nr, struct ev_gctx ctx, unsigned int status)
{
	ADD(EV_SYS_ENTER, tid,
	    (struct ev_sys_enter){.tgid = TGID, .nr = nr, .gstatus = status, .ctx = ctx});
}

static void leave(uint32_t tid, unsigned int nr, struct ev_gctx ctx, unsigned int status)
{
	ADD(EV_SYS_EXIT, tid,
	    (struct ev_sys_exit){.tgid = TGID, .nr = nr, .gstatus = status, .ctx = ctx});
}

static void switch_to(uint32_t prev, struct ev_gctx ctx, uint32_t state, uint32_t next)
{
	ADD(EV_SWITCH, prev,
	    (struct ev_switch){
		    .tgid = prev ? TGID : 0,
		    .next_tid = next,
		    .next_tgid = next ? TGID : 0,
		    .ctx = ctx,
		    .prev_state = state,
		    .flags = (prev ? SWITCH_PREV_TRACED : 0) | (next ? SWITCH_NEXT_TRACED : 0),
	    });
}

static void seen(uint64_t gp, uint64_t goid)
{
	ADD(EV_GOROUTINE, 7, (struct ev_goroutine){.tgid = TGID, .gp = gp, .goid = goid});
}

/* Calls of a goroutine, of the runtime on the system stack, of one that nobody named. */
static void calls(void)
{
	begin();
	enter(7, 0, ON(G(1), P(0)), 3);
	leave(7, 0, ON(G(1), P(0)), 3);
	enter(7, 202, (struct ev_gctx){.g = 0x900, .curg = G(1), .p = P(0)}, 2);
	leave(7, 202, (struct ev_gctx){.g = 0x900, .curg = G(1), .p = P(0)}, 2);
	enter(7, 1, ON(G(5), P(0)), 3);
	leave(7, 1, ON(G(5), P(0)), 3);
	expect("on M7 G1 1000ns\n"
	       "call 0 M7 P0 G1 1000ns\n"
	       "on M7 G1 1000ns\n"
	       "on M7 G1 1000ns\n"
	       "call 202 M7 P0 G0 1000ns\n"
	       "on M7 G0 1000ns\n" /* G1 at its begin, somebody else at its end */
	       "on M7 G0 1000ns\n"
	       "call 1 M7 P0 G0 1000ns\n");
}

/* Another goroutine gets the memory of one that has ended. */
static void reused(void)
{
	begin();
	seen(G(2), 20);
	enter(7, 0, ON(G(2), P(0)), 3);
	leave(7, 0, ON(G(2), P(0)), 3);
	seen(G(2), 21);
	enter(7, 0, ON(G(2), P(0)), 3);
	leave(7, 0, ON(G(2), P(0)), 3);
	expect("on M7 G20 1000ns\n"
	       "call 0 M7 P0 G20 1000ns\n"
	       "on M7 G0 2000ns\n" /* as the one before is gone */
	       "on M7 G21 1000ns\n"
	       "call 0 M7 P0 G21 1000ns\n");
}

/* Off the CPU: asleep, then waiting for a CPU; and preempted. */
static void off_cpu(void)
{
	begin();
	enter(7, 0, ON(G(1), P(0)), 3);
	ADD(EV_OFF_CPU, 7, (struct ev_off_cpu){.tgid = TGID, .gp = G(1), .stack = 77});
	switch_to(7, ON(G(1), P(0)), 1, 0);
	ADD(EV_WAKEUP, 0, (struct ev_wakeup){.wakee_tid = 7, .wakee_tgid = TGID});
	switch_to(0, (struct ev_gctx){0}, 0, 7);
	leave(7, 0, ON(G(1), P(0)), 3);
	switch_to(7, ON(G(1), P(0)), 0, 0);
	switch_to(0, (struct ev_gctx){0}, 0, 7);
	expect("on M7 G1 2000ns\n"
	       "off M7 G1 2000ns runnable 1000ns stack 77\n"
	       "on M7 G1 1000ns\n"
	       "call 0 M7 P0 G1 5000ns\n"
	       "on M7 G1 1000ns\n"
	       "off M7 G1 1000ns runnable 1000ns preempted\n");
}

/* Who is in a system call wakes; who is interrupted there and then does not. */
static void wakes(void)
{
	struct ev_wakeup wakeup = {
		.tgid = TGID, .wakee_tid = 8, .wakee_tgid = TGID, .ctx = ON(G(1), P(0))};

	begin();
	enter(7, 202, ON(G(1), P(0)), 3);
	ADD(EV_WAKEUP, 7, wakeup);
	leave(7, 202, ON(G(1), P(0)), 3);
	ADD(EV_WAKEUP, 7, wakeup);
	expect("on M7 G1 1000ns\n"
	       "wake M7 G1 0ns\n"
	       "on M7 G1 1000ns\n"
	       "call 202 M7 P0 G1 2000ns\n"
	       "on M7 G1 1000ns\n");
}

/* Where events are missing nothing is concluded from what is left. */
static void losses(void)
{
	begin();
	enter(7, 0, ON(G(1), P(0)), 3);
	ADD(EV_LOSS, 0, (struct ev_loss){.loss_class = LOSS_SCHED, .count = 3});
	leave(7, 0, ON(G(1), P(0)), 3);
	enter(7, 0, ON(G(1), P(0)), 3);
	expect("on M7 G0 2000ns\n"
	       "call 0 M7 P0 G1 2000ns\n"
	       "on M7 G1 1000ns\n");
}

/* Records of probes, as a forged capture may have them. */
static void no_probes(void)
{
	begin();
	enter(7, 0, ON(G(1), P(0)), 3);
	ADD(EV_GO, 7,
	    (struct ev_go){.tgid = TGID, .gp = G(1), .goid = 1, .p = P(0), .kind = GO_PARK});
	ADD(EV_EXIT, 7, (struct ev_task){.tgid = TGID});
	expect("");
}

static CU_TestInfo tests[] = {
	{"system calls", calls},  {"a g is used again", reused},
	{"off the CPU", off_cpu}, {"wake-ups", wakes},
	{"losses", losses},       {"records of probes", no_probes},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("replay/bare", tests);
