/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* How many files this process may have open. */
#ifndef GSCOPE_BASE_FILES_H
#define GSCOPE_BASE_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "user/base/error.h"

/*
 * Standard descriptors that are closed: whatever is opened next would be one of them, and be written to. What
 * takes their place can be neither read nor written.
 */
void files_fill_standard(void);

/* Raise the limit of this process to the most it may have (ulimit -Hn). */
void files_raise(void);

/*
 * Whether `needed` more files can be opened now: 0, or -EMFILE or -ENFILE with a message. So a want of them is
 * known before anything is attached, and no file that cannot be opened later is taken for one that is not there.
 */
int files_check(size_t needed, struct error *e);

/* Whether this negative errno says that no more files can be opened. */
bool files_lacking(int err);

/* What to do about such an error: half a sentence. */
const char *files_advice(int err);

#endif
