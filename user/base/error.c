/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "user/base/error.h"

#include <stdarg.h>
#include <stdio.h>

#include "user/base/text.h"

int error_set(struct error *e, enum exit_status status, int err, const char *fmt, ...)
{
	va_list ap;

	if (e) {
		e->status = status;
		va_start(ap, fmt);
		vsnprintf(e->text, sizeof(e->text), fmt, ap);
		va_end(ap);
		/* names come from outside; one line, and nothing a terminal would obey */
		text_clean(e->text);
	}
	return err;
}
