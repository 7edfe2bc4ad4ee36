// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/annotation.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "bpf/control.h"

#define ALIGN8(n) (((n) + 7) & ~(size_t)7)

static int read_constant(void *ctx, uint64_t addr, void *buf, size_t len)
{
	const struct modules *m = ctx;

	for (size_t i = 0; i < m->n; i++) {
		const struct module *v = m->v[i];
		struct elf_load part;

		if (elf_load_of(v->elf, addr - v->bias, &part) && !part.write)
			return elf_read(v->elf, addr - v->bias, buf, len);
	}
	return -EFAULT;
}

struct constants constants_modules(struct modules *m)
{
	return (struct constants){read_constant, m};
}

/* A string on its way. */
struct text {
	const char *v;
	size_t len;
	bool cut;
	char constant[USER_MAX_TEXT];
};

/* The next piece in [*at, end). */
static int take_piece(struct text *t, const char **at, const char *end, const struct constants *c)
{
	size_t room = (size_t)(end - *at);
	struct user_piece piece;
	struct user_string where;

	if (room < sizeof(piece))
		return -EBADMSG;
	memcpy(&piece, *at, sizeof(piece));
	room -= sizeof(piece);
	if (room < ALIGN8((size_t)piece.len) || piece.len > USER_MAX_TEXT)
		return -EBADMSG;
	t->v = *at + sizeof(piece);
	t->len = piece.len;
	t->cut = false;
	*at = t->v + ALIGN8((size_t)piece.len);
	if (!piece.elsewhere)
		return 0;
	if (piece.len != sizeof(where))
		return -EBADMSG;
	memcpy(&where, t->v, sizeof(where));
	t->v = t->constant;
	t->cut = where.len > sizeof(t->constant);
	t->len = t->cut ? sizeof(t->constant) : where.len;
	if (c->read(c->ctx, where.addr, t->constant, t->len)) {
		t->len = 0;
		t->cut = true;
	}
	return 0;
}

/* Behind the `len` bytes of text that are there. */
static void put_text(struct ev_user *ev, size_t len, const struct text *t)
{
	memcpy(ev->text + len, t->v, t->len);
	for (size_t i = 0; i < t->len; i++)
		if (!ev->text[len + i])
			ev->text[len + i] = '?';
	if (t->cut)
		ev->flags |= USER_CUT;
}

/* Those that fit. */
static int finish_labels(struct ev_user *ev, unsigned int pieces, const char *at, const char *end,
			 const struct constants *c)
{
	struct text key, value;
	size_t len = 0;

	for (; pieces >= 2; pieces -= 2) {
		if (take_piece(&key, &at, end, c) || take_piece(&value, &at, end, c))
			return -EBADMSG;
		if (len + key.len + value.len + 2 > USER_MAX_TEXT) {
			ev->flags |= USER_CUT;
			continue;
		}
		put_text(ev, len, &key);
		len += key.len;
		ev->text[len++] = 0;
		put_text(ev, len, &value);
		len += value.len;
		ev->text[len++] = 0;
	}
	ev->len[0] = (uint16_t)len;
	return 0;
}

static int finish_texts(struct ev_user *ev, unsigned int pieces, const char *at, const char *end,
			const struct constants *c)
{
	struct text t;
	size_t len = 0;

	if (pieces > 2)
		return -EBADMSG;
	for (unsigned int i = 0; i < pieces; i++) {
		if (take_piece(&t, &at, end, c))
			return -EBADMSG;
		put_text(ev, len, &t);
		ev->len[i] = (uint16_t)t.len;
		len += t.len;
	}
	return 0;
}

int annotation_finish(union annotation *out, const struct ev_user *raw, const struct constants *c)
{
	const char *end = (const char *)raw + raw->h.size;
	struct ev_user *ev = &out->ev;
	int err;

	memset(out, 0, sizeof(*out));
	*ev = *raw;
	ev->len[0] = 0;
	ev->len[1] = 0;
	err = ev->kind == USER_LABELS ? finish_labels(ev, raw->len[0], raw->text, end, c) :
					finish_texts(ev, raw->len[0], raw->text, end, c);
	ev->h.size = (uint16_t)(sizeof(*ev) + ALIGN8((size_t)ev->len[0] + ev->len[1]));
	return err;
}
