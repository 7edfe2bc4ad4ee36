// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/target/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include "user/target/procfs.h"

#define PF_KTHREAD 0x00200000U /* include/linux/sched.h: a kernel thread */

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

/* One system call takes UIO_MAXIOV pieces; short of that, so that buffers stay small. */
#define PIECES_PER_CALL 512

/* What is used of /proc/PID/stat. */
struct stat_line {
	char comm[TARGET_COMM_LEN];
	char state;
	unsigned int flags;
	uint64_t start_time;
};

/* Read a small file below `dir` into buf, NUL-terminated: its length or a negative errno. */
static ssize_t read_small(int dir, const char *name, char *buf, size_t size)
{
	size_t len = 0;
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	while (len < size - 1) {
		ssize_t n = read(fd, buf + len, size - 1 - len);

		if (n < 0) {
			int err = -errno;

			if (err == -EINTR)
				continue;
			close(fd);
			return err;
		}
		if (n == 0)
			break;
		len += n;
	}
	close(fd);
	buf[len] = 0;
	return len;
}

/* The command name may hold blanks and parentheses: the last ")" ends it. */
static int read_stat(int dir, const char *name, struct stat_line *out)
{
	char buf[1024], *open, *close;
	unsigned long long start;
	ssize_t len = read_small(dir, name, buf, sizeof(buf));

	if (len < 0)
		return len;
	open = strchr(buf, '(');
	close = strrchr(buf, ')');
	if (!open || !close || close < open)
		return -EPROTO;
	*close = 0;
	memset(out, 0, sizeof(*out));
	strncpy(out->comm, open + 1, sizeof(out->comm) - 1);
	/* fields 3 (state), 9 (flags) and 22 (starttime): proc_pid_stat(5) */
	if (sscanf(close + 1,
		   " %c %*d %*d %*d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
		   &out->state, &out->flags, &start) != 3)
		return -EPROTO;
	out->start_time = start;
	return 0;
}

/* The process a thread belongs to, 0 if that cannot be told. */
static pid_t read_tgid(int dir)
{
	char buf[4096], *line;
	ssize_t len = read_small(dir, "status", buf, sizeof(buf));

	if (len < 0)
		return 0;
	line = strstr(buf, "\nTgid:");
	return line ? (pid_t)strtol(line + 6, NULL, 10) : 0;
}

/*
 * The id in the innermost PID namespace, the last of "NSpid:" (since Linux 4.1): 0 if it cannot
 * be told.
 */
static pid_t read_own_tid(int dir, const char *name)
{
	char buf[4096], *at, *end;
	pid_t tid = 0;

	if (read_small(dir, name, buf, sizeof(buf)) < 0)
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

	if (read_small(dir, name, buf, sizeof(buf)) <= 0 ||
	    sscanf(buf, "%ld %*x %*x %*x %*x %*x %*x %llx", &nr, &sp) != 2)
		return -1;
	/* the numbers of 32-bit programs are others; only their stacks are that low */
	return nr >= 0 && nr < UINT16_MAX && sp > UINT32_MAX ? (int)nr : -1;
}

static int not_allowed(struct error *e, pid_t pid, const char *what, int err)
{
	const char *advice = geteuid() ? "run gscope as root, or give it CAP_SYS_PTRACE, CAP_BPF "
					 "and CAP_PERFMON" :
					 "a security module or a container's missing "
					 "CAP_SYS_PTRACE keeps even root from this process";

	return error_set(e, EXIT_FAILED, err, "pid %d: /proc/%d/%s cannot be read: %s; %s",
			 (int)pid, (int)pid, what, strerror(-err), advice);
}

static int gone(struct error *e, pid_t pid)
{
	if (procfs_hides(pid))
		return error_set(e, EXIT_FAILED, -EPERM,
				 "pid %d: /proc is mounted so that it hides this process from you "
				 "(hidepid): run gscope as root, or give it CAP_SYS_PTRACE",
				 (int)pid);
	return error_set(e, EXIT_TARGET, -ESRCH,
			 "pid %d: no such process; `pgrep -l NAME` finds the PID of a command",
			 (int)pid);
}

/* Whether an errno of /proc says that the process is not there (any more). */
static bool says_gone(int err)
{
	return err == -ESRCH || err == -ENOENT;
}

static int open_exe(struct target_process *p, struct error *e)
{
	ssize_t len = readlinkat(p->proc_fd, "exe", p->exe, sizeof(p->exe) - 1);

	if (len < 0)
		return says_gone(-errno) ? gone(e, p->pid) : not_allowed(e, p->pid, "exe", -errno);
	p->exe[len] = 0;
	p->exe_fd = openat(p->proc_fd, "exe", O_RDONLY | O_CLOEXEC);
	if (p->exe_fd < 0)
		return says_gone(-errno) ? gone(e, p->pid) : not_allowed(e, p->pid, "exe", -errno);
	return 0;
}

static int open_mem(struct target_process *p, struct error *e)
{
	struct target_map *maps;
	size_t n;
	int err;

	p->mem_fd = openat(p->proc_fd, "mem", O_RDONLY | O_CLOEXEC);
	if (p->mem_fd < 0)
		return says_gone(-errno) ? gone(e, p->pid) : not_allowed(e, p->pid, "mem", -errno);
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
	struct stat_line st;
	char path[32];
	pid_t tgid;
	int err;

	snprintf(path, sizeof(path), "/proc/%d", (int)p->pid);
	p->proc_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (p->pid <= 0 || p->proc_fd < 0)
		return gone(e, p->pid);
	tgid = read_tgid(p->proc_fd);
	if (tgid > 0 && tgid != p->pid)
		return error_set(e, EXIT_TARGET, -EINVAL,
				 "pid %d is a thread of process %d: use -p %d", (int)p->pid,
				 (int)tgid, (int)tgid);
	err = read_stat(p->proc_fd, "stat", &st);
	if (err)
		return says_gone(err) ? gone(e, p->pid) : not_allowed(e, p->pid, "stat", err);
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
		return gone(e, p->pid);
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
	struct stat_line st;

	if (p->pidfd >= 0 && poll(&pfd, 1, 0) > 0)
		return false;
	return read_stat(p->proc_fd, "stat", &st) == 0 && st.state != 'Z' && st.state != 'X';
}

bool target_process_same(const struct target_process *p)
{
	struct stat_line st;
	char byte;

	if (!target_process_alive(p) || read_stat(p->proc_fd, "stat", &st) ||
	    st.start_time != p->start_time)
		return false;
	/* mem_fd holds on to the address space of the program that was opened: after an exec that
	   space has no user left, and reads return 0 (fs/proc/base.c: mem_rw) */
	return !p->witness || pread(p->mem_fd, &byte, 1, p->witness) == 1;
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

/* The whole of /proc/PID/maps, NUL-terminated; the caller's to free. */
static char *read_maps(int dir, int *err)
{
	size_t used = 0, room = 1 << 16;
	char *text = malloc(room);
	int fd = openat(dir, "maps", O_RDONLY | O_CLOEXEC);

	*err = fd < 0 ? -errno : text ? 0 : -ENOMEM;
	while (!*err) {
		ssize_t n = read(fd, text + used, room - used - 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			*err = -errno;
		if (n <= 0)
			break;
		used += n;
		if (room - used < 4096) {
			char *bigger = realloc(text, room *= 2);

			if (!bigger)
				*err = -ENOMEM;
			else
				text = bigger;
		}
	}
	close_fd(fd);
	if (*err) {
		free(text);
		return NULL;
	}
	text[used] = 0;
	return text;
}

/* Parse "START-END PROT OFFSET MAJOR:MINOR INODE   PATH", ended by NUL. */
static bool parse_map(const char *line, struct target_map *m)
{
	unsigned int major, minor;
	int path = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64 " %n", &m->start,
		   &m->end, m->prot, &m->offset, &major, &minor, &m->inode, &path) != 7)
		return false;
	m->dev = makedev(major, minor);
	m->path = line + path;
	return true;
}

int target_process_maps(const struct target_process *p, struct target_map **out, size_t *n,
			struct error *e)
{
	struct target_map *v;
	size_t lines = 0, size;
	char *text, *next;
	int err;

	*out = NULL;
	*n = 0;
	text = read_maps(p->proc_fd, &err);
	if (!text)
		return says_gone(err) ? gone(e, p->pid) : not_allowed(e, p->pid, "maps", err);
	size = strlen(text) + 1;
	for (const char *at = text; (at = strchr(at, '\n')); at++)
		lines++;
	/* one block: what the paths point to is behind the array */
	v = malloc(lines * sizeof(*v) + size);
	if (v)
		memcpy(v + lines, text, size);
	free(text);
	if (!v)
		return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	for (char *line = (char *)(v + lines); *line; line = next) {
		next = line + strcspn(line, "\n");
		if (*next)
			*next++ = 0;
		else
			break; /* cut off in the middle of a line */
		*n += parse_map(line, &v[*n]);
	}
	if (!*n) {
		free(v);
		return gone(e, p->pid);
	}
	*out = v;
	return 0;
}

/* By its path in the process's own file system: only if that still is the file mapped. */
static int open_by_path(const struct target_process *p, const struct target_map *m)
{
	struct stat st;
	int root = openat(p->proc_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC), fd;

	if (root < 0)
		return -errno;
	/* what stands there now may be a pipe, on which an open would wait */
	fd = m->path[0] == '/' ?
		     openat(root, m->path + 1, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) :
		     -1;
	close(root);
	if (fd < 0)
		return -ENOENT;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_ino != m->inode) {
		close(fd);
		return -ENOENT;
	}
	return fd;
}

int target_process_open_map(const struct target_process *p, const struct target_map *m)
{
	char path[64];
	int fd;

	if (!m->inode)
		return -ENOENT;
	/* needs CAP_SYS_ADMIN or, since Linux 5.9, CAP_CHECKPOINT_RESTORE */
	snprintf(path, sizeof(path), "map_files/%" PRIx64 "-%" PRIx64, m->start, m->end);
	fd = openat(p->proc_fd, path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 ? fd : open_by_path(p, m);
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
		close_fd(fd);
		return gone(e, p->pid);
	}
	while ((entry = readdir(dir))) {
		char path[sizeof(entry->d_name) + sizeof("/syscall")];
		pid_t tid = atoi(entry->d_name);
		struct stat_line st;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/stat", entry->d_name);
		if (read_stat(fd, path, &st))
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
		return gone(e, p->pid);
	}
	*out = v;
	*n = used;
	return 0;
}
