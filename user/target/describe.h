/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* For the user: what was found out about a process, and how. */
#ifndef GSCOPE_TARGET_DESCRIBE_H
#define GSCOPE_TARGET_DESCRIBE_H

#include <stdio.h>

#include "user/target/target.h"

/* A line for everything that is known of `t`, which has goroutines; every line names its pid. */
void target_describe(const struct target *t, FILE *out);

#endif
