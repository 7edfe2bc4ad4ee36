// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/symbolize.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "user/capture/pcset.h"

#define MAX_FRAMES 64 /* deeper inlining does not happen; what is beyond is cut */
#define MAX_NAME 4096

/* What is remembered of every PC that was looked up. */
#define PC_SHOWN 1U /* it is in the capture's stacks; otherwise Go hides it */
#define PC_PANICS 2U /* a wrapper that calls it is not hidden: runtime.elideWrapperCalling */
#define PC_INJECTED 4U /* a signal handler made the call: its "return address" is no such thing */

struct symbolizer {
	uint32_t tgid;
	struct symbol_source source;
	int (*emit)(void *ctx, const struct event_head *ev);
	void *ctx;
	struct pcset seen; /* PC_* by PC */
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
	return (struct symbol_source){table_frames, table_pcsp, table_start_pc, t, NULL};
}

static int modules_frames_of(void *ctx, uint64_t pc, struct pcln_frame *out, size_t max)
{
	return modules_frames(ctx, pc, out, max);
}

static int modules_pcsp_of(void *ctx, uint64_t pc)
{
	return modules_pcsp(ctx, pc);
}

static uint64_t modules_start_pc_of(void *ctx, uint64_t startpc)
{
	return modules_start_pc(ctx, startpc);
}

struct symbol_source symbol_source_modules(struct modules *m)
{
	return (struct symbol_source){modules_frames_of, modules_pcsp_of, modules_start_pc_of, m,
				      NULL};
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

static bool is_one_of(const char *func, const char *const *names)
{
	while (*names && strcmp(func, *names))
		names++;
	return *names;
}

/* What a function is to its caller: internal/abi/symtab.go and (*unwinder).next. */
static unsigned int role(const char *func)
{
	static const char *const panics[] = {"runtime.gopanic", "runtime.sigpanic",
					     "runtime.panicwrap", NULL};
	static const char *const injected[] = {"runtime.sigpanic", "runtime.asyncPreempt",
					       "runtime.debugCallV2", NULL};

	return (is_one_of(func, panics) ? PC_PANICS : 0) |
	       (is_one_of(func, injected) ? PC_INJECTED : 0);
}

/* Take out the wrappers that Go hides. `callee`: PC_* of what the innermost frame called. */
static int hide_wrappers(struct pcln_frame *v, int n, unsigned int callee)
{
	int shown = 0;

	for (int i = 0; i < n; i++) {
		bool hidden = v[i].wrapper && !(callee & PC_PANICS);

		callee = role(v[i].func);
		if (!hidden)
			v[shown++] = v[i];
	}
	return shown;
}

/*
 * Make sure `pc`, which is looked up as `lookup`, has a symbol in the capture unless Go hides it;
 * *note is what is known of it. A PC that names no function gets a symbol without frames.
 */
static int want(struct symbolizer *s, uint64_t time_ns, uint64_t pc, uint64_t lookup,
		unsigned int callee, unsigned int *note)
{
	const uint8_t *known = pcset_find(&s->seen, pc);
	struct pcln_frame frames[MAX_FRAMES];
	int n, shown, err;

	if (known) {
		*note = *known;
		return 0;
	}
	n = s->source.frames(s->source.ctx, lookup, frames, MAX_FRAMES);
	if (n <= 0 && s->source.native && !native_frame(s->source.native, lookup, frames))
		n = 1;
	*note = n > 0 ? role(frames[n - 1].func) : 0;
	shown = n > 0 ? hide_wrappers(frames, n, callee) : 0;
	if (n <= 0 || shown)
		*note |= PC_SHOWN;
	err = pcset_add(&s->seen, pc, (uint8_t)*note);
	if (err || !(*note & PC_SHOWN))
		return err;
	return emit_symbol(s, time_ns, pc, frames, shown);
}

int symbolize_stack(struct symbolizer *s, struct ev_stack *ev)
{
	unsigned int note = 0;
	uint16_t n = 0;

	if (ev->flags & STACK_MAYBE_CALLER && ev->n >= 2) {
		/*
		 * With a frame of its own, the leaf's return address is where the walk found it. It
		 * is where the instruction before pc[0] was reached that counts: that one may have
		 * begun the frame.
		 */
		if (s->source.pcsp(s->source.ctx, ev->pc[0] - 1) != 0) {
			ev->n--;
			memmove(&ev->pc[1], &ev->pc[2], (ev->n - 1U) * sizeof(ev->pc[0]));
		}
	}
	ev->flags &= (uint16_t)~STACK_MAYBE_CALLER;
	for (uint16_t i = 0; i < ev->n; i++) {
		uint64_t pc = ev->pc[i];
		int err;

		if (!pc)
			continue;
		/* an interrupted instruction, made the address behind one like all the others */
		if (note & PC_INJECTED)
			pc++;
		err = want(s, ev->h.time_ns, pc, pc, note, &note);
		if (err)
			return err;
		if (note & PC_SHOWN)
			ev->pc[n++] = pc;
	}
	ev->n = n;
	ev->h.size = (uint16_t)(sizeof(*ev) + n * sizeof(ev->pc[0]));
	return 0;
}

int symbolize_start(struct symbolizer *s, uint64_t time_ns, uint64_t start_pc, uint64_t go_pc)
{
	unsigned int note;
	int err = 0;

	if (start_pc && !pcset_find(&s->seen, start_pc))
		err = want(s, time_ns, start_pc, s->source.start_pc(s->source.ctx, start_pc) + 1, 0,
			   &note);
	if (!err && go_pc)
		err = want(s, time_ns, go_pc, go_pc, 0, &note);
	return err;
}
