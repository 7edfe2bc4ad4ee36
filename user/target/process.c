// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "user/base/files.h"
#include "user/target/process_internal.h"

#define PF_KTHREAD 0x00200000U /* include/linux/sched.h: a kernel thread */

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

#define STATUS_MAX 16384 /* of a thread, with lists of 8192 CPUs and 1024 nodes */

/* One system call takes UIO_MAXIOV pieces; short of that, so that buffers stay small. */
#define PIECES_PER_CALL 512

/* The process a thread belongs to, 0 if that cannot be told. */
static pid_t read_tgid(int dir)
{
	char buf[4096], *line;
	ssize_t len = process_read_small(dir, "status", buf, sizeof(buf));

	if (len < 0)
		return 0;
	line = strstr(buf, "\nTgid:");
	return line ? (pid_t)strtol(line + 6, NULL, 10) : 0;
}

static int open_exe(struct target_process *p, struct error *e)
{
	ssize_t len = readlinkat(p->proc_fd, "exe", p->exe, sizeof(p->exe) - 1);

	if (len < 0)
		return process_error(e, p->pid, "exe", -errno);
	p->exe[len] = 0;
	p->exe_fd = openat(p->proc_fd, "exe", O_RDONLY | O_CLOEXEC);
	if (p->exe_fd < 0)
		return process_error(e, p->pid, "exe", -errno);
	return 0;
}

static int open_mem(struct target_process *p, struct error *e)
{
	struct target_map *maps;
	size_t n;
	int err;

	p->mem_fd = openat(p->proc_fd, "mem", O_RDONLY | O_CLOEXEC);
	if (p->mem_fd < 0)
		return process_error(e, p->pid, "mem", -errno);
	err = target_process_maps(p, &maps, &n, e);
	if (err)
		return err;
	for (size_t i = 0; i < n && !p->witness; i++) {
		if (maps[i].prot[0] == 'r')
			p->witness = maps[i].start;
	}
	free(maps);
	return 0;
}

/* Whether there are others beside the main thread. */
static bool has_threads(int dir)
{
	struct stat st;

	/* a folder has two links and one for each folder in it: proc_task_getattr() */
	return !fstatat(dir, "task", &st, 0) && st.st_nlink > 3;
}

static int open_all(struct target_process *p, struct error *e)
{
	struct process_stat st;
	char path[32];
	pid_t tgid;
	int err;

	snprintf(path, sizeof(path), "/proc/%d", (int)p->pid);
	p->proc_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (p->pid <= 0)
		return process_gone(e, p->pid);
	if (p->proc_fd < 0)
		return process_error(e, p->pid, "", -errno);
	tgid = read_tgid(p->proc_fd);
	if (tgid > 0 && tgid != p->pid)
		return error_set(e, EXIT_TARGET, -EINVAL,
				 "pid %d is a thread of process %d: use -p %d", (int)p->pid,
				 (int)tgid, (int)tgid);
	err = process_read_stat(p->proc_fd, "stat", &st);
	if (err)
		return process_error(e, p->pid, "stat", err);
	if (st.flags & PF_KTHREAD)
		return error_set(
			e, EXIT_TARGET, -EINVAL,
			"pid %d is %s, a thread of the kernel, which has no program to trace; "
			"`gscope record -a` has its switches and wake-ups",
			(int)p->pid, st.comm);
	if (st.state == 'Z' && has_threads(p->proc_fd))
		return error_set(
			e, EXIT_TARGET, -ESRCH,
			"pid %d (%s): its main thread has ended, and while others go on the "
			"kernel shows nothing of it; `gscope record -a` has their switches "
			"and system calls",
			(int)p->pid, st.comm);
	if (st.state == 'Z' || st.state == 'X')
		return error_set(e, EXIT_TARGET, -ESRCH,
				 "pid %d (%s) is a zombie: it has ended, and its parent has not "
				 "waited for it",
				 (int)p->pid, st.comm);
	memcpy(p->comm, st.comm, sizeof(p->comm));
	p->start_time = st.start_time;

	p->pidfd = syscall(SYS_pidfd_open, p->pid, 0);
	if (p->pidfd < 0 && errno == ESRCH)
		return process_gone(e, p->pid);
	err = open_exe(p, e);
	if (!err)
		err = open_mem(p, e);
	return err;
}

int target_process_open(pid_t pid, struct target_process **out, struct error *e)
{
	struct target_process *p = calloc(1, sizeof(*p));
	int err;

	*out = NULL;
	if (!p)
		return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	p->pid = pid;
	p->pidfd = p->proc_fd = p->exe_fd = p->mem_fd = -1;
	err = open_all(p, e);
	if (err) {
		target_process_close(p);
		return err;
	}
	*out = p;
	return 0;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void target_process_close(struct target_process *p)
{
	if (!p)
		return;
	close_fd(p->pidfd);
	close_fd(p->proc_fd);
	close_fd(p->exe_fd);
	close_fd(p->mem_fd);
	free(p);
}

bool target_process_alive(const struct target_process *p)
{
	struct pollfd pfd = {.fd = p->pidfd, .events = POLLIN};
	struct process_stat st;
	int err;

	if (p->pidfd >= 0 && poll(&pfd, 1, 0) > 0)
		return false;
	err = process_read_stat(p->proc_fd, "stat", &st);
	/* that gscope cannot open another file says nothing of the process */
	return files_lacking(err) || (!err && st.state != 'Z' && st.state != 'X');
}

bool target_process_same(const struct target_process *p)
{
	struct process_stat st;
	char byte;
	int err;

	if (!target_process_alive(p))
		return false;
	err = process_read_stat(p->proc_fd, "stat", &st);
	if (!files_lacking(err) && (err || st.start_time != p->start_time))
		return false;
	/* mem_fd holds on to the address space of the program that was opened: after an exec that
	   space has no user left, and reads return 0 (fs/proc/base.c: mem_rw) */
	return !p->witness || pread(p->mem_fd, &byte, 1, p->witness) == 1;
}

/* A line "Name:   123 kB" of /proc/PID/status, in bytes; 0 if it is not there. */
static uint64_t status_bytes(const char *status, const char *name)
{
	const char *line = strstr(status, name);

	return line ? strtoull(line + strlen(name), NULL, 10) << 10 : 0;
}

uint64_t target_process_memory(const struct target_process *p)
{
	char buf[4096];

	if (process_read_small(p->proc_fd, "status", buf, sizeof(buf)) < 0)
		return 0;
	return status_bytes(buf, "\nVmRSS:") + status_bytes(buf, "\nVmSwap:");
}

bool target_process_filtered(const struct target_process *p)
{
	char buf[4096], *line;

	if (process_read_small(p->proc_fd, "status", buf, sizeof(buf)) < 0)
		return true;
	line = strstr(buf, "\nSeccomp:");
	return line && strtol(line + 9, NULL, 10);
}

/* arch_proc_pid_thread_features() of arch/x86/kernel/cpu/proc.c, v6.6: words, each with a blank behind it. */
#define FEATURES "\nx86_Thread_features:"

bool target_status_shadowed(const char *status)
{
	const char *line = strstr(status, FEATURES);
	size_t len;

	if (!line)
		return false;
	for (line += strlen(FEATURES); *line && *line != '\n'; line += len) {
		line += strspn(line, " \t");
		len = strcspn(line, " \t\n");
		if (len == strlen("shstk") && !strncmp(line, "shstk", len))
			return true;
	}
	return false;
}

bool target_thread_shadowed(const struct target_process *p, pid_t tid)
{
	char path[64], buf[STATUS_MAX];
	ssize_t len;

	snprintf(path, sizeof(path), "task/%d/status", (int)tid);
	len = process_read_small(p->proc_fd, path, buf, sizeof(buf));
	if (len < 0)
		return len != -ENOENT && len != -ESRCH;
	/* those lines are the last ones; the list of CPUs before them may be long */
	return (size_t)len + 1 >= sizeof(buf) || target_status_shadowed(buf);
}

int target_process_read(const struct target_process *p, uint64_t addr, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(p->mem_fd, (char *)buf + done, len - done, addr + done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EIO ? -EFAULT : -errno;
		if (n == 0)
			return -ESRCH;
		done += n;
	}
	return 0;
}

ssize_t target_process_read_pieces(const struct target_process *p, struct target_piece *pieces,
				   size_t n)
{
	struct iovec local[PIECES_PER_CALL], remote[PIECES_PER_CALL];
	ssize_t total = 0;
	size_t at = 0;

	while (at < n) {
		size_t count = n - at < PIECES_PER_CALL ? n - at : PIECES_PER_CALL;
		ssize_t got;
		size_t i;

		for (i = 0; i < count; i++) {
			pieces[at + i].done = false;
			local[i] = (struct iovec){pieces[at + i].buf, pieces[at + i].len};
			remote[i] = (struct iovec){(void *)(uintptr_t)pieces[at + i].addr,
						   pieces[at + i].len};
		}
		got = process_vm_readv(p->pid, local, count, remote, count, 0);
		if (got < 0) {
			if (errno == ESRCH || errno == EPERM)
				return -errno;
			got = 0;
		}
		for (i = 0; i < count && (size_t)got >= pieces[at + i].len; i++) {
			got -= pieces[at + i].len;
			pieces[at + i].done = true;
			total++;
		}
		/* the first piece that could not be read ends the call: go on behind it */
		at += i < count ? i + 1 : i;
	}
	return total;
}
