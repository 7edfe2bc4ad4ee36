// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The program annotates its trace: uprobes in what package runtime/trace, and runtime/pprof for
 * labels, call in the runtime even if nobody traces. R14 is the goroutine, on its own stack.
 */
#include "bpf/hit.bpf.h"

/* Bytes of all strings of a record: two texts of USER_MAX_TEXT, or as much in pairs of labels. */
#define MAX_STRINGS 2112

/* A record as functions see it that the verifier checks by themselves: as long as any can be. */
struct any_record {
	char bytes[RING_RECORD_MAX];
};

/* An offset in its strings; and what the verifier takes for one: the next power of two, less 8. */
#define STRINGS_MASK 4088U
_Static_assert(MAX_STRINGS <= STRINGS_MASK, "strings");
_Static_assert(sizeof(struct ev_user) + STRINGS_MASK + sizeof(struct user_piece) + USER_MAX_TEXT <=
		       sizeof(struct any_record),
	       "a record");

/* What a string takes; if it cannot be read, where it is takes as much as a short one. */
static __always_inline __u32 piece_bytes(__u64 len)
{
	if (len > USER_MAX_TEXT)
		len = USER_MAX_TEXT;
	if (len < sizeof(struct user_string))
		len = sizeof(struct user_string);
	return sizeof(struct user_piece) + ((len + 7) & ~7ULL);
}

/* With room for so many bytes of strings, or MAX_STRINGS; sets *room to what it has of them. */
static __always_inline struct ev_user *user_reserve(const struct hit *h, __u32 strings, __u32 *room)
{
	struct ev_user *ev;

	if (strings > MAX_STRINGS)
		strings = MAX_STRINGS;
	*room = strings;
	ev = event_reserve(EV_USER, sizeof(*ev) + strings, LOSS_GO);
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

/*
 * Append a string to an ev_user that has room for `room` bytes of them. 0: none was left. A function
 * of its own to the verifier: how long the strings before were makes no difference to it.
 */
int user_put(struct any_record *record, const struct user_string *text, __u32 room)
{
	struct ev_user *ev = (void *)record;
	struct user_piece *piece;
	__u32 off, n;

	if (!ev || !text)
		return 0;
	off = ev->h.size - sizeof(*ev);
	n = text->len;
	if (text->len > USER_MAX_TEXT) {
		n = USER_MAX_TEXT;
		ev->flags |= USER_CUT;
	}
	if (off > STRINGS_MASK || off + piece_bytes(n) > room) {
		ev->flags |= USER_CUT;
		return 0;
	}
	/* both follow from that, but whether the verifier sees it is up to the compiler */
	barrier_var(off);
	off &= STRINGS_MASK;
	barrier_var(n);
	if (n > USER_MAX_TEXT)
		return 0;
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
	return 1;
}

/* What an annotation consists of. */
struct note {
	__u64 task, parent, stack;
	struct user_string text[2];
	__u8 kind; /* enum user_kind */
	__u8 texts;
};

static __always_inline int send_note(const struct hit *h, const struct note *t)
{
	__u32 strings = piece_bytes(t->text[0].len) + piece_bytes(t->text[1].len), room;
	struct ev_user *ev = user_reserve(h, strings, &room);

	if (!ev)
		return 0;
	ev->kind = t->kind;
	ev->task = t->task;
	ev->parent = t->parent;
	ev->stack = t->stack;
	if (t->texts > 0)
		user_put((void *)ev, &t->text[0], room);
	if (t->texts > 1)
		user_put((void *)ev, &t->text[1], room);
	event_submit(ev, sizeof(*ev) + room);
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
	return send_note(h, t);
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

static __always_inline bool has_label(const struct labels *l, __u32 i)
{
	return l->used >> (i >> 1 & 7) & 1;
}

/*
 * Loops over labels call functions that the verifier checks by themselves: it follows all ways
 * through a string once, and not for each combination of them.
 */
_Static_assert(USER_MAX_LABELS == 8, "labels");

/* What key or value `i` takes; 0: there is none. */
__u32 label_bytes(const struct labels *l, __u32 i)
{
	struct user_string text;

	if (!l || !has_label(l, i))
		return 0;
	label_text(l, i, &text);
	return piece_bytes(text.len);
}

/* Append it. 0: no room was left. */
int label_put(struct any_record *record, const struct labels *l, __u32 i, __u32 room)
{
	struct user_string text;

	if (!l || !record || !has_label(l, i))
		return 1;
	label_text(l, i, &text);
	return user_put(record, &text, room);
}

static __always_inline int send_labels(const struct hit *h, const struct labels *l)
{
	__u32 strings = 0, room;
	struct ev_user *ev;

	for (__u64 i = 0; i < 2 * USER_MAX_LABELS; i++)
		strings += label_bytes(l, i);
	ev = user_reserve(h, strings, &room);
	if (!ev)
		return 0;
	if (l->more)
		ev->flags |= USER_CUT;
	for (__u64 i = 0; i < 2 * USER_MAX_LABELS; i++)
		if (!label_put((void *)ev, l, i, room))
			break;
	event_submit(ev, sizeof(*ev) + room);
	return 0;
}

/* AX = the labels, or nil. */
static __noinline int on_labels(struct pt_regs *ctx, __u64 cookie)
{
	__u64 set = cookie_place(cookie) == PLACE_REGISTER ? named_register(ctx, cookie) : ctx->ax;
	struct labels l = {};
	struct hit h;

	if (!hit_begin(&h, ctx, cookie, ctx->r14))
		return 0;
	if (set && !(h.cfg->go_minor >= 24 ? find_list(&l, set) : find_map(&l, set)))
		l.more = true;
	return send_labels(&h, &l);
}

SEC("uprobe.multi")
int note_probe(struct pt_regs *ctx)
{
	__u64 cookie = bpf_get_attach_cookie(ctx);

	if (cookie_reading(cookie) == READ_USER)
		return on_note(ctx, cookie);
	bpf_tail_call(ctx, &no_program, 0);
	return 0;
}

/* A program of its own, so that a kernel which refuses one has the other. */
SEC("uprobe.multi")
int labels_probe(struct pt_regs *ctx)
{
	__u64 cookie = bpf_get_attach_cookie(ctx);

	if (cookie_kind(cookie) == USER_LABELS)
		return on_labels(ctx, cookie);
	bpf_tail_call(ctx, &no_program, 0);
	return 0;
}
