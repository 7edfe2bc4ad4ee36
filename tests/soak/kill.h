/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Whoever redirects calls of a running process is killed, at any moment. */
#ifndef GSCOPE_TESTS_SOAK_KILL_H
#define GSCOPE_TESTS_SOAK_KILL_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * `n` times: the one that traces, its helper, or both, in their first or last 10 ms. What was left, and
 * that `gscope detach` takes it away, goes to stdout; the first thing that is wrong to stderr: false.
 */
bool kills(pid_t pid, unsigned int n, unsigned int seed);

#endif
