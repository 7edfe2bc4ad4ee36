// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* System calls whose begin a stub tells, and whose end a tracepoint that reads nothing. */
#include <errno.h>

#include "tests/unit/replay/stream.h"
#include "tests/unit/unit.h"

#define NR_READ 0
#define NR_NANOSLEEP 35
#define NR_RESTART_SYSCALL 219
#define ERESTART_RESTARTBLOCK 516
#define NR_RT_SIGRETURN 15
#define NR_NONE UINT32_MAX /* at the end of rt_sigreturn: struct pt_regs.orig_ax is -1 */
#define ERESTARTSYS 512

/* M1 runs G1 on P0, M2 has nothing to do, G2 is runnable. */
static void open_told(struct stream *s, int minor)
{
	stream_open(s, minor, 4);
	stream_snap_m(s, 1, 1, 0);
	stream_snap_m(s, 2, -1, -1);
	stream_snap_g(s, 1, 2, 1);
	stream_snap_g(s, 2, 1, 0);
	stream_ready(s);
	CU_ASSERT(stream_expect(s, "P0 init M1\n"
				   "G1 init running M1\n"
				   "G2 init runnable\n"));
}

static void close_told(struct stream *s, int repairs)
{
	CU_ASSERT_EQUAL(replay_totals(s->replay)->repairs, repairs);
	stream_close(s);
}

/* `g`, what the register has; 0: C's code. */
static void enter(struct stream *s, uint32_t tid, uint64_t g, uint32_t nr)
{
	struct ev_sys_enter ev = {
		.tgid = STREAM_TGID, .nr = nr, .gstatus = GSTATUS_TOLD, .ctx = {.curg = g}};

	stream_add(s, &ev.h, EV_SYS_ENTER, sizeof(ev), tid);
}

static void leave(struct stream *s, uint32_t tid, uint64_t g, uint32_t nr, int64_t ret)
{
	struct ev_sys_exit ev = {.tgid = STREAM_TGID,
				 .nr = nr,
				 .gstatus = GSTATUS_TOLD,
				 .ctx = {.curg = g},
				 .ret = ret};

	stream_add(s, &ev.h, EV_SYS_EXIT, sizeof(ev), tid);
}

static void begin(struct stream *s)
{
	stream_go(s, GO_SYSCALL_ENTER, 1, 0, 1, -1);
	CU_ASSERT(stream_expect(s, "G1 syscall-enter M1\n"));
}

static void it_keeps_its_p(void)
{
	static const int minors[] = {22, 26};

	for (unsigned int i = 0; i < sizeof(minors) / sizeof(minors[0]); i++) {
		struct stream s;

		open_told(&s, minors[i]);
		begin(&s);
		enter(&s, 1, G_ADDR(1), NR_READ);
		leave(&s, 1, G_ADDR(1), NR_READ, 64);
		stream_go(&s, GO_PARK, 1, 0, 1, -1);
		CU_ASSERT(stream_expect(&s, "S0 M1 G1\n"
					    "G1 syscall-return M1\n"
					    "G1 block M1 'chan receive' (chan receive)\n"));
		close_told(&s, 0);
	}
}

/* Whoever takes it has a probe, and so has the way out without it. */
static void its_p_is_taken(void)
{
	struct stream s;

	open_told(&s, 26);
	begin(&s);
	enter(&s, 1, G_ADDR(1), NR_READ);
	stream_runtime_proc(&s, RT_PROC_STEAL, 3, -1, -1, 0);
	stream_runtime_proc(&s, RT_PROC_START, 2, -1, -1, 0);
	stream_go(&s, GO_START, 2, 0, 2, -1);
	leave(&s, 1, G_ADDR(1), NR_READ, 64);
	stream_go(&s, GO_SYSEXIT_NOP, 1, -1, 1, -1);
	CU_ASSERT(stream_expect(&s, "P0 steal M3\n"
				    "P0 start M2\n"
				    "G2 start M2\n"
				    "S0 M1 G1\n"
				    "G1 syscall-lost M1\n"));
	close_told(&s, 0);
}

/* What runtime and C call meanwhile, and a call without entersyscall, change nothing. */
static void others_call(void)
{
	struct stream s;

	open_told(&s, 26);
	enter(&s, 1, G_ADDR(1), NR_READ);
	leave(&s, 1, G_ADDR(1), NR_READ, 64);
	CU_ASSERT(stream_expect(&s, "S0 M1 G1\n"));
	begin(&s);
	enter(&s, 1, G_ADDR(77), NR_READ); /* a g0 */
	leave(&s, 1, G_ADDR(77), NR_READ, 64);
	enter(&s, 1, 0, NR_READ);
	leave(&s, 1, 0, NR_READ, 64);
	/* what C calls is the goroutine's that called C */
	CU_ASSERT(stream_expect(&s, "S0 M1 G0\n"
				    "S0 M1 G1\n"));
	leave(&s, 1, G_ADDR(1), NR_READ, 64);
	CU_ASSERT(stream_expect(&s, "G1 syscall-return M1\n"));
	close_told(&s, 0);
}

/* A signal comes: what it has interrupted goes on, or fails. */
static void a_signal_interrupts(void)
{
	for (int fails = 0; fails < 2; fails++) {
		struct stream s;

		open_told(&s, 26);
		begin(&s);
		enter(&s, 1, G_ADDR(1), NR_READ);
		leave(&s, 1, G_ADDR(1), NR_READ, -ERESTARTSYS);
		enter(&s, 1, G_ADDR(88), NR_RT_SIGRETURN); /* a gsignal */
		leave(&s, 1, G_ADDR(1), NR_NONE, fails ? -EINTR : NR_READ);
		CU_ASSERT(stream_expect(&s, fails ? "S0 M1 G1\n"
						    "G1 syscall-return M1\n" :
						    "S0 M1 G1\n"));
		if (!fails) {
			enter(&s, 1, G_ADDR(1), NR_READ);
			leave(&s, 1, G_ADDR(1), NR_READ, 64);
			CU_ASSERT(stream_expect(&s, "S0 M1 G1\n"
						    "G1 syscall-return M1\n"));
		}
		close_told(&s, 0);
	}
}

/* A stop that no handler is behind: to the program it is one call. */
static void a_stop_interrupts(void)
{
	struct stream s;

	open_told(&s, 26);
	begin(&s);
	enter(&s, 1, G_ADDR(1), NR_READ);
	leave(&s, 1, G_ADDR(1), NR_READ, -ERESTARTSYS);
	enter(&s, 1, G_ADDR(1), NR_READ);
	leave(&s, 1, G_ADDR(1), NR_READ, 64);
	CU_ASSERT(stream_expect(&s, "S0 M1 G1\n"
				    "G1 syscall-return M1\n"));
	begin(&s);
	enter(&s, 1, G_ADDR(1), NR_NANOSLEEP);
	for (int i = 0; i < 3; i++) {
		leave(&s, 1, G_ADDR(1), i ? NR_RESTART_SYSCALL : NR_NANOSLEEP,
		      -ERESTART_RESTARTBLOCK);
		enter(&s, 1, G_ADDR(1), NR_RESTART_SYSCALL);
	}
	leave(&s, 1, G_ADDR(1), NR_RESTART_SYSCALL, 0);
	CU_ASSERT(stream_expect(&s, "S35 M1 G1\n"
				    "G1 syscall-return M1\n"));
	/* of one that began before anybody looked nothing is told */
	begin(&s);
	enter(&s, 1, G_ADDR(1), NR_RESTART_SYSCALL);
	leave(&s, 1, G_ADDR(1), NR_RESTART_SYSCALL, 0);
	CU_ASSERT(stream_expect(&s, "G1 syscall-return M1\n"));
	close_told(&s, 0);
}

/* The end of one was not seen: it is over when the next begins. */
static void two_begin(void)
{
	struct stream s;

	open_told(&s, 26);
	begin(&s);
	stream_go(&s, GO_SYSCALL_ENTER, 1, 0, 1, -1);
	CU_ASSERT(stream_expect(&s, "~G1 syscall-return M1\n"
				    "G1 syscall-enter M1\n"));
	close_told(&s, 0);
}

/* Without tracepoints a stub tells of the end, too, and of the P there. */
static void stubs_tell_both_ends(void)
{
	struct stream s;

	open_told(&s, 26);
	begin(&s);
	stream_go(&s, GO_SYSCALL_EXIT, 1, 0, 1, -1);
	CU_ASSERT(stream_expect(&s, "~G1 syscall-return M1\n"));
	begin(&s);
	stream_go(&s, GO_SYSCALL_EXIT, 1, -1, 1, -1);
	CU_ASSERT(stream_expect(&s, "~P0 steal M1\n"));
	stream_go(&s, GO_SYSEXIT_NOP, 1, -1, 1, -1);
	CU_ASSERT(stream_expect(&s, "G1 syscall-lost M1\n"));
	close_told(&s, 0);
}

static CU_TestInfo tests[] = {
	{"it keeps its P", it_keeps_its_p},
	{"its P is taken", its_p_is_taken},
	{"others call", others_call},
	{"a signal interrupts it", a_signal_interrupts},
	{"a stop interrupts it", a_stop_interrupts},
	{"two begin", two_begin},
	{"stubs tell both ends", stubs_tell_both_ends},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("replay/told", tests);
