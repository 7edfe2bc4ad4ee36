/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "user/base/error.h"

#include <stdarg.h>
#include <stdio.h>

int error_set(struct error *e, enum exit_status status, int err, const char *fmt, ...)
{
	va_list ap;

	if (e) {
		e->status = status;
		va_start(ap, fmt);
		vsnprintf(e->text, sizeof(e->text), fmt, ap);
		va_end(ap);
	}
	return err;
}
