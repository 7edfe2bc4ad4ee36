/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef GSCOPE_BASE_ERROR_H
#define GSCOPE_BASE_ERROR_H

/* Exit statuses of the command line; part of the interface (docs/gscope.1). */
enum exit_status {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_TARGET = 3, /* the target cannot be traced */
	EXIT_INTERRUPTED = 130,
};

#define ERROR_TEXT_LEN 512

/*
 * A message for the user, made once, where the cause is known: what failed and what to do next,
 * one line without a newline. Callers pass it up untouched; the command prints it.
 */
struct error {
	enum exit_status status;
	char text[ERROR_TEXT_LEN];
};

/*
 * Fill *e (may be NULL) and return `err`, a negative errno, so that a failing function can end in
 * `return error_set(e, EXIT_TARGET, -ESRCH, "...")`.
 */
int error_set(struct error *e, enum exit_status status, int err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif
