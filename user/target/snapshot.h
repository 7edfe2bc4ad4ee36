/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* All goroutines, threads (M) and processors (P) of a running target, read without stopping it. */
#ifndef GSCOPE_TARGET_SNAPSHOT_H
#define GSCOPE_TARGET_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/base/error.h"
#include "user/target/target.h"

#define SNAPSHOT_MAX_FRAMES 128

/* Values of g.atomicstatus without the scan bit: runtime/runtime2.go */
enum go_status {
	GO_IDLE = 0,
	GO_RUNNABLE = 1,
	GO_RUNNING = 2,
	GO_SYSCALL = 3,
	GO_WAITING = 4,
	GO_DEAD = 6,
	GO_COPYSTACK = 8,
	GO_PREEMPTED = 9,
	GO_LEAKED = 10,
	GO_DEADEXTRA = 11,
};

struct snapshot_g {
	uint64_t time_ns; /* CLOCK_MONOTONIC, taken before the g was read */
	uint64_t addr;
	uint64_t goid;
	uint64_t m;
	int64_t wait_since; /* 0: not known */
	uint64_t parent_goid;
	uint64_t gopc, startpc;
	uint8_t status; /* enum go_status */
	uint8_t wait_reason; /* meaningful in GO_WAITING only */
	bool truncated; /* the stack goes on */
	uint16_t npcs; /* 0: running, or it moved while it was read */
	/* pcs[0] is where it stopped, then return addresses; runtime.goexit is included */
	const uint64_t *pcs;
};

struct snapshot_m {
	uint64_t addr;
	uint64_t curg, p, oldp;
	int64_t id;
	uint32_t tid; /* 0: an extra M no thread uses */
};

struct snapshot_p {
	uint64_t addr;
	uint64_t m;
	int32_t id;
	uint32_t status;
};

struct snapshot_gc {
	uint64_t time_ns; /* CLOCK_MONOTONIC, taken before it was read; 0: not known */
	bool marking; /* a cycle is under way, as Go's own tracer has it: runtime/trace.go */
};

struct snapshot {
	struct snapshot_gc gc;
	struct snapshot_m *m;
	size_t nm;
	struct snapshot_p *p;
	size_t np;
	size_t unstable; /* goroutines left out: they changed at every attempt to read them */
	uint64_t begin_ns, end_ns; /* when it was taken; end_ns 0: not all of it is */
};

/*
 * Where it goes while it is read: a process may have millions of goroutines, and none of them is kept.
 * Returns other than 0 end the reading and are passed on, with *e. Any may be NULL.
 */
struct snapshot_sink {
	/* Threads, Ps and the collector's state are in *s. */
	int (*begin)(void *ctx, const struct snapshot *s, struct error *e);
	/* A live one, in the order of the runtime's list; its pcs are gone afterwards. */
	int (*goroutine)(void *ctx, const struct snapshot_g *g, struct error *e);
	/* Every few milliseconds: all that comes from here on is read after `now_ns`. */
	int (*meanwhile)(void *ctx, uint64_t now_ns, struct error *e);
	void *ctx;
};

/*
 * Take it. 0; -ESRCH: the target has ended; -EPROTO: its lists make no sense; -ETIME: they have no end
 * in sight; -EINTR: the process's `stop` says so.
 */
int snapshot_take(struct snapshot *s, struct target *t, const struct snapshot_sink *to,
		  struct error *e);
void snapshot_free(struct snapshot *s);

/* Read one P, one that appeared after the snapshot (GOMAXPROCS raised): 0 or a negative errno. */
int snapshot_read_p(const struct target *t, uint64_t addr, struct snapshot_p *out);

#endif
