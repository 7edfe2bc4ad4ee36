// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/inline/stray.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "user/inline/caller.h"
#include "user/inline/shared.h"

static bool is_stray(int dir, const char *name)
{
	char link[64] = "";

	return readlinkat(dir, name, link, sizeof(link) - 1) > 0 &&
	       !strcmp(link, "/memfd:" INLINE_NAME " (deleted)");
}

int stray_find(const struct target_process *p)
{
	int found = -1, fd = openat(p->proc_fd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	while (found < 0 && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && is_stray(fd, entry->d_name))
			found = atoi(entry->d_name);
	closedir(dir);
	return found;
}

int stray_close(const struct target_process *p, const struct layout *l, int fd, struct error *e)
{
	const struct remote_wait wait = {.limit_ns = REMOTE_LIMIT_NS, .cancel_fd = -1};
	const uint64_t shut[7] = {SYS_close, (uint64_t)fd};
	int mem_fd = openat(p->proc_fd, "mem", O_RDWR | O_CLOEXEC);
	struct caller c;
	int err;

	if (mem_fd < 0)
		return error_set(e, EXIT_TARGET, -errno, "its memory cannot be written: %s",
				 strerror(errno));
	err = caller_stop(&c, p, l, mem_fd, &wait, e);
	if (!err) {
		/* it may have closed it itself by now, and have another one of that number */
		if (stray_find(p) == fd)
			err = (int)caller_call(&c, shut);
		caller_release(&c);
		if (err)
			error_set(e, EXIT_FAILED, err, "descriptor %d of process %d stays open: %s",
				  fd, (int)p->pid, strerror(-err));
	}
	close(mem_fd);
	return err;
}
