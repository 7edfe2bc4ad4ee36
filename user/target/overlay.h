/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Programs on an overlay filesystem. It copies a file from a lower layer to the upper one before it
 * is changed: a program that runs at that moment goes on with the lower one, while its path, and
 * /proc/PID/exe, lead to the copy.
 */
#ifndef GSCOPE_TARGET_OVERLAY_H
#define GSCOPE_TARGET_OVERLAY_H

#include <stdbool.h>
#include <stddef.h>

#include "user/target/process.h"

/*
 * Where file `copy`, which the process has mapped and calls `name`, is in a lower layer, as seen
 * from here: false if it is on no overlay filesystem, or its layers cannot be reached. What is found
 * has the size and beginning of the copy; that the process has it mapped is for the caller to prove.
 */
bool overlay_lower_file(const struct target_process *p, const char *name, int copy, char *path,
			size_t size);

/*
 * The next lower layer in the options of an overlay mount, as /proc/PID/mountinfo has them, from
 * *at on: false if there is no more. Unescaped; an empty one is too long, or not absolute.
 */
bool overlay_next_layer(const char *options, size_t *at, char *layer, size_t size);

#endif
