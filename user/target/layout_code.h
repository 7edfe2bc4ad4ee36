/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Internal to layout_code*.c: what is being derived, and the values that matter. */
#ifndef GSCOPE_TARGET_LAYOUT_CODE_H
#define GSCOPE_TARGET_LAYOUT_CODE_H

#include "user/target/flow.h"
#include "user/target/layout_rungs.h"

#define CONTRADICTED (-2)

#define MAX_WRITES 128
#define MAX_CANDIDATES 16

/* A write of 8 bytes, to be understood when all of the function was seen. */
struct write {
	flow_id base, value;
	int64_t off;
};

struct derive {
	struct layout *l;
	struct write writes[MAX_WRITES];
	size_t nwrites;
	flow_id compared[MAX_WRITES][2];
	size_t ncompared;
	/* offsets one function speaks of, of which another one picks one */
	int64_t candidates[MAX_CANDIDATES];
	size_t ncandidates;
	uint64_t tls_slot; /* a vaddr */
};

/* A witness says that *field is at `off`. */
void derive_put(int32_t *field, int64_t off);

/* The g the code runs on, and the m of that. */
bool derive_is_g(const struct flow *fl, flow_id id);
bool derive_is_m(const struct derive *d, const struct flow *fl, flow_id id);

/* Threads and goroutines are made: what mpreinit, mcommoninit and newproc1 put into them. */
void note_mpreinit(void *ctx, const struct flow *fl, const struct flow_event *ev);
void note_mcommoninit(void *ctx, const struct flow *fl, const struct flow_event *ev);
void note_newproc1(void *ctx, const struct flow *fl, const struct flow_event *ev);
void derive_newg(struct derive *d, const struct flow *fl);

#endif
