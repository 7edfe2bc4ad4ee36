/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "user/cmd/cmd.h"

#include <stdarg.h>
#include <stdio.h>

#include "user/base/text.h"

int cmd_fail(const struct error *e)
{
	fprintf(stderr, "gscope: %s\n", e->text);
	return e->status;
}

void cmd_warn(const char *fmt, ...)
{
	va_list ap;

	fputs("gscope: ", stderr);
	va_start(ap, fmt);
	text_line(stderr, fmt, ap);
	va_end(ap);
}
