/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "user/export/gotrace_wire.h"

#include <stdlib.h>
#include <string.h>

#define UVARINT_MAX 10
#define EVENT_MAX (1 + UVARINT_MAX * (1 + WIRE_ARGS_MAX)) /* type, time, arguments */

static bool bytes_reserve(struct bytes *b, size_t n)
{
	size_t size = b->size ? b->size : 256;
	uint8_t *data;

	if (b->failed)
		return false;
	if (b->len + n <= b->size)
		return true;
	while (size < b->len + n)
		size *= 2;
	data = realloc(b->data, size);
	if (!data) {
		b->failed = true;
		return false;
	}
	b->data = data;
	b->size = size;
	return true;
}

void bytes_add(struct bytes *b, const void *data, size_t n)
{
	if (!n || !bytes_reserve(b, n))
		return;
	memcpy(b->data + b->len, data, n);
	b->len += n;
}

void bytes_byte(struct bytes *b, uint8_t byte)
{
	bytes_add(b, &byte, 1);
}

void bytes_uvarint(struct bytes *b, uint64_t v)
{
	uint8_t out[UVARINT_MAX];
	size_t n = 0;

	while (v >= 0x80) {
		out[n++] = (uint8_t)v | 0x80;
		v >>= 7;
	}
	out[n++] = (uint8_t)v;
	bytes_add(b, out, n);
}

void bytes_free(struct bytes *b)
{
	free(b->data);
	*b = (struct bytes){0};
}

uint64_t batch_exact_time(uint64_t t)
{
	int bits = t ? 64 - __builtin_clzll(t) : 0;

	return bits > 53 ? t >> (bits - 53) << (bits - 53) : t;
}

void batch_write(struct bytes *out, uint64_t gen, uint64_t m, uint64_t base,
		 const struct bytes *data)
{
	bytes_byte(out, WIRE_BATCH);
	bytes_uvarint(out, gen);
	bytes_uvarint(out, m);
	bytes_uvarint(out, base);
	bytes_uvarint(out, data->len);
	bytes_add(out, data->data, data->len);
	out->failed |= data->failed;
}

void batch_flush(struct batch *b, struct bytes *out, uint64_t gen, uint64_t m)
{
	if (b->data.len || b->data.failed)
		batch_write(out, gen, m, b->base, &b->data);
	b->data.len = 0;
}

void batch_event(struct batch *b, struct bytes *out, uint64_t gen, uint64_t m, uint64_t time,
		 enum wire_type type, const uint64_t *args, unsigned int nargs)
{
	if (b->data.len + EVENT_MAX > WIRE_BATCH_MAX)
		batch_flush(b, out, gen, m);
	if (time < b->last)
		time = b->last;
	if (!b->data.len) {
		b->base = batch_exact_time(time);
		b->last = b->base;
	}
	bytes_byte(&b->data, (uint8_t)type);
	bytes_uvarint(&b->data, time - b->last);
	for (unsigned int i = 0; i < nargs; i++)
		bytes_uvarint(&b->data, args[i]);
	b->last = time;
}
