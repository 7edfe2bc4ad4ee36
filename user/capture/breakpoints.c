// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/breakpoints.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/perf_event.h>

#include "user/base/clock.h"
#include "user/capture/uprobes.h"

#define PAGE 4096U
#define BREAKPOINT 0xcc
#define MOST 65536 /* that are removed; there are not more sites in a capture */
#define LOOK_NS 5000000000U
#define REMOVE_NS 10000000000U

/* /proc/PID/pagemap: Linux, Documentation/admin-guide/mm/pagemap.rst. */
#define PM_PRESENT (1ULL << 63)
#define PM_SWAPPED (1ULL << 62)
#define PM_FILE (1ULL << 61)

struct place {
	uint64_t addr;
	uint64_t file_off;
	size_t map;
};

struct search {
	const struct target_process *p;
	const volatile sig_atomic_t *stop;
	uint64_t until_ns;
	int pagemap;
	const struct target_map *maps;
	size_t nmaps;
	int file; /* of the mapping that is looked at */
	struct place *v;
	size_t n, room;
	bool partly;
};

static bool is_over(struct search *s)
{
	if (now_ns() < s->until_ns && !(s->stop && *s->stop))
		return false;
	s->partly = true;
	return true;
}

static int note(struct search *s, size_t map, uint64_t addr)
{
	const struct target_map *m = &s->maps[map];

	if (s->n == MOST) {
		s->partly = true;
		return 0;
	}
	if (s->n == s->room) {
		size_t room = s->room ? 2 * s->room : 64;
		struct place *v = realloc(s->v, room * sizeof(*v));

		if (!v)
			return -ENOMEM;
		s->v = v;
		s->room = room;
	}
	s->v[s->n++] = (struct place){addr, addr - m->start + m->offset, map};
	return 0;
}

/* A page that is not the file's any more: somebody has written into it. */
static int look_at_page(struct search *s, size_t map, uint64_t addr)
{
	const struct target_map *m = &s->maps[map];
	uint8_t is[PAGE], was[PAGE];
	ssize_t n;
	int err = 0;

	if (target_process_read(s->p, addr, is, sizeof(is)) || !memchr(is, BREAKPOINT, sizeof(is)))
		return 0;
	n = pread(s->file, was, sizeof(was), (off_t)(addr - m->start + m->offset));
	for (ssize_t i = 0; i < n && !err; i++)
		if (is[i] == BREAKPOINT && was[i] != BREAKPOINT)
			err = note(s, map, addr + (uint64_t)i);
	return err;
}

/*
 * The process's own pages alone are read: others are the file's, and reading those would bring them
 * into memory.
 */
static int look_at_map(struct search *s, size_t map)
{
	const struct target_map *m = &s->maps[map];
	uint64_t entry[512];
	int err = 0;

	for (uint64_t at = m->start; at < m->end && !err && !is_over(s);) {
		size_t pages = (m->end - at) / PAGE, want = sizeof(entry) / sizeof(entry[0]);
		ssize_t n;

		want = pages < want ? pages : want;
		n = pread(s->pagemap, entry, want * sizeof(entry[0]), (off_t)(at / PAGE * 8));
		if (n < (ssize_t)sizeof(entry[0]))
			return 0; /* it has ended, or the mapping is gone */
		for (size_t i = 0; i < (size_t)n / sizeof(entry[0]) && !err; i++, at += PAGE)
			if ((entry[i] & (PM_PRESENT | PM_SWAPPED)) && !(entry[i] & PM_FILE))
				err = look_at_page(s, map, at);
	}
	return err;
}

/* A regular file of it, or -1: opening a device may do something. */
static int open_code(const struct target_process *p, const struct target_map *m)
{
	char link[64];
	struct stat st;

	snprintf(link, sizeof(link), "map_files/%llx-%llx", (unsigned long long)m->start,
		 (unsigned long long)m->end);
	if (fstatat(p->proc_fd, link, &st, 0) || !S_ISREG(st.st_mode))
		return -1;
	return target_process_open_map(p, m);
}

static int look(struct search *s)
{
	int err = 0;

	for (size_t i = 0; i < s->nmaps && !err; i++) {
		const struct target_map *m = &s->maps[i];

		/* what the kernel takes probes in */
		if (!m->inode || m->prot[2] != 'x' || m->prot[3] != 'p')
			continue;
		s->file = open_code(s->p, m);
		if (s->file < 0)
			continue;
		err = look_at_map(s, i);
		close(s->file);
	}
	return err;
}

/* --- a debugger -------------------------------------------------------------------------------- */

static pid_t tracer_of(const struct target_process *p, pid_t tid)
{
	char path[64], line[256];
	int fd, tracer = 0;
	FILE *f;

	snprintf(path, sizeof(path), "task/%d/status", (int)tid);
	fd = openat(p->proc_fd, path, O_RDONLY | O_CLOEXEC);
	f = fd < 0 ? NULL : fdopen(fd, "r");
	if (!f && fd >= 0)
		close(fd);
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "TracerPid: %d", &tracer) == 1)
			break;
	if (f)
		fclose(f);
	return tracer;
}

static int refuse_debugged(const struct target_process *p, struct error *e)
{
	struct target_thread *v;
	size_t n;
	int err = target_process_threads(p, NULL, &v, &n, e);
	pid_t tracer = 0;

	if (err)
		return err;
	for (size_t i = 0; i < n && !tracer; i++)
		tracer = tracer_of(p, v[i].tid);
	free(v);
	if (!tracer)
		return 0;
	return error_set(
		e, EXIT_TARGET, -EBUSY,
		"process %d is traced by process %d, a debugger, whose breakpoints look like "
		"those of gscope: have it detach first",
		(int)p->pid, (int)tracer);
}

/* --- removal ------------------------------------------------------------------------------------ */

/* 0 or a negative errno; the event takes no hits. */
static int touch(const struct search *s, const struct place *at, int file, int type)
{
	char path[32];
	struct perf_event_attr attr = {
		.type = (uint32_t)type,
		.size = sizeof(attr),
		.config1 = (uint64_t)(uintptr_t)path,
		.config2 = at->file_off,
		.disabled = 1,
	};
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	fd = (int)syscall(SYS_perf_event_open, &attr, s->p->pid, -1, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

static bool is_there(const struct search *s, const struct place *at)
{
	uint8_t byte;

	return !target_process_read(s->p, at->addr, &byte, sizeof(byte)) && byte == BREAKPOINT;
}

static void count(const struct search *s, const struct place *at, int err,
		  struct breakpoints_left *out)
{
	if (!is_there(s, at))
		out->removed++;
	else if (err)
		out->refused++;
	else
		out->in_use++;
}

static void remove_all(struct search *s, int type, struct breakpoints_left *out)
{
	size_t map = SIZE_MAX;
	int file = -1;

	for (size_t i = 0; i < s->n && !is_over(s); i++) {
		const struct place *at = &s->v[i];

		if (at->map != map) {
			if (file >= 0)
				close(file);
			map = at->map;
			file = open_code(s->p, &s->maps[map]);
		}
		count(s, at, file < 0 ? file : touch(s, at, file, type), out);
	}
	if (file >= 0)
		close(file);
}

int breakpoints_remove(const struct target_process *p, const volatile sig_atomic_t *stop,
		       struct breakpoints_left *out, struct error *e)
{
	struct search s = {.p = p, .stop = stop, .until_ns = now_ns() + LOOK_NS};
	struct target_map *maps;
	int type = 0, err;

	*out = (struct breakpoints_left){0};
	s.pagemap = openat(p->proc_fd, "pagemap", O_RDONLY | O_CLOEXEC);
	if (s.pagemap < 0)
		return error_set(e, EXIT_FAILED, -errno,
				 "the pages of process %d cannot be looked at: %s", (int)p->pid,
				 strerror(errno));
	err = target_process_maps(p, &maps, &s.nmaps, e);
	if (err) {
		close(s.pagemap);
		return err;
	}
	s.maps = maps;
	err = look(&s);
	if (err)
		error_set(e, EXIT_FAILED, err, "out of memory");
	if (!err && s.n)
		err = refuse_debugged(p, e);
	if (!err && s.n) {
		type = uprobes_perf_type();
		if (type < 0)
			err = error_set(e, EXIT_FAILED, type, "this kernel has no uprobes: %s",
					strerror(-type));
	}
	if (!err) {
		s.until_ns = now_ns() + REMOVE_NS;
		remove_all(&s, type, out);
	}
	out->partly = s.partly;
	free(s.v);
	free(maps);
	close(s.pagemap);
	return err;
}
