/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The capabilities of this process. They only ever become fewer: what a stage does not need is gone from all
 * sets. The bounding set is emptied, and no program that is executed later gets anything back (no_new_privs).
 */
#ifndef GSCOPE_BASE_PRIVILEGE_H
#define GSCOPE_BASE_PRIVILEGE_H

#include <stdbool.h>
#include <stddef.h>

#include "user/base/error.h"

enum privilege_stage {
	/* until everything is attached: what docs/security.md lists */
	PRIVILEGE_ATTACH,
	/* from then on; the output is put in its place with these, too */
	PRIVILEGE_TRACE,
	/* of the process that attaches probes and has run times counted: user/capture/guardian.h */
	PRIVILEGE_GUARDIAN,
	/* of the process that redirects calls: user/inline/planter.h */
	PRIVILEGE_PLANT,
	/* of the thread that compresses and writes a capture: its nice value */
	PRIVILEGE_WRITE,
	/* of a command that reads a capture and writes a file */
	PRIVILEGE_OUTPUT,
	/* none: for what reads files and what came from a target */
	PRIVILEGE_NONE,
};

/*
 * Keep the capabilities of `stage` that there are, and drop all others of this thread; threads that are made
 * later inherit that. Makes system calls only, so a child of a process with threads may call it. 0, or a negative errno with a message: then the process must not go on.
 */
int privilege_keep(enum privilege_stage stage, struct error *e);

/*
 * Which capabilities this process lacks to read a process of another user, "CAP_SYS_PTRACE and
 * CAP_DAC_READ_SEARCH" for example; false, and an empty text: none.
 */
bool privilege_lacks_reading(char *out, size_t size);

#endif
