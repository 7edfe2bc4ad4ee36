// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The program annotates its trace: uprobes in what package runtime/trace, and runtime/pprof for
 * labels, call in the runtime even if nobody traces. R14 is the goroutine, on its own stack.
 */
#include "bpf/hit.bpf.h"

/*
 * Records have one of these sizes, as a ring wants to know it beforehand; twice, as the verifier
 * does not know that what is left becomes less.
 */
#define SMALL 96
#define MEDIUM 512
#define LARGE 2112 /* two texts of USER_MAX_TEXT, or as much in USER_MAX_LABELS pairs */

/* What a string takes; if it cannot be read, where it is takes as much as a short one. */
static __always_inline __u32 piece_bytes(__u64 len)
{
	if (len > USER_MAX_TEXT)
		len = USER_MAX_TEXT;
	if (len < sizeof(struct user_string))
		len = sizeof(struct user_string);
	return sizeof(struct user_piece) + ((len + 7) & ~7ULL);
}

static __always_inline struct ev_user *user_reserve(const struct hit *h, __u32 room)
{
	struct ev_user *ev = event_reserve(EV_USER, room, LOSS_GO);

	if (!ev)
		return NULL;
	ev->h.tid = h->id;
	ev->h.size = sizeof(*ev);
	ev->tgid = h->id >> 32;
	ev->cpu = bpf_get_smp_processor_id();
	ev->gp = h->gp;
	ev->goid = g_word(&h->g, h->cfg->g_goid);
	ev->p = h->p;
	ev->stack = 0;
	ev->task = 0;
	ev->parent = 0;
	ev->site = cookie_site(h->cookie);
	ev->kind = cookie_kind(h->cookie);
	ev->flags = 0;
	ev->len[0] = 0;
	ev->len[1] = 0;
	return ev;
}

/* Append a string to a record with room for 2 * `limit` bytes. False: there is none left. */
static __always_inline bool put(struct ev_user *ev, const __u32 limit,
				const struct user_string *text)
{
	__u32 off = ev->h.size - sizeof(*ev), n = text->len;
	struct user_piece *piece;

	if (text->len > USER_MAX_TEXT) {
		n = USER_MAX_TEXT;
		ev->flags |= USER_CUT;
	}
	if (off + piece_bytes(n) > limit) {
		ev->flags |= USER_CUT;
		return false;
	}
	/* both follow from that, but not to the verifier */
	barrier_var(n);
	barrier_var(off);
	if (n > limit || off > limit - piece_bytes(0))
		return false;
	piece = (void *)(ev->text + off);
	piece->elsewhere = 0;
	piece->pad = 0;
	if (n && bpf_probe_read_user(piece + 1, n, (void *)text->addr)) {
		*(struct user_string *)(piece + 1) = *text;
		piece->elsewhere = 1;
		n = sizeof(*text);
	}
	piece->len = n;
	ev->len[0]++;
	ev->h.size += sizeof(*piece) + ((n + 7) & ~7U);
	return true;
}

/* What an annotation consists of. */
struct note {
	__u64 task, parent, stack;
	struct user_string text[2];
	__u8 kind; /* enum user_kind */
	__u8 texts;
};

static __always_inline int send_note(const struct hit *h, const struct note *t, const __u32 limit)
{
	const __u32 room = sizeof(struct ev_user) + 2 * limit;
	struct ev_user *ev = user_reserve(h, room);

	if (!ev)
		return 0;
	ev->kind = t->kind;
	ev->task = t->task;
	ev->parent = t->parent;
	ev->stack = t->stack;
	if (t->texts > 0)
		put(ev, limit, &t->text[0]);
	if (t->texts > 1)
		put(ev, limit, &t->text[1]);
	event_submit(ev, room);
	return 0;
}

/* The carry and the zero flag: what `jbe` jumps by. */
#define FLAGS_BELOW_OR_EQUAL 0x41U

/*
 * Up to Go 1.20 the site is the jump of the stack check, which is passed again if it is taken and
 * the stack grows.
 */
static __always_inline bool comes_again(const struct hit *h, const struct pt_regs *ctx)
{
	return h->cfg->go_minor <= 20 && ctx->flags & FLAGS_BELOW_OR_EQUAL;
}

/* From the caller of the probed function on, as sites are where it has no frame yet. */
static __always_inline __u64 caller_stack(const struct hit *h, const struct pt_regs *ctx)
{
	struct walk w;

	if (!stack_wanted(h->cfg, &h->g))
		return 0;
	walk_begin(&w, h->cfg, &h->g, h->id);
	w.pc = read_word(ctx->sp);
	w.bp = ctx->bp;
	return stack_send(&w);
}

_Static_assert(sizeof(struct note) <= sizeof(struct g_head), "note");

/* Arguments: user/target/sites.h. */
static __always_inline int tell_note(struct hit *h, const struct pt_regs *ctx, __u64 stack)
{
	struct note *t = (void *)&h->g; /* nobody needs that any more, and room is scarce */
	__u32 bytes;

	*t = (struct note){.kind = cookie_kind(h->cookie), .stack = stack};
	if (t->kind != USER_START_REGION)
		t->task = ctx->ax;
	if (t->kind == USER_LOG) {
		t->text[0] = (struct user_string){ctx->bx, ctx->cx};
		t->text[1] = (struct user_string){ctx->di, ctx->si};
		t->texts = 2;
	} else if (t->kind != USER_TASK_END) {
		t->text[0] = (struct user_string){ctx->cx, ctx->di};
		t->texts = 1;
	}
	if (t->kind == USER_TASK_BEGIN)
		t->parent = ctx->bx;
	else if (t->kind == USER_REGION_BEGIN && ctx->bx)
		t->kind = USER_REGION_END;
	bytes = piece_bytes(t->text[0].len) + piece_bytes(t->text[1].len);
	if (bytes <= SMALL)
		return send_note(h, t, SMALL);
	if (bytes <= MEDIUM)
		return send_note(h, t, MEDIUM);
	return send_note(h, t, LARGE);
}

static __noinline int on_note(struct pt_regs *ctx, __u64 cookie)
{
	__u64 stack = 0;
	struct hit h;

	if (!hit_begin(&h, ctx, cookie, ctx->r14) || comes_again(&h, ctx))
		return 0;
	if (cookie_is_frameless(cookie))
		stack = caller_stack(&h, ctx);
	return tell_note(&h, ctx, stack);
}

/* --- labels ------------------------------------------------------------------------------- */

/* Where the strings of labels are in the target's memory. */
struct labels {
	__u64 keys; /* the first one's key */
	__u32 stride; /* from key to key, */
	__u32 to_value; /* and from it to its value */
	__u32 used; /* bit set: which of the keys there are */
	bool more; /* than there is room for */
};

/* runtime/pprof/label.go, Go 1.24 to 1.27: struct{ list []struct{ key, value string } } */
static __always_inline bool find_list(struct labels *l, __u64 set)
{
	__u64 list[2]; /* address, length */

	if (bpf_probe_read_user(list, sizeof(list), (void *)set))
		return false;
	l->keys = list[0];
	l->stride = 32;
	l->to_value = 16;
	l->more = list[1] > USER_MAX_LABELS;
	l->used = l->more ? 0xff : (1U << list[1]) - 1;
	return true;
}

/*
 * Go 1.19 to 1.23: *map[string]string. One with up to 8 entries has one bucket (runtime/map.go):
 * 8 bytes that say which are in use, 8 keys, 8 values.
 */
#define MAP_BUCKET 8
#define HMAP_B 9 /* uint8: logarithm of how many there are */
#define HMAP_BUCKETS 16
#define MIN_TOP_HASH 5

static __always_inline bool find_map(struct labels *l, __u64 set)
{
	__u8 top[MAP_BUCKET], logarithm;
	__u64 map = read_word(set), bucket;

	if (!map)
		return true;
	bucket = read_word(map + HMAP_BUCKETS);
	if (!bucket)
		return true;
	if (bpf_probe_read_user(&logarithm, 1, (void *)(map + HMAP_B)) ||
	    bpf_probe_read_user(top, sizeof(top), (void *)bucket))
		return false;
	l->keys = bucket + MAP_BUCKET;
	l->stride = 16;
	l->to_value = 16 * MAP_BUCKET;
	l->more = logarithm > 0;
	/* without branches, of which the verifier would follow all combinations */
	for (int i = 0; i < MAP_BUCKET; i++)
		l->used |= ((top[i] + 256U - MIN_TOP_HASH) >> 8) << i;
	return true;
}

/* Key or value of the label in place i / 2; an empty one if it cannot be read. */
static __always_inline void label_text(const struct labels *l, __u32 i, struct user_string *text)
{
	__u64 addr = l->keys + (i >> 1) * l->stride + (i & 1 ? l->to_value : 0);

	if (bpf_probe_read_user(text, sizeof(*text), (void *)addr))
		*text = (struct user_string){};
}

static __always_inline int send_labels(const struct hit *h, const struct labels *l,
				       const __u32 limit)
{
	const __u32 room = sizeof(struct ev_user) + 2 * limit;
	struct ev_user *ev = user_reserve(h, room);

	if (!ev)
		return 0;
	if (l->more)
		ev->flags |= USER_CUT;
	for (__u32 i = 0; i < 2 * USER_MAX_LABELS; i++) {
		struct user_string text;

		if (!(l->used >> (i >> 1) & 1))
			continue;
		label_text(l, i, &text);
		if (!put(ev, limit, &text))
			break;
	}
	event_submit(ev, room);
	return 0;
}

/* AX = the labels, or nil. */
static __noinline int on_labels(struct pt_regs *ctx, __u64 cookie)
{
	__u64 set = cookie_place(cookie) == PLACE_REGISTER ? named_register(ctx, cookie) : ctx->ax;
	struct labels l = {};
	struct hit h;
	__u32 bytes = 0;

	if (!hit_begin(&h, ctx, cookie, ctx->r14))
		return 0;
	if (set && !(h.cfg->go_minor >= 24 ? find_list(&l, set) : find_map(&l, set)))
		l.more = true;
	for (__u32 i = 0; i < 2 * USER_MAX_LABELS; i++) {
		struct user_string text;

		if (!(l.used >> (i >> 1) & 1))
			continue;
		label_text(&l, i, &text);
		bytes += piece_bytes(text.len);
	}
	if (bytes <= SMALL)
		return send_labels(&h, &l, SMALL);
	if (bytes <= MEDIUM)
		return send_labels(&h, &l, MEDIUM);
	return send_labels(&h, &l, LARGE);
}

SEC("uprobe.multi")
int user_probe(struct pt_regs *ctx)
{
	__u64 cookie = bpf_get_attach_cookie(ctx);

	if (cookie_kind(cookie) == USER_LABELS)
		return on_labels(ctx, cookie);
	if (cookie_reading(cookie) == READ_USER)
		return on_note(ctx, cookie);
	bpf_tail_call(ctx, &no_program, 0);
	return 0;
}
