// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/target/procfs.h"

#include <errno.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

/*
 * Whether /proc is of our own PID namespace. "NSpid:" of /proc/PID/status has our PID in each
 * namespace from /proc's to our own: proc_pid_status() of fs/proc/array.c.
 */
static bool is_own(void)
{
	char line[256];
	long pid;
	int end = 0;
	bool own = false;
	FILE *f = fopen("/proc/self/status", "re");

	if (!f)
		return false; /* nobody here is us */
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "NSpid: %ld%n", &pid, &end) == 1)
			own = pid == getpid() && line[end] == '\n';
	}
	fclose(f);
	return own;
}

int procfs_check(struct error *e)
{
	struct statfs fs;

	if (statfs("/proc", &fs) || fs.f_type != PROC_SUPER_MAGIC)
		return error_set(e, EXIT_FAILED, -ENOTSUP,
				 "/proc is not mounted here, and gscope finds all it knows of a "
				 "process there: mount -t proc proc /proc");
	if (is_own())
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
