/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Records on their way into this CPU's ring: bpf/control.h has how that lies in memory. A BPF ring
 * buffer does the same with a lock, for writers of all CPUs, at twice the cost; ours has one CPU, on
 * which an interrupt's program may come in between, and no more.
 */
#ifndef GSCOPE_RING_BPF_H
#define GSCOPE_RING_BPF_H

#include "bpf/maps.bpf.h"

/* As often as programs can interrupt each other in the middle of event_room(). */
#define RING_TRIES 4

static __always_inline struct cpu_state *this_cpu(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&cpu_state, &zero);
}

static __always_inline void count_loss(__u32 loss_class)
{
	struct cpu_state *s = this_cpu();

	/* atomic: a tracepoint may interrupt a probe's program */
	if (s)
		__sync_fetch_and_add(&s->lost[loss_class], 1);
}

/* Is there room up to position `end`? The reader's is looked at only when there seems to be none. */
static __always_inline bool ring_has_room(struct cpu_state *s, __u32 cpu, __u64 end)
{
	const volatile struct ring_taken *t;

	if (end - s->taken <= ring_bytes)
		return true;
	t = bpf_map_lookup_elem(&ring_taken, &cpu);
	if (!t)
		return false;
	s->taken = t->at;
	return end - s->taken <= ring_bytes;
}

/* Where the record at position `at` is; NULL: this CPU has no ring. */
static __always_inline struct ring_header *ring_place(__u32 cpu, __u64 at)
{
	void *ring = bpf_map_lookup_elem(&rings, &cpu);
	__u32 key = at / RING_CHUNK & ring_mask;
	struct ring_chunk *chunk;
	__u64 off = at & (RING_CHUNK - 8);

	if (!ring)
		return NULL;
	chunk = bpf_map_lookup_elem(ring, &key);
	return chunk ? (void *)(chunk->bytes + off) : NULL;
}

/* Room for a record whose head has its type and size; NULL, and the loss counted: there is none. */
static __always_inline void *event_room(__u16 type, __u32 room, __u32 loss_class)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct cpu_state *s = this_cpu();
	struct ring_header *header;
	struct event_head *h;
	__u64 at, end;

	if (!s)
		return NULL;
	for (__u64 i = 0; i < RING_TRIES; i++) {
		at = *(volatile __u64 *)&s->begun;
		end = ring_next(at, room);
		if (!ring_has_room(s, cpu, end))
			break;
		if (__sync_val_compare_and_swap(&s->begun, at, end) != at)
			continue;
		header = ring_place(cpu, at);
		if (!header)
			break;
		/* what is there from the last time round has another position */
		*(volatile __u64 *)header = ring_mark(at);
		h = (void *)(header + 1);
		h->type = type;
		h->size = room;
		return h;
	}
	count_loss(loss_class);
	return NULL;
}

/*
 * The same with the time in its head, which is taken here, after the room was reserved: the
 * collector's merge relies on no record being stamped before it has its place (a probe's program
 * can be preempted).
 */
static __always_inline void *event_reserve(__u16 type, __u32 room, __u32 loss_class)
{
	struct event_head *h = event_room(type, room, loss_class);

	if (h)
		h->time_ns = bpf_ktime_get_ns();
	return h;
}

/* Wake the collector. If that has not heard the last 250 times, once more makes no difference. */
static __always_inline void ring_the_bell(void)
{
	__u64 *sound = bpf_ringbuf_reserve(&bell, sizeof(*sound), 0);

	if (!sound)
		return;
	*sound = 0;
	bpf_ringbuf_submit(sound, BPF_RB_FORCE_WAKEUP);
}

static __always_inline void event_submit(void *record, __u32 room)
{
	struct ring_header *header = (struct ring_header *)record - 1;
	struct cpu_state *s = this_cpu();
	__u64 bytes;

	barrier();
	*(volatile __u32 *)&header->len = room;
	if (!s)
		return;
	bytes = s->unannounced + room;
	if (bytes >= wake_bytes) {
		bytes = 0;
		ring_the_bell();
	}
	s->unannounced = bytes;
}

#endif
