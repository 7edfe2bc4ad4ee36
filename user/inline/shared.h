/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The memory gscope shares with a target whose calls it has redirected: a header that says all
 * that is needed to undo it, whoever finds it, and rings that stubs in the target write into.
 *
 * One ring for each P, which has one writer at a time: the thread that holds the P. Ring 0 is for
 * threads without, and has many writers.
 */
#ifndef GSCOPE_INLINE_SHARED_H
#define GSCOPE_INLINE_SHARED_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/event.h"

/* What the mapping is called in /proc/PID/maps: "/memfd:gscope-inline (deleted)". */
#define INLINE_NAME "gscope-inline"

#define INLINE_MAGIC 0x326e696c6e697367ULL /* "gsinlin2" */
#define INLINE_MAX_SITES 1024
#define INLINE_HEADER_BYTES (64U << 10)

enum inline_state {
	INLINE_EMPTY, /* nothing was planted */
	INLINE_PLANTED, /* calls lead, or may lead, to the stubs */
	INLINE_RESTORED, /* none does any more, but a thread may still be in a stub */
};

/* A call whose operand is changed. */
struct inline_operand {
	uint64_t pc; /* of the call; the operand is behind its one byte */
	int32_t original;
	int32_t planted; /* the same: it was left alone */
};

static inline int inline_is_redirected(const struct inline_operand *o)
{
	return o->planted != o->original;
}

struct inline_header {
	uint64_t magic;
	uint32_t state; /* enum inline_state */
	int32_t owner; /* pid of the gscope that drains the rings, */
	uint64_t owner_start; /* and its start time, by which it is told from a later process */
	int32_t target; /* pid of the process it was planted in, as the owner sees it: a fork has it, too */
	uint32_t pad;
	uint64_t stubs, stubs_size; /* addresses in the target, as those that follow */
	uint64_t base, size; /* of this memory */
	uint64_t dev,
		inode; /* of its file, as in /proc/PID/maps: known by gscope's own copy alone */
	/* what the stubs look at: whether to do anything, and of which goroutines to walk stacks */
	uint32_t enabled;
	uint32_t nsites;
	uint64_t stack_limit; /* bpf/control.h, stack_choice() */
	struct inline_operand site[INLINE_MAX_SITES];
};
_Static_assert(sizeof(struct inline_header) <= INLINE_HEADER_BYTES, "inline_header");

#define INLINE_KNOWN_BITS 10
#define INLINE_KNOWN (1U << INLINE_KNOWN_BITS)

/*
 * `head` and `tail` are positions that only grow; a record is at its position modulo the ring's
 * size, and goes on behind the ring's end without wrapping: there is room for it.
 */
struct inline_ring {
	uint64_t head; /* bytes written */
	/*
	 * Not 0: a record is under way, with a time that may be earlier than any moment at which
	 * that is seen. Of ring 0 unused: there a record is under way as long as its time is 0.
	 */
	uint32_t busy;
	uint32_t pad0;
	uint64_t lost; /* records that found no room */
	uint64_t waits; /* how often the writer waited for the reader: INLINE_PAUSES */
	uint64_t pad1[4];
	uint64_t tail; /* bytes read: written by the reader, on a cache line of its own */
	uint64_t pad2[7];
	/*
	 * Stacks whose frames were written into this ring, each in one place: a newcomer takes
	 * that of another, whose frames then come once more. Of the writer alone.
	 */
	uint64_t known[INLINE_KNOWN];
	uint8_t data[];
};
_Static_assert(offsetof(struct inline_ring, tail) == 64, "inline_ring");
_Static_assert(offsetof(struct inline_ring, known) == 128, "inline_ring");

/*
 * A writer whose ring is more than half full executes so many PAUSE instructions before each record, a
 * fifth of a microsecond or so, and no more, whatever the reader does: enough for it to keep up. Where
 * nobody reads the ring is soon full, and then nothing waits.
 */
#define INLINE_PAUSES 8

#define INLINE_MAYBE_CALLER 1U /* pc[1] is the word at SP: STACK_MAYBE_CALLER */
#define INLINE_LEFT_OUT 2U /* pc[0] is all that was asked for: STACK_LEFT_OUT */

/* One event, as a stub writes it. */
struct inline_record {
	uint64_t tsc;
	uint32_t site; /* number among the target's sites */
	uint32_t size; /* of the record, a multiple of 8 */
	uint64_t gp;
	uint64_t goid;
	uint64_t procid; /* m.procid: the tid in the target's PID namespace */
	uint64_t p; /* m.p */
	uint64_t curg; /* m.curg */
	uint8_t old_status, new_status; /* as the call has them */
	uint8_t wait_reason, block_reason; /* struct ev_go */
	uint8_t flags; /* INLINE_* */
	uint8_t pad[3];
	uint64_t arg[2]; /* waitTraceSkip, or ready()'s; of a creation: startpc, gopc */
	uint64_t end; /* where the walk of frame pointers ended; 0: at the outermost frame */
	uint64_t stack; /* number of the stack, made of its frames; 0: none */
	/* (size - 96) / 8 frames, as in struct ev_stack; none if the ring had those of `stack` before */
	uint64_t pc[];
};
_Static_assert(offsetof(struct inline_record, pc) == 96, "inline_record");

#define INLINE_RECORD_MAX (offsetof(struct inline_record, pc) + 8 * EVENT_MAX_FRAMES)
#define INLINE_SLOT 128U /* bytes of a record in ring 0, which has no stacks */
_Static_assert(INLINE_SLOT >= offsetof(struct inline_record, pc), "inline_record");

/* How the memory is divided. */
struct inline_geometry {
	uint32_t rings; /* one more than there may be Ps */
	uint32_t stride; /* bytes from one ring to the next */
	uint32_t room; /* bytes of a ring's data: a power of two */
};

/* Behind the data is room for the longest record. */
static inline uint32_t inline_stride(uint32_t room)
{
	return (uint32_t)(sizeof(struct inline_ring) + room + INLINE_RECORD_MAX + 4095) & ~4095U;
}

static inline uint64_t inline_size(const struct inline_geometry *g)
{
	return INLINE_HEADER_BYTES + (uint64_t)g->rings * g->stride;
}

/* The division of memory of `size` bytes into as many rings as *g has; false: it is none. */
static inline int inline_divide(struct inline_geometry *g, uint64_t size)
{
	uint64_t stride = size > INLINE_HEADER_BYTES ? (size - INLINE_HEADER_BYTES) / g->rings : 0;
	uint32_t room = 4096;

	while (room < (1U << 30) && inline_stride(room) < stride)
		room *= 2;
	g->room = room;
	g->stride = inline_stride(room);
	return inline_size(g) == size;
}

static inline uint64_t inline_ring_offset(const struct inline_geometry *g, uint32_t ring)
{
	return INLINE_HEADER_BYTES + (uint64_t)ring * g->stride;
}

#endif
