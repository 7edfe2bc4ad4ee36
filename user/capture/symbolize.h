/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Symbols travel inside the capture: before the first record that names a PC comes an ev_symbol
 * with what the PC is. Here is known which were written, and here stacks get their final form.
 */
#ifndef GSCOPE_CAPTURE_SYMBOLIZE_H
#define GSCOPE_CAPTURE_SYMBOLIZE_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/event.h"
#include "user/target/modules.h"
#include "user/target/native.h"
#include "user/target/pclntab.h"

/*
 * Where symbols come from: the functions of pclntab.h, for a table `ctx`, and native_frame() for
 * what is in no Go module.
 */
struct symbol_source {
	int (*frames)(void *ctx, uint64_t pc, struct pcln_frame *out, size_t max);
	int (*pcsp)(void *ctx, uint64_t pc);
	uint64_t (*start_pc)(void *ctx, uint64_t startpc);
	void *ctx;
	struct native *native; /* NULL: such PCs stay unknown */
};

struct symbol_source symbol_source_pclntab(struct pclntab *t);

/* All Go modules of a process. */
struct symbol_source symbol_source_modules(struct modules *m);

struct symbolizer;

/* For one process; `emit` takes the ev_symbols and returns 0 or a negative errno. */
struct symbolizer *symbolizer_new(uint32_t tgid, const struct symbol_source *source,
				  int (*emit)(void *ctx, const struct event_head *ev), void *ctx);
void symbolizer_free(struct symbolizer *s);

/*
 * A stack on its way to the file, changed in place: whether pc[1] is a frame is decided
 * (STACK_MAYBE_CALLER), frames of wrapper functions, which Go hides, are taken out, new PCs are
 * emitted as symbols. Returns 0, -ENOMEM or what `emit` returned.
 */
int symbolize_stack(struct symbolizer *s, struct ev_stack *ev);

/* Symbols of a goroutine's start and of the go statement that made it; 0: not known. */
int symbolize_start(struct symbolizer *s, uint64_t time_ns, uint64_t start_pc, uint64_t go_pc);

#endif
