/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Inside of the Go trace writer: what a reader of the trace believes at this point, and the
 * generation being written.
 */
#ifndef GSCOPE_EXPORT_GOTRACE_STATE_H
#define GSCOPE_EXPORT_GOTRACE_STATE_H

#include "user/export/gotrace.h"
#include "user/export/gotrace_wire.h"

struct wire_m {
	uint32_t tid;
	struct wire_g *g;
	struct wire_p *p;
	struct batch batch;
	UT_hash_handle hh;
};

struct wire_p {
	int32_t id;
	enum wire_p_status status;
	struct wire_m *m; /* that holds it: running or syscall */
	uint32_t abandoned_by; /* tid, if abandoned */
	uint64_t seq; /* of this generation */
	bool sweeps; /* only while running */
	UT_hash_handle hh;
};

/* A region of user code that is open; `below` is the one around it. */
struct wire_region {
	struct wire_region *below;
	uint64_t task;
	char type[];
};

struct wire_g {
	uint64_t serial; /* struct goroutine's */
	uint64_t id; /* in the trace: the goid, unless that is unknown or taken */
	enum wire_g_status status;
	struct wire_m *m; /* running or syscall */
	uint64_t gen; /* last generation it was announced in */
	uint64_t seq; /* of that generation */
	uint64_t start_pc;
	uint64_t stack; /* last one known */
	int32_t skip;
	bool unstarted; /* a coroutine that waits and is runnable to the reader: Go 1.22 */
	bool assists; /* helps marking, whatever it does in between */
	bool assist_over; /* and does no more, which it can say when it runs */
	unsigned int nregions, unsaid_regions; /* open, and those too deep to be said */
	struct wire_region *regions; /* the innermost */
	UT_hash_handle hh; /* by serial */
	UT_hash_handle hh_id; /* by id */
};

/* An event that happens on no thread. */
struct loose_event {
	uint64_t time;
	enum wire_type type;
	unsigned int nargs;
	uint64_t args[WIRE_ARGS_MAX];
};

/* A task of the program, or of gscope's own, that is open. */
struct wire_task {
	uint64_t id;
	UT_hash_handle hh;
};

/* The garbage collector, as it is and as the reader has been told. */
struct wire_gc {
	bool marks, initially;
	bool told;
	uint64_t told_gen; /* last generation in which something was told */
	uint64_t seq; /* last one told */
};

struct wire_heap {
	uint64_t live, goal; /* bytes */
	bool new_live, new_goal; /* not yet told */
};

/* A moment at which thread `tid` could have said something: its next batch begins at out[at]. */
struct wire_mark {
	uint64_t time;
	uint32_t tid;
	size_t at;
};

#define WIRE_MARKS_MAX 128

/* Losses not yet told. */
struct wire_gap {
	uint64_t since, until; /* ns; until 0: none */
	uint64_t lost[LOSS_CLASSES];
};

/* What was left out, as its gap says it; not yet told. */
struct wire_note {
	uint64_t since, until;
	uint64_t blind_ns; /* of it without probes; 0: a step */
	const char *what;
	char text[160];
};

#define WIRE_NOTES_MAX 16

struct gotrace {
	struct gotrace_options options;
	const struct symbols *symbols;
	struct process *process; /* NULL: not begun */
	uint32_t tgid;
	bool plain; /* what was asked for has no goroutines, */
	bool bare; /* or no transitions of them */
	bool done; /* the process is gone, or the replay has ended */
	int err; /* first error, message in `error`; nothing is written after it */
	struct error error;

	struct wire_m *ms;
	struct wire_p *ps;
	struct wire_g *gs, *gs_by_id;
	struct wire_g *stw; /* stops the world; it runs */
	char stw_kind[64];
	uint64_t stw_string;
	struct wire_gc gc;
	struct wire_heap heap;
	unsigned int procs; /* GOMAXPROCS */
	unsigned int told_procs;
	uint64_t told_procs_gen;
	struct wire_task *tasks;
	struct wire_gap gap;
	struct wire_note notes[WIRE_NOTES_MAX];
	unsigned int nnotes;
	uint64_t blind_since; /* probes are off; 0: they are on */
	uint64_t shed_ns; /* of the last record of what was left out: goroutines may do nothing behind it */
	uint64_t foreseen_ns; /* when it was predicted what all would cost; 0: it was not */
	uint64_t gaps; /* told so far */

	unsigned int minor; /* Go 1.minor: of the header */
	uint64_t gen; /* 0: none yet */
	uint64_t begin; /* ns, of the process's trace */
	uint64_t gen_begin; /* ns */
	uint64_t last; /* ns, of the last event */
	struct bytes out; /* batches of this generation */
	size_t preamble; /* bytes of it that announce what was there at the start */
	struct wire_mark marks[WIRE_MARKS_MAX]; /* of this generation */
	unsigned int nmarks;
	struct batch unbound; /* of events on no thread */
	struct bytes samples; /* a batch of them */
	struct loose_event *loose;
	size_t nloose, loose_size;
	struct tables tables;
	struct trace_out file;
};

/* --- objects (gotrace_objects.c) ------------------------------------------------------------- */

/* The reader would refuse this: set t->error, return -EPROTO. */
int wire_contradiction(struct gotrace *t, uint64_t time, const char *what, int64_t id,
		       const char *why);
int wire_no_memory(struct gotrace *t);

struct wire_m *wire_get_m(struct gotrace *t, const struct thread *thread); /* NULL: no memory */
struct wire_p *wire_find_p(struct gotrace *t, const struct proc *proc);
struct wire_g *wire_find_g(struct gotrace *t, const struct goroutine *goroutine);

/* A goroutine of the trace, bound to m unless that is NULL. NULL: no memory. */
struct wire_g *wire_new_g(struct gotrace *t, const struct goroutine *goroutine,
			  enum wire_g_status status, struct wire_m *m);
void wire_del_g(struct gotrace *t, struct wire_g *g);
void wire_unbind(struct wire_g *g, enum wire_g_status status);
void wire_bind(struct wire_g *g, struct wire_m *m, enum wire_g_status status);

/* Stack ids of this generation; 0 for no stack. g is whose it is, or NULL. */
uint64_t stack_of(struct gotrace *t, const struct wire_g *g, uint64_t stack, int skip);
uint64_t stack_of_start(struct gotrace *t, const struct wire_g *g);

/* --- transitions (gotrace_go.c, gotrace_proc.c): 0, -EPROTO or -ENOMEM --------------------- */

int wire_change_g(struct gotrace *t, const struct g_change *c);
int wire_change_p(struct gotrace *t, const struct p_change *c);
bool wire_is_running(const struct wire_g *g);
void wire_steal(struct gotrace *t, struct wire_p *p, struct wire_m *thief, uint64_t time);
void wire_start_p(struct gotrace *t, struct wire_p *p, struct wire_m *m, uint64_t time);

/* --- generations (gotrace_gen.c) ------------------------------------------------------------ */

#define WIRE_EMIT(t, m, time, type, ...)                                           \
	wire_emit(t, m, time, type,                                                \
		  (sizeof((uint64_t[]){0, ##__VA_ARGS__}) / sizeof(uint64_t)) - 1, \
		  (const uint64_t[]){0, ##__VA_ARGS__} + 1)

/* Add an event of thread m, or of no thread if m is NULL. Errors surface in gen_end(). */
void wire_emit(struct gotrace *t, struct wire_m *m, uint64_t time, enum wire_type type,
	       unsigned int nargs, const uint64_t *args);

/* Make sure g is announced in this generation; the reader counts its events from there. */
void wire_announce(struct gotrace *t, struct wire_g *g, struct wire_m *m, uint64_t time);
void wire_announce_p(struct gotrace *t, struct wire_p *p, uint64_t time);

/* Make sure there is a generation for an event at `time`: the first, the current or a new one. */
int gen_for(struct gotrace *t, uint64_t time);

/* Complete the current generation, if there is one, and write it. `last`: none follows. */
int gen_end(struct gotrace *t, uint64_t time, bool last);

/* If a goroutine runs on m with a P: write what waits for such a moment. */
void gen_running(struct gotrace *t, struct wire_m *m, uint64_t time);

/* The thread as the reader knows it, if a goroutine runs on it with a P, else NULL. */
struct wire_m *wire_speaker(struct gotrace *t, const struct thread *thread);

/* --- what the runtime does besides (gotrace_range.c) ---------------------------------------- */

void wire_range(struct gotrace *t, const struct range_change *c);
void wire_procs(struct gotrace *t, const struct procs_change *c);
void wire_heap(struct gotrace *t, const struct heap_change *c);
void tell_runtime(struct gotrace *t, struct wire_m *m, uint64_t time);

/* g stops to run, or the P of m: what can only go on while they run ends. Before their event. */
void range_stop_g(struct gotrace *t, struct wire_g *g, uint64_t time);
void range_stop_p(struct gotrace *t, struct wire_p *p, uint64_t time);
void range_start_p(struct gotrace *t, const struct wire_p *p, uint64_t time);
void range_enter_syscall(struct gotrace *t, struct wire_g *g, uint64_t time);

/* --- what the program says (gotrace_user.c) -------------------------------------------------- */

int wire_user(struct gotrace *t, const struct user_change *c);
void wire_label(struct gotrace *t, const struct label_change *c);
int wire_open_task(struct gotrace *t, uint64_t id); /* 1: it is new; 0: it is open; -ENOMEM */
void wire_close_task(struct gotrace *t, uint64_t id);
void wire_free_regions(struct wire_g *g);
void wire_free_tasks(struct gotrace *t);

/* --- CPU samples (gotrace_sample.c) ---------------------------------------------------------- */

void wire_sample(struct gotrace *t, const struct cpu_sample *c);
void samples_flush(struct gotrace *t);

/* --- losses, and what was left out (gotrace_gap.c) ------------------------------------------------------------------ */

void wire_loss(struct gotrace *t, const struct ev_loss *l);
void wire_shed(struct gotrace *t, const struct ev_shed *s);
void tell_gap(struct gotrace *t, struct wire_m *m, uint64_t time);
void tell_last_gap(struct gotrace *t); /* before the last generation ends */

/* A goroutine runs on m: remember a moment from which a gap can be said to last. */
void gap_mark(struct gotrace *t, struct wire_m *m, uint64_t time);

#endif
