/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Inside of the replay. The road of one record:
 *
 *   replay.c     takes it apart              (records -> evidence)
 *   kernel.c     what tracepoints prove      (threads, syscalls, who holds which P)
 *   goroutine.c  what a probe site proves    (one function per enum go_kind)
 *   bare.c       the same where nothing else is seen
 *   procs.c      which thread holds which P
 *   runtime.c    what the runtime does besides; heap, samples
 *   user.c       what the program tells of itself
 *   evidence.c   bring the model to what was proven, by legal steps only
 *   unseen.c     goroutines whose begin or end was not seen
 *   apply.c      one checked step: rule, model, sinks
 *   range.c      the same for what goes on for a while
 *   tell.c       the sinks
 *   model.c      the tables
 *   crowd.c      goroutines that nothing happens to
 */
#ifndef GSCOPE_REPLAY_INTERNAL_H
#define GSCOPE_REPLAY_INTERNAL_H

#include "user/replay/replay.h"

struct replay {
	struct sink sinks[REPLAY_MAX_SINKS];
	size_t nsinks;
	int status; /* first negative return of a sink */
	struct replay_totals totals;
	struct replay_limits limits;
	uint64_t ngoroutines, nprocs, nregions, string_bytes;
	struct symbols *symbols;
	struct process *processes; /* by tgid */
	struct thread *threads; /* by tid */
	uint64_t serial;
	uint64_t now; /* time of the record in hand */
	uint64_t last; /* time of the last transition told */
	uint64_t lost_until; /* when the last loss was noticed that can hide a change of state */
	bool blind; /* there are no probes: what goroutines do is not seen */
	uint64_t blind_until; /* ns: the last time that was so; 0: never */
	struct region_start *starts; /* user.c */
	size_t nstarts;
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

/* Something is left out, as there are too many. */
static inline void note_beyond(struct replay *r, enum beyond what)
{
	r->totals.beyond[what]++;
}

/*
 * --- model.c: find returns NULL, get and new create. NULL: there are too many, and the record was counted
 * as left out, or there is no memory, and r->status says so. ---
 */
struct process *process_find(struct replay *r, uint32_t tgid);
struct process *process_get(struct replay *r, uint32_t tgid);
struct thread *thread_find(struct replay *r, uint32_t tid);
struct thread *thread_get(struct replay *r, uint32_t tid, uint32_t tgid);
void thread_drop(struct replay *r, struct thread *t);
struct goroutine *goroutine_find(struct process *ps, uint64_t addr);
void goroutine_drop(struct goroutine *g);
struct goroutine *goroutine_new(struct replay *r, struct process *ps, uint64_t addr, uint64_t id);
struct proc *proc_find(struct process *ps, uint64_t addr);
struct proc *proc_get(struct process *ps, uint64_t addr, int id);
void process_set_string(struct process *ps, unsigned int kind, unsigned int n, const char *text);
const char *process_string(const struct process *ps, unsigned int kind, unsigned int n);
void process_note_end(struct replay *r, struct process *ps, uint64_t id);
bool process_knows_end(const struct process *ps, uint64_t id);
void process_forget_ends(struct process *ps);
void process_forget_goroutines(struct process *ps);
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
/* Whether g runs on t, with a P. */
bool runs_on(const struct goroutine *g, const struct thread *t);
void t_apply(struct replay *r, struct thread *t, enum t_state to, int cpu, uint32_t by_tid,
	     const char *by_comm);

/* --- tell.c --- */

/* Whether nothing is seen of what goroutines of `ps` do, as there are no probes; the last time that was so. */
bool is_blind(const struct replay *r, const struct process *ps);
uint64_t blind_until(const struct replay *r, const struct process *ps);

/* Whether the state of g is what records told, and none was lost that can have changed it. */
bool is_sure(const struct replay *r, const struct goroutine *g);
void tell_repair(struct replay *r, struct process *ps, const char *what, struct goroutine *g,
		 struct proc *p, struct thread *t);
void tell_syscall(struct replay *r, const struct syscall_span *s);
void tell_span(struct replay *r, const struct thread_span *s);
void tell_ready(struct replay *r, struct process *ps);
/* The same of one of the crowd, before anything else is told of it. */
void tell_late(struct replay *r, struct goroutine *g);
void tell_new_proc(struct replay *r, struct proc *p);
void tell_procs(struct replay *r, const struct procs_change *c);
void tell_user(struct replay *r, const struct user_change *c);
void tell_label(struct replay *r, const struct label_change *c);
void tell_heap(struct replay *r, const struct ev_heap *ev);
void tell_sample(struct replay *r, const struct cpu_sample *c);
void tell_gone(struct replay *r, struct process *ps, enum gone_how how);
void tell_loss(struct replay *r, const struct ev_loss *l);
void tell_notice(struct replay *r, const struct ev_notice *n);
void tell_shed(struct replay *r, const struct ev_shed *s);
void tell_missing(struct replay *r, const struct ev_missing *m);
void tell_site(struct replay *r, const struct ev_site *s);
void tell_end(struct replay *r, struct error *e);

/* --- evidence.c: each returns false when the model could not be brought there legally --- */
bool ensure_running(struct replay *r, struct goroutine *g, struct thread *t, struct proc *p);
bool ensure_runnable(struct replay *r, struct goroutine *g);
bool ensure_waiting(struct replay *r, struct goroutine *g);
/* `flags` are of the P's start. */
bool ensure_thread_proc(struct replay *r, struct thread *t, struct proc *p, unsigned int flags);
/* Nobody holds p; `thief` is who takes it if it is in a syscall. */
bool ensure_proc_free(struct replay *r, struct proc *p, struct thread *thief, unsigned int flags);
void ensure_thread_free(struct replay *r, struct thread *t, const struct goroutine *but);
bool ensure_syscall_without_proc(struct replay *r, struct goroutine *g, struct thread *t);
bool ensure_syscall(struct replay *r, struct goroutine *g, struct thread *t);
bool ensure_no_proc(struct replay *r, struct goroutine *g, struct thread *t);
void proc_taken(struct replay *r, struct thread *t, unsigned int flags);
/* --- unseen.c --- */

/* g is another goroutine by now: `t` is where that was noticed. g is gone afterwards. */
void goroutine_end_unseen(struct replay *r, struct goroutine *g, struct thread *t);
/* A goroutine alive that nobody announced: make it known, runnable. NULL: that cannot be told. */
struct goroutine *goroutine_introduce(struct replay *r, struct process *ps, struct thread *t,
				      uint64_t addr, uint64_t id);

/* --- actor.c --- */

/* Who a record of a probe is about; g and p may be NULL. */
struct actor {
	struct process *ps;
	struct thread *t;
	struct proc *p; /* m.p of the thread, as the record has it */
	struct goroutine *g;
};

/*
 * The thread and its P. False if the record says nothing: the process is not traced (yet, or any
 * more).
 */
bool actor_find_thread(struct replay *r, struct actor *a, uint32_t tgid, uint32_t tid, uint64_t p);
/* The goroutine, once the thread is found; one that nobody announced is introduced. */
bool actor_find_goroutine(struct replay *r, struct actor *a, uint64_t gp, uint64_t goid);
/* The record proves that a->g runs on a->t with a->p: see to it. */
bool actor_runs(struct replay *r, const struct actor *a);

/* --- procs.c --- */

/* Whether a syscall leaves m.p as it is. */
bool proc_stays_wired(const struct process *ps);
/* What a kernel event tells of the P of its thread. */
void note_context(struct replay *r, struct thread *t, const struct ev_gctx *ctx);
/* Until m.p is this P (NULL: none), what kernel events show is not yet true. */
void proc_expect(struct thread *t, const struct proc *p);
void proc_start(struct replay *r, const struct actor *a, struct proc *p);
void proc_stop(struct replay *r, const struct actor *a, struct proc *p, uint64_t stack);
void proc_steal(struct replay *r, const struct actor *a, struct proc *p);
/* g has entered a syscall on t; ctx_p: m.p behind that. */
void syscall_begun(struct replay *r, struct thread *t, uint64_t ctx_p);
/* The world is being stopped by the goroutine of t. */
void procs_of_syscalls_stop(struct replay *r, struct process *ps, struct thread *t);

/* --- range.c --- */

/* A begin; what is open of the same kind ends first. `c` has kind, g, p, m, name, stack, skip. */
void range_begin(struct replay *r, struct process *ps, struct range_change *c);
/* An end; nothing if none is open. */
void range_end(struct replay *r, struct process *ps, struct range_change *c);
/* g is about to leave G_RUNNING by `cause`, p its thread: what cannot go on then ends. */
void ranges_leave_g(struct replay *r, struct goroutine *g, enum g_cause cause, unsigned int flags);
void ranges_leave_p(struct replay *r, struct proc *p);
/* Ends will not be seen: what cannot go on while other things happen ends at once. */
void ranges_go_blind(struct replay *r, struct process *ps);
/* What is open when the process is ready. */
void ranges_at_start(struct replay *r, struct process *ps, uint64_t time);

/* --- runtime.c --- */
void on_runtime(struct replay *r, const struct ev_runtime *ev);
void on_snap_gc(struct replay *r, const struct ev_snap_gc *ev);
void on_sample(struct replay *r, const struct ev_sample *ev);
/* g has just started: what for, if it is a GC worker. */
void worker_started(struct replay *r, struct goroutine *g);

/* --- user.c --- */
void on_user(struct replay *r, const struct ev_user *ev);
/* A record comes: calls of StartRegion that it does not belong to were not traced. NULL: the end. */
void user_before(struct replay *r, const struct event_head *ev);
void user_free(struct replay *r);
void user_forget_goroutine(struct goroutine *g);
void user_forget_process(struct process *ps);

/* --- kernel.c --- */
void on_switch(struct replay *r, const struct ev_switch *ev);
void on_wakeup(struct replay *r, const struct ev_wakeup *ev);
void on_task(struct replay *r, const struct ev_task *ev);
void on_sys_enter(struct replay *r, const struct ev_sys_enter *ev);
void on_sys_exit(struct replay *r, const struct ev_sys_exit *ev);

/* --- bare.c --- */

/* Whether a thread is one of a process in which nothing is planted. */
static inline bool is_bare(const struct thread *t)
{
	return t->process && t->process->bare;
}
/* The process is ready, and is one. */
void bare_begin(struct replay *r, struct process *ps);
/* An event of t on its CPU. */
void bare_context(struct replay *r, struct thread *t, const struct ev_gctx *ctx);
void bare_switched_out(struct replay *r, struct thread *t, const struct ev_switch *ev);
void bare_switched_in(struct replay *r, struct thread *t);
void bare_wakeup(struct replay *r, struct thread *waker, struct thread *t);
/* It ends, or another one has its number. */
void bare_leave(struct thread *t);
void on_goroutine_seen(struct replay *r, const struct ev_goroutine *ev);
void on_off_cpu(struct replay *r, const struct ev_off_cpu *ev);

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
