// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/target/native.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/base/clock.h"
#include "user/target/native_elf.h"

/* Libraries whose symbols are read, and the memory for all of them. */
#define MAX_OBJECTS 256
#define MAX_MEMORY (64U << 20)

/* The mappings are read again for a PC outside of them: so often at once, later so seldom. */
#define READS_AT_ONCE 16
#define READ_NS 250000000

struct object {
	uint64_t dev;
	uint64_t inode; /* 0: the vdso */
	struct native_object elf;
};

struct native {
	const struct target_process *process;
	struct target_map *v; /* sorted by address; kept when the process has ended */
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
	free(n->v);
	free(n);
}

/* --- mappings ----------------------------------------------------------------------------- */

/* When the process has ended, what was known of it stays known. */
static int read_mappings(struct native *n)
{
	struct target_map *v;
	size_t count;
	int err = target_process_maps(n->process, &v, &count, NULL);

	if (err)
		return err == -ENOMEM ? err : -ENOENT;
	free(n->v);
	n->v = v;
	n->n = count;
	return 0;
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

static const struct target_map *known_mapping(const struct native *n, uint64_t addr)
{
	size_t lo = 0, hi = n->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (n->v[mid].end <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < n->n && n->v[lo].start <= addr ? &n->v[lo] : NULL;
}

static int find_mapping(struct native *n, uint64_t addr, const struct target_map **out)
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

static int read_elf(const struct native *n, const struct target_map *m, struct native_object *out)
{
	struct memory memory = {n->process, m->start};
	struct native_image image = {read_memory, &memory, m->end - m->start};
	struct stat st;
	int fd, err;

	if (!m->inode)
		return native_object_read(out, &image);
	fd = target_process_open_map(n->process, m);
	if (fd < 0)
		return fd;
	err = fstat(fd, &st) ? -errno : 0;
	image = (struct native_image){read_file, &fd, (uint64_t)st.st_size};
	if (!err)
		err = native_object_read(out, &image);
	close(fd);
	return err;
}

/* What it is made of, read the first time; without tables if they cannot be had. */
static const struct native_object *find_object(struct native *n, const struct target_map *m)
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

static bool is_object(const struct target_map *m)
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

static void name_by_offset(struct native *n, const struct target_map *m, uint64_t off)
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
	const struct target_map *m;
	uint64_t off, vaddr;
	int err = find_mapping(n, pc - 1, &m);

	if (err)
		return err;
	*out = (struct pcln_frame){.pc = pc - 1, .func = n->func, .file = m->path};
	off = pc - 1 - m->start;
	if (!is_object(m)) {
		name_by_offset(n, m, off + 1);
		return 0;
	}
	o = find_object(n, m);
	off += m->offset;
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
