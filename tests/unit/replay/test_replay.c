/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/replay/stream.h"
#include "tests/unit/unit.h"

/* M1 runs G1 on P0; M2 sleeps; G2 waits. */
static void open_usual(struct stream *s, int minor)
{
	stream_open(s, minor, 4);
	stream_snap_m(s, 1, 1, 0);
	stream_snap_m(s, 2, -1, -1);
	stream_snap_g(s, 1, 2, 1);
	stream_snap_g(s, 2, 4, 0);
	stream_ready(s);
	CU_ASSERT(stream_expect(s, "P0 init M1\n"
				   "G1 init running M1\n"
				   "G2 init waiting 'chan receive' (chan receive)\n"));
}

static void block_and_wake(void)
{
	struct stream s;

	open_usual(&s, 26);
	stream_go(&s, GO_READY, 1, 0, 2, 1);
	stream_go(&s, GO_PARK, 1, 0, 1, 1);
	stream_go(&s, GO_START, 1, 0, 2, -1);
	stream_go(&s, GO_CREATE, 1, 0, 3, 2);
	stream_go(&s, GO_EXIT, 1, 0, 2, -1);
	CU_ASSERT(stream_expect(&s, "G2 unblock M1 by G1\n"
				    "G1 block M1 'chan receive' (chan receive)\n"
				    "G2 start M1\n"
				    "G3 create M1 by G2\n"
				    "G2 exit M1\n"));
	CU_ASSERT_EQUAL(replay_totals(s.replay)->repairs, 0);
	stream_close(&s);
}

/* Another thread starts a goroutine on the P that M1 let go: nothing probes that. */
static void proc_changes_hands(void)
{
	struct stream s;

	open_usual(&s, 26);
	stream_go(&s, GO_READY, 1, 0, 2, 1);
	stream_go(&s, GO_PARK, 1, 0, 1, -1);
	stream_switch(&s, 1, -1, -1, 1, 0);
	stream_go(&s, GO_START, 2, 0, 2, -1);
	CU_ASSERT(stream_expect(&s, "G2 unblock M1 by G1\n"
				    "G1 block M1 'chan receive' (chan receive)\n"
				    "~P0 stop M1\n"
				    "~P0 start M2\n"
				    "G2 start M2\n"));
	CU_ASSERT_EQUAL(replay_totals(s.replay)->repairs, 0);
	stream_close(&s);
}

/* GOMAXPROCS was more once, and is again: the P is told of when it is used. */
static void spare_proc_is_used(void)
{
	struct ev_snap_p ev = {.tgid = STREAM_TGID, .id = 1, .p = P_ADDR(1), .status = 4};
	struct stream s;

	stream_open(&s, 26, 1);
	stream_add(&s, &ev.h, EV_SNAP_P, sizeof(ev), 0);
	stream_snap_m(&s, 1, 1, 0);
	stream_snap_m(&s, 2, -1, -1);
	stream_snap_g(&s, 1, 2, 1);
	stream_ready(&s);
	CU_ASSERT(stream_expect(&s, "P0 init M1\n"
				    "G1 init running M1\n"));
	stream_go(&s, GO_CREATE, 1, 0, 2, 1);
	stream_go(&s, GO_START, 2, 1, 2, -1);
	CU_ASSERT(stream_expect(&s, "G2 create M1 by G1\n"
				    "~P1 start M2\n"
				    "G2 start M2\n"));
	CU_ASSERT_EQUAL(replay_totals(s.replay)->repairs, 0);
	stream_close(&s);
}

/* A thread is read in its syscall, its goroutine after it: `status` is its P's, read before. */
static void back_from_syscall_at_attach(int status, int minor)
{
	struct ev_snap_p told = {.tgid = STREAM_TGID, .id = 0, .p = P_ADDR(0), .status = 1};
	struct ev_snap_p p = told;
	struct ev_snap_m m = {.tgid = STREAM_TGID, .m = M_ADDR(1), .curg = G_ADDR(1)};
	struct ev_snap_m older = {.tgid = STREAM_TGID, .m = M_ADDR(2), .curg = G_ADDR(2)};
	struct stream s;

	stream_open(&s, minor, 0);
	stream_add(&s, &told.h, EV_SNAP_P, sizeof(told), 0);
	p.status = (__u32)status;
	stream_add(&s, &p.h, EV_SNAP_P, sizeof(p), 0);
	m.oldp = P_ADDR(0);
	stream_add(&s, &m.h, EV_SNAP_M, sizeof(m), 1);
	/* another one had it in a syscall before, and is still there */
	older.oldp = P_ADDR(0);
	stream_add(&s, &older.h, EV_SNAP_M, sizeof(older), 2);
	stream_snap_g(&s, 2, 3, 2);
	stream_snap_g(&s, 1, 2, 1);
	stream_ready(&s);
	stream_go(&s, GO_YIELD, 1, 0, 1, -1);
	CU_ASSERT(stream_expect(&s, "P0 init M1\n"
				    "G2 init syscall M2\n"
				    "G1 init running M1\n"
				    "G1 stop M1 (preempted)\n"));
	CU_ASSERT_EQUAL(replay_totals(s.replay)->repairs, 0);
	stream_close(&s);
}

static void back_from_syscall_at_attach_both_ways(void)
{
	back_from_syscall_at_attach(1, 19);
	back_from_syscall_at_attach(2, 25);
}

/* The same, but somebody else has its P; its own start is to come. */
static void back_without_p_at_attach(void)
{
	struct ev_snap_m m = {.tgid = STREAM_TGID, .m = M_ADDR(1), .curg = G_ADDR(1)};
	struct stream s;

	stream_open(&s, 19, 2);
	m.oldp = P_ADDR(0);
	stream_add(&s, &m.h, EV_SNAP_M, sizeof(m), 1);
	stream_snap_m(&s, 2, 2, 0);
	stream_snap_g(&s, 1, 2, 1);
	stream_snap_g(&s, 2, 2, 2);
	stream_ready(&s);
	stream_go(&s, GO_START, 1, 1, 1, -1);
	CU_ASSERT(stream_expect(&s, "P0 init M2\n"
				    "G1 init runnable\n"
				    "G2 init running M2\n"
				    "~P1 start M1\n"
				    "G1 start M1\n"));
	CU_ASSERT_EQUAL(replay_totals(s.replay)->repairs, 0);
	stream_close(&s);
}

static void syscall_keeps_p(int minor)
{
	struct stream s;
	bool wired = minor >= 26;

	open_usual(&s, minor);
	stream_sys_enter(&s, 1, 1, wired ? 0 : -1, 3);
	stream_sys_exit(&s, 1, 1, wired ? 0 : -1, 0, wired ? 1 : 2, 3);
	stream_go(&s, GO_PARK, 1, 0, 1, -1);
	CU_ASSERT(stream_expect(&s, "G1 syscall-enter M1\n"
				    "S1 M1 G1\n"
				    "G1 syscall-return M1\n"
				    "G1 block M1 'chan receive' (chan receive)\n"));
	CU_ASSERT_EQUAL(replay_totals(s.replay)->repairs, 0);
	stream_close(&s);
}

static void syscall_keeps_p_both_ways(void)
{
	syscall_keeps_p(25);
	syscall_keeps_p(26);
}

static void syscall_loses_p(void)
{
	struct stream s;

	open_usual(&s, 25);
	stream_go(&s, GO_READY, 1, 0, 2, 1);
	stream_sys_enter(&s, 1, 1, -1, 3);
	stream_go(&s, GO_START, 2, 0, 2, -1);
	/* The P is running elsewhere when the syscall returns; no other is idle. */
	stream_sys_exit(&s, 1, 1, -1, 0, 1, 3);
	stream_go(&s, GO_SYSEXIT_NOP, 1, -1, 1, -1);
	stream_go(&s, GO_START, 1, 1, 1, -1);
	CU_ASSERT(stream_expect(&s, "G2 unblock M1 by G1\n"
				    "G1 syscall-enter M1\n"
				    "~P0 steal M2\n"
				    "~P0 start M2\n"
				    "G2 start M2\n"
				    "S1 M1 G1\n"
				    "G1 syscall-lost M1\n"
				    "~P1 start M1\n"
				    "G1 start M1\n"));
	CU_ASSERT_EQUAL(replay_totals(s.replay)->repairs, 0);
	stream_close(&s);
}

/*
 * It lost its P, finds it in another thread's syscall when its own is over, and takes it back; also
 * where that syscall is over for the kernel.
 */
static void syscall_regains_p(bool other_is_back)
{
	struct stream s;

	open_usual(&s, 25);
	stream_go(&s, GO_READY, 1, 0, 2, 1);
	stream_sys_enter(&s, 1, 1, -1, 3);
	stream_go(&s, GO_START, 2, 0, 2, -1);
	stream_sys_enter(&s, 2, 2, -1, 3);
	if (other_is_back)
		stream_sys_exit(&s, 2, 2, -1, 0, 2, 3);
	stream_sys_exit(&s, 1, 1, -1, 0, 2, 3);
	stream_sys_enter(&s, 1, 1, -1, 3);
	CU_ASSERT(stream_expect(&s, other_is_back ? "G2 unblock M1 by G1\n"
						    "G1 syscall-enter M1\n"
						    "~P0 steal M2\n"
						    "~P0 start M2\n"
						    "G2 start M2\n"
						    "G2 syscall-enter M2\n"
						    "S1 M2 G2\n"
						    "G2 syscall-return M2\n"
						    "S1 M1 G1\n"
						    "~G2 syscall-enter M2\n"
						    "~P0 steal M1\n"
						    "~P0 start M1\n"
						    "~G1 syscall-lost M1\n"
						    "~G1 start M1\n"
						    "G1 syscall-enter M1\n" :
						    "G2 unblock M1 by G1\n"
						    "G1 syscall-enter M1\n"
						    "~P0 steal M2\n"
						    "~P0 start M2\n"
						    "G2 start M2\n"
						    "G2 syscall-enter M2\n"
						    "S1 M1 G1\n"
						    "~P0 steal M1\n"
						    "~P0 start M1\n"
						    "~G1 syscall-lost M1\n"
						    "~G1 start M1\n"
						    "G1 syscall-enter M1\n"));
	CU_ASSERT_EQUAL(replay_totals(s.replay)->repairs, 0);
	stream_close(&s);
}

static void syscall_regains_p_both_ways(void)
{
	syscall_regains_p(false);
	syscall_regains_p(true);
}

/* It lost its P but found an idle one by itself: no probe but its next event tells. */
static void syscall_finds_another_p(void)
{
	struct stream s;

	open_usual(&s, 25);
	stream_sys_enter(&s, 1, 1, -1, 3);
	stream_sys_exit(&s, 1, 1, -1, 0, 0, 3);
	stream_go(&s, GO_SYSEXIT_NEWP, 1, 2, 1, -1);
	stream_sys_enter(&s, 1, 1, -1, 3);
	stream_sys_exit(&s, 1, 1, -1, 2, 0, 3);
	stream_go(&s, GO_PARK, 1, 3, 1, -1);
	CU_ASSERT(stream_expect(&s, "G1 syscall-enter M1\n"
				    "S1 M1 G1\n"
				    "~P0 steal M1\n"
				    "P2 start M1\n"
				    "G1 syscall-lost M1\n"
				    "G1 start M1\n"
				    "G1 syscall-enter M1\n"
				    "S1 M1 G1\n"
				    "~P2 steal M1\n"
				    "~P3 start M1\n"
				    "~G1 syscall-lost M1\n"
				    "~G1 start M1\n"
				    "G1 block M1 'chan receive' (chan receive)\n"));
	CU_ASSERT_EQUAL(replay_totals(s.replay)->repairs, 0);
	stream_close(&s);
}

/* futex, epoll and friends of the runtime are no syscalls of a goroutine. */
static void runtime_syscall(void)
{
	struct stream s;

	open_usual(&s, 26);
	stream_sys_runtime(&s, 1, 1, 0);
	CU_ASSERT(stream_expect(&s, "S1 M1 G0\n"));
	stream_close(&s);
}

/* RawSyscall: the runtime is not told, the goroutine made it all the same. */
static void raw_syscall(void)
{
	struct stream s;

	open_usual(&s, 26);
	stream_sys_enter(&s, 1, 1, 0, 2);
	stream_sys_exit(&s, 1, 1, 0, -1, 0, 2);
	CU_ASSERT(stream_expect(&s, "S1 M1 G1\n"));
	CU_ASSERT_EQUAL(replay_totals(s.replay)->repairs, 0);
	stream_close(&s);
}

/* gdestroy, which a goroutine's end passes otherwise, has nothing to add after the switch. */
static void coroutine_ends(void)
{
	struct stream s;

	open_usual(&s, 24);
	stream_go(&s, GO_CREATE_BLOCKED, 1, 0, 5, 1);
	stream_go(&s, GO_SWITCH, 1, 0, 1, 5);
	stream_switch_exit(&s, 1, 0, 5, 1);
	stream_go(&s, GO_EXIT, 1, 0, 1, -1);
	CU_ASSERT(stream_expect(&s, "G5 create-blocked M1 by G1 'coroutine' (coroutine)\n"
				    "G1 switch-out M1 by G5 'coroutine' (coroutine)\n"
				    "G5 switch-in M1 by G1\n"
				    "G5 switch-exit M1 by G1 'coroutine' (coroutine)\n"
				    "G1 switch-in M1\n"
				    "G1 exit M1\n"));
	CU_ASSERT_EQUAL(replay_totals(s.replay)->repairs, 0);
	stream_close(&s);
}

static void blocking_syscall_gives_p_away(void)
{
	struct stream s;

	open_usual(&s, 26);
	stream_go(&s, GO_SYSBLOCK, 1, 0, 1, -1);
	stream_go(&s, GO_SYSEXIT_NOP, 1, -1, 1, -1);
	CU_ASSERT(stream_expect(&s, "G1 syscall-enter M1\n"
				    "~P0 stop M1\n"
				    "G1 syscall-lost M1\n"));
	CU_ASSERT_EQUAL(replay_totals(s.replay)->repairs, 0);
	stream_close(&s);
}

/* From Go 1.26 on the P is gone when the goroutine enters the syscall. */
static void blocking_syscall_gave_p_away(void)
{
	struct stream s;

	open_usual(&s, 26);
	stream_go(&s, GO_SYSBLOCK, 1, -1, 1, -1);
	stream_go(&s, GO_SYSEXIT_NEWP, 1, 0, 1, -1);
	/* and somebody else was quicker to use it than the record to come */
	stream_go(&s, GO_READY, 1, 0, 2, 1);
	stream_go(&s, GO_START, 2, 0, 2, -1);
	stream_go(&s, GO_SYSBLOCK, 1, -1, 1, -1);
	CU_ASSERT(stream_expect(&s, "G1 syscall-enter M1\n"
				    "~P0 stop M1\n"
				    "P0 start M1\n"
				    "G1 syscall-lost M1\n"
				    "G1 start M1\n"
				    "G2 unblock M1 by G1\n"
				    "~G1 syscall-enter M1\n"
				    "~P0 steal M2\n"
				    "~P0 start M2\n"
				    "G2 start M2\n"));
	CU_ASSERT_EQUAL(replay_totals(s.replay)->repairs, 0);
	stream_close(&s);
}

/* procresize lets who changed GOMAXPROCS go on with the first P. */
static void first_proc_is_taken(void)
{
	struct stream s;

	open_usual(&s, 26);
	stream_go(&s, GO_PARK, 1, 0, 1, -1);
	stream_go(&s, GO_READY, 1, 1, 1, -1);
	stream_go(&s, GO_START, 1, 1, 1, -1);
	stream_go(&s, GO_PARK, 1, 0, 1, -1);
	CU_ASSERT(stream_expect(&s, "G1 block M1 'chan receive' (chan receive)\n"
				    "G1 unblock M1\n"
				    "~P0 stop M1\n"
				    "~P1 start M1\n"
				    "G1 start M1\n"
				    "~G1 stop M1 (runtime.Gosched)\n"
				    "~P1 stop M1\n"
				    "~P0 start M1\n"
				    "~G1 start M1\n"
				    "G1 block M1 'chan receive' (chan receive)\n"));
	CU_ASSERT_EQUAL(replay_totals(s.replay)->repairs, 0);
	stream_close(&s);
}

static void coroutine(void)
{
	struct stream s;

	open_usual(&s, 24);
	stream_go(&s, GO_CREATE_BLOCKED, 1, 0, 5, 1);
	stream_go(&s, GO_SWITCH, 1, 0, 1, 5);
	stream_go(&s, GO_SWITCH, 1, 0, 5, 1);
	/* one that is not known: it waits until its own first event */
	stream_go(&s, GO_SWITCH, 1, 0, 1, 6);
	stream_go(&s, GO_SWITCH, 1, 0, 6, 1);
	CU_ASSERT(stream_expect(&s, "G5 create-blocked M1 by G1 'coroutine' (coroutine)\n"
				    "G1 switch-out M1 by G5 'coroutine' (coroutine)\n"
				    "G5 switch-in M1 by G1\n"
				    "G5 switch-out M1 by G1 'coroutine' (coroutine)\n"
				    "G1 switch-in M1 by G5\n"
				    "G1 block M1 'coroutine' (coroutine)\n"
				    "# a goroutine nobody announced\n"
				    "!G6 create M1\n"
				    "# a goroutine's start was not seen\n"
				    "!G6 start M1\n"
				    "G6 switch-out M1 by G1 'coroutine' (coroutine)\n"
				    "G1 switch-in M1 by G6\n"));
	stream_close(&s);
}

static void extra_m(void)
{
	struct stream s;

	open_usual(&s, 26);
	stream_go(&s, GO_NEEDM, 3, -1, 9, -1);
	stream_go(&s, GO_SYSEXIT_NEWP, 3, 3, 9, -1);
	stream_sys_enter(&s, 3, 9, 3, 3);
	stream_go(&s, GO_DROPM, 3, -1, 9, -1);
	CU_ASSERT(stream_expect(&s, "G9 extra-enter M3\n"
				    "P3 start M3\n"
				    "G9 syscall-lost M3\n"
				    "G9 start M3\n"
				    "G9 syscall-enter M3\n"
				    "~P3 steal M3\n"
				    "G9 extra-leave M3\n"));
	CU_ASSERT_EQUAL(replay_totals(s.replay)->repairs, 0);
	stream_close(&s);
}

/* The snapshot says one thing, an event after it another: the event is right. */
static void event_corrects_snapshot(void)
{
	struct stream s;

	stream_open(&s, 26, 2);
	stream_snap_m(&s, 1, 1, 0);
	stream_snap_g(&s, 1, 2, 1);
	stream_snap_g(&s, 2, 1, 0);
	stream_snap_g(&s, 3, 6, 0); /* dead: never existed */
	stream_go(&s, GO_PARK, 1, 0, 1, -1);
	stream_go(&s, GO_START, 1, 0, 2, -1);
	stream_go(&s, GO_CREATE, 1, 0, 4, 2);
	/* read before the change its record told of: older news */
	stream_snap_g(&s, 1, 2, 1);
	stream_go(&s, GO_READY, 1, 0, 5, 2);
	stream_go(&s, GO_START, 2, 1, 5, -1);
	stream_go(&s, GO_EXIT, 2, 1, 5, -1);
	stream_snap_g(&s, 5, 2, 2);
	CU_ASSERT(stream_expect(&s, ""));
	stream_ready(&s);
	CU_ASSERT(stream_expect(&s, "P0 init M1\n"
				    "P1 init M2\n"
				    "G1 init waiting 'chan receive' (chan receive)\n"
				    "G2 init running M1\n"
				    "G4 init runnable\n"));
	stream_close(&s);
}

/* Two goroutines claim one thread in the snapshot: they were read at different moments. */
static void snapshot_contradicts_itself(void)
{
	struct stream s;

	stream_open(&s, 26, 2);
	stream_snap_m(&s, 1, 1, 0);
	stream_snap_g(&s, 1, 2, 1);
	stream_snap_g(&s, 2, 2, 1);
	stream_snap_g(&s, 3, 2, 7); /* on a thread nobody knows */
	stream_ready(&s);
	CU_ASSERT_FALSE(s.broken);
	stream_go(&s, GO_PARK, 1, 0, 1, -1);
	CU_ASSERT_FALSE(s.broken);
	stream_close(&s);
}

static void lost_stop_is_repaired(void)
{
	struct stream s;

	open_usual(&s, 26);
	stream_go(&s, GO_READY, 1, 0, 2, 1);
	stream_go(&s, GO_START, 1, 0, 2, -1); /* G1's park was lost */
	stream_go(&s, GO_READY, 1, 0, 1, 2);
	CU_ASSERT(stream_expect(&s, "G2 unblock M1 by G1\n"
				    "# another goroutine runs on this thread\n"
				    "!G1 stop M1 (preempted)\n"
				    "G2 start M1\n"
				    "# a runnable goroutine was readied\n"));
	CU_ASSERT_EQUAL(replay_totals(s.replay)->repairs, 2);
	stream_close(&s);
}

static void lost_wakeup_is_repaired(void)
{
	struct stream s;

	open_usual(&s, 26);
	stream_go(&s, GO_PARK, 1, 0, 1, -1);
	stream_go(&s, GO_START, 2, 1, 2, -1);
	CU_ASSERT(stream_expect(&s, "G1 block M1 'chan receive' (chan receive)\n"
				    "# a goroutine's unblock was not seen\n"
				    "!G2 unblock\n"
				    "~P1 start M2\n"
				    "G2 start M2\n"));
	stream_close(&s);
}

/* A g used again for another goroutine while the model still has the old one. */
static void lost_exit_is_repaired(void)
{
	struct stream s;
	struct ev_go ev = {.tgid = STREAM_TGID,
			   .gp = G_ADDR(2),
			   .goid = 77,
			   .p = P_ADDR(1),
			   .kind = GO_START,
			   .skip = -1};

	open_usual(&s, 26);
	stream_add(&s, &ev.h, EV_GO, sizeof(ev), 2);
	/* the old one has to exit somewhere */
	CU_ASSERT(stream_expect(&s, "# a goroutine's exit was not seen\n"
				    "!G2 unblock\n"
				    "~P1 start M2\n"
				    "!G2 start M2\n"
				    "!G2 exit M2\n"
				    "~P1 stop M2\n"
				    "# a goroutine nobody announced\n"
				    "!G77 create M1\n"
				    "~P1 start M2\n"
				    "G77 start M2\n"));
	stream_close(&s);
}

/*
 * One whose status says that it waits runs on, on its thread's system stack. The reason may be an
 * old one; where it stopped tells.
 */
static void system_stack_is_running(void)
{
	static const char func[] = "runtime.systemstack_switch";
	struct {
		struct ev_symbol s;
		struct ev_frame f;
		char func[32];
	} sym = {
		{.tgid = STREAM_TGID, .n = 1, .pc = 0x401000}, {.func_len = sizeof(func) - 1}, {0}};
	struct {
		struct ev_stack s;
		__u64 pc;
	} stack = {{.id = 7, .tgid = STREAM_TGID, .n = 1}, 0x401000};
	struct ev_snap_g g = {
		.tgid = STREAM_TGID,
		.status = 4,
		.wait_reason = 1,
		.gp = G_ADDR(1),
		.goid = 1,
		.m = M_ADDR(1),
		.stack = 7,
	};
	struct stream s;

	memcpy(sym.func, func, sizeof(func));
	stream_open(&s, 19, 2);
	stream_add(&s, &sym.s.h, EV_SYMBOL, sizeof(sym), 0);
	stream_add(&s, &stack.s.h, EV_STACK, sizeof(stack), 0);
	stream_snap_m(&s, 1, 1, 0);
	stream_add(&s, &g.h, EV_SNAP_G, sizeof(g), 0);
	stream_snap_g(&s, 2, 4, 0);
	stream_ready(&s);
	CU_ASSERT(stream_expect(&s, "P0 init M1\nG1 init running M1\n"
				    "G2 init waiting 'chan receive' (chan receive)\n"));
	stream_close(&s);
}

static struct thread *find_thread(const struct stream *s, uint32_t tid)
{
	struct thread *t;

	HASH_FIND(hh, replay_threads(s->replay), &tid, sizeof(tid), t);
	return t;
}

static void thread_on_and_off_cpu(void)
{
	struct stream s;

	open_usual(&s, 26);
	stream_switch(&s, 0, -1, -1, 0, 1);
	stream_switch(&s, 1, 1, 0, 0, 0);
	stream_switch(&s, 0, -1, -1, 0, 1);
	stream_switch(&s, 1, 1, 0, 1, 0);
	CU_ASSERT(stream_expect(&s, "M1 runnable\nM1 running\nM1 sleeping\n"));
	stream_close(&s);
}

/* A thread ends once, whatever it still does in the kernel, and its number is given to another. */
static void thread_ends_once(void)
{
	struct ev_task ev = {.tgid = STREAM_TGID, .other = 2, .other_tgid = STREAM_TGID};
	struct stream s;

	open_usual(&s, 26);
	stream_switch(&s, 0, -1, -1, 0, 2);
	stream_add(&s, &ev.h, EV_EXIT, sizeof(ev), 2);
	CU_ASSERT(stream_expect(&s, "M2 dead\n"));
	stream_switch(&s, 2, -1, -1, 0, 0);
	stream_switch(&s, 0, -1, -1, 0, 2);
	stream_switch(&s, 2, -1, -1, 0x80, 0);
	CU_ASSERT(stream_expect(&s, ""));
	CU_ASSERT_PTR_NULL(find_thread(&s, 2));
	stream_add(&s, &ev.h, EV_FORK, sizeof(ev), 1);
	stream_switch(&s, 0, -1, -1, 0, 2);
	CU_ASSERT_EQUAL(find_thread(&s, 2)->state, T_RUNNING);
	/* the record of the end is lost, then the last switch is */
	stream_switch(&s, 2, -1, -1, 0x80, 0);
	CU_ASSERT(stream_expect(&s, "M2 dead\n"));
	CU_ASSERT_PTR_NULL(find_thread(&s, 2));
	stream_switch(&s, 0, -1, -1, 0, 2);
	stream_add(&s, &ev.h, EV_EXIT, sizeof(ev), 2);
	stream_add(&s, &ev.h, EV_FORK, sizeof(ev), 1);
	stream_switch(&s, 0, -1, -1, 0, 2);
	CU_ASSERT(stream_expect(&s, "M2 dead\n"));
	CU_ASSERT_EQUAL(find_thread(&s, 2)->state, T_RUNNING);
	stream_close(&s);
}

/* A thread that ends with a P leaves it. */
static void thread_ends_with_proc(void)
{
	struct ev_task ev = {.tgid = STREAM_TGID};
	struct stream s;

	open_usual(&s, 26);
	stream_sys_runtime(&s, 2, -1, 1);
	CU_ASSERT(stream_expect(&s, "~P1 start M2\nS1 M2 G0\n"));
	stream_add(&s, &ev.h, EV_EXIT, sizeof(ev), 2);
	stream_switch(&s, 2, -1, 1, 0x80, 0);
	CU_ASSERT(stream_expect(&s, "~P1 stop M2\n"));
	stream_close(&s);
}

static int rnd(unsigned int *x, int n)
{
	*x = *x * 1103515245U + 12345U;
	return (int)(*x >> 16) % n;
}

/* Whatever the records say, in whatever order: what is told obeys the rules. */
static void any_order(void)
{
	static struct stream s;

	for (unsigned int seed = 0; seed < 300; seed++) {
		unsigned int x = seed * 2654435761U + 1;
		int minor = 21 + (int)(seed % 7);

#define RND(n) rnd(&x, n)
		stream_open(&s, minor, 4);
		for (int i = 1; i < 6; i++)
			stream_snap_m(&s, (uint32_t)i, RND(8) + 1, RND(5) - 1);
		for (int i = 1; i < 8; i++)
			stream_snap_g(&s, i, (int)(const char[]){1, 2, 3, 4, 6, 9}[RND(6)],
				      (uint32_t)RND(6));
		for (int i = 0; i < 2000; i++) {
			uint32_t tid = (uint32_t)RND(6) + 1;
			int p = RND(5) - 1, g = RND(12) + 1, other = RND(13);

			if (i == 50)
				stream_ready(&s);
			s.len = 0;
			switch (RND(9)) {
			case 6:
				stream_runtime(&s, (enum runtime_kind)(RT_STW_BEGIN + RND(12)), tid,
					       p, g, RND(2) ? P_ADDR(RND(4)) : (uint64_t)RND(20));
				break;
			case 7:
				stream_user(&s, (enum user_kind)(USER_TASK_BEGIN + RND(6)), tid, p,
					    g, (uint64_t)RND(8), RND(2) ? "a" : "b", "text");
				break;
			case 0:
				stream_sys_enter(&s, tid, g, p, RND(2) + 2);
				break;
			case 1:
				stream_sys_exit(&s, tid, g, p, RND(5) - 1, RND(3), RND(2) + 2);
				break;
			case 2:
				stream_switch(&s, tid, RND(2) ? g : -1, p, (uint32_t)RND(2),
					      (uint32_t)RND(7));
				break;
			default:
				stream_go(&s, (enum go_kind)(RND(19)), tid, p, g,
					  other ? other : -1);
			}
			if (RND(200) == 0) {
				struct ev_task ev = {.tgid = STREAM_TGID,
						     .other = (__u32)RND(6) + 1,
						     .other_tgid = STREAM_TGID};

				stream_add(&s, &ev.h, RND(2) ? EV_EXIT : EV_FORK, sizeof(ev), tid);
			}
			if (RND(500) == 0) {
				struct ev_loss ev = {.count = 5, .loss_class = LOSS_GO};

				stream_add(&s, &ev.h, EV_LOSS, sizeof(ev), 0);
			}
			if (RND(300) == 0) {
				struct ev_shed ev = {.what = RND(2) ? SHED_PROBES_OFF :
								      SHED_PROBES_ON};

				stream_add(&s, &ev.h, EV_SHED, sizeof(ev), 0);
			}
			if (s.broken)
				break;
		}
		if (s.broken)
			fprintf(stderr, "\nseed %u: %s\n", seed, s.broken_text);
		CU_ASSERT_FALSE(s.broken);
		stream_close(&s);
	}
}

static void probes(struct stream *s, enum shed_what what)
{
	struct ev_shed ev = {.what = what};

	stream_add(s, &ev.h, EV_SHED, sizeof(ev), 0);
}

/* What was not to be seen is made up for, until each goroutine was seen again, and is no contradiction. */
static void a_time_without_probes(void)
{
	struct stream s;

	open_usual(&s, 26);
	probes(&s, SHED_PROBES_OFF);
	probes(&s, SHED_PROBES_ON);
	/* G1 has stopped to run, G2 was woken, and G3 created by somebody */
	stream_go(&s, GO_START, 1, 0, 2, -1);
	stream_go(&s, GO_READY, 1, 0, 3, 2);
	stream_go(&s, GO_PARK, 1, 0, 2, -1);
	stream_go(&s, GO_START, 1, 0, 1, -1);
	CU_ASSERT(stream_expect(&s, "!G2 unblock\n"
				    "!G1 stop M1 (preempted)\n"
				    "G2 start M1\n"
				    "!G3 create M1\n"
				    "G2 block M1 'chan receive' (chan receive)\n"
				    "G1 start M1\n"));
	CU_ASSERT_EQUAL(replay_totals(s.replay)->repairs, 0);
	CU_ASSERT(replay_totals(s.replay)->recovered > 0);
	/* all were seen by now */
	stream_go(&s, GO_START, 1, 0, 1, -1);
	CU_ASSERT(replay_totals(s.replay)->repairs > 0);
	stream_close(&s);
}

/* The world is stopped when probes go: that it starts again is not waited for. */
static void ranges_end_without_probes(void)
{
	struct stream s;

	open_usual(&s, 26);
	stream_runtime(&s, RT_GC_BEGIN, 1, 0, 1, 0);
	stream_runtime(&s, RT_STW_BEGIN, 1, 0, 1, 0);
	s.len = 0;
	s.text[0] = 0;
	probes(&s, SHED_PROBES_OFF);
	CU_ASSERT(stream_expect(&s, "!stw end G1 (unknown)\n"));
	probes(&s, SHED_PROBES_ON);
	/* an end of what has ended; another cycle, so the first one is over */
	stream_runtime(&s, RT_STW_END, 1, 0, 1, 0);
	CU_ASSERT(stream_expect(&s, ""));
	stream_go(&s, GO_YIELD, 1, 0, 1, -1);
	stream_go(&s, GO_START, 1, 0, 1, -1);
	CU_ASSERT(stream_expect(&s, "G1 stop M1 (preempted)\nG1 start M1\n"));
	stream_runtime(&s, RT_GC_BEGIN, 1, 0, 1, 0);
	CU_ASSERT(stream_expect(&s, "!gc end G1\ngc begin G1\n"));
	CU_ASSERT_EQUAL(replay_totals(s.replay)->repairs, 0);
	stream_close(&s);
}

struct plain_seen {
	const struct process *ps;
	int nr, first_nr;
	uint32_t asleep, first_asleep;
	unsigned int spans, goroutines;
};

static int plain_process(void *ctx, struct process *ps, uint64_t time)
{
	(void)time;
	((struct plain_seen *)ctx)->ps = ps;
	return 0;
}

static int plain_goroutine(void *ctx, const struct g_change *c)
{
	(void)c;
	((struct plain_seen *)ctx)->goroutines++;
	return 0;
}

static int plain_thread(void *ctx, const struct t_change *c)
{
	struct plain_seen *seen = ctx;

	if (c->to != T_SLEEPING)
		return 0;
	if (c->from == T_UNKNOWN) {
		seen->first_nr = c->t->sys_nr;
		seen->first_asleep = c->t->asleep;
	} else {
		seen->nr = c->t->sys_nr;
		seen->asleep = c->t->asleep;
	}
	return 0;
}

static int plain_syscall(void *ctx, const struct syscall_span *sp)
{
	(void)sp;
	((struct plain_seen *)ctx)->spans++;
	return 0;
}

/* No goroutines: threads, what they sleep in, system calls. */
static void plain_process_has_threads(void)
{
	static const struct sink_ops ops = {
		.process = plain_process,
		.goroutine = plain_goroutine,
		.thread = plain_thread,
		.syscall = plain_syscall,
	};
	struct plain_seen seen = {0};
	struct ev_process process = {.tgid = 7, .comm = "python3", .why = "no Go"};
	struct ev_task_state task = {.tgid = 7, .state = 'S', .sys = 202 + 1};
	struct ev_ready ready = {.tgid = 7};
	struct ev_wakeup wakeup = {.wakee_tid = 7, .wakee_tgid = 7};
	struct ev_switch on = {.next_tid = 7, .next_tgid = 7, .flags = SWITCH_NEXT_TRACED};
	struct ev_switch off = {.tgid = 7, .prev_state = 2, .flags = SWITCH_PREV_TRACED};
	struct ev_sys_exit leave = {.tgid = 7, .nr = 202};
	struct ev_sys_enter enter = {.tgid = 7, .nr = 0};
	struct stream s;

	stream_open(&s, 25, 0);
	replay_add_sink(s.replay, (struct sink){.ops = &ops, .ctx = &seen});
	stream_add(&s, &process.h, EV_PROCESS, sizeof(process), 7);
	stream_add(&s, &task.h, EV_TASK, sizeof(task), 7);
	stream_add(&s, &ready.h, EV_READY, sizeof(ready), 7);
	CU_ASSERT_PTR_NOT_NULL_FATAL(seen.ps);
	CU_ASSERT_STRING_EQUAL(seen.ps->plain, "no Go");
	CU_ASSERT_STRING_EQUAL(seen.ps->info.comm, "python3");
	CU_ASSERT_EQUAL(seen.first_nr, 202);
	CU_ASSERT_EQUAL(seen.first_asleep, SLEEP_INTERRUPTIBLE);
	stream_add(&s, &wakeup.h, EV_WAKEUP, sizeof(wakeup), 1);
	stream_add(&s, &on.h, EV_SWITCH, sizeof(on), 0);
	/* nobody saw it begin, so nobody knows how long it took */
	stream_add(&s, &leave.h, EV_SYS_EXIT, sizeof(leave), 7);
	CU_ASSERT_EQUAL(seen.spans, 0);
	stream_add(&s, &enter.h, EV_SYS_ENTER, sizeof(enter), 7);
	stream_add(&s, &off.h, EV_SWITCH, sizeof(off), 7);
	CU_ASSERT_EQUAL(seen.nr, 0);
	CU_ASSERT_EQUAL(seen.asleep, SLEEP_UNINTERRUPTIBLE);
	leave.nr = 0;
	stream_add(&s, &leave.h, EV_SYS_EXIT, sizeof(leave), 7);
	CU_ASSERT_EQUAL(seen.spans, 1);
	CU_ASSERT_EQUAL(seen.goroutines, 0);
	stream_close(&s);
}

static CU_TestInfo tests[] = {
	{"block, wake, create, exit", block_and_wake},
	{"a P changes hands unseen", proc_changes_hands},
	{"a P beyond GOMAXPROCS is used", spare_proc_is_used},
	{"a syscall keeps its P", syscall_keeps_p_both_ways},
	{"a syscall loses its P", syscall_loses_p},
	{"a syscall gets its P back", syscall_regains_p_both_ways},
	{"back from a syscall at attach", back_from_syscall_at_attach_both_ways},
	{"back without its P at attach", back_without_p_at_attach},
	{"a syscall finds another P", syscall_finds_another_p},
	{"the runtime's own syscalls are not the goroutine's", runtime_syscall},
	{"raw syscalls are the goroutine's", raw_syscall},
	{"entersyscallblock gives the P away", blocking_syscall_gives_p_away},
	{"entersyscallblock gave the P away before", blocking_syscall_gave_p_away},
	{"who changes GOMAXPROCS goes on with the first P", first_proc_is_taken},
	{"coroutine switches", coroutine},
	{"the end of a coroutine", coroutine_ends},
	{"C threads enter and leave Go", extra_m},
	{"an event corrects the snapshot", event_corrects_snapshot},
	{"a goroutine on the system stack runs", system_stack_is_running},
	{"a snapshot that contradicts itself", snapshot_contradicts_itself},
	{"a lost stop is repaired", lost_stop_is_repaired},
	{"a lost wake-up is repaired", lost_wakeup_is_repaired},
	{"a lost exit is repaired", lost_exit_is_repaired},
	{"threads on and off their CPUs", thread_on_and_off_cpu},
	{"threads end once", thread_ends_once},
	{"a thread that ends leaves its P", thread_ends_with_proc},
	{"a process without goroutines has threads", plain_process_has_threads},
	{"any order of records obeys the rules", any_order},
	{"a time without probes", a_time_without_probes},
	{"ranges end without probes", ranges_end_without_probes},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("replay/replay", tests);
