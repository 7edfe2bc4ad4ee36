/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "user/export/export.h"

#include <string.h>

#include "user/export/gotrace.h"

static int go_open(void **ctx, int fd, const struct export_options *options, struct error *e)
{
	struct gotrace_options go = {
		.tgid = options->tgid,
		.go_minor = options->go_minor,
		.mono_ns = options->mono_ns,
		.wall_ns = options->wall_ns,
	};
	struct gotrace *t;
	int err = gotrace_new(&t, fd, &go, NULL, e);

	if (!err)
		*ctx = t;
	return err;
}

static void go_symbols(void *ctx, const struct symbols *symbols)
{
	gotrace_set_symbols(ctx, symbols);
}

static struct sink go_sink(void *ctx)
{
	return gotrace_sink(ctx);
}

static int go_finish(void *ctx, struct error *e)
{
	return gotrace_finish(ctx, e);
}

static const char *go_untold(const void *ctx)
{
	return gotrace_untold(ctx);
}

static void go_free(void *ctx)
{
	gotrace_free(ctx);
}

const struct exporter exporters[] = {
	{
		.name = "go",
		.description = "Go execution trace, for go tool trace and gotraceui",
		.suffix = ".trace",
		.open = go_open,
		.symbols = go_symbols,
		.sink = go_sink,
		.finish = go_finish,
		.untold = go_untold,
		.free = go_free,
	},
	{0},
};

const struct exporter *exporter_find(const char *name)
{
	for (const struct exporter *x = exporters; x->name; x++) {
		if (!strcmp(x->name, name))
			return x;
	}
	return NULL;
}
