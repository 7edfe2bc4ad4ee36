// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/target/held.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "user/target/process_internal.h"

/*
 * A line of /proc/PID/cgroup (cgroups(7)): "0::/PATH" for v2, "N:freezer:/PATH" for v1. Where the trees
 * are mounted is a convention.
 */
static const struct tree {
	const char *controller;
	const char *mount, *file;
	int which; /* of held_watch.fd */
} trees[] = {
	{"::", "/sys/fs/cgroup", "cgroup.events", 0},
	{"::", "/sys/fs/cgroup/unified", "cgroup.events", 0},
	{":freezer:", "/sys/fs/cgroup/freezer", "freezer.state", 1},
};

static int open_tree(const struct tree *t, const char *path)
{
	char file[4096 + 128];

	/* it is not below what we see */
	if (strstr(path, "/.."))
		return -1;
	snprintf(file, sizeof(file), "%s%s/%s", t->mount, path, t->file);
	return open(file, O_RDONLY | O_CLOEXEC);
}

void held_open(struct held_watch *w, const struct target_process *p)
{
	char buf[8192], *line, *next = buf;

	*w = (struct held_watch){{-1, -1}};
	if (process_read_small(p->proc_fd, "cgroup", buf, sizeof(buf)) < 0)
		return;
	while ((line = strsep(&next, "\n"))) {
		for (size_t i = 0; i < sizeof(trees) / sizeof(trees[0]); i++) {
			const struct tree *t = &trees[i];
			char *colon = strchr(line, ':');
			size_t len = strlen(t->controller);

			if (colon && w->fd[t->which] < 0 && !strncmp(colon, t->controller, len))
				w->fd[t->which] = open_tree(t, colon + len);
		}
	}
}

void held_close(struct held_watch *w)
{
	for (int i = 0; i < 2; i++) {
		if (w->fd[i] >= 0)
			close(w->fd[i]);
		w->fd[i] = -1;
	}
}

static bool says(int fd, const char *what)
{
	char buf[256];
	ssize_t n = fd >= 0 ? pread(fd, buf, sizeof(buf) - 1, 0) : -1;

	if (n <= 0)
		return false;
	buf[n] = 0;
	return strstr(buf, what);
}

enum held held_look(const struct held_watch *w, const struct target_process *p)
{
	struct process_stat st;

	if (says(w->fd[0], "frozen 1") || says(w->fd[1], "FROZEN"))
		return HELD_FROZEN;
	if (process_read_stat(p->proc_fd, "stat", &st))
		return HELD_NOT;
	return st.state == 'T' ? HELD_STOPPED : st.state == 't' ? HELD_TRACED : HELD_NOT;
}
