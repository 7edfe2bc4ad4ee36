/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Records on their way into this CPU's ring. */
#ifndef GSCOPE_RING_BPF_H
#define GSCOPE_RING_BPF_H

#include "bpf/maps.bpf.h"

static __always_inline void count_loss(__u32 loss_class)
{
	__u32 zero = 0;
	struct cpu_state *s = bpf_map_lookup_elem(&cpu_state, &zero);

	/* atomic: a tracepoint may interrupt a probe's program */
	if (s)
		__sync_fetch_and_add(&s->lost[loss_class], 1);
}

/* Room for a record whose head has its type and size; NULL, and the loss counted: there is none. */
static __always_inline void *event_room(__u16 type, __u32 room, __u32 loss_class)
{
	__u32 cpu = bpf_get_smp_processor_id();
	void *ring = bpf_map_lookup_elem(&rings, &cpu);
	struct event_head *h = ring ? bpf_ringbuf_reserve(ring, room, 0) : NULL;

	if (!h) {
		count_loss(loss_class);
		return NULL;
	}
	h->type = type;
	h->size = room;
	return h;
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

static __always_inline void event_submit(void *record, __u32 room)
{
	__u32 zero = 0;
	struct cpu_state *s = bpf_map_lookup_elem(&cpu_state, &zero);
	__u64 flags = BPF_RB_NO_WAKEUP;

	if (s) {
		__u64 bytes = s->unannounced + room;

		if (bytes >= wake_bytes) {
			bytes = 0;
			flags = BPF_RB_FORCE_WAKEUP;
		}
		s->unannounced = bytes;
	}
	bpf_ringbuf_submit(record, flags);
}

#endif
