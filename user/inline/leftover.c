// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/inline/leftover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/inline/memory.h"

#define CALL 0xe8
#define CALL_SIZE 5
#define STUBS_MOST (64ULL << 20)
#define SIZE_MOST (1ULL << 40) /* of all rings: those of 1024 Ps of 512 MiB */

/* All that is known of a process while leftovers are looked for. */
struct look {
	const struct target_process *p;
	const struct target_map *maps;
	size_t n;
	struct memory_kind kind;
};

/* --- headers -------------------------------------------------------------------------------- */

/* What /proc/PID/maps says costs nothing: by that most of what is none is left alone. */
static bool is_candidate(const struct look *l, const struct target_map *m)
{
	return !strcmp(m->path, "/memfd:" INLINE_NAME " (deleted)") && m->dev == l->kind.dev &&
	       m->inode && !m->offset && !strcmp(m->prot, "rw-s") &&
	       m->end - m->start > INLINE_HEADER_BYTES && m->end - m->start <= SIZE_MOST;
}

/*
 * A copy of the header. From the file, opened to be read only, which nobody can hold up; where that is
 * not allowed, which takes CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE, from the memory of the process.
 */
static bool read_header(const struct look *l, const struct target_map *m, struct inline_header *h)
{
	int fd = target_process_open_map(l->p, m);
	bool good;

	if (fd < 0)
		return !target_process_read(l->p, m->start, h, sizeof(*h));
	good = !memory_is_sealed(&l->kind, fd, m->end - m->start) &&
	       pread(fd, h, sizeof(*h), 0) == (ssize_t)sizeof(*h);
	close(fd);
	return good;
}

static bool is_header(const struct inline_header *h, const struct target_map *m)
{
	/* before it was mapped, where it would be was not known */
	return h->magic == INLINE_MAGIC && (h->base == m->start || !h->base) &&
	       h->size == m->end - m->start && h->nsites <= INLINE_MAX_SITES &&
	       h->stubs_size < STUBS_MOST;
}

/* --- calls ---------------------------------------------------------------------------------- */

/* The file of the mapping looked at last: most calls are in the same one. */
struct text {
	const struct target_map *m;
	int fd;
};

static const struct target_map *find_map(const struct look *l, uint64_t addr)
{
	size_t from = 0, to = l->n;

	while (from < to) {
		size_t at = from + (to - from) / 2;

		if (addr >= l->maps[at].end)
			from = at + 1;
		else
			to = at;
	}
	return from < l->n && addr >= l->maps[from].start ? &l->maps[from] : NULL;
}

static int open_text(const struct look *l, const struct target_map *m)
{
	int fd = target_process_open_map(l->p, m);

	/* of an overlay the kernel names another inode than it opens */
	if (fd < 0 && !strcmp(m->path, l->p->exe))
		fd = fcntl(l->p->exe_fd, F_DUPFD_CLOEXEC, 0);
	return fd;
}

/* The call that the file has at `pc`; false: it has none, or `pc` is in no code of a file. */
static bool read_file(const struct look *l, struct text *t, uint64_t pc, int32_t *rel)
{
	const struct target_map *m =
		t->m && pc - t->m->start < t->m->end - t->m->start ? t->m : find_map(l, pc);
	uint8_t code[CALL_SIZE];

	if (!m || !m->inode || m->prot[2] != 'x' || m->prot[3] != 'p' || m->end - pc < CALL_SIZE)
		return false;
	if (m != t->m) {
		if (t->fd >= 0)
			close(t->fd);
		t->fd = open_text(l, m);
		t->m = m;
	}
	if (t->fd < 0 || pread(t->fd, code, sizeof(code), (off_t)(pc - m->start + m->offset)) !=
				 (ssize_t)sizeof(code))
		return false;
	memcpy(rel, code + 1, sizeof(*rel));
	return code[0] == CALL;
}

/*
 * What is put back is what the file has, and only where a call was led to the stubs: then what the header
 * says is true, or does no harm.
 */
static bool is_true(const struct look *l, const struct inline_header *h)
{
	struct text t = {.fd = -1};
	bool good = true;

	for (uint32_t i = 0; i < h->nsites && good; i++) {
		const struct inline_operand *o = &h->site[i];
		uint64_t to = o->pc + CALL_SIZE + (uint64_t)(int64_t)o->planted;
		int32_t rel;

		good = !inline_is_redirected(o) ||
		       (to - h->stubs < h->stubs_size && read_file(l, &t, o->pc, &rel) &&
			rel == o->original);
	}
	if (t.fd >= 0)
		close(t.fd);
	return good;
}

/* --- all of them ---------------------------------------------------------------------------- */

/* False: it is not gscope's. */
static bool look_at(const struct look *l, const struct target_map *m, struct planted *out)
{
	struct error e;

	*out = (struct planted){.p = l->p,
				.wait = {.limit_ns = REMOTE_LIMIT_NS, .cancel_fd = -1},
				.mem_fd = -1,
				.shared_fd = -1};
	out->own = calloc(1, sizeof(*out->own));
	if (out->own && read_header(l, m, out->own) && is_header(out->own, m) &&
	    is_true(l, out->own)) {
		out->own->base = m->start;
		out->own->dev = m->dev;
		out->own->inode = m->inode;
		if (plant_is_mapped(out, l->p) && !plant_open_memory(out, l->p, &e))
			return true;
	}
	free(out->own);
	plant_close(out);
	return false;
}

int leftovers_find(struct leftovers *out, const struct target_process *p, struct error *e)
{
	struct look l = {.p = p};
	struct target_map *maps;
	int err = memory_kind(&l.kind);

	*out = (struct leftovers){0};
	if (err)
		return error_set(e, EXIT_FAILED, err, "no memory file can be made: %s",
				 strerror(-err));
	err = target_process_maps(p, &maps, &l.n, e);
	if (err)
		return err;
	l.maps = maps;
	for (size_t i = 0; i < l.n; i++) {
		if (!is_candidate(&l, &maps[i]))
			continue;
		out->named++;
		if (out->seen == LEFTOVERS_MOST)
			continue;
		out->seen++;
		if (look_at(&l, &maps[i], &out->v[out->n]))
			out->n++;
	}
	free(maps);
	return 0;
}

void leftovers_close(struct leftovers *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->v[i].own);
		plant_close(&l->v[i]);
	}
	*l = (struct leftovers){0};
}

/*
 * The owner a header names is one: it has mapped the memory, or is going to (this program), or that cannot be
 * told. A process cannot have others take it for one that is traced by just any process.
 */
static bool has_mapped(const struct target_process *owner, const struct planted *d)
{
	char self[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self));
	struct target_map *maps;
	struct error e;
	bool has = false;
	size_t n;

	if (len > 0 && (size_t)len == strlen(owner->exe) && !memcmp(self, owner->exe, (size_t)len))
		return true;
	if (target_process_maps(owner, &maps, &n, &e))
		return true;
	for (size_t i = 0; i < n && !has; i++)
		has = maps[i].dev == d->own->dev && maps[i].inode == d->own->inode;
	free(maps);
	return has;
}

bool leftover_is_in_use(const struct planted *d)
{
	struct target_process *p;
	struct error e;
	bool in_use;

	if (d->own->target != d->p->pid || target_process_open(d->own->owner, &p, &e))
		return false;
	in_use = p->start_time == d->own->owner_start && target_process_alive(p) &&
		 has_mapped(p, d);
	target_process_close(p);
	return in_use;
}
