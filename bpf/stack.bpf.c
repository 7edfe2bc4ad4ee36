// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Goroutine stacks by frame pointers: every Go frame but a leaf's has one. */
#include "bpf/stack.bpf.h"

#include "bpf/ring.bpf.h"

/*
 * Stacks are read a window at a time: a helper call costs as much as a dozen frames inside it.
 * Most parked goroutines fit into one.
 */
#define WINDOW 1024

/* At most so many are C's. */
#define NATIVE_FRAMES 32

/* Frames of the smaller of two record sizes. */
#define FEW_FRAMES 32

/*
 * A walk's state is kept in memory and not in registers, so that the verifier, which knows
 * nothing of what is in memory, needs not follow every number of frames to its own end.
 */
struct scratch {
	__u32 busy;
	__u32 flags;
	__u64 n; /* frames in pc */
	__u64 id;
	__u64 bp;
	__u64 base, have; /* the window: [base, base + have) */
	__u64 window[WINDOW / 8 + 2];
	__u64 pc[EVENT_MAX_FRAMES];
};

/*
 * Programs of the same CPU can be in here at the same time: a probe's program can be preempted
 * by a thread that hits a probe, too. So room is claimed; if all is taken, the stack is lost.
 */
#define SCRATCHES 4

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SCRATCHES);
	__type(key, __u32);
	__type(value, struct scratch);
} scratch SEC(".maps");

/*
 * Ids of stacks that were sent, each in one of two places. A newcomer replaces whatever is in its
 * first place: then that other stack is sent once more, which harms nobody.
 */
#define KNOWN_STACKS (1U << 16)

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, KNOWN_STACKS);
	__type(key, __u32);
	__type(value, __u64);
} known_stacks SEC(".maps");

static __always_inline struct scratch *claim(void)
{
	for (__u32 i = 0; i < SCRATCHES; i++) {
		__u32 key = i;
		struct scratch *s = bpf_map_lookup_elem(&scratch, &key);

		if (s && !__sync_val_compare_and_swap(&s->busy, 0, 1))
			return s;
	}
	return NULL;
}

static __always_inline bool send(const struct scratch *s, __u64 id, const struct walk *w,
				 const __u32 frames)
{
	__u32 room = sizeof(struct ev_stack) + frames * 8;
	struct ev_stack *ev = event_reserve(EV_STACK, room, LOSS_STACK);

	if (!ev)
		return false;
	/* nobody reads the ring past that record before it is out, which is later */
	if (w->before)
		ev->h.time_ns = w->before - 1;
	ev->h.tid = w->id;
	ev->h.size = sizeof(struct ev_stack) + s->n * 8;
	ev->id = id;
	ev->tgid = w->id >> 32;
	ev->n = s->n;
	ev->flags = s->flags;
	bpf_probe_read_kernel(ev->pc, frames * 8, s->pc);
	event_submit(ev, room);
	return true;
}

/* A stack that did not fit into the ring stays unknown: its next use tries again. */
static __always_inline __u64 send_new(const struct scratch *s, __u64 id, const struct walk *w)
{
	__u32 first = id & (KNOWN_STACKS - 1), second = id >> 32 & (KNOWN_STACKS - 1);
	__u64 *a = bpf_map_lookup_elem(&known_stacks, &first);
	__u64 *b = bpf_map_lookup_elem(&known_stacks, &second);

	if (!a || !b)
		return 0;
	if (*a == id || *b == id)
		return id;
	if (!(s->n <= FEW_FRAMES ? send(s, id, w, FEW_FRAMES) : send(s, id, w, EVENT_MAX_FRAMES)))
		return 0;
	if (*a && !*b)
		*b = id;
	else
		*a = id;
	return id;
}

/* Have 16 bytes at s->bp in the window, as many as it takes more. */
static __always_inline bool look_at(struct scratch *s, __u64 bp, __u64 hi)
{
	__u64 want = hi - bp;

	if (want > WINDOW)
		want = WINDOW;
	if (bpf_probe_read_user(s->window, want, (void *)bp)) {
		/* a page further up may not be in memory */
		want = 16;
		if (bpf_probe_read_user(s->window, 16, (void *)bp))
			return false;
	}
	s->base = bp;
	s->have = want;
	return true;
}

static __always_inline void push(struct scratch *s, __u64 pc)
{
	__u64 n = s->n;

	if (n >= EVENT_MAX_FRAMES)
		return;
	s->pc[n] = pc;
	s->n = n + 1;
	s->id = stack_id_add(s->id, pc);
}

/*
 * The frame at `bp` is of what runtime.cgocallback called, which has the frame pointer of the
 * thread's own stack: go on where C was called, if that is known.
 */
static __always_inline bool cross_callback(struct scratch *s, __u64 bp, __u64 hi, __u64 ret)
{
	__u32 tgid = bpf_get_current_pid_tgid() >> 32;
	struct target_cfg *cfg = target_of(tgid);
	__u64 pc;

	if (!cfg || ret - cfg->callback_lo >= cfg->callback_hi - cfg->callback_lo)
		return false;
	bp += cfg->callback_up;
	pc = bp < hi ? read_word(bp - 8) : 0;
	if (!pc)
		return false;
	push(s, pc);
	s->bp = bp;
	return true;
}

/* One frame. False: it was the last. */
static __always_inline bool step(struct scratch *s, __u64 lo, __u64 hi)
{
	__u64 n, next, pc, at, bp = s->bp;

	if (!bp)
		return false;
	n = s->n;
	if (n >= EVENT_MAX_FRAMES || bp < lo || bp > hi - 16 || bp & 7)
		goto truncated;
	at = bp - s->base;
	if (at + 16 > s->have) {
		if (!look_at(s, bp, hi))
			goto truncated;
		at = 0;
	}
	at = at / 8 & (WINDOW / 8 - 1);
	next = s->window[at];
	pc = s->window[at + 1];
	if (!pc)
		return false;
	s->pc[n] = pc;
	s->n = n + 1;
	s->id = stack_id_add(s->id, pc);
	s->bp = next;
	if (!next || (next > bp && next < hi))
		return true;
	if (next > bp && cross_callback(s, bp, hi, pc))
		return true;
truncated:
	s->flags |= STACK_TRUNCATED;
	return false;
}

/* Is there a call before it? `e8` with a distance, or `ff /2` with whatever it takes. */
static __always_inline bool is_return_address(__u64 pc)
{
	__u8 c[8];

	if (bpf_probe_read_user(c, sizeof(c), (void *)(pc - sizeof(c))))
		return false;
	if (c[3] == 0xe8)
		return true;
	for (int i = 1; i < 7; i++)
		if (c[i] == 0xff && (c[i + 1] & 0x38) == 0x10)
			return true;
	return false;
}

/*
 * Most C code has no frame pointers. Then the register is anything, and the walk ends where it
 * does not lead to a frame above the last one and to code that made a call. Returns where it led
 * to then.
 */
static __always_inline __u64 walk_native(struct scratch *s, const struct native_walk *w)
{
	__u64 bp = w->bp, frame[2];

	push(s, w->pc);
	if (w->caller) {
		push(s, w->caller);
		s->flags = w->flags;
	}
	for (int i = 0; i < NATIVE_FRAMES; i++) {
		if (bp < w->lo || bp + 16 > w->hi || bp & 7 ||
		    bpf_probe_read_user(frame, sizeof(frame), (void *)bp) ||
		    !is_return_address(frame[1]))
			break;
		push(s, frame[1]);
		if (frame[0] <= bp) {
			bp = frame[0];
			break;
		}
		bp = frame[0];
	}
	return bp;
}

/* runtime.systemstack and runtime.morestack call on the thread's stack: runtime/asm_amd64.s. */
static __always_inline bool follow_switch(struct scratch *s, const struct walk *go)
{
	__u32 tgid = go->id >> 32;
	struct target_cfg *cfg = target_of(tgid);
	__u64 n = s->n - 1, last;

	if (!cfg || n >= EVENT_MAX_FRAMES)
		return false;
	last = s->pc[n];
	if (last - cfg->morestack_lo < cfg->morestack_hi - cfg->morestack_lo)
		push(s, go->pc); /* it stopped where it has no frame yet */
	else if (last - cfg->systemstack_lo >= cfg->systemstack_hi - cfg->systemstack_lo)
		return false;
	if (go->caller)
		push(s, go->caller);
	return true;
}

/* The frames in front of the goroutine's; s->bp becomes that of the first of these, 0: none. */
static __always_inline void walk_above(struct scratch *s, const struct native_walk *w)
{
	__u64 bp = walk_native(s, w);

	if (w->next == NEXT_GO)
		push(s, w->go.pc);
	else if (w->next == NEXT_BP)
		s->bp = bp >= w->go.lo && bp < w->go.hi ? bp : 0;
	else if (!follow_switch(s, &w->go))
		s->bp = 0;
}

static __always_inline __u64 walk_and_send(const struct walk *w, const struct native_walk *native)
{
	struct scratch *s;
	__u64 lo, hi, id;

	s = claim();
	if (!s) {
		count_loss(LOSS_STACK);
		return 0;
	}
	lo = w->lo;
	hi = w->hi;
	s->bp = hi >= lo + 16 ? w->bp : 0;
	s->base = 0;
	s->have = 0;
	s->n = 0;
	s->flags = 0;
	s->id = stack_id_begin(w->id >> 32);
	if (native) {
		walk_above(s, native);
	} else {
		if (!hi)
			s->flags = STACK_LEFT_OUT;
		push(s, w->pc);
		if (w->caller) {
			push(s, w->caller);
			s->flags = STACK_MAYBE_CALLER;
		}
	}
	for (__u32 i = 0; i < EVENT_MAX_FRAMES; i++) {
		barrier();
		if (!step(s, lo, hi))
			break;
	}
	barrier();
	id = send_new(s, stack_id_end(stack_id_add(s->id, s->flags)), w);
	s->busy = 0;
	return id;
}

__u64 stack_send(struct walk *w)
{
	return w ? walk_and_send(w, NULL) : 0;
}

__u64 stack_send_native(struct native_walk *w)
{
	return w ? walk_and_send(&w->go, w) : 0;
}
