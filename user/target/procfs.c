// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/target/procfs.h"

#include <errno.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "user/base/files.h"

/*
 * Whether /proc is of our own PID namespace. "NSpid:" of /proc/PID/status has our PID in each
 * namespace from /proc's to our own: proc_pid_status() of fs/proc/array.c. 0, or a negative errno.
 */
static int is_own(bool *own)
{
	char line[256];
	long pid;
	int end = 0;
	FILE *f = fopen("/proc/self/status", "re");

	*own = false;
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "NSpid: %ld%n", &pid, &end) == 1)
			*own = pid == getpid() && line[end] == '\n';
	}
	fclose(f);
	return 0;
}

int procfs_check(struct error *e)
{
	struct statfs fs;
	bool own;
	int err;

	if (statfs("/proc", &fs) || fs.f_type != PROC_SUPER_MAGIC)
		return error_set(e, EXIT_FAILED, -ENOTSUP,
				 "/proc is not mounted here, and gscope finds all it knows of a "
				 "process there: mount -t proc proc /proc");
	err = is_own(&own);
	if (files_lacking(err))
		return error_set(e, EXIT_FAILED, err, "/proc/self/status cannot be read: %s",
				 strerror(-err));
	/* without that file nobody here is us */
	if (own)
		return 0;
	return error_set(
		e, EXIT_FAILED, -ENOTSUP,
		"/proc shows the processes of another PID namespace than gscope's, so that "
		"PIDs would name the wrong ones: run gscope on the host, or mount a /proc of "
		"its own (unshare --mount-proc, mount -t proc proc /proc)");
}

bool procfs_hides(pid_t pid)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	return pid > 0 && access(path, F_OK) && (!kill(pid, 0) || errno == EPERM);
}
