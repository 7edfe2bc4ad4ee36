/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The formats of `gscope export -f NAME`: one row each. */
#ifndef GSCOPE_EXPORT_EXPORT_H
#define GSCOPE_EXPORT_EXPORT_H

#include "user/replay/sink.h"

struct export_options {
	uint32_t tgid; /* process to export; 0: the first whose trace begins */
	unsigned int go_minor; /* of a Go trace: for tools of Go 1.go_minor; 0: as the process */
	uint64_t mono_ns, wall_ns; /* CLOCK_MONOTONIC and CLOCK_REALTIME at one moment */
};

/*
 *	x->open(&ctx, fd, &options, e);
 *	sink = x->sink(ctx);  ... replay_new(&r, &sink, 1, e);
 *	x->symbols(ctx, replay_symbols(r));  ... all records, replay_finish() ...
 *	x->finish(ctx, e);  x->free(ctx);
 */
struct exporter {
	const char *name; /* for -f */
	const char *description; /* one line */
	const char *suffix; /* of a file name, when none is given */
	/* fd stays the caller's. */
	int (*open)(void **ctx, int fd, const struct export_options *options, struct error *e);
	/* Before the first record; *symbols outlives the exporter. */
	void (*symbols)(void *ctx, const struct symbols *symbols);
	struct sink (*sink)(void *ctx);
	/* Complete the output, also after an error of the replay. Returns the first error. */
	int (*finish)(void *ctx, struct error *e);
	/* After finish(): what the output cannot say, as a message; NULL: it says all. */
	const char *(*untold)(const void *ctx);
	void (*free)(void *ctx); /* ctx may be NULL */
};

/* All formats; a row with a NULL name ends them. */
extern const struct exporter exporters[];

/* NULL: there is no such format. */
const struct exporter *exporter_find(const char *name);

#endif
