// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/target/process_internal.h"

/*
 * The id in the innermost PID namespace, the last of "NSpid:" (since Linux 4.1): 0 if it cannot
 * be told.
 */
static pid_t read_own_tid(int dir, const char *name)
{
	char buf[4096], *at, *end;
	pid_t tid = 0;

	if (process_read_small(dir, name, buf, sizeof(buf)) < 0)
		return 0;
	at = strstr(buf, "\nNSpid:");
	if (!at)
		return 0;
	for (at += 7; *at == '\t'; at = end)
		tid = (pid_t)strtol(at, &end, 10);
	return tid;
}

/*
 * The system call a thread sleeps in, as proc_pid_syscall() of fs/proc/base.c has it: its number
 * and arguments, -1 if it was stopped outside of one, or "running".
 */
static int read_syscall(int dir, const char *name)
{
	unsigned long long sp;
	char buf[256];
	long nr;

	if (process_read_small(dir, name, buf, sizeof(buf)) <= 0 ||
	    sscanf(buf, "%ld %*x %*x %*x %*x %*x %*x %llx", &nr, &sp) != 2)
		return -1;
	/* the numbers of 32-bit programs are others; only their stacks are that low */
	return nr >= 0 && nr < UINT16_MAX && sp > UINT32_MAX ? (int)nr : -1;
}

int target_process_threads(const struct target_process *p, struct target_thread **out, size_t *n,
			   struct error *e)
{
	struct target_thread *v = NULL;
	size_t used = 0, room = 0;
	struct dirent *entry;
	pid_t own_pid = read_own_tid(p->proc_fd, "status");
	bool contained = own_pid && own_pid != p->pid;
	int fd = openat(p->proc_fd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

	*out = NULL;
	*n = 0;
	if (!dir) {
		if (fd >= 0)
			close(fd);
		return process_gone(e, p->pid);
	}
	while ((entry = readdir(dir))) {
		char path[sizeof(entry->d_name) + sizeof("/syscall")];
		pid_t tid = atoi(entry->d_name);
		struct process_stat st;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/stat", entry->d_name);
		if (process_read_stat(fd, path, &st))
			continue; /* it ended meanwhile */
		if (used == room) {
			struct target_thread *bigger;

			room = room ? 2 * room : 16;
			bigger = realloc(v, room * sizeof(*v));
			if (!bigger) {
				free(v);
				closedir(dir);
				return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
			}
			v = bigger;
		}
		v[used] = (struct target_thread){.tid = tid, .own_tid = tid, .state = st.state};
		if (contained) {
			snprintf(path, sizeof(path), "%s/status", entry->d_name);
			v[used].own_tid = read_own_tid(fd, path);
		}
		snprintf(path, sizeof(path), "%s/syscall", entry->d_name);
		v[used].sys = st.state == 'R' ? -1 : read_syscall(fd, path);
		memcpy(v[used++].comm, st.comm, sizeof(st.comm));
	}
	closedir(dir);
	if (!used) {
		free(v);
		return process_gone(e, p->pid);
	}
	*out = v;
	*n = used;
	return 0;
}
