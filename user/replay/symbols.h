/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Stacks and symbols of a capture, gathered as their records pass. */
#ifndef GSCOPE_REPLAY_SYMBOLS_H
#define GSCOPE_REPLAY_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ev_stack;
struct ev_symbol;
struct symbols;

/* One logical frame. Strings live as long as the symbols. */
struct frame {
	uint64_t pc; /* distinct for every (func, file, line) of one process */
	const char *func;
	const char *file;
	uint32_t line;
};

struct symbols *symbols_new(void);
void symbols_free(struct symbols *s);

/* What all of a kind may take, bytes; at first there is no limit. */
void symbols_limit(struct symbols *s, uint64_t stacks, uint64_t symbols);

/* 0, -ENOMEM, or -ENOSPC: it is left out. */
int symbols_add_stack(struct symbols *s, const struct ev_stack *ev);
int symbols_add_symbol(struct symbols *s, const struct ev_symbol *ev);

bool symbols_has_stack(const struct symbols *s, uint32_t tgid, uint64_t id);

/* It has a leaf and nothing else, as stacks of its goroutine were left out: STACK_LEFT_OUT. */
bool symbols_left_out(const struct symbols *s, uint32_t tgid, uint64_t id);

/*
 * Expand stack `id` of process `tgid` into at most `max` frames, innermost first, without the
 * `skip` innermost ones (negative: 0) and without runtime.goexit at the end. A PC without a symbol
 * becomes one frame with an empty func. Returns the number of frames; 0 for an unknown stack.
 */
size_t symbols_stack(const struct symbols *s, uint32_t tgid, uint64_t id, int skip,
		     struct frame *out, size_t max);

/* Outermost-function name for a PC (a start_pc, say), "" if unknown. */
const char *symbols_func(const struct symbols *s, uint32_t tgid, uint64_t pc);

/* Logical frames of one PC, innermost first; returns their number, 0 if unknown. */
size_t symbols_pc(const struct symbols *s, uint32_t tgid, uint64_t pc, const struct frame **out);

#endif
