/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the replay tells: transitions, each checked against the model, in time order. Times of one
 * process strictly increase. A sink keeps memory for live goroutines and tables, never for the
 * length of the trace.
 */
#ifndef GSCOPE_REPLAY_SINK_H
#define GSCOPE_REPLAY_SINK_H

#include "user/base/error.h"
#include "user/replay/model.h"
#include "user/replay/symbols.h"

enum change_flags {
	CHANGE_INFERRED = 1, /* not seen itself, follows from the next thing seen */
	CHANGE_REPAIR = 2, /* made to bring the model back to the evidence */
	CHANGE_INITIAL = 4, /* it was so at the start */
};

/* Why a goroutine changed state; the pair of states is fixed by the cause, see g_cause_name(). */
enum g_cause {
	G_INIT, /* dead -> any: existed at the start; time is the start of the process's trace */
	G_CREATE, /* dead -> runnable; other: creator */
	G_CREATE_BLOCKED, /* dead -> waiting (coroutine); other: creator */
	G_START, /* runnable -> running */
	G_STOP, /* running -> runnable; block: "runtime.Gosched" or "preempted" */
	G_BLOCK, /* running -> waiting; reason, block */
	G_UNBLOCK, /* waiting -> runnable; other: waker or NULL */
	G_SYSCALL_ENTER, /* running -> syscall; m and p stay */
	G_SYSCALL_RETURN, /* syscall -> running: P was kept */
	G_SYSCALL_LOST, /* syscall -> runnable: P was taken away meanwhile */
	G_SWITCH_OUT, /* running -> waiting: coroutine switch to other; G_SWITCH_IN follows */
	G_SWITCH_EXIT, /* running -> dead: the same, the goroutine ends */
	G_SWITCH_IN, /* waiting -> running, at the time of the switch; other: where from */
	G_EXIT, /* running -> dead */
	G_EXTRA_ENTER, /* dead -> syscall: a C thread enters Go */
	G_EXTRA_LEAVE, /* syscall -> dead: a C thread leaves Go */
	G_CAUSES
};

struct g_change {
	uint64_t time;
	uint64_t since; /* when it entered the state it leaves; 0: before the start */
	struct goroutine *g;
	enum g_state from, to;
	enum g_cause cause;
	struct thread *m; /* thread on which it happened; NULL only for G_INIT and some repairs */
	struct proc *p; /* P of m at that moment, before the change, or NULL */
	struct goroutine *other;
	const char *reason; /* wait reason as the runtime names it ("sync.Mutex.Lock"), "" if none */
	const char *block; /* what Go's tracer writes ("sync"), "" if none */
	uint64_t stack; /* of g; for G_CREATE* and G_UNBLOCK of the one who did it; 0: none */
	int skip; /* leaf frames (inlined ones counted) the runtime hides; -1: not known */
	unsigned int flags;
};

enum p_cause { P_INIT, P_START, P_STOP, P_STEAL };

struct p_change {
	uint64_t time;
	struct proc *p;
	enum p_state from, to;
	enum p_cause cause;
	struct thread *m; /* P_START, P_STOP: thread that gets or leaves it; P_STEAL: the thief;
			     P_INIT: holder or NULL */
	struct thread *victim; /* P_STEAL: thread in a syscall that loses it */
	unsigned int flags;
};

struct t_change {
	uint64_t time;
	uint64_t since;
	struct thread *t;
	enum t_state from, to;
	int cpu;
	uint32_t by_tid; /* to T_RUNNABLE by preemption: who got the CPU; by wake-up: the waker */
	const char *by_comm;
};

/* One finished system call of a thread, as the kernel saw it. */
struct syscall_span {
	uint64_t begin, end;
	struct thread *t;
	struct goroutine *g; /* goroutine it was made for, or NULL: the runtime's own or no Go */
	int nr;
	int64_t ret;
};

/* What the runtime does for a while. */
enum range_kind {
	RANGE_STW, /* by g, which runs: the world is stopped, or being stopped */
	RANGE_GC, /* of the process: a cycle, from the decision to the end of marking */
	RANGE_MARK_ASSIST, /* by g, which runs when it begins and ends */
	RANGE_SWEEP, /* by p */
};

/*
 * Begins and ends alternate, for the process, each g and each p. g runs on m with p at both (but not
 * where CHANGE_INITIAL says so; RANGE_SWEEP needs only m with p). What g has open when it dies ends
 * with it: no end is told.
 */
struct range_change {
	uint64_t time;
	uint64_t since; /* an end: when it began */
	enum range_kind kind;
	bool begin;
	struct process *process;
	struct goroutine *g; /* that does it; NULL only if CHANGE_INITIAL or CHANGE_REPAIR */
	struct proc *p;
	struct thread *m;
	const char *
		name; /* of RANGE_STW: why, as Go's tracer names it, without "stop-the-world"; "" */
	uint64_t stack; /* of a begin; 0: none */
	int skip;
	uint64_t swept, reclaimed; /* bytes; of the end of RANGE_SWEEP */
	unsigned int flags; /* enum change_flags */
};

/* GOMAXPROCS as it is from now on; told at the start, too. */
struct procs_change {
	uint64_t time;
	struct process *process;
	unsigned int n;
	struct goroutine *g; /* that changes it, with p and m; NULL at the start */
	struct proc *p;
	struct thread *m;
	uint64_t stack;
	int skip;
	unsigned int flags;
};

/* The program annotates its trace. Strings live until the next record. */
struct user_change {
	uint64_t time;
	/* All but USER_LABELS. USER_START_REGION: one whose end nobody can see, only its call. */
	enum user_kind kind;
	struct goroutine *g; /* runs on m with p */
	struct proc *p;
	struct thread *m;
	uint64_t task, parent; /* 0: none */
	const char *name; /* type of a task or region, category of a log message */
	const char *text; /* log message */
	uint64_t stack;
	int skip;
	unsigned int flags;
};

/* What a goroutine works on: a kind of GC worker, or pprof labels. */
struct label_change {
	uint64_t time;
	struct goroutine *g; /* runs on m with p */
	struct proc *p;
	struct thread *m;
	const char *label; /* "GC (dedicated)"; labels as "key=value, key=value", "" for none */
	bool gc_worker;
};

struct heap_change {
	uint64_t time;
	struct process *process;
	uint64_t live, goal; /* bytes; goal 0: none */
};

struct cpu_sample {
	uint64_t time;
	struct thread *t;
	struct goroutine *g; /* for which the thread runs, or NULL */
	struct proc *p; /* or NULL */
	int cpu;
	uint64_t stack; /* 0: none */
	bool in_kernel;
};

/* What kernel events prove in a bare process: there are no changes of goroutines and Ps in it. */
enum span_kind {
	SPAN_ON_CPU, /* of a thread between two of its events on a CPU */
	SPAN_OFF_CPU, /* from one switch to the next */
	SPAN_WAKE, /* a moment: t, in a system call, woke another thread */
};

struct thread_span {
	enum span_kind kind;
	uint64_t begin, end;
	struct thread *t;
	struct goroutine *g; /* for which: both ends name it; or NULL */
	/* SPAN_OFF_CPU: */
	uint64_t runnable_since; /* it waited for a CPU from then on, 0: not known */
	bool preempted; /* that is, all the time */
	uint64_t stack; /* g's, 0: none */
};

struct repair {
	uint64_t time;
	struct process *process;
	const char *what; /* rule that was broken, a fixed text */
	struct goroutine *g; /* any of these may be NULL */
	struct proc *p;
	struct thread *m;
};

/* What there was more of than is kept: a file, or a process that makes things up, has no end of them. */
enum beyond {
	BEYOND_GOROUTINES, /* at one time */
	BEYOND_THREADS, /* at one time */
	BEYOND_PROCESSES,
	BEYOND_PROCS,
	BEYOND_STACKS,
	BEYOND_SYMBOLS,
	BEYOND_STRINGS, /* of the runtime: reasons */
	BEYOND_REGIONS, /* at one time */
	BEYOND_KINDS
};

struct replay_totals {
	uint64_t begin_ns, end_ns; /* of the transitions told */
	uint64_t events; /* kernel-side records read */
	uint64_t lost;
	uint64_t loss_by_class[LOSS_CLASSES];
	uint64_t repairs;
	uint64_t inferred;
	uint64_t recovered; /* states that were wrong after a time without probes: no repairs */
	uint64_t beyond[BEYOND_KINDS]; /* records whose object is left out, by enum beyond */
	bool ended; /* the capture has its EV_END */
	enum end_why why;
	struct ev_cost cost; /* zero if not measured */
	struct ev_inline inlined; /* of all targets: sums of what is counted, the worst of the rest */
};

/* Every member may be NULL. A negative return stops the replay and is passed up. */
struct sink_ops {
	/*
	 * It asks process->crowd for those in it; of one of them G_INIT comes just before the first other
	 * change, with the time of the start.
	 */
	bool knows_crowd;
	/* The process's trace begins: G_INIT and P_INIT of all that exist follow, their objects are lent. */
	int (*process)(void *ctx, struct process *ps, uint64_t time);
	int (*goroutine)(void *ctx, const struct g_change *c);
	int (*processor)(void *ctx, const struct p_change *c);
	int (*thread)(void *ctx, const struct t_change *c);
	int (*syscall)(void *ctx, const struct syscall_span *s);
	int (*span)(void *ctx, const struct thread_span *s);
	int (*range)(void *ctx, const struct range_change *c);
	int (*procs)(void *ctx, const struct procs_change *c);
	int (*user)(void *ctx, const struct user_change *c);
	int (*label)(void *ctx, const struct label_change *c);
	int (*heap)(void *ctx, const struct heap_change *c);
	int (*sample)(void *ctx, const struct cpu_sample *c);
	int (*loss)(void *ctx, const struct ev_loss *l);
	/*
	 * Between SHED_PROBES_OFF and SHED_PROBES_ON, or the end, states of goroutines are what kernel
	 * events tell of them and otherwise what they were; those after it are right again once a
	 * goroutine is seen.
	 */
	int (*shed)(void *ctx, const struct ev_shed *s);
	int (*missing)(void *ctx, const struct ev_missing *m); /* for all processes */
	int (*notice)(void *ctx, const struct ev_notice *n);
	int (*repair)(void *ctx, const struct repair *r);
	/* What is told of goroutines of this process may be made up by it; the last one counts. */
	int (*damage)(void *ctx, const struct process *ps, const struct ev_damage *d);
	int (*site)(void *ctx, const struct ev_site *s);
	int (*gone)(void *ctx, struct process *ps, enum gone_how how, uint64_t time);
	/* Last call. Live objects are still there to be closed at t->end_ns. */
	int (*end)(void *ctx, const struct replay_totals *t, struct error *e);
};

struct sink {
	const struct sink_ops *ops;
	void *ctx;
};

const char *g_state_name(enum g_state s); /* "running" */
const char *g_cause_name(enum g_cause c); /* "start" */
const char *p_state_name(enum p_state s);
const char *t_state_name(enum t_state s);
const char *shed_level_name(enum shed_level level); /* "no-stacks" */

#endif
