// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/base/files.h"
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

struct list {
	struct target_thread *v;
	size_t n, room;
	bool contained; /* in a PID namespace of its own */
};

static int add_thread(struct list *l, int dir, const char *name)
{
	char path[NAME_MAX + sizeof("/syscall")];
	struct process_stat st;
	struct target_thread *t;
	int err;

	snprintf(path, sizeof(path), "%s/stat", name);
	err = process_read_stat(dir, path, &st);
	if (err)
		return files_lacking(err) ? err : 0; /* it ended meanwhile */
	if (l->n == l->room) {
		size_t room = l->room ? 2 * l->room : 16;
		struct target_thread *bigger = realloc(l->v, room * sizeof(*l->v));

		if (!bigger)
			return -ENOMEM;
		l->v = bigger;
		l->room = room;
	}
	t = &l->v[l->n++];
	*t = (struct target_thread){.tid = atoi(name), .own_tid = atoi(name), .state = st.state};
	if (l->contained) {
		snprintf(path, sizeof(path), "%s/status", name);
		t->own_tid = read_own_tid(dir, path);
	}
	snprintf(path, sizeof(path), "%s/syscall", name);
	t->sys = st.state == 'R' ? -1 : read_syscall(dir, path);
	memcpy(t->comm, st.comm, sizeof(st.comm));
	return 0;
}

int target_process_threads(const struct target_process *p, const volatile sig_atomic_t *stop,
			   struct target_thread **out, size_t *n, struct error *e)
{
	pid_t own_pid = read_own_tid(p->proc_fd, "status");
	struct list l = {.contained = own_pid && own_pid != p->pid};
	int fd = openat(p->proc_fd, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	int err = dir ? 0 : -errno;
	struct dirent *entry;

	*out = NULL;
	*n = 0;
	while (!err && (entry = readdir(dir))) {
		if (entry->d_name[0] != '.')
			err = add_thread(&l, fd, entry->d_name);
		if (!err && stop && *stop)
			err = -EINTR;
	}
	if (dir)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
	if (!err && !l.n)
		err = -ESRCH;
	if (!err) {
		*out = l.v;
		*n = l.n;
		return 0;
	}
	free(l.v);
	if (err == -EINTR)
		return error_set(e, EXIT_INTERRUPTED, err,
				 "interrupted while the threads of pid %d were listed",
				 (int)p->pid);
	if (err == -ENOMEM)
		return error_set(e, EXIT_FAILED, err, "out of memory");
	return process_error(e, p->pid, "task", err);
}
