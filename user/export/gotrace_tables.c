/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Strings and stacks of one generation. Ids start at 1; 0 stands for the empty one and may not be
 * defined. Readers keep one (function, file, line) per PC and generation, the first they see.
 */
#include "user/export/gotrace_wire.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIAS_PC (1ULL << 63) /* no code is there, on any architecture Go runs on */
#define STACK_BYTES_MAX (WIRE_FRAMES_MAX * 40 + 32)

static uint64_t add_string(struct tables *t, const char *s, size_t len, uint64_t id)
{
	struct table_string *str = malloc(sizeof(*str) + len);

	if (!str) {
		t->failed = true;
		return 0;
	}
	str->id = id;
	str->len = len;
	memcpy(str->text, s, len);
	HASH_ADD_KEYPTR(hh, t->strings, str->text, len, str);
	t->bytes += sizeof(*str) + len;
	return id;
}

uint64_t tables_string(struct tables *t, const char *s)
{
	size_t len = strnlen(s, WIRE_STRING_MAX);
	struct table_string *str;

	if (!len)
		return 0;
	HASH_FIND(hh, t->strings, s, len, str);
	return str ? str->id : add_string(t, s, len, ++t->nstrings);
}

void tables_keep_string(struct tables *t, const char *s, uint64_t id)
{
	t->nstrings = id;
	add_string(t, s, strnlen(s, WIRE_STRING_MAX), id);
}

uint64_t tables_stack(struct tables *t, const struct stack_ref *ref)
{
	struct table_stack *stack;

	HASH_FIND(hh, t->stacks, ref, sizeof(*ref), stack);
	if (stack)
		return stack->id;
	stack = malloc(sizeof(*stack));
	if (!stack) {
		t->failed = true;
		return 0;
	}
	stack->ref = *ref;
	stack->id = ++t->nstacks;
	HASH_ADD(hh, t->stacks, ref, sizeof(stack->ref), stack);
	t->bytes += sizeof(*stack);
	return stack->id;
}

static struct frame start_frame(const struct symbols *symbols, uint32_t tgid, uint64_t start_pc)
{
	const struct frame *frames;
	size_t n = symbols ? symbols_pc(symbols, tgid, start_pc, &frames) : 0;

	if (n)
		return frames[n - 1];
	return (struct frame){.pc = start_pc, .func = "", .file = ""};
}

static size_t expand(const struct stack_ref *ref, const struct symbols *symbols, uint32_t tgid,
		     struct frame *out)
{
	size_t n;

	if (ref->start_pc) {
		out[0] = start_frame(symbols, tgid, ref->start_pc);
		return 1;
	}
	n = symbols ? symbols_stack(symbols, tgid, ref->stack, ref->skip, out, WIRE_FRAMES_MAX) : 0;
	if (n && ref->flags & STACK_REF_MAIN && !strcmp(out[n - 1].func, "runtime.main"))
		n--;
	/* all frames are hidden, or the stack was lost */
	if (n || (symbols && symbols_has_stack(symbols, tgid, ref->stack)))
		return n;
	out[0] = (struct frame){.pc = 0, .func = "gscope.unknownStack", .file = ""};
	return 1;
}

/* The PC to write for a frame, such that no other frame of this generation has the same one. */
static uint64_t frame_pc(struct tables *t, uint64_t pc, uint64_t func, uint64_t file, uint32_t line)
{
	struct table_pc *p;

	if (!pc)
		pc = ALIAS_PC;
	for (;;) {
		HASH_FIND(hh, t->pcs, &pc, sizeof(pc), p);
		if (!p)
			break;
		if (p->func == func && p->file == file && p->line == line)
			return pc;
		/* the aliases are tried from the first one on, so that equal frames share one */
		pc = pc & ALIAS_PC ? pc + 1 : ALIAS_PC;
	}
	p = malloc(sizeof(*p));
	if (!p) {
		t->failed = true;
		return pc;
	}
	*p = (struct table_pc){.pc = pc, .func = func, .file = file, .line = line};
	HASH_ADD(hh, t->pcs, pc, sizeof(p->pc), p);
	return pc;
}

static void write_frame(struct tables *t, const struct frame *f, struct bytes *out)
{
	uint64_t func, file;
	char hex[32];

	if (f->func[0]) {
		func = tables_string(t, f->func);
	} else {
		/* an empty name would make it a goroutine of the runtime's own */
		snprintf(hex, sizeof(hex), "0x%" PRIx64, f->pc);
		func = tables_string(t, hex);
	}
	file = tables_string(t, f->file);
	bytes_uvarint(out, frame_pc(t, f->pc, func, file, f->line));
	bytes_uvarint(out, func);
	bytes_uvarint(out, file);
	bytes_uvarint(out, f->line);
}

static void begin(struct bytes *batch, enum wire_type type)
{
	batch->len = 0;
	bytes_byte(batch, (uint8_t)type);
}

static void write_stacks(struct tables *t, const struct symbols *symbols, uint32_t tgid,
			 uint64_t gen, uint64_t base, struct bytes *out)
{
	struct frame frames[WIRE_FRAMES_MAX];
	struct table_stack *s, *next;
	struct bytes batch = {0};

	begin(&batch, WIRE_STACKS);
	HASH_ITER(hh, t->stacks, s, next) {
		size_t n = expand(&s->ref, symbols, tgid, frames);

		if (batch.len + STACK_BYTES_MAX > WIRE_BATCH_MAX) {
			batch_write(out, gen, WIRE_NO_THREAD, base, &batch);
			begin(&batch, WIRE_STACKS);
		}
		bytes_byte(&batch, WIRE_STACK);
		bytes_uvarint(&batch, s->id);
		bytes_uvarint(&batch, n);
		for (size_t i = 0; i < n; i++)
			write_frame(t, &frames[i], &batch);
	}
	if (t->stacks)
		batch_write(out, gen, WIRE_NO_THREAD, base, &batch);
	bytes_free(&batch);
}

static void write_strings(struct tables *t, uint64_t gen, uint64_t base, struct bytes *out)
{
	struct table_string *s, *next;
	struct bytes batch = {0};

	begin(&batch, WIRE_STRINGS);
	HASH_ITER(hh, t->strings, s, next) {
		if (batch.len + s->len + 32 > WIRE_BATCH_MAX) {
			batch_write(out, gen, WIRE_NO_THREAD, base, &batch);
			begin(&batch, WIRE_STRINGS);
		}
		bytes_byte(&batch, WIRE_STRING);
		bytes_uvarint(&batch, s->id);
		bytes_uvarint(&batch, s->len);
		bytes_add(&batch, s->text, s->len);
	}
	if (t->strings)
		batch_write(out, gen, WIRE_NO_THREAD, base, &batch);
	bytes_free(&batch);
}

void tables_write(struct tables *t, const struct symbols *symbols, uint32_t tgid, uint64_t gen,
		  uint64_t base, struct bytes *out)
{
	write_stacks(t, symbols, tgid, gen, base, out);
	write_strings(t, gen, base, out);
	out->failed |= t->failed;
}

void tables_clear(struct tables *t)
{
	struct table_string *str, *next_str;
	struct table_stack *stack, *next_stack;
	struct table_pc *pc, *next_pc;

	HASH_ITER(hh, t->strings, str, next_str) {
		HASH_DEL(t->strings, str);
		free(str);
	}
	HASH_ITER(hh, t->stacks, stack, next_stack) {
		HASH_DEL(t->stacks, stack);
		free(stack);
	}
	HASH_ITER(hh, t->pcs, pc, next_pc) {
		HASH_DEL(t->pcs, pc);
		free(pc);
	}
	*t = (struct tables){0};
}
