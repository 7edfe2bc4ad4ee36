/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Inside of the replay. The road of one record:
 *
 *   replay.c     takes it apart              (records -> evidence)
 *   kernel.c     what tracepoints prove      (threads, syscalls, who holds which P)
 *   goroutine.c  what a probe site proves    (one function per enum go_kind)
 *   evidence.c   bring the model to what was proven, by legal steps only
 *   apply.c      one checked step: rule, model, sinks
 *   model.c      the tables
 */
#ifndef GSCOPE_REPLAY_INTERNAL_H
#define GSCOPE_REPLAY_INTERNAL_H

#include "user/replay/replay.h"

struct replay {
	struct sink sinks[REPLAY_MAX_SINKS];
	size_t nsinks;
	int status; /* first negative return of a sink */
	struct replay_totals totals;
	struct symbols *symbols;
	struct process *processes; /* by tgid */
	struct thread *threads; /* by tid */
	uint64_t serial;
	uint64_t now; /* time of the record in hand */
	uint64_t last; /* time of the last transition told */
	bool system_ready; /* transitions of threads outside Go targets flow */
	bool begun;
};

/* Go status numbers, runtime/runtime2.go; the same in 1.19-1.27. */
enum go_status {
	GST_IDLE = 0,
	GST_RUNNABLE = 1,
	GST_RUNNING = 2,
	GST_SYSCALL = 3,
	GST_WAITING = 4,
	GST_DEAD = 6,
	GST_COPYSTACK = 8,
	GST_PREEMPTED = 9,
	GST_LEAKED = 10,
	GST_DEADEXTRA = 11,
};

enum p_status { PST_IDLE = 0, PST_RUNNING = 1, PST_SYSCALL = 2, PST_GCSTOP = 3, PST_DEAD = 4 };

/* --- model.c: find returns NULL, get creates (NULL: out of memory) --- */
struct process *process_find(struct replay *r, uint32_t tgid);
struct process *process_get(struct replay *r, uint32_t tgid);
struct thread *thread_find(struct replay *r, uint32_t tid);
struct thread *thread_get(struct replay *r, uint32_t tid, uint32_t tgid);
void thread_drop(struct replay *r, struct thread *t);
struct goroutine *goroutine_find(struct process *ps, uint64_t addr);
struct goroutine *goroutine_new(struct replay *r, struct process *ps, uint64_t addr, uint64_t id);
void goroutine_drop(struct goroutine *g);
struct proc *proc_find(struct process *ps, uint64_t addr);
struct proc *proc_get(struct process *ps, uint64_t addr, int id);
int process_set_string(struct process *ps, unsigned int kind, unsigned int n, const char *text);
const char *process_string(const struct process *ps, unsigned int kind, unsigned int n);
void process_note_end(struct replay *r, struct process *ps, uint64_t id);
bool process_knows_end(const struct process *ps, uint64_t id);
void process_forget_ends(struct process *ps);
void model_free(struct replay *r);

/* --- apply.c --- */

/* What comes with a goroutine's step besides the two states. */
struct why {
	struct goroutine *other;
	const char *reason;
	const char *block;
	uint64_t stack;
	int skip;
	unsigned int flags;
};

/*
 * One step. A step the rules forbid is not made: it is told as a repair, and false is returned.
 * `t` is the thread it happens on.
 */
bool g_apply(struct replay *r, struct goroutine *g, enum g_cause cause, struct thread *t,
	     const struct why *why);
bool p_apply(struct replay *r, struct proc *p, enum p_cause cause, struct thread *t,
	     unsigned int flags);
void t_apply(struct replay *r, struct thread *t, enum t_state to, int cpu, uint32_t by_tid,
	     const char *by_comm);
void tell_repair(struct replay *r, struct process *ps, const char *what, struct goroutine *g,
		 struct proc *p, struct thread *t);
void tell_syscall(struct replay *r, const struct syscall_span *s);
void tell_ready(struct replay *r, struct process *ps);
void tell_new_proc(struct replay *r, struct proc *p);
void tell_gone(struct replay *r, struct process *ps, enum gone_how how);
void tell_loss(struct replay *r, const struct ev_loss *l);
void tell_site(struct replay *r, const struct ev_site *s);
void tell_end(struct replay *r, struct error *e);

/* --- evidence.c: each returns false when the model could not be brought there legally --- */
bool ensure_running(struct replay *r, struct goroutine *g, struct thread *t, struct proc *p);
bool ensure_runnable(struct replay *r, struct goroutine *g);
bool ensure_waiting(struct replay *r, struct goroutine *g);
bool ensure_thread_proc(struct replay *r, struct thread *t, struct proc *p);
void ensure_thread_free(struct replay *r, struct thread *t, const struct goroutine *but);
bool ensure_syscall_without_proc(struct replay *r, struct goroutine *g, struct thread *t);
void proc_taken(struct replay *r, struct thread *t, unsigned int flags);
/* A goroutine alive that nobody announced: make it known, runnable. */
struct goroutine *goroutine_introduce(struct replay *r, struct process *ps, struct thread *t,
				      uint64_t addr, uint64_t id);

/* --- kernel.c --- */
void on_switch(struct replay *r, const struct ev_switch *ev);
void on_wakeup(struct replay *r, const struct ev_wakeup *ev);
void on_task(struct replay *r, const struct ev_task *ev);
void on_sys_enter(struct replay *r, const struct ev_sys_enter *ev);
void on_sys_exit(struct replay *r, const struct ev_sys_exit *ev);

/* --- goroutine.c --- */
void on_go(struct replay *r, const struct ev_go *ev);

/* --- snapshot.c --- */
void on_target(struct replay *r, const struct ev_target *ev);
void on_process(struct replay *r, const struct ev_process *ev);
void on_task_state(struct replay *r, const struct ev_task_state *ev);
void on_snap_p(struct replay *r, const struct ev_snap_p *ev);
void on_snap_m(struct replay *r, const struct ev_snap_m *ev);
void on_snap_g(struct replay *r, const struct ev_snap_g *ev);
/* Set g->system from where it starts. */
void goroutine_classify(struct replay *r, struct goroutine *g);

/* --- reason.c --- */

/* Whether a wait reason means the goroutine goes on on the system stack (facts 1.3). */
bool reason_is_running(const char *reason);
/* What Go's tracer calls a block with this wait reason. */
const char *reason_block(const char *reason);

#endif
