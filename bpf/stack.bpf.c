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

/*
 * A walk's state is kept in memory and not in registers, so that the verifier, which knows
 * nothing of what is in memory, needs not follow every number of frames to its own end.
 */
struct scratch {
	__u32 busy;
	__u32 flags;
	__u64 n; /* frames in pc */
	__u64 id;
	__u64 lo, hi; /* the goroutine's stack */
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

/*
 * The parts of stack_send() are functions that are not part of another, so that they use the same bytes
 * of a program's stack, one after the other.
 *
 * Whether that stack was sent before; `remember`: from now on it was.
 */
int stack_known(const struct scratch *s, int remember)
{
	__u32 first, second;
	__u64 *a, *b;

	if (!s)
		return 1;
	first = s->id & (KNOWN_STACKS - 1);
	second = s->id >> 32 & (KNOWN_STACKS - 1);
	a = bpf_map_lookup_elem(&known_stacks, &first);
	b = bpf_map_lookup_elem(&known_stacks, &second);
	if (!a || !b)
		return 0;
	if (*a == s->id || *b == s->id)
		return 1;
	if (!remember)
		return 0;
	if (*a && !*b)
		*b = s->id;
	else
		*a = s->id;
	return 1;
}

/* 0: it did not fit into the ring. It stays unknown then: its next use tries again. */
int stack_emit(const struct scratch *s, const struct walk *w)
{
	struct ev_stack *ev;
	__u64 bytes;

	if (!s || !w || s->n > EVENT_MAX_FRAMES)
		return 0;
	bytes = s->n * 8;
	ev = event_reserve(EV_STACK, sizeof(*ev) + bytes, LOSS_STACK);
	if (!ev)
		return 0;
	/* nobody reads the ring past that record before it is out, which is later */
	if (w->before)
		ev->h.time_ns = w->before - 1;
	ev->h.tid = w->id;
	ev->id = s->id;
	ev->tgid = w->id >> 32;
	ev->n = bytes / 8;
	ev->flags = s->flags;
	/* the compiler may forget what it knows by now */
	barrier_var(bytes);
	if (bytes <= sizeof(s->pc))
		bpf_probe_read_kernel(ev->pc, bytes, s->pc);
	event_submit(ev, sizeof(*ev) + bytes);
	return 1;
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
static __always_inline bool step(struct scratch *s)
{
	__u64 n, next, pc, at, bp = s->bp, lo = s->lo, hi = s->hi;

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

/*
 * STEPS frames. 0: the last one was among them. A function of its own to the verifier, which then follows
 * that many steps and not EVENT_MAX_FRAMES, whatever came before; called once for STEPS frames it
 * costs next to nothing.
 *
 * Counters of loops have 64 bits here: one of 32 may share its place on the stack with something else,
 * and then the verifier does not know what it is.
 */
#define STEPS 16
_Static_assert(EVENT_MAX_FRAMES % STEPS == 0, "steps");

int stack_steps(struct scratch *s)
{
	if (!s)
		return 0;
	for (__u64 i = 0; i < STEPS; i++) {
		barrier();
		if (!step(s))
			return 0;
	}
	return 1;
}

/*
 * Is there a call before it? `e8` with a distance, or `ff /2` with whatever it takes. A function of its own
 * to the verifier, too.
 */
int is_return_address(__u64 pc)
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
	for (__u64 i = 0; i < NATIVE_FRAMES; i++) {
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
int stack_above(struct scratch *s, const struct native_walk *w)
{
	__u64 bp;

	if (!s || !w)
		return 0;
	bp = walk_native(s, w);
	if (w->next == NEXT_GO)
		push(s, w->go.pc);
	else if (w->next == NEXT_BP)
		s->bp = bp >= w->go.lo && bp < w->go.hi ? bp : 0;
	else if (!follow_switch(s, &w->go))
		s->bp = 0;
	return 0;
}

/* The leaf of a goroutine's stack. */
static __always_inline void walk_leaf(struct scratch *s, const struct walk *w)
{
	if (!w->hi)
		s->flags = STACK_LEFT_OUT;
	push(s, w->pc);
	if (w->caller) {
		push(s, w->caller);
		s->flags = STACK_MAYBE_CALLER;
	}
}

static __always_inline __u64 walk_and_send(const struct walk *w, const struct native_walk *native)
{
	struct scratch *s;
	__u64 id;

	s = claim();
	if (!s) {
		count_loss(LOSS_STACK);
		return 0;
	}
	s->lo = w->lo;
	s->hi = w->hi;
	s->bp = w->hi >= w->lo + 16 ? w->bp : 0;
	s->base = 0;
	s->have = 0;
	s->n = 0;
	s->flags = 0;
	s->id = stack_id_begin(w->id >> 32);
	if (native)
		stack_above(s, native);
	else
		walk_leaf(s, w);
	/* once more than there is room for: it tells that it was cut */
	for (__u64 i = 0; i <= EVENT_MAX_FRAMES / STEPS; i++) {
		barrier();
		if (!stack_steps(s))
			break;
	}
	barrier();
	s->id = stack_id_end(stack_id_add(s->id, s->flags));
	id = s->id;
	if (!stack_known(s, 0)) {
		if (stack_emit(s, w))
			stack_known(s, 1);
		else
			id = 0;
	}
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
