// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The small files of /proc/PID, and what to say when one cannot be read. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "user/base/privilege.h"
#include "user/target/process_internal.h"
#include "user/target/procfs.h"

ssize_t process_read_small(int dir, const char *name, char *buf, size_t size)
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
int process_read_stat(int dir, const char *name, struct process_stat *out)
{
	char buf[1024], *open, *close;
	unsigned long long start;
	ssize_t len = process_read_small(dir, name, buf, sizeof(buf));

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

static int not_allowed(struct error *e, pid_t pid, const char *what, int err)
{
	char lacking[64], advice[160];

	if (!privilege_lacks_reading(lacking, sizeof(lacking)))
		snprintf(
			advice, sizeof(advice),
			"gscope has the capabilities for that: a security module keeps it from this "
			"process");
	else if (geteuid())
		snprintf(advice, sizeof(advice), "run gscope as root, or give it %s as well",
			 lacking);
	else
		snprintf(
			advice, sizeof(advice),
			"this root, a container's perhaps, lacks %s, which it takes to read a process "
			"of another user",
			lacking);
	return error_set(e, EXIT_FAILED, err, "pid %d: /proc/%d/%s cannot be read: %s; %s",
			 (int)pid, (int)pid, what, strerror(-err), advice);
}

int process_gone(struct error *e, pid_t pid)
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

int process_error(struct error *e, pid_t pid, const char *what, int err)
{
	if (err == -ESRCH || err == -ENOENT)
		return process_gone(e, pid);
	if (err == -EACCES || err == -EPERM)
		return not_allowed(e, pid, what, err);
	return error_set(e, EXIT_FAILED, err, "pid %d: /proc/%d/%s cannot be read: %s", (int)pid,
			 (int)pid, what, strerror(-err));
}
