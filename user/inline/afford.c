// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/inline/afford.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define UNSEEN (32ULL << 20) /* of a process in control groups that cannot be seen from here */

static void bound(struct afford *a, uint64_t bytes, const char *by)
{
	if (bytes < a->bytes)
		*a = (struct afford){bytes, by};
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static FILE *open_at(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	FILE *f = fd >= 0 ? fdopen(fd, "r") : NULL;

	if (!f && fd >= 0)
		close(fd);
	return f;
}

/* The number behind `key` in a file of lines "KEY NUMBER"; false: there is none. */
static bool read_key(int dir, const char *name, const char *key, uint64_t *out)
{
	FILE *f = open_at(dir, name);
	size_t n = strlen(key);
	char line[256];
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f)) {
		char *end;

		if (strncmp(line, key, n) != 0)
			continue;
		*out = strtoull(line + n, &end, 10);
		found = end != line + n;
	}
	if (f)
		fclose(f);
	return found;
}

/* --- control groups ------------------------------------------------------------------------- */

struct names {
	const char *max, *high, *current, *cache;
	const char *by_max, *by_high;
};

static const struct names v1 = {
	.max = "memory.limit_in_bytes",
	.current = "memory.usage_in_bytes",
	.cache = "total_inactive_file ",
	.by_max = "memory.limit_in_bytes of its control group",
};

static const struct names v2 = {
	.max = "memory.max",
	.high = "memory.high",
	.current = "memory.current",
	.cache = "inactive_file ",
	.by_max = "memory.max of its control group",
	.by_high = "memory.high of its control group",
};

/*
 * What one group leaves. Files that were read once and not again go before anybody suffers; without
 * counting on that, whoever reads files has nothing left.
 */
static void look_at_group(struct afford *a, int dir, const struct names *n)
{
	uint64_t max, current, cache = 0;

	if (!read_key(dir, n->current, "", &current))
		return; /* the root, or one without this controller */
	read_key(dir, "memory.stat", n->cache, &cache);
	current = less(current, cache);
	if (read_key(dir, n->max, "", &max)) /* "max": none */
		bound(a, less(max, current), n->by_max);
	if (n->high && read_key(dir, n->high, "", &max))
		bound(a, less(max, current), n->by_high);
}

static int open_group(int base, const char *path)
{
	const struct open_how how = {
		.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};

	return (int)syscall(SYS_openat2, base, path[0] ? path : ".", &how, sizeof(how));
}

/* Group `path` and all that it is in. False: it is not below `base`. */
static bool look_at_groups(struct afford *a, int base, char *path, const struct names *n)
{
	for (bool leaf = true;; leaf = false) {
		int dir = open_group(base, path);
		char *slash = strrchr(path, '/');

		if (dir >= 0) {
			look_at_group(a, dir, n);
			close(dir);
		} else if (leaf) {
			return false;
		}
		if (!path[0])
			return true;
		*(slash ? slash : path) = 0;
	}
}

/* A line "NUMBER:CONTROLLERS:/PATH" of /proc/PID/cgroup is the one that has memory. */
static bool has_memory(const char *controllers)
{
	const char *at = strstr(controllers, "memory");

	return at && (at == controllers || at[-1] == ',') && (!at[6] || at[6] == ',');
}

/* The path of the group, which is the caller's to free, and its version; NULL: there is none. */
static char *find_group(const struct target_process *p, bool *old)
{
	FILE *f = open_at(p->proc_fd, "cgroup");
	char *line = NULL, *path = NULL;
	size_t room = 0;

	while (f && getline(&line, &room, f) > 0) {
		char *controllers = strchr(line, ':'), *at;

		at = controllers ? strchr(controllers + 1, ':') : NULL;
		if (!at || at[1] != '/')
			continue;
		*at = 0;
		at[2 + strcspn(at + 2, "\n")] = 0;
		*old = has_memory(controllers + 1);
		if (!*old && controllers[1])
			continue;
		free(path);
		path = strdup(at + 2);
		if (*old)
			break;
	}
	free(line);
	if (f)
		fclose(f);
	return path;
}

static void look_at_memory_groups(struct afford *a, const struct target_process *p)
{
	bool old = false, seen = false;
	char *path = find_group(p, &old);
	int base;

	if (!path)
		return;
	base = open(old ? "/sys/fs/cgroup/memory" : "/sys/fs/cgroup",
		    O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (!old && base >= 0 && faccessat(base, "cgroup.controllers", F_OK, 0)) {
		close(base);
		base = open("/sys/fs/cgroup/unified", O_PATH | O_DIRECTORY | O_CLOEXEC);
	}
	if (base >= 0) {
		seen = look_at_groups(a, base, path, old ? &v1 : &v2);
		close(base);
	}
	if (!seen)
		bound(a, UNSEEN, "a control group that cannot be seen from here");
	free(path);
}

/* --- limits --------------------------------------------------------------------------------- */

static void look_at_address_space(struct afford *a, const struct target_process *p)
{
	uint64_t most, size;

	/* "unlimited" is no number */
	if (!read_key(p->proc_fd, "limits", "Max address space ", &most))
		return;
	if (read_key(p->proc_fd, "status", "VmSize:", &size))
		bound(a, less(most, size << 10), "its limit of address space");
}

static void look_at_machine(struct afford *a)
{
	uint64_t kib, used, mode;

	if (read_key(AT_FDCWD, "/proc/meminfo", "MemAvailable:", &kib))
		bound(a, kib << 10, "this machine");
	/* then a page that is not there yet may be refused to the program that touches it */
	if (read_key(AT_FDCWD, "/proc/sys/vm/overcommit_memory", "", &mode) && mode == 2 &&
	    read_key(AT_FDCWD, "/proc/meminfo", "CommitLimit:", &kib) &&
	    read_key(AT_FDCWD, "/proc/meminfo", "Committed_AS:", &used))
		bound(a, less(kib, used) << 10, "vm.overcommit_memory=2");
}

void afford_look(struct afford *out, const struct target_process *p)
{
	*out = (struct afford){UINT64_MAX, "nothing"};
	look_at_machine(out);
	look_at_address_space(out, p);
	look_at_memory_groups(out, p);
}

uint64_t afford_locked(const struct target_process *p)
{
	uint64_t kib;

	return read_key(p->proc_fd, "status", "VmLck:", &kib) ? kib << 10 : 0;
}
