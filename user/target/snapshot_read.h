/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the parts of the snapshot share: snapshot_lists.c reads threads and processors,
 * snapshot_goroutines.c the goroutines, snapshot_stack.c walks their stacks.
 */
#ifndef GSCOPE_TARGET_SNAPSHOT_READ_H
#define GSCOPE_TARGET_SNAPSHOT_READ_H

#include <string.h>

#include "user/target/callback.h"
#include "user/target/snapshot.h"

#define SCAN_BIT 0x1000U /* _Gscan */

/* A field that is not there, or not known to be, is 0. */
static inline uint64_t get64(const uint8_t *p, int32_t off)
{
	uint64_t v;

	if (off < 0)
		return 0;
	memcpy(&v, p + off, sizeof(v));
	return v;
}

static inline uint32_t get32(const uint8_t *p, int32_t off)
{
	uint32_t v;

	memcpy(&v, p + off, sizeof(v));
	return v;
}

static inline size_t max_size(size_t size, int32_t off, size_t len)
{
	return off >= 0 && off + len > size ? off + len : size;
}

static inline unsigned int status_of(const struct layout *l, const uint8_t *g)
{
	return get32(g, l->g.atomicstatus) & ~SCAN_BIT;
}

/* What failed; errors of all parts. */
int snapshot_no_memory(struct error *e);
int snapshot_unreadable(const struct target *t, const char *what, int err, struct error *e);
int snapshot_senseless(const struct target *t, const char *what, struct error *e);

/* Read `len` bytes of a variable of the runtime. */
int snapshot_variable(const struct target *t, uint64_t addr, const char *name, void *buf,
		      size_t len, struct error *e);

int snapshot_threads(struct snapshot *s, const struct target *t, struct error *e);
int snapshot_processors(struct snapshot *s, const struct target *t, struct error *e);
int snapshot_goroutines(struct snapshot *s, struct target *t, const struct snapshot_sink *to,
			struct error *e);

/*
 * To be asked in every loop over what the target says: 0, -EINTR if the user has had enough, -ETIME if
 * that takes longer than any honest list.
 */
int snapshot_go_on(const struct snapshot *s, const struct target *t, struct error *e);

/* Whether `n` things of at least `size` bytes each can be in the memory the target has. */
bool snapshot_plausible(const struct target *t, uint64_t n, uint64_t size);

/* One goroutine on its way: what was read of it and its stack. */
struct pending {
	uint64_t addr;
	uint64_t time_ns;
	uint8_t *g; /* bytes of the struct */
	uint64_t pc, sp, bp; /* where it stopped; pc 0: it has no stack to read */
	uint64_t hi; /* end of its stack */
	uint8_t *stack; /* the part from `base` on */
	uint64_t base;
	size_t size; /* of `stack` */
	uint64_t pcs[SNAPSHOT_MAX_FRAMES];
	unsigned int npcs;
	bool truncated;
	bool broken; /* it led somewhere it cannot go: it changed under us */
	bool live, settled;
};

/* Where the walk of the stack of p, whose struct was read, begins; p->pc 0: nowhere. */
void snapshot_find_stack(const struct target *t, struct pending *p);

/* What tables say of an address: most of a million goroutines stand at the same few. */
struct known_pc {
	uint64_t pc; /* 0: none */
	bool code; /* it is in a function */
	bool has_pcsp;
	int pcsp; /* modules_pcsp() */
};

#define KNOWN_PCS \
	256 /* a power of two; an address has one place, which the next one of that place takes */

/* What walks of one process's stacks share. */
struct walker {
	struct callback callback;
	struct known_pc known[KNOWN_PCS];
};

/* Room for what is read of a stack beyond what was read at once. */
#define DEEP_READ (32U << 10)

/*
 * Follow the frame pointers. A function that stopped in its prologue (stack check, preemption) or
 * that makes no frame has not saved its caller's: then the return address is at the top of the
 * stack, and the frame pointer already belongs to the caller. What is not in what was read is read
 * into `room`, DEEP_READ bytes, unless that is NULL.
 */
void snapshot_walk(const struct target *t, struct walker *w, struct pending *p, uint8_t *room);

#endif
