// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "user/target/process_internal.h"

/* Address spaces of 65530 mappings (vm.max_map_count) need less. */
#define MAX_TEXT (32U << 20)

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
			char *bigger = room < MAX_TEXT ? realloc(text, room *= 2) : NULL;

			if (!bigger)
				*err = -ENOMEM;
			else
				text = bigger;
		}
	}
	if (fd >= 0)
		close(fd);
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
	return m->start < m->end;
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
		return process_error(e, p->pid, "maps", err);
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
		return process_gone(e, p->pid);
	}
	*out = v;
	return 0;
}

/* A regular file, opened only after that is known: opening others may do things. */
static int open_regular(int dir, const char *path)
{
	int fd, real = openat(dir, path, O_PATH | O_CLOEXEC);
	struct stat st;
	char link[64];

	if (real < 0)
		return -errno;
	if (fstat(real, &st) || !S_ISREG(st.st_mode)) {
		close(real);
		return -ENOENT;
	}
	snprintf(link, sizeof(link), "/proc/self/fd/%d", real);
	fd = open(link, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		fd = -errno;
	close(real);
	return fd;
}

/* The path as the process sees it, if the file there is still the one that is mapped. */
static int open_path(const struct target_process *p, const struct target_map *m)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
	int fd = -ENOENT, found,
	    root = openat(p->proc_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char link[64];
	struct stat st;

	if (root < 0)
		return -errno;
	found = (int)syscall(SYS_openat2, root, m->path, &how, sizeof(how));
	close(root);
	if (found < 0)
		return -ENOENT;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", found);
	if (!fstat(found, &st) && st.st_dev == m->dev && st.st_ino == m->inode)
		fd = open_regular(AT_FDCWD, link);
	close(found);
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
	fd = open_regular(p->proc_fd, path);
	return fd >= 0 ? fd : open_path(p, m);
}
