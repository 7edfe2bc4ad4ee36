// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/target/native.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "user/base/clock.h"
#include "user/target/native_elf.h"

/* Address spaces of 65530 mappings (vm.max_map_count) need less. */
#define MAX_MAPS_TEXT (32U << 20)

/* Libraries whose symbols are read, and the memory for all of them. */
#define MAX_OBJECTS 256
#define MAX_MEMORY (64U << 20)

/* The mappings are read again for a PC outside of them: so often at once, later so seldom. */
#define READS_AT_ONCE 16
#define READ_NS 250000000

struct mapping {
	uint64_t begin, end, off; /* [begin, end) has the file from `off` on */
	uint64_t inode;
	dev_t dev;
	const char *path; /* "" or "[heap]" where there is no file */
};

struct object {
	dev_t dev;
	uint64_t inode; /* 0: the vdso */
	struct native_object elf;
};

struct native {
	const struct target_process *process;
	char *text; /* /proc/PID/maps */
	struct mapping *v; /* sorted by address */
	size_t n;
	struct object *objects;
	size_t nobjects;
	size_t memory; /* of their tables */
	uint64_t read_ns; /* when a read of the mappings was paid for */
	unsigned int reads; /* that may follow at once */
	char func[PATH_MAX + 32];
};

struct native *native_new(const struct target_process *p)
{
	struct native *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->process = p;
	n->reads = READS_AT_ONCE;
	n->read_ns = now_ns();
	return n;
}

void native_free(struct native *n)
{
	if (!n)
		return;
	for (size_t i = 0; i < n->nobjects; i++)
		native_object_free(&n->objects[i].elf);
	free(n->objects);
	free(n->text);
	free(n->v);
	free(n);
}

/* --- mappings ----------------------------------------------------------------------------- */

static char *read_text(int fd)
{
	size_t used = 0, room = 64U << 10;
	char *text = malloc(room);

	while (text) {
		ssize_t got = read(fd, text + used, room - used - 1);
		char *bigger;

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		used += (size_t)got;
		if (room - used > 4096)
			continue;
		room *= 2;
		bigger = room <= MAX_MAPS_TEXT ? realloc(text, room) : NULL;
		if (!bigger) {
			free(text);
			return NULL;
		}
		text = bigger;
	}
	if (text)
		text[used] = 0;
	return text;
}

/* A line of /proc/PID/maps: proc_pid_maps(5). */
static bool parse_line(char *line, struct mapping *m)
{
	unsigned int dev_major, dev_minor;
	int path = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*4s %" SCNx64 " %x:%x %" SCNu64 " %n", &m->begin,
		   &m->end, &m->off, &dev_major, &dev_minor, &m->inode, &path) != 6)
		return false;
	m->dev = makedev(dev_major, dev_minor);
	m->path = line + path;
	return m->begin < m->end;
}

static int parse_text(struct native *n, char *text)
{
	struct mapping *v;
	size_t lines = 1, used = 0;
	char *rest = text, *line;

	for (const char *p = text; *p; p++)
		lines += *p == '\n';
	v = calloc(lines, sizeof(*v));
	if (!v)
		return -ENOMEM;
	while ((line = strsep(&rest, "\n")))
		used += parse_line(line, &v[used]);
	free(n->text);
	free(n->v);
	n->text = text;
	n->v = v;
	n->n = used;
	return 0;
}

static int read_mappings(struct native *n)
{
	int err, fd = openat(n->process->proc_fd, "maps", O_RDONLY | O_CLOEXEC);
	char *text;

	if (fd < 0)
		return -ENOENT;
	text = read_text(fd);
	close(fd);
	if (!text)
		return -ENOMEM;
	if (!*text) { /* the process has ended: what was known of it stays known */
		free(text);
		return -ENOENT;
	}
	err = parse_text(n, text);
	if (err)
		free(text);
	return err;
}

static bool may_read(struct native *n)
{
	uint64_t now = now_ns(), paid = (now - n->read_ns) / READ_NS;

	if (paid) {
		n->reads = paid < READS_AT_ONCE - n->reads ? n->reads + (unsigned int)paid :
							     READS_AT_ONCE;
		n->read_ns += paid * READ_NS;
	}
	if (!n->reads)
		return false;
	n->reads--;
	return true;
}

static const struct mapping *known_mapping(const struct native *n, uint64_t addr)
{
	size_t lo = 0, hi = n->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (n->v[mid].end <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < n->n && n->v[lo].begin <= addr ? &n->v[lo] : NULL;
}

static int find_mapping(struct native *n, uint64_t addr, const struct mapping **out)
{
	int err;

	*out = known_mapping(n, addr);
	if (*out)
		return 0;
	if (!may_read(n))
		return -ENOENT;
	err = read_mappings(n);
	if (err)
		return err;
	*out = known_mapping(n, addr);
	return *out ? 0 : -ENOENT;
}

/* --- objects ------------------------------------------------------------------------------ */

static int read_file(void *ctx, uint64_t off, void *buf, size_t len)
{
	const int *fd = ctx;
	size_t done = 0;

	while (done < len) {
		ssize_t got = pread(*fd, (char *)buf + done, len - done, (off_t)(off + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : -EINVAL;
		done += (size_t)got;
	}
	return 0;
}

struct memory {
	const struct target_process *process;
	uint64_t begin;
};

static int read_memory(void *ctx, uint64_t off, void *buf, size_t len)
{
	const struct memory *m = ctx;

	return target_process_read(m->process, m->begin + off, buf, len);
}

/* A regular file, opened only after that is known: opening others may do things. */
static int open_regular(int dir, const char *path, struct stat *st)
{
	char link[64];
	int fd, real = openat(dir, path, O_PATH | O_CLOEXEC);

	if (real < 0)
		return -1;
	if (fstat(real, st) || !S_ISREG(st->st_mode)) {
		close(real);
		return -1;
	}
	snprintf(link, sizeof(link), "/proc/self/fd/%d", real);
	fd = open(link, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	close(real);
	return fd;
}

/* The path as the process sees it, if the file there is still the one that is mapped. */
static int open_path(const struct target_process *p, const struct mapping *m, struct stat *st)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
	int fd = -1, found, root = openat(p->proc_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char link[64];

	if (root < 0)
		return -1;
	found = (int)syscall(SYS_openat2, root, m->path, &how, sizeof(how));
	close(root);
	if (found < 0)
		return -1;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", found);
	if (!fstat(found, st) && st->st_dev == m->dev && st->st_ino == m->inode)
		fd = open_regular(AT_FDCWD, link, st);
	close(found);
	return fd;
}

/* The very file that is mapped, whatever its path names by now: proc_pid_map_files(5). */
static int open_mapped(const struct target_process *p, const struct mapping *m, struct stat *st)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "map_files/%" PRIx64 "-%" PRIx64, m->begin, m->end);
	fd = open_regular(p->proc_fd, path, st);
	return fd >= 0 ? fd : open_path(p, m, st);
}

static int read_elf(const struct native *n, const struct mapping *m, struct native_object *out)
{
	struct memory memory = {n->process, m->begin};
	struct native_image image = {read_memory, &memory, m->end - m->begin};
	struct stat st;
	int fd, err;

	if (!m->inode)
		return native_object_read(out, &image);
	fd = open_mapped(n->process, m, &st);
	if (fd < 0)
		return -ENOENT;
	image = (struct native_image){read_file, &fd, (uint64_t)st.st_size};
	err = native_object_read(out, &image);
	close(fd);
	return err;
}

/* What it is made of, read the first time; without tables if they cannot be had. */
static const struct native_object *find_object(struct native *n, const struct mapping *m)
{
	static const struct native_object nothing;
	struct object *o;

	for (size_t i = 0; i < n->nobjects; i++)
		if (n->objects[i].dev == m->dev && n->objects[i].inode == m->inode)
			return &n->objects[i].elf;
	if (n->nobjects == MAX_OBJECTS || n->memory >= MAX_MEMORY)
		return &nothing;
	o = realloc(n->objects, (n->nobjects + 1) * sizeof(*o));
	if (!o)
		return &nothing;
	n->objects = o;
	o += n->nobjects++;
	*o = (struct object){.dev = m->dev, .inode = m->inode};
	if (!read_elf(n, m, &o->elf))
		n->memory += native_object_memory(&o->elf);
	return &o->elf;
}

/* --- names -------------------------------------------------------------------------------- */

static bool is_object(const struct mapping *m)
{
	return m->inode || !strcmp(m->path, "[vdso]");
}

/* The last part of the path, without what the kernel says of a file that is gone. */
static int base_name(const char *path, const char **base)
{
	static const char deleted[] = " (deleted)";
	const char *slash = strrchr(path, '/');
	size_t len;

	*base = slash ? slash + 1 : path;
	len = strlen(*base);
	if (len > sizeof(deleted) - 1 && !strcmp(*base + len - (sizeof(deleted) - 1), deleted))
		len -= sizeof(deleted) - 1;
	return len < PATH_MAX ? (int)len : PATH_MAX;
}

static void name_by_offset(struct native *n, const struct mapping *m, uint64_t off)
{
	const char *base = "[anon]";
	int len = (int)strlen(base);

	if (m->path[0])
		len = base_name(m->path, &base);
	snprintf(n->func, sizeof(n->func), "%.*s+0x%" PRIx64, len, base, off);
}

int native_frame(struct native *n, uint64_t pc, struct pcln_frame *out)
{
	const struct native_object *o;
	const struct mapping *m;
	uint64_t off, vaddr;
	int err = find_mapping(n, pc - 1, &m);

	if (err)
		return err;
	*out = (struct pcln_frame){.pc = pc - 1, .func = n->func, .file = m->path};
	off = pc - 1 - m->begin;
	if (!is_object(m)) {
		name_by_offset(n, m, off + 1);
		return 0;
	}
	o = find_object(n, m);
	off += m->off;
	if (native_object_vaddr(o, off, &vaddr)) {
		const char *func = native_object_func(o, vaddr);

		if (func)
			out->func = func;
		off = vaddr;
	}
	if (out->func == n->func)
		name_by_offset(n, m, off + 1);
	return 0;
}
