/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A small Go process made by hand: it keeps the model as the replay does and tells a sink of every
 * step. Steps are not checked here; the tests make legal ones.
 */
#ifndef GSCOPE_TESTS_UNIT_EXPORT_WORLD_H
#define GSCOPE_TESTS_UNIT_EXPORT_WORLD_H

#include "user/replay/sink.h"

#define WORLD_MAX 512
#define WORLD_STEP 1000 /* ns from one step to the next */

struct world {
	struct sink sink;
	struct symbols *symbols;
	struct process ps;
	struct thread m[WORLD_MAX];
	struct proc p[WORLD_MAX];
	struct goroutine g[WORLD_MAX];
	unsigned int np, ng;
	uint64_t now; /* of the next step */
	uint64_t serial;
	int err; /* first error of the sink */
};

/* What a step of a goroutine may come with; all zero will do. */
struct with {
	struct goroutine *other;
	const char *reason, *block;
	uint64_t stack;
	int skip;
};

/* Time of the first step: `begin`. Threads are 4000 + index. */
void world_init(struct world *w, uint64_t begin);
void world_free(struct world *w);

/* Add objects that exist before world_begin(); a P or goroutine is bound to *m if m is not NULL. */
struct proc *world_p(struct world *w, enum p_state state, struct thread *m);
struct goroutine *world_g(struct world *w, uint64_t id, enum g_state state, struct thread *m);
void world_begin(struct world *w);

/* A goroutine that does not exist yet, for a creating step. */
struct goroutine *world_new_g(struct world *w, uint64_t id);

/* One step at w->now, which then goes on by WORLD_STEP. */
void world_go(struct world *w, enum g_cause cause, struct goroutine *g, struct thread *m,
	      const struct with *with);
void world_proc(struct world *w, enum p_cause cause, struct proc *p, struct thread *m);
void world_lose(struct world *w, enum loss_class class, uint64_t count, uint64_t since);

void world_shed(struct world *w, struct ev_shed s);

/* What comes besides, also one step each. Time and process need not be set, nor empty strings. */
void world_range(struct world *w, struct range_change c);
void world_procs(struct world *w, struct procs_change c);
void world_user(struct world *w, struct user_change c);
void world_label(struct world *w, struct label_change c);
void world_heap(struct world *w, uint64_t live, uint64_t goal);
void world_sample(struct world *w, struct cpu_sample c);
void world_end(struct world *w);

/* One frame per PC. */
void world_symbol(struct world *w, uint64_t pc, const char *func, const char *file, uint32_t line);
void world_stack(struct world *w, uint64_t id, const uint64_t *pcs, unsigned int n);

#endif
