/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Inside of the process:
 *
 *   process.c          who it is, and its memory
 *   process_maps.c     what it has mapped
 *   process_threads.c  its threads
 *   process_files.c    small files of /proc/PID, for all of them
 */
#ifndef GSCOPE_TARGET_PROCESS_INTERNAL_H
#define GSCOPE_TARGET_PROCESS_INTERNAL_H

#include "user/target/process.h"

/* What is used of /proc/PID/stat. */
struct process_stat {
	char comm[TARGET_COMM_LEN];
	char state;
	unsigned int flags;
	uint64_t start_time;
};

/* Read a small file below `dir` into buf, NUL-terminated: its length or a negative errno. */
ssize_t process_read_small(int dir, const char *name, char *buf, size_t size);

/* `name` below `dir` is the "stat" of a process or thread: 0 or a negative errno. */
int process_read_stat(int dir, const char *name, struct process_stat *out);

/* There is no process `pid`, or /proc does not show it: sets *e, a negative errno. */
int process_gone(struct error *e, pid_t pid);

/* File `what` of /proc/PID could not be read, errno -err: sets *e, a negative errno. */
int process_error(struct error *e, pid_t pid, const char *what, int err);

#endif
