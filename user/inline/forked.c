// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/inline/forked.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "user/base/clock.h"

/* A target may have any number of children: a look is bounded, and there are more. */
#define LOOK_NS 1000000000
#define REST_MS 250 /* between two looks, unless one takes long: */
#define REST_SHARE 100 /* they take a hundredth of the time at most */

/* Whether both work in the same memory, as a parent and its child by vfork(); or that cannot be told. */
static bool shares_memory(const struct planted *d, pid_t pid)
{
	return target_process_alive(d->p) && syscall(SYS_kcmp, d->p->pid, pid, KCMP_VM, 0, 0) <= 0;
}

/* What runs another program has been left alone by the kernel already. */
static bool runs_the_same(const struct planted *d, const char *pid)
{
	char path[300], exe[PATH_MAX];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%s/exe", pid);
	len = readlink(path, exe, sizeof(exe));
	return len > 0 && (size_t)len == strlen(d->p->exe) && !memcmp(exe, d->p->exe, (size_t)len);
}

/* By gscope's own copy of what was changed: at a fork all addresses stay the same. */
static void clean(const struct planted *d, pid_t pid)
{
	struct planted c = {.layout = d->layout, .wait = d->wait, .mem_fd = -1, .shared_fd = -1};
	struct inline_header own = *d->own;
	struct target_process *p;
	struct error e;

	if (pid == d->p->pid || shares_memory(d, pid) || target_process_open(pid, &p, &e))
		return;
	c.p = p;
	c.own = &own;
	if (plant_is_mapped(&c, p) && !plant_open_memory(&c, p, &e) && !plant_restore(&c, &e))
		plant_unmap(&c, &e);
	plant_close(&c);
	target_process_close(p);
}

static void clean_named(const struct planted *d, const char *name)
{
	int pid = atoi(name);

	if (pid > 0 && runs_the_same(d, name))
		clean(d, pid);
}

/* Of one thread: "PID PID ...". */
static void clean_children_of(const struct planted *d, int task, const char *tid, uint64_t end)
{
	char path[300];
	int fd, pid;
	FILE *f;

	snprintf(path, sizeof(path), "%s/children", tid);
	fd = openat(task, path, O_RDONLY | O_CLOEXEC);
	f = fd >= 0 ? fdopen(fd, "r") : NULL;
	while (f && now_ns() < end && fscanf(f, "%d", &pid) == 1) {
		snprintf(path, sizeof(path), "%d", pid);
		clean_named(d, path);
	}
	if (f)
		fclose(f);
	else if (fd >= 0)
		close(fd);
}

static DIR *open_dir(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

	if (!dir && fd >= 0)
		close(fd);
	return dir;
}

void forked_clean_children(const struct planted *d)
{
	DIR *dir = open_dir(d->p->proc_fd, "task");
	uint64_t end = now_ns() + LOOK_NS;
	struct dirent *entry;

	while (dir && now_ns() < end && (entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			clean_children_of(d, dirfd(dir), entry->d_name, end);
	if (dir)
		closedir(dir);
}

void forked_clean_all(const struct planted *d)
{
	DIR *dir = open_dir(AT_FDCWD, "/proc");
	uint64_t end = now_ns() + LOOK_NS;
	struct dirent *entry;

	while (dir && now_ns() < end && (entry = readdir(dir)))
		clean_named(d, entry->d_name);
	if (dir)
		closedir(dir);
}

int forked_watch(const struct planted *d)
{
	uint64_t begin = now_ns(), ms;

	forked_clean_children(d);
	ms = (now_ns() - begin) * REST_SHARE / 1000000;
	return ms > REST_MS ? (int)ms : REST_MS;
}
