/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Calls of a running process are redirected and put back, again and again. */
#ifndef GSCOPE_TESTS_SOAK_CYCLES_H
#define GSCOPE_TESTS_SOAK_CYCLES_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * `n` times, up to `ms` milliseconds each, with what the stubs write read and looked at. How often it
 * was done and what came out goes to stdout; the first thing that is wrong to stderr: false.
 */
bool cycles(pid_t pid, unsigned int n, unsigned int ms);

#endif
