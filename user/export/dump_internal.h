/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef GSCOPE_EXPORT_DUMP_INTERNAL_H
#define GSCOPE_EXPORT_DUMP_INTERNAL_H

#include "user/base/hash.h"
#include "user/export/dump.h"

/* What an address in a process stands for. */
struct dump_id {
	struct dump_key {
		uint64_t addr;
		uint32_t tgid;
		uint32_t what; /* 'G' or 'P' */
	} key;
	int64_t id;
	UT_hash_handle hh;
};

/* A numbered string of a process's runtime. */
struct dump_string {
	struct dump_string_key {
		uint32_t tgid;
		uint16_t kind, number;
	} key;
	UT_hash_handle hh;
	char text[];
};

struct dump {
	FILE *out;
	struct dump_options options;
	const struct symbols *symbols;
	bool begun;
	uint64_t begin;
	struct dump_id *names;
	struct dump_string *strings;
};

/*
 * Pieces of a line. Whatever text comes from the target is escaped.
 */

/* Begin a line. */
void dump_time(struct dump *d, uint64_t time);

/* " stack=innermost<caller<...", nothing if the stack is 0. */
void dump_stack(struct dump *d, uint32_t tgid, uint64_t stack, int skip);

/* " key=function", nothing if pc is 0. */
void dump_func(struct dump *d, const char *key, uint32_t tgid, uint64_t pc);

/* Goroutine and P of a thread, and whether it was on its system stack. */
void dump_ctx(struct dump *d, uint32_t tgid, const struct ev_gctx *ctx);

/* " \"text\"" */
void dump_text(struct dump *d, const char *text, size_t len);

/* Without quotation marks. */
void dump_name(struct dump *d, const char *name);

/* The same of `size` bytes, which need not end with a NUL. */
void dump_field(struct dump *d, const char *text, size_t size);

/* " M4711 P2 G17"; "-" for NULL keeps the columns. */
void dump_who(struct dump *d, const struct thread *m, const struct proc *p,
	      const struct goroutine *g);

/* " key=0.000001234", in seconds. */
void dump_span(struct dump *d, const char *key, uint64_t ns);

/* End a line. tgid 0: about no process. Returns 0 or -EIO. */
int dump_line_end(struct dump *d, uint32_t tgid, unsigned int flags);

/* All but the time of what was left out. */
void dump_shed(struct dump *d, const struct ev_shed *ev);

/* Of enum go_kind, runtime_kind or user_kind. */
const char *dump_kind(unsigned int kind);

/* --- dump_ranges.c: transitions of what is beside goroutines, Ps and threads --- */
int dump_range(void *ctx, const struct range_change *c);
int dump_procs(void *ctx, const struct procs_change *c);
int dump_user(void *ctx, const struct user_change *c);
int dump_label(void *ctx, const struct label_change *c);
int dump_heap(void *ctx, const struct heap_change *c);
int dump_sample(void *ctx, const struct cpu_sample *c);

/* --- dump_runtime.c: records about the runtime, annotations and samples --- */
void dump_runtime(struct dump *d, const struct event_head *ev);

/* --- dump_names.c: learn from records, look up; out of memory means to forget --- */
void names_learn(struct dump *d, const struct event_head *ev);
void names_free(struct dump *d);

/* " G17"; "G?" for an unknown address, nothing for 0. what: 'G' or 'P'. */
void names_print(struct dump *d, char what, uint32_t tgid, uint64_t addr);

/* A string of the runtime, NULL if it is not known. */
const char *names_string(const struct dump *d, uint32_t tgid, enum string_kind kind,
			 unsigned int number);

#endif
