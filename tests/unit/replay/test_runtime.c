/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the runtime does besides, Ps that are seen to change hands, calls of C. */
#include "tests/unit/replay/stream.h"
#include "tests/unit/unit.h"

/* M1 runs G1 on P0, M2 runs G2 on P1, M3 sleeps; G3 waits. */
static void open_usual(struct stream *s, int minor)
{
	stream_open(s, minor, 4);
	stream_snap_m(s, 1, 1, 0);
	stream_snap_m(s, 2, 2, 1);
	stream_snap_m(s, 3, -1, -1);
	stream_snap_g(s, 1, 2, 1);
	stream_snap_g(s, 2, 2, 2);
	stream_snap_g(s, 3, 4, 0);
	stream_ready(s);
	s->text[s->len = 0] = 0;
}

static void no_repairs(struct stream *s, uint64_t inferred)
{
	CU_ASSERT_EQUAL(replay_totals(s->replay)->repairs, 0);
	CU_ASSERT_EQUAL(replay_totals(s->replay)->inferred, inferred);
	stream_close(s);
}

static void gc_cycle(void)
{
	struct stream s;

	open_usual(&s, 26);
	stream_runtime(&s, RT_GC_BEGIN, 1, 0, 1, 0);
	stream_runtime(&s, RT_STW_BEGIN, 1, 0, 1, 2);
	stream_runtime(&s, RT_STW_END, 1, 0, 1, 0);
	/* passed without helping; helps, and goes on helping, and waits meanwhile */
	stream_runtime(&s, RT_ASSIST_END, 2, 1, 2, 0);
	stream_runtime(&s, RT_ASSIST_BEGIN, 2, 1, 2, 0);
	stream_runtime(&s, RT_ASSIST_BEGIN, 2, 1, 2, 0);
	stream_go(&s, GO_PARK, 2, 1, 2, -1);
	stream_go(&s, GO_READY, 1, 0, 2, 1);
	stream_go(&s, GO_START, 2, 1, 2, -1);
	stream_runtime(&s, RT_ASSIST_END, 2, 1, 2, 0);
	stream_runtime(&s, RT_ASSIST_END, 2, 1, 2, 0);
	stream_runtime(&s, RT_STW_BEGIN, 1, 0, 1, 1);
	stream_runtime(&s, RT_GC_END, 1, 0, 1, 0);
	stream_runtime(&s, RT_STW_END, 1, 0, 1, 0);
	stream_runtime(&s, RT_SWEEP_BEGIN, 2, 1, 2, 0);
	stream_runtime(&s, RT_SWEEP_END, 2, 1, 2, 8192);
	CU_ASSERT(stream_expect(&s, "gc begin G1\n"
				    "stw begin G1 (GC sweep termination)\n"
				    "stw end G1 (GC sweep termination)\n"
				    "assist begin G2\n"
				    "G2 block M2 'chan receive' (chan receive)\n"
				    "G2 unblock M1 by G1\n"
				    "G2 start M2\n"
				    "assist end G2\n"
				    "stw begin G1 (GC mark termination)\n"
				    "gc end G1\n"
				    "stw end G1 (GC mark termination)\n"
				    "sweep begin P1\n"
				    "sweep end P1 8192/4096\n"));
	no_repairs(&s, 0);
}

/* Ends of what began before anybody looked. */
static void ends_alone(void)
{
	struct stream s;

	open_usual(&s, 26);
	stream_runtime(&s, RT_STW_END, 1, 0, 1, 0);
	stream_runtime(&s, RT_ASSIST_END, 1, 0, 1, 0);
	stream_runtime(&s, RT_SWEEP_END, 1, 0, 1, 5);
	stream_runtime(&s, RT_GC_END, 1, 0, 1, 0);
	CU_ASSERT(stream_expect(&s, ""));
	no_repairs(&s, 0);
}

static void ends_lost(void)
{
	struct stream s;

	open_usual(&s, 26);
	stream_runtime(&s, RT_GC_BEGIN, 1, 0, 1, 0);
	stream_runtime(&s, RT_ASSIST_BEGIN, 2, 1, 2, 0);
	stream_runtime(&s, RT_STW_BEGIN, 1, 0, 1, RT_NO_REASON);
	stream_runtime(&s, RT_STW_BEGIN, 2, 1, 2, 7);
	stream_runtime(&s, RT_GC_BEGIN, 2, 1, 2, 0);
	stream_runtime(&s, RT_ASSIST_BEGIN, 2, 1, 2, 0);
	stream_runtime(&s, RT_SWEEP_BEGIN, 2, 1, 2, 0);
	stream_go(&s, GO_EXIT, 2, 1, 2, -1);
	stream_runtime_proc(&s, RT_PROC_STOP, 2, 1, -1, 1);
	CU_ASSERT(stream_expect(&s, "gc begin G1\n"
				    "assist begin G2\n"
				    "stw begin G1\n"
				    "# the world was not seen to start again\n"
				    "!stw end G1\n"
				    "stw begin G2 (read mem stats)\n"
				    "# the end of a GC cycle was not seen\n"
				    "!gc end G2\n"
				    "gc begin G2\n"
				    "sweep begin P1\n"
				    "# the world was not seen to start again\n"
				    "!stw end G2 (read mem stats)\n"
				    "# the end of a mark assist was not seen\n"
				    "!assist end G2\n"
				    "G2 exit M2\n"
				    "# the end of a sweep was not seen\n"
				    "!sweep end P1\n"
				    "P1 stop M2\n"));
	stream_close(&s);
}

static void at_attach(bool marking, bool ends, const char *expected)
{
	struct ev_snap_gc gc = {.tgid = STREAM_TGID, .marking = marking};
	struct stream s;

	stream_open(&s, 26, 2);
	stream_snap_m(&s, 1, 1, 0);
	stream_snap_g(&s, 1, 2, 1);
	stream_runtime(&s, RT_ASSIST_BEGIN, 1, 0, 1, 0);
	if (ends)
		stream_runtime(&s, RT_GC_END, 1, 0, 1, 0);
	stream_add(&s, &gc.h, EV_SNAP_GC, sizeof(gc), STREAM_TGID);
	stream_ready(&s);
	stream_runtime(&s, RT_ASSIST_END, 1, 0, 1, 0);
	CU_ASSERT(stream_expect(&s, expected));
	stream_close(&s);
}

static void cycle_at_attach(void)
{
	at_attach(true, false,
		  "P0 init M1\nG1 init running M1\n^gc begin\n^assist begin G1\nassist end G1\n");
	at_attach(false, false,
		  "P0 init M1\nG1 init running M1\n^assist begin G1\nassist end G1\n");
	at_attach(true, true, "P0 init M1\nG1 init running M1\n^assist begin G1\nassist end G1\n");
}

static void gc_worker(void)
{
	struct ev_go ready = {.tgid = STREAM_TGID,
			      .gp = G_ADDR(3),
			      .goid = 3,
			      .p = P_ADDR(0),
			      .kind = GO_READY,
			      .block_reason = GC_WORKER_FRACTIONAL,
			      .skip = -1};
	struct stream s;

	open_usual(&s, 26);
	stream_add(&s, &ready.h, EV_GO, sizeof(ready), 1);
	stream_go(&s, GO_PARK, 1, 0, 1, -1);
	stream_go(&s, GO_START, 1, 0, 3, -1);
	stream_go(&s, GO_YIELD, 1, 0, 3, -1);
	stream_go(&s, GO_START, 1, 0, 3, -1);
	CU_ASSERT(stream_expect(&s, "G3 unblock M1\n"
				    "G1 block M1 'chan receive' (chan receive)\n"
				    "G3 start M1\n"
				    "G3 label worker 'GC (fractional)'\n"
				    "G3 stop M1 (preempted)\n"
				    "G3 start M1\n"));
	no_repairs(&s, 0);
}

static void procs_and_heap(void)
{
	struct ev_heap heap = {.tgid = STREAM_TGID, .live = 10, .goal = 20};
	struct ev_sample sample = {.tgid = STREAM_TGID,
				   .ctx = {.g = 1, .curg = G_ADDR(2), .p = P_ADDR(1)}};
	struct stream s;

	open_usual(&s, 26);
	stream_runtime(&s, RT_PROCS, 1, 0, 1, 7);
	stream_runtime(&s, RT_PROCS, 1, 0, 1, 1 << 30);
	stream_runtime(&s, RT_PROCS, 1, 0, 1, 0);
	stream_add(&s, &heap.h, EV_HEAP, sizeof(heap), 0);
	stream_add(&s, &sample.h, EV_SAMPLE, sizeof(sample), 2);
	/* of a goroutine that another thread runs, as far as anybody knows */
	stream_add(&s, &sample.h, EV_SAMPLE, sizeof(sample), 3);
	CU_ASSERT(stream_expect(&s, "procs 7\nheap 10/20\nsample M2 G2 P1\nsample M3 G0 P-1\n"));
	no_repairs(&s, 0);
}

static void proc_changes_hands(void)
{
	struct stream s;

	open_usual(&s, 26);
	stream_go(&s, GO_PARK, 1, 0, 1, -1);
	stream_runtime_proc(&s, RT_PROC_STOP, 1, 0, -1, 0);
	/* m.p is not yet cleared */
	stream_switch(&s, 1, -1, 0, 0, 3);
	stream_runtime_proc(&s, RT_PROC_START, 3, -1, -1, 0);
	/* m.p is not yet set */
	stream_switch(&s, 3, -1, -1, 0, 1);
	stream_switch(&s, 1, -1, -1, 1, 3);
	stream_go(&s, GO_READY, 3, 0, 3, -1);
	stream_go(&s, GO_START, 3, 0, 3, -1);
	CU_ASSERT(stream_expect(&s, "G1 block M1 'chan receive' (chan receive)\n"
				    "P0 stop M1\n"
				    "P0 start M3\n"
				    "M3 runnable\n"
				    "M1 running\n"
				    "M1 sleeping\n"
				    "M3 running\n"
				    "G3 unblock M3\n"
				    "G3 start M3\n"));
	no_repairs(&s, 0);
}

static void proc_is_stolen(int minor)
{
	bool wired = minor >= 26;
	struct stream s;

	open_usual(&s, minor);
	stream_sys_enter(&s, 1, 1, wired ? 0 : -1, 3);
	stream_runtime_proc(&s, RT_PROC_STEAL, 3, -1, -1, 0);
	/* m.p of the victim is not yet cleared */
	stream_switch(&s, 1, 1, wired ? 0 : -1, 1, 0);
	stream_sys_exit(&s, 1, 1, -1, 0, 0, 3);
	stream_runtime_proc(&s, RT_PROC_START, 3, -1, -1, 0);
	stream_go(&s, GO_SYSEXIT_NEWP, 1, 2, 1, -1);
	if (!wired)
		stream_runtime_proc(&s, RT_PROC_START, 1, 2, 1, 2);
	CU_ASSERT(stream_expect(&s, "G1 syscall-enter M1\n"
				    "P0 steal M3\n"
				    "S1 M1 G1\n"
				    "P0 start M3\n"
				    "P2 start M1\n"
				    "G1 syscall-lost M1\n"
				    "G1 start M1\n"));
	no_repairs(&s, 0);
}

static void proc_is_stolen_both_ways(void)
{
	proc_is_stolen(25);
	proc_is_stolen(26);
}

/* From 1.26 on entersyscallblock releases the P before the status changes. */
static void blocking_syscall(void)
{
	struct ev_runtime stop = {.tgid = STREAM_TGID,
				  .gp = G_ADDR(1),
				  .goid = 1,
				  .p = P_ADDR(0),
				  .stack = 77,
				  .arg = {P_ADDR(0)},
				  .kind = RT_PROC_STOP};
	struct stream s;

	open_usual(&s, 26);
	stream_add(&s, &stop.h, EV_RUNTIME, sizeof(stop), 1);
	/* handoffp starts a thread; allocm borrows the P for that */
	stream_runtime_proc(&s, RT_PROC_START, 1, 0, 1, 0);
	stream_runtime_proc(&s, RT_PROC_STOP, 1, 0, 1, 0);
	stream_go(&s, GO_SYSBLOCK, 1, -1, 1, -1);
	stream_runtime_proc(&s, RT_PROC_START, 3, -1, -1, 0);
	CU_ASSERT(stream_expect(&s, "G1 syscall-enter M1\n"
				    "P0 stop M1\n"
				    "P0 start M1\n"
				    "P0 stop M1\n"
				    "P0 start M3\n"));
	no_repairs(&s, 0);

	open_usual(&s, 25);
	stream_go(&s, GO_PARK, 2, 1, 2, -1);
	stream_runtime_proc(&s, RT_PROC_STOP, 2, 1, -1, 1);
	stream_go(&s, GO_SYSBLOCK, 1, 0, 1, -1);
	stream_runtime_proc(&s, RT_PROC_STOP, 1, 0, 1, 0);
	CU_ASSERT(stream_expect(&s, "G2 block M2 'chan receive' (chan receive)\n"
				    "P1 stop M2\n"
				    "G1 syscall-enter M1\n"
				    "P0 stop M1\n"));
	no_repairs(&s, 0);
}

/* Before 1.26 nothing is called to take a P from a syscall when the world stops. */
static void world_stops_syscalls(void)
{
	struct stream s;

	open_usual(&s, 25);
	stream_sys_enter(&s, 1, 1, -1, 3);
	stream_runtime(&s, RT_STW_BEGIN, 2, 1, 2, 9);
	stream_runtime(&s, RT_STW_END, 2, 1, 2, 0);
	stream_sys_exit(&s, 1, 1, -1, 0, 0, 3);
	stream_go(&s, GO_SYSEXIT_NEWP, 1, 0, 1, -1);
	/* who enters one meanwhile lets go of it itself */
	stream_runtime(&s, RT_STW_BEGIN, 2, 1, 2, 9);
	stream_sys_enter(&s, 1, 1, -1, 3);
	stream_runtime(&s, RT_STW_END, 2, 1, 2, 0);
	CU_ASSERT(stream_expect(&s, "G1 syscall-enter M1\n"
				    "stw begin G2 (GOMAXPROCS)\n"
				    "~P0 steal M2\n"
				    "stw end G2 (GOMAXPROCS)\n"
				    "S1 M1 G1\n"
				    "P0 start M1\n"
				    "G1 syscall-lost M1\n"
				    "G1 start M1\n"
				    "stw begin G2 (GOMAXPROCS)\n"
				    "G1 syscall-enter M1\n"
				    "~P0 steal M1\n"
				    "stw end G2 (GOMAXPROCS)\n"));
	no_repairs(&s, 2);
}

static void gomaxprocs_shrinks(void)
{
	struct stream s;

	open_usual(&s, 26);
	stream_go(&s, GO_PARK, 1, 0, 1, -1);
	stream_runtime(&s, RT_STW_BEGIN, 2, 1, 2, 9);
	stream_runtime_proc(&s, RT_PROC_STOP, 1, 0, -1, 0);
	stream_runtime(&s, RT_PROCS, 2, 1, 2, 1);
	/* procresize: the goroutine goes on with the first P */
	stream_runtime_proc(&s, RT_PROC_START, 2, 0, 2, 0);
	stream_runtime(&s, RT_STW_END, 2, 0, 2, 0);
	CU_ASSERT(stream_expect(&s, "G1 block M1 'chan receive' (chan receive)\n"
				    "stw begin G2 (GOMAXPROCS)\n"
				    "P0 stop M1\n"
				    "procs 1\n"
				    "~G2 stop M2 (runtime.Gosched)\n"
				    "~P1 stop M2\n"
				    "~P0 start M2\n"
				    "~G2 start M2\n"
				    "stw end G2 (GOMAXPROCS)\n"));
	no_repairs(&s, 4);
}

/* The same, and the first half of it is seen, too. */
static void gomaxprocs_shrinks_seen(void)
{
	struct stream s;

	open_usual(&s, 26);
	stream_go(&s, GO_PARK, 1, 0, 1, -1);
	stream_runtime(&s, RT_STW_BEGIN, 2, 1, 2, 9);
	stream_runtime_proc(&s, RT_PROC_STOP, 1, 0, -1, 0);
	stream_runtime(&s, RT_PROCS, 2, 1, 2, 1);
	stream_runtime_proc(&s, RT_PROC_STOP, 2, 1, 2, 1);
	/* m.p is not yet set */
	stream_sys_runtime(&s, 2, 2, -1);
	stream_runtime_proc(&s, RT_PROC_START, 2, -1, 2, 0);
	stream_runtime(&s, RT_STW_END, 2, 0, 2, 0);
	CU_ASSERT(stream_expect(&s, "G1 block M1 'chan receive' (chan receive)\n"
				    "stw begin G2 (GOMAXPROCS)\n"
				    "P0 stop M1\n"
				    "procs 1\n"
				    "~G2 stop M2 (runtime.Gosched)\n"
				    "P1 stop M2\n"
				    "S1 M2 G0\n"
				    "P0 start M2\n"
				    "~G2 start M2\n"
				    "stw end G2 (GOMAXPROCS)\n"));
	no_repairs(&s, 2);
}

/* Who stops the world writes the runtime's own trace about a P which is not its own. */
static void borrowed_proc(void)
{
	struct stream s;

	open_usual(&s, 19);
	stream_go(&s, GO_PARK, 1, 0, 1, -1);
	stream_runtime_proc(&s, RT_PROC_STOP, 1, 0, -1, 0);
	stream_runtime(&s, RT_STW_BEGIN, 2, 1, 2, 1);
	stream_switch(&s, 2, 2, 0, 0, 9);
	stream_switch(&s, 9, 0, -1, 1, 2);
	stream_sys_runtime(&s, 2, 2, 0);
	stream_sys_runtime(&s, 2, 2, 1);
	stream_runtime(&s, RT_STW_END, 2, 1, 2, 0);
	CU_ASSERT(stream_expect(&s, "G1 block M1 'chan receive' (chan receive)\n"
				    "P0 stop M1\n"
				    "stw begin G2 (GC mark termination)\n"
				    "M9 sleeping\n"
				    "M2 running\n"
				    "S1 M2 G0\n"
				    "S1 M2 G0\n"
				    "stw end G2 (GC mark termination)\n"));
	no_repairs(&s, 0);
}

/* A system call that C makes for g. */
static void c_call(struct stream *s, uint32_t tid, int g, int p, int oldp, int oldp_status)
{
	struct ev_gctx ctx = {.g = 1, .curg = G_ADDR(g), .p = p < 0 ? 0 : P_ADDR(p)};
	struct ev_sys_enter enter = {.tgid = STREAM_TGID, .nr = 1, .gstatus = 3, .ctx = ctx};
	struct ev_sys_exit leave = {.tgid = STREAM_TGID,
				    .nr = 1,
				    .gstatus = 3,
				    .ctx = ctx,
				    .oldp = P_ADDR(oldp),
				    .oldp_status = (__u32)oldp_status};

	stream_add(s, &enter.h, EV_SYS_ENTER, sizeof(enter), tid);
	stream_add(s, &leave.h, EV_SYS_EXIT, sizeof(leave), tid);
}

static void cgo(int minor)
{
	bool wired = minor >= 26;
	struct stream s;

	open_usual(&s, minor);
	stream_go(&s, GO_CGO_ENTER, 1, 0, 1, -1);
	/* m.p is not yet cleared (Go <= 1.25) */
	stream_switch(&s, 1, 1, 0, 0, 0);
	c_call(&s, 1, 1, wired ? 0 : -1, 0, wired ? 1 : 2);
	stream_go(&s, GO_CGO_EXIT, 1, 0, 1, -1);
	/* a callback, and C returns without a P */
	stream_go(&s, GO_CGO_ENTER, 1, 0, 1, -1);
	c_call(&s, 1, 1, -1, 0, 0);
	stream_go(&s, GO_CGO_EXIT, 1, -1, 1, -1);
	stream_go(&s, GO_SYSEXIT_NOP, 1, -1, 1, -1);
	CU_ASSERT(stream_expect(&s, "G1 syscall-enter M1\n"
				    "S1 M1 G1\n"
				    "~G1 syscall-return M1\n"
				    "G1 syscall-enter M1\n"
				    "S1 M1 G1\n"
				    "~P0 steal M1\n"
				    "G1 syscall-lost M1\n"));
	no_repairs(&s, 2);
}

static void cgo_both_ways(void)
{
	cgo(25);
	cgo(26);
}

/* Attached while in C: what C calls does not end it. */
static void cgo_at_attach(void)
{
	struct stream s;

	stream_open(&s, 26, 2);
	stream_snap_m(&s, 1, 1, 0);
	stream_snap_g(&s, 1, 3, 1);
	stream_ready(&s);
	c_call(&s, 1, 1, 0, 0, 1);
	stream_go(&s, GO_CGO_EXIT, 1, 0, 1, -1);
	CU_ASSERT(stream_expect(&s, "P0 init M1\n"
				    "G1 init syscall M1\n"
				    "S1 M1 G1\n"
				    "~G1 syscall-return M1\n"));
	no_repairs(&s, 1);
}

/* A C thread leaves Go with its P still wired; another one comes with the same m. */
static void c_threads_share_an_m(void)
{
	struct ev_switch on_m = {.tgid = STREAM_TGID,
				 .flags = SWITCH_PREV_TRACED,
				 .ctx = {.g = 1, .curg = G_ADDR(9), .p = P_ADDR(3)}};
	struct stream s;

	open_usual(&s, 26);
	stream_go(&s, GO_NEEDM, 5, -1, 9, -1);
	stream_go(&s, GO_SYSEXIT_NEWP, 5, 3, 9, -1);
	stream_go(&s, GO_CGO_ENTER, 5, 3, 9, -1);
	stream_go(&s, GO_DROPM, 5, 3, 9, -1);
	stream_add(&s, &on_m.h, EV_SWITCH, sizeof(on_m), 5);
	stream_add(&s, &on_m.h, EV_SWITCH, sizeof(on_m), 6);
	stream_go(&s, GO_NEEDM, 6, 3, 9, -1);
	stream_go(&s, GO_CGO_EXIT, 6, 3, 9, -1);
	CU_ASSERT(stream_expect(&s, "G9 extra-enter M5\n"
				    "P3 start M5\n"
				    "G9 syscall-lost M5\n"
				    "G9 start M5\n"
				    "G9 syscall-enter M5\n"
				    "G9 extra-leave M5\n"
				    "G9 extra-enter M6\n"
				    "~P3 steal M6\n"
				    "~P3 start M6\n"
				    "~G9 syscall-lost M6\n"
				    "~G9 start M6\n"));
	no_repairs(&s, 4);
}

static CU_TestInfo tests[] = {
	{"a GC cycle", gc_cycle},
	{"ends of what began before", ends_alone},
	{"lost ends", ends_lost},
	{"a GC cycle at attach", cycle_at_attach},
	{"a GC worker is labelled", gc_worker},
	{"GOMAXPROCS, heap, samples", procs_and_heap},
	{"a P is seen to change hands", proc_changes_hands},
	{"a P is seen to be stolen", proc_is_stolen_both_ways},
	{"entersyscallblock", blocking_syscall},
	{"the world stops, syscalls lose their Ps", world_stops_syscalls},
	{"GOMAXPROCS shrinks", gomaxprocs_shrinks},
	{"GOMAXPROCS shrinks, and its P is seen to go", gomaxprocs_shrinks_seen},
	{"a P is borrowed to tell of it", borrowed_proc},
	{"calls of C, callbacks", cgo_both_ways},
	{"attached while in C", cgo_at_attach},
	{"C threads share an m", c_threads_share_an_m},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("replay/runtime", tests);
