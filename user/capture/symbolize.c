// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/symbolize.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "user/capture/pcset.h"

#define MAX_FRAMES 64 /* deeper inlining does not happen; what is beyond is cut */
#define MAX_NAME 4096

enum pc_note { PC_SHOWN = 1, PC_HIDDEN = 2 };

struct symbolizer {
	uint32_t tgid;
	struct symbol_source source;
	int (*emit)(void *ctx, const struct event_head *ev);
	void *ctx;
	struct pcset seen; /* enum pc_note of every PC that was looked up */
	char *record; /* UINT16_MAX bytes to build an ev_symbol in */
};

static int table_frames(void *ctx, uint64_t pc, struct pcln_frame *out, size_t max)
{
	return pclntab_frames(ctx, pc, out, max);
}

static int table_pcsp(void *ctx, uint64_t pc)
{
	return pclntab_pcsp(ctx, pc);
}

static uint64_t table_start_pc(void *ctx, uint64_t startpc)
{
	return pclntab_start_pc(ctx, startpc);
}

struct symbol_source symbol_source_pclntab(struct pclntab *t)
{
	return (struct symbol_source){table_frames, table_pcsp, table_start_pc, t};
}

struct symbolizer *symbolizer_new(uint32_t tgid, const struct symbol_source *source,
				  int (*emit)(void *ctx, const struct event_head *ev), void *ctx)
{
	struct symbolizer *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->record = malloc(UINT16_MAX + 1);
	if (!s->record) {
		free(s);
		return NULL;
	}
	s->tgid = tgid;
	s->source = *source;
	s->emit = emit;
	s->ctx = ctx;
	return s;
}

void symbolizer_free(struct symbolizer *s)
{
	if (!s)
		return;
	pcset_free(&s->seen);
	free(s->record);
	free(s);
}

static size_t name_len(const char *name)
{
	return name ? strnlen(name, MAX_NAME) : 0;
}

/* Append one frame at s->record + size; returns the new size, or 0 if it does not fit. */
static size_t append_frame(struct symbolizer *s, size_t size, const struct pcln_frame *f)
{
	struct ev_frame frame = {
		.pc = f->pc,
		.line = f->line,
		.func_len = (uint16_t)name_len(f->func),
		.file_len = (uint16_t)name_len(f->file),
	};
	size_t text = (size_t)frame.func_len + frame.file_len, padded = (text + 7) & ~(size_t)7;
	char *p = s->record + size;

	if (size + sizeof(frame) + padded > UINT16_MAX - 7)
		return 0;
	memcpy(p, &frame, sizeof(frame));
	p += sizeof(frame);
	if (frame.func_len)
		memcpy(p, f->func, frame.func_len);
	if (frame.file_len)
		memcpy(p + frame.func_len, f->file, frame.file_len);
	memset(p + text, 0, padded - text);
	return size + sizeof(frame) + padded;
}

static int emit_symbol(struct symbolizer *s, uint64_t time_ns, uint64_t pc,
		       const struct pcln_frame *frames, int n)
{
	struct ev_symbol *ev = (void *)s->record;
	size_t size = sizeof(*ev);
	uint16_t written = 0;

	for (int i = 0; i < n; i++) {
		size_t more = append_frame(s, size, &frames[i]);

		if (!more)
			break;
		size = more;
		written++;
	}
	*ev = (struct ev_symbol){
		.h = {.time_ns = time_ns, .type = EV_SYMBOL, .size = (uint16_t)size},
		.tgid = s->tgid,
		.n = written,
		.pc = pc,
	};
	return s->emit(s->ctx, &ev->h);
}

/*
 * Make sure `pc`, which is looked up as `lookup`, has a symbol in the capture. *hidden tells
 * whether it is in a function Go hides. A PC that names no function gets a symbol without frames.
 */
static int want(struct symbolizer *s, uint64_t time_ns, uint64_t pc, uint64_t lookup, bool *hidden)
{
	const uint8_t *note = pcset_find(&s->seen, pc);
	struct pcln_frame frames[MAX_FRAMES];
	int n, err;

	if (note) {
		*hidden = *note == PC_HIDDEN;
		return 0;
	}
	n = s->source.frames(s->source.ctx, lookup, frames, MAX_FRAMES);
	*hidden = n == 0;
	err = pcset_add(&s->seen, pc, *hidden ? PC_HIDDEN : PC_SHOWN);
	if (err || *hidden)
		return err;
	return emit_symbol(s, time_ns, pc, frames, n < 0 ? 0 : n);
}

int symbolize_stack(struct symbolizer *s, struct ev_stack *ev)
{
	uint16_t n = 0;

	if (ev->flags & STACK_MAYBE_CALLER && ev->n >= 2) {
		/* with a frame of its own, the leaf's return address is where the walk found it */
		if (s->source.pcsp(s->source.ctx, ev->pc[0]) != 0) {
			ev->n--;
			memmove(&ev->pc[1], &ev->pc[2], (ev->n - 1U) * sizeof(ev->pc[0]));
		}
	}
	ev->flags &= (uint16_t)~STACK_MAYBE_CALLER;
	for (uint16_t i = 0; i < ev->n; i++) {
		bool hidden = false;
		int err;

		if (!ev->pc[i])
			continue;
		err = want(s, ev->h.time_ns, ev->pc[i], ev->pc[i], &hidden);
		if (err)
			return err;
		if (!hidden)
			ev->pc[n++] = ev->pc[i];
	}
	ev->n = n;
	ev->h.size = (uint16_t)(sizeof(*ev) + n * sizeof(ev->pc[0]));
	return 0;
}

int symbolize_start(struct symbolizer *s, uint64_t time_ns, uint64_t start_pc, uint64_t go_pc)
{
	bool hidden;
	int err = 0;

	if (start_pc && !pcset_find(&s->seen, start_pc))
		err = want(s, time_ns, start_pc, s->source.start_pc(s->source.ctx, start_pc) + 1,
			   &hidden);
	if (!err && go_pc)
		err = want(s, time_ns, go_pc, go_pc, &hidden);
	return err;
}
