/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The one contract between the kernel side, the collector, the capture file and the replay.
 *
 * Every record starts with struct event_head; `size` is the size of the whole record and a
 * multiple of 8. Times are CLOCK_MONOTONIC nanoseconds. Types are appended, never renumbered.
 * Records below EV_USER_FIRST are written by BPF programs, the others by the collector.
 *
 * Pointers into the target (g, m, p) travel as they are: resolving them to ids costs reads, and
 * the replay knows from the snapshot and from creations what they stand for.
 */
#ifndef GSCOPE_EVENT_H
#define GSCOPE_EVENT_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define EVENT_COMM_LEN 16 /* TASK_COMM_LEN */
#define EVENT_MAX_FRAMES 128 /* as many as Go's own tracer keeps: runtime/tracestack.go */
#define EVENT_NO_CPU 0xffffffffU /* not known on which it was */

enum event_type {
	EV_SWITCH = 1, /* struct ev_switch: sched_switch */
	EV_WAKEUP = 2, /* struct ev_wakeup: sched_waking (the waker's side), sched_wakeup_new */
	EV_FORK = 3, /* struct ev_task: head.tid is the parent's, .other the child's tid */
	EV_EXEC = 4, /* struct ev_task: .other is the tid before the exec */
	EV_EXIT = 5, /* struct ev_task: one thread ends; .flags says whether it was the last */
	EV_SYS_ENTER = 6, /* struct ev_sys_enter */
	EV_SYS_EXIT = 7, /* struct ev_sys_exit */
	EV_GO = 8, /* struct ev_go: a goroutine changes state */
	EV_GO_CREATE = 9, /* struct ev_go_create */
	EV_STACK = 10, /* struct ev_stack: sent once, before or after its first use */
	EV_RUNTIME = 11, /* struct ev_runtime: what the runtime does besides */
	EV_USER = 12, /* struct ev_user: the program annotates its trace, or sets pprof labels */
	EV_SAMPLE = 13, /* struct ev_sample: who is on the CPU */
	EV_SYSCALL = 14, /* struct ev_syscall: only in the rings, the two of EV_SYS_* in one */
	EV_GOROUTINE = 15, /* struct ev_goroutine: one that is new to its thread's tracepoints */
	EV_OFF_CPU = 16, /* struct ev_off_cpu: where a goroutine is whose thread leaves its CPU */

	EV_USER_FIRST = 64,
	EV_TARGET = 64, /* struct ev_target: a traced Go process; precedes everything about it */
	EV_STRING = 65, /* struct ev_string: a numbered string of the target's runtime */
	EV_TASK = 66, /* struct ev_task_state: a thread that existed at attach */
	EV_SNAP_P = 67, /* struct ev_snap_p: also sent whenever a P pointer is first seen */
	EV_SNAP_M = 68, /* struct ev_snap_m */
	EV_SNAP_G = 69, /* struct ev_snap_g */
	EV_READY = 70, /* struct ev_ready: probes attached and snapshot complete */
	EV_LOSS = 71, /* struct ev_loss */
	EV_SYMBOL = 72, /* struct ev_symbol: precedes the chunk that needs it */
	EV_GONE = 73, /* struct ev_gone: a target left while it was traced */
	EV_SITE = 74, /* struct ev_site: a probe site and, at the end, its hits */
	EV_COST = 75, /* struct ev_cost: measured cost of the probes */
	EV_END = 76, /* struct ev_end: the capture ended in an orderly way */
	EV_PROCESS = 77, /* struct ev_process: a traced process without goroutines */
	EV_SNAP_GC = 78, /* struct ev_snap_gc: the garbage collector at attach */
	EV_HEAP = 79, /* struct ev_heap: the size of the heap has changed */
	EV_SHED = 80, /* struct ev_shed: what is left out, to stay within a budget or as asked */
	EV_INLINE = 81, /* struct ev_inline: how the inline engine did, at the end */
	EV_MISSING = 82, /* struct ev_missing: a program that the kernel refused */
	EV_DAMAGE = 83, /* struct ev_damage: a target writes into memory that is its stubs' */
	EV_NOTICE =
		84, /* struct ev_notice: what happens to a target that explains what is not seen */
};
#define EV_USER_END (EV_NOTICE + 1) /* behind the last one */

struct event_head {
	__u64 time_ns;
	__u32 tid; /* thread the record is about: current, or the one switched away from */
	__u16 type;
	__u16 size;
};
_Static_assert(sizeof(struct event_head) == 16, "event_head");

/* --- kernel ------------------------------------------------------------------------------- */

/*
 * What a Go thread was doing, read through its thread pointer. All zero when the thread has no g
 * (not a Go thread, or in C code outside Go) or belongs to no Go target. The thread was on its
 * system stack (g0 or gsignal) when g != curg.
 */
struct ev_gctx {
	__u64 g; /* the g in thread-local storage */
	__u64 curg; /* g.m.curg: goroutine bound to the thread, 0 if none */
	__u64 p; /* g.m.p: P bound to the thread, 0 if none */
};

#define SWITCH_PREV_TRACED 1U
#define SWITCH_NEXT_TRACED 2U
#define SWITCH_PREEMPT 4U /* involuntary: the kernel took the CPU away */

struct ev_switch {
	struct event_head h; /* tid: prev */
	__u32 tgid; /* prev's */
	__u32 cpu;
	__u32 next_tid;
	__u32 next_tgid;
	struct ev_gctx ctx; /* prev's */
	__u32 prev_state; /* task_struct.__state bits; 0: still runnable */
	__u32 flags; /* SWITCH_* */
	char next_comm[EVENT_COMM_LEN];
};
_Static_assert(sizeof(struct ev_switch) == 80, "ev_switch");

#define WAKEUP_NEW 1U /* first wake-up of a new task */

struct ev_wakeup {
	struct event_head h; /* tid: the waker, that is, the task that was current */
	__u32 tgid;
	__u32 cpu;
	__u32 wakee_tid;
	__u32 wakee_tgid;
	struct ev_gctx ctx; /* the waker's; zero if the waker is not traced */
	__u32 target_cpu; /* where the wakee ran last; it may be moved before it runs */
	__u32 flags; /* WAKEUP_* */
	char comm[EVENT_COMM_LEN]; /* the waker's */
};
_Static_assert(sizeof(struct ev_wakeup) == 80, "ev_wakeup");

#define TASK_LAST_THREAD 1U /* EV_EXIT: the process ends with this thread */

struct ev_task {
	struct event_head h;
	__u32 tgid;
	__u32 cpu;
	__u32 other; /* see enum event_type */
	__u32 other_tgid;
	__u32 flags; /* TASK_* */
	__u32 pad;
	char comm[EVENT_COMM_LEN]; /* child's, new program's, or the exiting thread's */
};
_Static_assert(sizeof(struct ev_task) == 56, "ev_task");

/* In the nr of a system call by 32-bit code, which has another table of numbers. */
#define SYS_NR_32BIT 0x10000U

/*
 * In place of a status: stubs tell when goroutines of this process begin and end system calls, so
 * nothing of its memory was read. ctx.curg is what Go's code has in R14, where its g is, a
 * goroutine's or a g0; 0: other code calls. The rest of ctx, and the stack, is 0.
 */
#define GSTATUS_TOLD 0x100U

struct ev_sys_enter {
	struct event_head h;
	__u32 tgid;
	__u32 cpu;
	__u32 nr;
	__u32 gstatus; /* curg.atomicstatus; 3 (_Gsyscall): Go itself calls it a syscall; or GSTATUS_TOLD */
	struct ev_gctx ctx;
	__u64 stack; /* goroutine's when gstatus is _Gsyscall, from g.syscallpc; 0: none */
};
_Static_assert(sizeof(struct ev_sys_enter) == 64, "ev_sys_enter");

struct ev_sys_exit {
	struct event_head h;
	__u32 tgid;
	__u32 cpu;
	__u32 nr;
	__u32 gstatus; /* as above */
	struct ev_gctx ctx;
	__u64 oldp; /* m.oldp, read only when gstatus is _Gsyscall, up to Go 1.25 */
	__u32 oldp_status; /* oldp.status; tells in Go <= 1.25 whether the P is still ours */
	__u32 pad;
	__s64 ret;
};
_Static_assert(sizeof(struct ev_sys_exit) == 80, "ev_sys_exit");

/*
 * A system call that was not interrupted by a switch. Only in the rings: the collector makes an
 * ev_sys_enter and an ev_sys_exit of it. While a thread is in the kernel nobody else changes its g
 * or its m.curg, nor the status of that one, so they are the same at both ends.
 */
struct ev_syscall {
	struct event_head h; /* time: of the exit */
	__u32 tgid;
	__u32 cpu;
	__u32 nr;
	__u32 exit_nr; /* another one after sigreturn, which restores registers */
	__u64 begin_ns;
	struct ev_gctx ctx; /* at its begin */
	__u64 exit_p; /* ctx.p at its end */
	__u64 stack;
	__u64 oldp; /* GSTATUS_TOLD: ctx.curg at its end */
	__u32 oldp_status;
	__u32 gstatus;
	__s64 ret;
};
_Static_assert(sizeof(struct ev_syscall) == 104, "ev_syscall");

/*
 * Where nothing is planted, tracepoints tell which goroutine is at `gp` from now on: before the
 * first record whose context has it, and again when it may have been forgotten.
 */
struct ev_goroutine {
	struct event_head h;
	__u32 tgid;
	__u32 cpu;
	__u64 gp;
	__u64 goid;
	__u64 start_pc; /* gp.startpc, 0: not known */
	__u64 go_pc; /* gp.gopc */
};
_Static_assert(sizeof(struct ev_goroutine) == 56, "ev_goroutine");

/* Where nothing is planted, too: in front of the EV_SWITCH of the same thread. */
struct ev_off_cpu {
	struct event_head h;
	__u32 tgid;
	__u32 cpu;
	__u64 gp; /* m.curg */
	__u64 stack; /* its own; 0: none */
};
_Static_assert(sizeof(struct ev_off_cpu) == 40, "ev_off_cpu");

/* --- goroutines --------------------------------------------------------------------------- */

/* What a probe site means. `gp` is the goroutine that changes, `other` another one involved. */
enum go_kind {
	GO_START = 1, /* execute: runnable -> running */
	GO_PARK = 2, /* park_m: running -> waiting; wait_reason, block_reason, skip set */
	GO_PARK_REFUSED = 3, /* park_m: waiting -> runnable, and runs on at once */
	GO_READY = 4, /* ready, injectglist, findRunnable...: waiting -> runnable; other: waker */
	GO_YIELD = 5, /* goschedImpl: running -> runnable; leaf PC tells Gosched from preemption */
	GO_YIELD_PREEMPTED = 6, /* goyield_m: running -> runnable, always "preempted" */
	GO_PREEMPT_PARK = 7, /* preemptPark: running -> preempted, stopped by suspendG */
	GO_EXIT = 8, /* goexit0/gdestroy: running -> dead */
	GO_SYSBLOCK = 9, /* entersyscallblock: running -> syscall, the P is given away */
	GO_SYSEXIT_NOP = 10, /* exitsyscall0/exitsyscallNoP: back from a syscall, no P: runnable */
	GO_SYSEXIT_NEWP = 11, /* back from a syscall, lost its P, got another: p; keeps running */
	GO_CREATE = 12, /* dead -> runnable; other: creator */
	GO_CREATE_BLOCKED = 13, /* dead -> waiting (coroutine); other: creator */
	GO_SWITCH = 14, /* coroswitch_m: gp stops, other runs; new_status dead: gp exits */
	GO_NEEDM = 15, /* needm: a C thread enters Go: dead -> syscall */
	GO_DROPM = 16, /* dropm: a C thread leaves Go: syscall -> dead */
	GO_CGO_ENTER = 17, /* Go code ends for C's: running -> syscall, no kernel entry needed */
	GO_CGO_EXIT = 18, /* and begins again: syscall -> running; p: the P it still has, or 0 */
	GO_SYSCALL_ENTER = 19, /* entersyscall, told by a stub: running -> syscall */
	GO_SYSCALL_EXIT = 20, /* `call exitsyscall`, the same: as GO_CGO_EXIT */
	GO_KINDS
};

struct ev_go {
	struct event_head h;
	__u32 tgid;
	__u32 cpu;
	__u64 gp;
	__u64 goid;
	__u64 p; /* m.p of the thread the probe ran on */
	__u64 other;
	__u64 stack; /* id of an ev_stack; 0: none */
	__u16 site; /* index of the struct ev_site */
	__u8 kind; /* enum go_kind */
	__u8 old_status; /* as the runtime passed them, scan bit removed */
	__u8 new_status;
	__u8 wait_reason; /* gp.waitreason: number of a STRING_WAIT_REASON */
	__u8 block_reason; /* m.waitTraceBlockReason: number of a STRING_BLOCK_REASON (>= 1.22);
			      GO_READY of a GC worker: enum gc_worker */
	__s8 skip; /* leaf frames, inlined ones counted, the runtime hides; -1: not known */
};
_Static_assert(sizeof(struct ev_go) == 72, "ev_go");

struct ev_go_create {
	struct ev_go go;
	__u64 start_pc; /* gp.startpc */
	__u64 go_pc; /* gp.gopc: the go statement */
};
_Static_assert(sizeof(struct ev_go_create) == 88, "ev_go_create");

/*
 * pc[0] is where the goroutine stopped, the others are return addresses, outermost last;
 * runtime.goexit's frame is included. Symbolise every pc with pc - 1, as the runtime does. In a
 * system call that C makes, C's frames come first: pc[0] is behind the call, then as many callers
 * as frame pointers lead to. In a CPU sample pc[0] is 1 behind the instruction that is to be
 * executed next, and frames of C or of the runtime on the thread's own stack come first.
 */
#define STACK_TRUNCATED 1U /* EVENT_MAX_FRAMES reached, or a frame could not be read */
/*
 * Only in the rings: pc[1] is the word at the stack pointer, a frame only if pc[0]'s function had not pushed its
 * own yet; the collector decides and clears the flag.
 */
#define STACK_MAYBE_CALLER 2U
/* Stacks of this goroutine are not walked: the one frame only tells how a GO_YIELD came about. */
#define STACK_LEFT_OUT 4U

struct ev_stack {
	struct event_head h;
	__u64 id;
	__u32 tgid;
	__u16 n;
	__u16 flags; /* STACK_* */
	__u64 pc[];
};
_Static_assert(sizeof(struct ev_stack) == 32, "ev_stack");

/* What a GC worker is started for: runtime.gcMarkWorkerMode, the same in Go 1.19 to 1.27. */
enum gc_worker { GC_WORKER_NONE, GC_WORKER_DEDICATED, GC_WORKER_FRACTIONAL, GC_WORKER_IDLE };

/*
 * What the runtime does besides, each at the place where its own tracer would tell it. One
 * numbering with enum go_kind and enum user_kind, for struct ev_site.
 */
enum runtime_kind {
	RT_STW_BEGIN = 32, /* arg[0]: number of the reason, or RT_NO_REASON */
	RT_STW_END = 33,
	RT_GC_BEGIN = 34,
	RT_GC_END = 35,
	RT_ASSIST_BEGIN = 36, /* gp starts to help marking; repeated while it goes on */
	RT_ASSIST_END = 37, /* or passes there without having helped */
	RT_SWEEP_BEGIN = 38, /* of p, at level full only, as the next one */
	/*
	 * arg[0]: bytes of the spans that were swept. arg[1]: always 0; how many of them were
	 * reclaimed the runtime knows only while its own tracer runs.
	 */
	RT_SWEEP_END = 39,
	/* The next three have no goid. */
	RT_PROC_START = 40, /* the thread gets P arg[0], which may not yet be in its m.p */
	/*
	 * The thread gives up P arg[0]. With a stack, that of gp's system call, it is where that
	 * begins.
	 */
	RT_PROC_STOP = 41,
	RT_PROC_STEAL = 42, /* P arg[0] is taken from a thread in a system call */
	RT_PROCS = 43, /* GOMAXPROCS becomes arg[0], while the world is stopped */
};
#define RT_NO_REASON (~0ULL)

struct ev_runtime {
	struct event_head h;
	__u32 tgid;
	__u32 cpu;
	__u64 gp; /* m.curg, 0: none */
	__u64 goid; /* gp's; 0: none, or not looked at */
	__u64 p; /* m.p */
	__u64 stack; /* gp's, where the runtime's tracer gives one; 0: none */
	__u64 arg[2];
	__u16 site;
	__u8 kind; /* enum runtime_kind */
	__u8 pad[5];
};
_Static_assert(sizeof(struct ev_runtime) == 80, "ev_runtime");

/* Calls of package runtime/trace, which reach the runtime although nobody traces it. */
enum user_kind {
	USER_TASK_BEGIN = 48, /* task, parent; text: type */
	USER_TASK_END = 49, /* task */
	USER_REGION_BEGIN = 50, /* task, text: type */
	USER_REGION_END = 51, /* task, text: type */
	USER_LOG = 52, /* task, text: category, then message */
	/*
	 * text: type. trace.StartRegion was called; if the program traces itself USER_REGION_BEGIN
	 * follows, otherwise nobody can see where the region ends.
	 */
	USER_START_REGION = 53,
	USER_LABELS = 54, /* text: pprof labels now in force, each "key\0value\0"; none: none */
	USER_KINDS
};

#define USER_MAX_TEXT 1024 /* bytes of each text; what the trace format takes */
#define USER_CUT 1U /* a text was longer, or could not be read whole */

struct ev_user {
	struct event_head h;
	__u32 tgid;
	__u32 cpu;
	__u64 gp;
	__u64 goid;
	__u64 p;
	__u64 stack;
	__u64 task;
	__u64 parent;
	__u16 site;
	__u8 kind; /* enum user_kind */
	__u8 flags; /* USER_* */
	__u16 len[2]; /* bytes of the two texts */
	char text[]; /* one behind the other, no NULs but those of labels; zeros up to a multiple of 8 */
};
_Static_assert(sizeof(struct ev_user) == 80, "ev_user");

#define SAMPLE_KERNEL 1U /* it was in the kernel; the stack is that of user space all the same */

struct ev_sample {
	struct event_head h;
	__u32 tgid;
	__u32 cpu;
	struct ev_gctx ctx;
	__u64 stack; /* of ctx.curg if the thread runs for it, else the thread's own; 0: none */
	__u32 flags; /* SAMPLE_* */
	__u32 pad;
};
_Static_assert(sizeof(struct ev_sample) == 64, "ev_sample");

/* --- collector ---------------------------------------------------------------------------- */

struct ev_target {
	struct event_head h; /* tid: the process */
	__u32 tgid;
	__u16 go_minor; /* 1.NN */
	__u16 go_patch;
	__u64 start_time; /* field 22 of /proc/PID/stat, clock ticks since boot */
	char go_version[40]; /* as the binary has it */
	char layout[16]; /* rung of the offset ladder: "dwarf", "table 1.24.4", "code" */
	char build_id[104]; /* Go build id, cut */
	char comm[EVENT_COMM_LEN];
	char exe[256]; /* cut */
};
_Static_assert(sizeof(struct ev_target) == 464, "ev_target");

enum string_kind {
	STRING_WAIT_REASON = 1, /* runtime.waitReasonStrings */
	STRING_BLOCK_REASON = 2, /* runtime.traceBlockReasonStrings */
};

struct ev_string {
	struct event_head h;
	__u32 tgid;
	__u16 kind;
	__u16 number;
	char text[]; /* NUL-terminated, padded to 8 */
};
_Static_assert(sizeof(struct ev_string) == 24, "ev_string");

struct ev_task_state {
	struct event_head h;
	__u32 tgid;
	__u16 state; /* letter of /proc/PID/stat: R, S, D... */
	__u16 sys; /* 1 + number of the system call it sleeps in; 0: none, or not known */
	char comm[EVENT_COMM_LEN];
};
_Static_assert(sizeof(struct ev_task_state) == 40, "ev_task_state");

struct ev_snap_p {
	struct event_head h;
	__u32 tgid;
	__s32 id;
	__u64 p;
	__u64 m; /* p.m */
	__u32 status; /* 0 idle, 1 running, 2 syscall (<= 1.25), 3 gcstop, 4 dead */
	__u32 pad;
};
_Static_assert(sizeof(struct ev_snap_p) == 48, "ev_snap_p");

struct ev_snap_m {
	struct event_head h; /* tid: m.procid; 0 for an extra M that no thread uses */
	__u32 tgid;
	__u32 pad;
	__u64 m;
	__u64 curg;
	__u64 p;
	__u64 oldp;
	__s64 id;
};
_Static_assert(sizeof(struct ev_snap_m) == 64, "ev_snap_m");

struct ev_snap_g {
	struct event_head h; /* time: before the g was read */
	__u32 tgid;
	__u8 status; /* scan bit removed */
	__u8 wait_reason;
	__u16 pad;
	__u64 gp;
	__u64 goid;
	__u64 m; /* gp.m */
	__u64 wait_since; /* gp.waitsince, 0: not known */
	__u64 parent_goid;
	__u64 start_pc;
	__u64 go_pc;
	__u64 stack; /* id of an ev_stack; 0: none */
};
_Static_assert(sizeof(struct ev_snap_g) == 88, "ev_snap_g");

#define READY_BARE 1U /* nothing was planted in it: goroutines are seen by tracepoints alone */
#define READY_NO_KERNEL 2U /* probes alone: no switches, wake-ups and system calls, as asked for */

struct ev_ready {
	struct event_head h;
	__u32 tgid; /* 0: the tracepoints of a system-wide capture */
	__u32 flags; /* READY_* */
};
_Static_assert(sizeof(struct ev_ready) == 24, "ev_ready");

enum loss_class {
	LOSS_SCHED = 0,
	LOSS_SYSCALL = 1,
	LOSS_GO = 2, /* also EV_RUNTIME and EV_USER */
	LOSS_STACK = 3,
	LOSS_SAMPLE = 4,
	LOSS_CLASSES
};

#define LOSS_ANY_CPU 0xffffffffU /* the kernel did not run a program, and does not say where */

struct ev_loss {
	struct event_head h; /* time: when the loss was noticed; tid 0 */
	__u32 cpu; /* or LOSS_ANY_CPU */
	__u32 loss_class;
	__u64 count;
	__u64 since_ns; /* nothing was lost before */
};
_Static_assert(sizeof(struct ev_loss) == 40, "ev_loss");

/* One logical frame; frames of one PC follow each other, innermost inlined call first. */
struct ev_frame {
	__u64 pc; /* distinct for every logical frame */
	__u32 line; /* 0: not Go's; func is then C's, or "OBJECT+0xADDRESS", and file the object */
	__u16 func_len;
	__u16 file_len;
	/* func, then file, then zeros up to a multiple of 8 */
};
_Static_assert(sizeof(struct ev_frame) == 16, "ev_frame");

struct ev_symbol {
	struct event_head h;
	__u32 tgid;
	__u16 n; /* frames that follow; 0: the PC is in no known module */
	__u16 pad;
	__u64 pc; /* as it stands in ev_stack.pc, start_pc or go_pc */
};
_Static_assert(sizeof(struct ev_symbol) == 32, "ev_symbol");

enum gone_how { GONE_EXIT = 1, GONE_EXEC = 2 };

struct ev_gone {
	struct event_head h;
	__u32 tgid;
	__u32 how; /* enum gone_how */
};
_Static_assert(sizeof(struct ev_gone) == 24, "ev_gone");

#define SITE_MUST_HIT 1U /* a busy program passes here; zero hits are worth a line */
#define SITE_FINAL 2U /* hits is the final count */

struct ev_site {
	struct event_head h;
	__u32 tgid;
	__u16 site;
	__u8 kind; /* enum go_kind, runtime_kind or user_kind */
	__u8 flags; /* SITE_* */
	__u64 pc;
	__u64 hits;
	char func[64]; /* enclosing function, cut */
};
_Static_assert(sizeof(struct ev_site) == 104, "ev_site");

/* Measured on this machine, in this run; 0 where it could not be measured. */
struct ev_cost {
	struct event_head h;
	__u64 probe_hits; /* of all uprobes */
	__u64 trap_ns; /* one hit of a uprobe with an empty program at an emulated instruction */
	__u64 probe_run_ns; /* mean run time of our uprobe programs */
	__u64 trace_hits; /* runs of all tracepoint programs for traced tasks */
	__u64 trace_run_ns; /* mean run time of those */
};
_Static_assert(sizeof(struct ev_cost) == 56, "ev_cost");

enum end_why { END_DURATION = 1, END_INTERRUPT = 2, END_TARGETS_GONE = 3, END_DISK_FULL = 4 };

struct ev_end {
	struct event_head h;
	__u32 why; /* enum end_why */
	__u32 pad;
	__u64 begin_ns; /* first moment with everything attached */
	__u64 events; /* records taken from the rings */
	__u64 lost;
};
_Static_assert(sizeof(struct ev_end) == 48, "ev_end");

/*
 * In the place of EV_TARGET: a process of which threads and system calls are recorded and nothing
 * else, as it is no Go program or one that cannot be read.
 */
struct ev_process {
	struct event_head h; /* tid: the process */
	__u32 tgid;
	__u32 pad;
	__u64 start_time; /* as in ev_target */
	char comm[EVENT_COMM_LEN];
	char exe[256]; /* cut */
	char why[384]; /* why there are no goroutines, for people to read */
};
_Static_assert(sizeof(struct ev_process) == 688, "ev_process");

/* Read with the snapshot; absent if it cannot be found. */
struct ev_snap_gc {
	struct event_head h;
	__u32 tgid;
	__u32 marking; /* 1: a cycle is under way, marking */
};
_Static_assert(sizeof(struct ev_snap_gc) == 24, "ev_snap_gc");

/* Sampled; only when something has changed. Bytes. */
struct ev_heap {
	struct event_head h;
	__u32 tgid;
	__u32 pad;
	__u64 live; /* gcController.heapLive */
	__u64 goal; /* gcController.heapGoal(); 0: none */
};
_Static_assert(sizeof(struct ev_heap) == 40, "ev_heap");

/* Calls of a target were redirected to stubs, which wrote the events of their sites. */
struct ev_inline {
	struct event_head h;
	__u32 tgid;
	__u32 sites; /* calls that were */
	__u64 hits; /* records of theirs */
	__u64 hit_ns; /* of one pass through a stub, measured on this machine, in this run */
	__u64 pause_ns; /* for how long the target's threads were stopped, at most */
	__u32 threads; /* and how many they were */
	__u32 memory_kib; /* shared with the target, which it has as far as it was written to */
	__u64 clock_ns; /* what the records' times may be off */
};
_Static_assert(sizeof(struct ev_inline) == 64, "ev_inline");

#define DAMAGE_POSITION 1U /* of writing in a ring: not where it can be */
#define DAMAGE_RECORD 2U /* no record of a stub's */
#define DAMAGE_TIME 4U /* before what came before, or in the future */
#define DAMAGE_COUNTER 8U /* of losses or waits: more than can be */
#define DAMAGE_FLOOD 16U /* more records than there was CPU time for */
#define DAMAGE_HELD \
	32U /* a record that is said to be under way, again and again, and never comes */
#define DAMAGE_CUT 64U /* the memory was taken away */
#define DAMAGE_ALL 127U

/*
 * What was found in the memory that a target's stubs write into, and no stub writes: the target did. It
 * is left out; what else is told of the goroutines of that process may be made up. The sums so far:
 * the last one of a process counts.
 */
struct ev_damage {
	struct event_head h; /* tid: tgid */
	__u32 tgid;
	__u32 kinds; /* DAMAGE_* */
	__u64 found; /* so many things */
};
_Static_assert(sizeof(struct ev_damage) == 32, "ev_damage");

/* Each leaves out what the one before does, too. */
enum shed_level {
	SHED_NOTHING,
	SHED_STACKS, /* stacks of goroutines, but for those in samples */
	SHED_WINDOWS, /* the probes are there only now and then */
	SHED_KERNEL, /* never: threads and system calls are left */
	SHED_LEVELS
};

enum shed_what {
	SHED_ASKED = 1, /* at the beginning: budget, stacks */
	SHED_STEP = 2, /* another level */
	SHED_PROBES_OFF = 3, /* what goroutines do is not seen from here on, */
	SHED_PROBES_ON = 4, /* and is again */
	SHED_SUMMARY = 5, /* at the end: the overhead of all the time */
	/*
	 * At the beginning: the overhead that was predicted for recording all, before anything was
	 * attached. Steps of the same time are made for that.
	 */
	SHED_FORESEEN = 6,
};

/*
 * Of one target; what was asked for, and the sum at the end, of all together. Shares are millionths of the
 * CPU time they use without what tracing adds.
 */
struct ev_shed {
	struct event_head h; /* tid: tgid of the target; 0: all */
	__u32 what; /* enum shed_what */
	__u32 stacks; /* of one goroutine in so many, as asked for; 0: none */
	__u32 from, to; /* enum shed_level */
	__u64 overhead; /* as measured before the step */
	__u64 budget; /* 0: none */
};
_Static_assert(sizeof(struct ev_shed) == 48, "ev_shed");

/* Of all targets: the kernel refused a BPF program, and what that would have told is missing. */
struct ev_missing {
	struct event_head h; /* tid 0 */
	__u32 err; /* errno of the refusal; 0: not known */
	__u32 pad;
	char program[32]; /* its name; texts are for people to read */
	char shows[64]; /* what will not be seen */
	char why[256]; /* the kernel's reason */
};
_Static_assert(sizeof(struct ev_missing) == 376, "ev_missing");

enum notice {
	NOTICE_STOPPED = 1, /* by a signal: seen so now */
	NOTICE_TRACED = 2, /* by a debugger */
	NOTICE_FROZEN = 3, /* by the freezer of its cgroup */
	NOTICE_GOES_ON = 4, /* none of these any more */
	NOTICE_MODULE =
		5, /* text: the file of a plugin that was loaded, "": not known; it has no probes */
	NOTICE_PLUGIN = 6, /* the same, and it has from now on */
	NOTICE_RUNTIME =
		7, /* text: a file with a Go runtime of its own, of which nothing is seen */
};

/* Looked at by the collector, a few times a second. */
struct ev_notice {
	struct event_head h; /* tid: the process */
	__u32 tgid;
	__u32 what; /* enum notice */
	char text[128]; /* the end of a longer one */
};
_Static_assert(sizeof(struct ev_notice) == 152, "ev_notice");

#endif
