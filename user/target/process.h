/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* One process: its identity, its memory, its threads. Nothing here knows about Go. */
#ifndef GSCOPE_TARGET_PROCESS_H
#define GSCOPE_TARGET_PROCESS_H

#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "user/base/error.h"

#define TARGET_COMM_LEN 16 /* TASK_COMM_LEN */

struct target_process {
	pid_t pid;
	int pidfd; /* readable when the process has ended; -1 before Linux 5.3 */
	int proc_fd; /* /proc/PID: names this process for ever, whatever becomes of the PID */
	int exe_fd; /* the executable as the kernel has it mapped, even if replaced on disk */
	int mem_fd; /* /proc/PID/mem: the memory of this program, not of one exec'ed later */
	uint64_t start_time; /* field 22 of /proc/PID/stat: clock ticks since boot */
	/* what takes long ends early once this is not zero; the caller's; may be NULL */
	const volatile sig_atomic_t *stop;
	uint64_t witness; /* a mapped address, by which target_process_same() sees an exec */
	char comm[TARGET_COMM_LEN];
	char exe[PATH_MAX]; /* where /proc/PID/exe points; may end in " (deleted)" */
};

/*
 * Open process `pid`. Errors (status EXIT_TARGET, or EXIT_FAILED for what the user may not do):
 * -ESRCH no such process, or a zombie; -EINVAL a kernel thread, or a thread that is not a process
 * (the message names its process); -EPERM. Free with target_process_close().
 */
int target_process_open(pid_t pid, struct target_process **out, struct error *e);
void target_process_close(struct target_process *p);

/* Still running: not a zombie, not gone. */
bool target_process_alive(const struct target_process *p);

/*
 * Still the very same process and program: the PID was not reused, nothing was exec'ed.
 * To be asked after what was found by PID has been attached.
 */
bool target_process_same(const struct target_process *p);

/* Whether `stop` says that what takes long is to end. */
static inline bool target_process_stopped(const struct target_process *p)
{
	return p->stop && *p->stop;
}

/* Bytes of memory it has, swapped out or not; 0: that cannot be told. */
uint64_t target_process_memory(const struct target_process *p);

/* Whether it has a seccomp filter, or that cannot be told. */
bool target_process_filtered(const struct target_process *p);

/*
 * Whether a thread has a shadow stack: a frame for rt_sigreturn(2) that the kernel has not made itself would
 * end it. By what /proc/PID/task/TID/status says; true if that cannot be told, but not if the thread has ended.
 */
bool target_thread_shadowed(const struct target_process *p, pid_t tid);

/* The same of the text of such a file. */
bool target_status_shadowed(const char *status);

/* Read exactly `len` bytes at `addr` of the process: 0, or a negative errno (-EFAULT: not mapped). */
int target_process_read(const struct target_process *p, uint64_t addr, void *buf, size_t len);

/* One piece of a scattered read. */
struct target_piece {
	uint64_t addr;
	void *buf;
	size_t len;
	bool done; /* set by the read: all of it was read */
};

/*
 * Read `n` pieces with as few system calls as possible (one for about 500 pieces). A piece that
 * cannot be read is left with done = false. Returns the number of pieces read or a negative errno
 * (-ESRCH: the process has ended).
 */
ssize_t target_process_read_pieces(const struct target_process *p, struct target_piece *pieces,
				   size_t n);

/* One line of /proc/PID/maps. */
struct target_map {
	uint64_t start, end; /* [start, end) */
	uint64_t offset; /* in the file */
	uint64_t dev, inode; /* of the file, as the kernel names them here; inode 0: no file */
	char prot[5]; /* "r-xp" */
	const char *path; /* of the file, or "[stack]", or ""; may end in " (deleted)" */
};

/* All mappings in order of address; *out is the caller's to free(), the paths with it. */
int target_process_maps(const struct target_process *p, struct target_map **out, size_t *n,
			struct error *e);

/*
 * Open the file behind a mapping, whatever has become of its path since and whatever mount
 * namespace the process is in: a descriptor, or a negative errno.
 */
int target_process_open_map(const struct target_process *p, const struct target_map *m);

struct target_thread {
	pid_t tid;
	pid_t own_tid; /* what the thread itself takes for it: another one in a container */
	char state; /* as in /proc/PID/stat: R, S, D... */
	int sys; /* the system call it sleeps in; -1: none, or not known */
	char comm[TARGET_COMM_LEN];
};

/*
 * Threads that exist now; *out is the caller's to free(). -EINTR once *stop is not 0; `stop` is NULL where all
 * are needed even if the user has had enough: to put back what was changed, and to tell what was captured.
 */
int target_process_threads(const struct target_process *p, const volatile sig_atomic_t *stop,
			   struct target_thread **out, size_t *n, struct error *e);

#endif
