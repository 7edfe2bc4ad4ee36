/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the replay believes: processes, threads (M), processors (P), goroutines (G). Sinks see
 * these objects read-only, in the state *after* the transition they are told of.
 *
 * The rules that hold between transitions are those a strict reader of Go execution traces checks
 * (internal/trace/order.go):
 *   - a running goroutine is bound to one thread, which is bound to one P in state P_RUNNING;
 *   - a goroutine in a syscall is bound to its thread; the thread either still has its P, in state
 *     P_SYSCALL, or has none (taken away; then it may hold a P again before the syscall ends);
 *   - runnable, waiting and dead goroutines are bound to no thread;
 *   - an idle P is bound to no thread; a thread may hold a P without a goroutine.
 *
 * In a bare process (replay/bare.c) none of that is known. There thread.g and thread.p are what the
 * thread's last kernel event named, and the states of goroutines and Ps mean nothing.
 */
#ifndef GSCOPE_REPLAY_MODEL_H
#define GSCOPE_REPLAY_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/event.h"
#include "user/base/hash.h"

enum g_state { G_DEAD, G_RUNNABLE, G_RUNNING, G_SYSCALL, G_WAITING };
enum p_state { P_IDLE, P_RUNNING, P_SYSCALL };
/* Bits of task_struct.__state: include/linux/sched.h, the same since Linux 4.14 */
#define SLEEP_INTERRUPTIBLE 1U
#define SLEEP_UNINTERRUPTIBLE 2U
#define SLEEP_STOPPED 4U
#define SLEEP_TRACED 8U
#define SLEEP_NOLOAD 0x400U /* an idle thread of the kernel */

enum t_state { T_UNKNOWN, T_RUNNING, T_RUNNABLE, T_SLEEPING, T_DEAD };

struct crowd;
struct process;
struct replay;
struct thread;

/* Something that goes on for a while: see enum range_kind in sink.h. */
struct range {
	bool open;
	uint64_t since; /* ns, when it was told to begin */
	const char *name;
};

/* Regions of user code that a goroutine is in, the innermost last. */
struct regions {
	struct region {
		uint64_t task;
		char *type;
	} * v;
	size_t n, room;
};

/* One processor of a Go runtime. */
struct proc {
	uint64_t addr;
	int id;
	enum p_state state;
	struct thread *m;
	struct process *process;
	uint64_t since; /* ns, last change of state */
	uint32_t snap_status; /* p.status in the snapshot */
	bool spare; /* beyond GOMAXPROCS in the snapshot, and not used since: not told of */
	struct range sweep;
	UT_hash_handle hh;
};

struct goroutine {
	uint64_t addr; /* identity in events; reused by the runtime after death */
	uint64_t id; /* goid */
	uint64_t serial; /* unique in this replay, never reused: what sinks key their data by */
	enum g_state state;
	struct thread *m;
	struct process *process;
	uint64_t since; /* ns, last change of state; before the start: 0 */
	uint64_t start_pc;
	uint64_t go_pc;
	uint64_t parent_id;
	bool system; /* the runtime's own: starts in package runtime, but not runtime.main */
	bool seen; /* a record of its own was seen: the snapshot has nothing to add */
	uint64_t proven; /* ns: a step of its own was seen last */
	const char *reason; /* while waiting: as the runtime names it, "" if unknown */
	uint64_t stack; /* last known stack id */
	struct range stw, assist;
	struct regions regions;
	uint8_t worker; /* enum gc_worker: what it is started for the next time */
	UT_hash_handle hh;
};

struct thread {
	uint32_t tid;
	uint32_t tgid;
	char comm[EVENT_COMM_LEN];
	struct process *process; /* target it belongs to, or NULL */
	uint64_t m_addr; /* its m, 0 if not known */
	uint64_t m_oldp; /* m.oldp in the snapshot */
	struct goroutine *g;
	struct proc *p;
	/*
	 * A probe told of a change of m.p before it is made, or as it is made: until the kernel's
	 * events show expect_p they show what was.
	 */
	bool unsettled;
	uint64_t expect_p;
	uint64_t switched_off; /* g that ended by a switch and is about to pass gdestroy */
	enum t_state state;
	uint32_t asleep; /* how, in T_SLEEPING: bits of task_struct.__state, 0: not known */
	int cpu;
	uint64_t since; /* ns, last change of state */
	/* Only in a bare process, see bare.c. */
	uint64_t on_since; /* its last event on this CPU, 0: not known, or on none */
	uint64_t off_since; /* it left its CPU, 0: it is on one, or not known */
	uint64_t woken; /* it could have gone on, 0: not known */
	uint64_t off_stack;
	bool preempted; /* it could have gone on all the time */
	int sys_nr; /* -1: in no syscall */
	uint64_t sys_begin; /* 0: before it was traced */
	/* a call that was interrupted, and may go on as another one; nr -1: none */
	struct {
		int nr;
		int64_t ret;
		uint64_t begin, end;
		uint64_t g; /* address of the goroutine it was made for, or 0 */
	} cut;
	UT_hash_handle hh;
};

/* A goroutine that ended while the snapshot was read; see user/replay/snapshot.c. */
struct ended {
	uint64_t id;
	UT_hash_handle hh;
};

/* A task of package runtime/trace that has begun and not ended. */
struct user_task {
	uint64_t id;
	UT_hash_handle hh;
};

/* A traced process. */
struct process {
	uint32_t tgid;
	struct ev_target info;
	char *plain; /* why it has nothing but threads and system calls; NULL: it has goroutines */
	bool snapped; /* the snapshot has begun: all probes are attached */
	bool ready; /* it is complete: transitions flow */
	bool gone;
	bool bare; /* nothing is planted in it: states of goroutines and Ps are not known, only places */
	bool no_kernel; /* switches, wake-ups and system calls of its threads are not recorded */
	bool blind; /* there are no probes in it: what its goroutines do is not seen */
	uint64_t blind_until; /* ns: the last time that was so; 0: never */
	uint64_t ready_ns;
	struct goroutine *goroutines; /* by addr; live ones */
	struct crowd *crowd; /* more live ones, which nothing has happened to: replay/crowd.h */
	struct replay *replay;
	struct proc *procs; /* by addr */
	struct ended *ended; /* by id; only until ready */
	struct range gc;
	bool gc_known; /* from an event: the snapshot has nothing to add */
	bool probes_procs; /* Ps are seen to be given up */
	struct goroutine *stopper; /* of the world, with its stw open */
	struct user_task *tasks; /* by id */
	UT_hash_handle hh;
	char **strings[3]; /* by enum string_kind, then number; NULL where not known */
	unsigned int nstrings[3];
};

#endif
