/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The rules of Go's own trace reader, kept a second time and apart from the model: by goid, P id and
 * tid, from what is told alone.
 */
#ifndef GSCOPE_TESTS_UNIT_REPLAY_STREAM_CHECK_H
#define GSCOPE_TESTS_UNIT_REPLAY_STREAM_CHECK_H

#include "tests/unit/replay/stream.h"

#define MAX_ID 4096
#define MAX_REGIONS 32 /* of a goroutine; those on top are not checked */
struct check {
	struct {
		enum g_state state;
		uint32_t tid;
		bool stw, assist;
		int nregions;
		struct {
			uint64_t task;
			char *type;
		} region[MAX_REGIONS];
	} g[MAX_ID];
	struct {
		bool known;
		enum p_state state;
		uint32_t tid;
		bool sweeps;
	} p[64];
	struct {
		int p; /* id + 1 */
		int g;
	} m[MAX_ID];
	uint64_t last;
	bool gc, stw;
	bool task[64];
	int switching; /* goroutine the next G_SWITCH_IN must be of */
};

void stream_broken(struct stream *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void stream_say(struct stream *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void stream_check_time(struct stream *s, uint64_t time, bool may_equal);
bool stream_runs(const struct stream *s, int g, uint32_t tid);

/* stream_runtime.c */
void stream_check_end(struct stream *s, int g); /* g is dead */
void stream_check_free(struct check *k);
int stream_on_range(void *ctx, const struct range_change *c);
int stream_on_procs(void *ctx, const struct procs_change *c);
int stream_on_user(void *ctx, const struct user_change *c);
int stream_on_label(void *ctx, const struct label_change *c);
int stream_on_heap(void *ctx, const struct heap_change *c);
int stream_on_sample(void *ctx, const struct cpu_sample *c);

#define ADD(s, type, tid, ...)                                       \
	do {                                                         \
		__typeof__(__VA_ARGS__) ev_ = __VA_ARGS__;           \
                                                                     \
		stream_add((s), &ev_.h, (type), sizeof(ev_), (tid)); \
	} while (0)

static inline uint64_t g_addr(int g)
{
	return g < 0 ? 0 : G_ADDR(g);
}

static inline uint64_t p_addr(int p)
{
	return p < 0 ? 0 : P_ADDR(p);
}

#endif
