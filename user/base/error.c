/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "user/base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "user/base/files.h"
#include "user/base/text.h"

/*
 * Any file may be the one too many, and then nothing is said about what it is of: it is not the target's fault,
 * nor that of an old kernel.
 */
static void lack_of_files(struct error *e, int err)
{
	size_t n = strlen(e->text);

	e->status = EXIT_FAILED;
	if (!strstr(e->text, "ulimit -n"))
		snprintf(e->text + n, sizeof(e->text) - n, "; %s", files_advice(err));
}

int error_set(struct error *e, enum exit_status status, int err, const char *fmt, ...)
{
	va_list ap;

	if (e) {
		e->status = status;
		va_start(ap, fmt);
		vsnprintf(e->text, sizeof(e->text), fmt, ap);
		va_end(ap);
		if (files_lacking(err))
			lack_of_files(e, err);
		/* names come from outside; one line, and nothing a terminal would obey */
		text_clean(e->text);
	}
	return err;
}
