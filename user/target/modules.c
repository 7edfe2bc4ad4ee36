// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/target/modules.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/base/clock.h"
#include "user/target/nogo.h"

/* More make no sense, and each of them keeps a file open. */
#define MAX_MODULES 256

/* The mappings are read again for an unknown PC: so often at once, later so seldom. */
#define REFRESHES_AT_ONCE 8
#define REFRESH_NS 250000000

#define MAX_SEEN 65536 /* mappings: vm.max_map_count allows no more, if it is what it usually is */
#define AGAIN_NS 200000000 /* a file that is mapped has been loaded by then */
#define LOOK_NS 100000000 /* at what is mapped: others wait meanwhile */

/* Not to be inlined, so it is in every runtime. */
#define RUNTIME_FUNC "runtime.casgstatus"

static int no_memory(struct error *e)
{
	return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
}

static void module_close(struct module *m)
{
	if (!m)
		return;
	pclntab_close(m->pcln);
	elf_file_close(m->elf);
	if (m->fd >= 0)
		close(m->fd);
	free(m);
}

/* A module of the file `fd`, which becomes its own, without its function table. */
static int module_new(struct module **out, int fd, const char *name, struct error *e)
{
	struct module *m = calloc(1, sizeof(*m));
	int err;

	*out = NULL;
	if (!m) {
		close(fd);
		return no_memory(e);
	}
	m->fd = fd;
	err = elf_file_open(&m->elf, fd, name, e);
	if (err) {
		module_close(m);
		return err;
	}
	*out = m;
	return 0;
}

static int read_table(struct module *m, const struct target_process *p, unsigned int go_minor,
		      struct error *e)
{
	int err = pclntab_open_live(&m->pcln, m->elf, p, go_minor, m->bias, e);
	struct pcln_func func;

	if (err)
		return err;
	pclntab_text(m->pcln, &m->lo, &m->hi);
	m->runtime = pclntab_find(m->pcln, RUNTIME_FUNC, &func);
	return 0;
}

/* Append; the module becomes that of `m` in any case. */
static int keep(struct modules *m, struct module *v, struct error *e)
{
	struct module **bigger = m->n < MAX_MODULES ? realloc(m->v, (m->n + 1) * sizeof(*m->v)) :
						      NULL;

	if (!bigger) {
		module_close(v);
		return no_memory(e);
	}
	m->v = bigger;
	v->found_ns = now_ns();
	m->v[m->n++] = v;
	return 0;
}

/* --- files that are mapped ------------------------------------------------------------------ */

/* The place of a mapping among those seen, which are in order of where they start. */
static size_t seen_place(const struct modules *m, uint64_t start)
{
	size_t lo = 0, hi = m->nseen;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (m->seen[mid].start < start)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Pointers in a file that is being loaded are not yet what they will be. */
static bool is_due_again(struct module_seen *s)
{
	if (s->again || now_ns() - s->first_ns < AGAIN_NS)
		return false;
	s->again = true;
	return true;
}

/* Whether a mapping is of a file already looked at; from now on it is. */
static bool was_seen(struct modules *m, const struct target_map *map)
{
	const struct module_seen this = {.dev = map->dev,
					 .inode = map->inode,
					 .start = map->start,
					 .end = map->end,
					 .first_ns = now_ns()};
	size_t at = seen_place(m, map->start);
	struct module_seen *s = at < m->nseen ? &m->seen[at] : NULL;

	if (s && s->start == map->start) {
		if (s->end == map->end && s->dev == map->dev && s->inode == map->inode)
			return !is_due_again(s);
		*s = this;
		return false;
	}
	s = m->nseen < MAX_SEEN ? realloc(m->seen, (m->nseen + 1) * sizeof(*s)) : NULL;
	if (!s)
		return true;
	m->seen = s;
	memmove(s + at + 1, s + at, (m->nseen++ - at) * sizeof(*s));
	s[at] = this;
	return false;
}

/* Is the mapping part of a module that is known, the executable for one? */
static bool is_known(const struct modules *m, const struct target_map *map)
{
	for (size_t i = 0; i < m->n; i++) {
		if (m->v[i]->lo < map->end && m->v[i]->hi > map->start)
			return true;
	}
	return false;
}

/*
 * The module behind a mapping: -ENOEXEC if there is no Go in it. A plugin of an older Go has no build
 * information: go_minor is the release of the program that may have loaded it, or 0.
 */
static int open_mapped(const struct target_process *p, const struct target_map *map,
		       unsigned int go_minor, struct module **out, struct buildinfo *b,
		       struct error *e)
{
	int fd = target_process_open_map(p, map), err;

	*out = NULL;
	if (fd < 0)
		return -ENOEXEC;
	err = module_new(out, fd, map->path, e);
	if (err)
		return err;
	err = buildinfo_read(b, (*out)->elf, e);
	if (err == -ENOEXEC && go_minor) {
		b->go_minor = go_minor;
		err = 0;
	}
	if (!err && mapped_bias((*out)->elf, map, &(*out)->bias))
		err = error_set(e, EXIT_TARGET, -EPROTO,
				"%s is not mapped as its headers say; gscope cannot tell its load "
				"address",
				map->path);
	if (!err)
		err = read_table(*out, p, b->go_minor, e);
	if (err) {
		buildinfo_free(b);
		module_close(*out);
		*out = NULL;
	}
	return err;
}

/* Look at what is mapped and was not looked at before, until then. True if there is a new module. */
static bool refresh(struct modules *m, uint64_t until)
{
	struct mapped_files files;
	size_t before = m->n;

	if (mapped_files_read(&files, m->process, NULL))
		return false;
	for (size_t i = 0; i < files.n && now_ns() < until; i++) {
		const struct target_map *map = &files.v[i];
		struct buildinfo b = {0};
		struct module *v;

		if (was_seen(m, map) || is_known(m, map))
			continue;
		if (open_mapped(m->process, map, m->go_minor, &v, &b, NULL))
			continue;
		buildinfo_free(&b);
		if (keep(m, v, NULL))
			break;
	}
	mapped_files_free(&files);
	return m->n > before;
}

/* --- the file with the runtime -------------------------------------------------------------- */

/*
 * A C program's library: the first that holds a Go runtime. -ENOEXEC: none does. What is wrong with
 * the only one there is, is the error.
 */
static int find_library(struct modules *m, unsigned int go_minor, struct buildinfo *b,
			struct error *e)
{
	struct mapped_files files;
	int err = mapped_files_read(&files, m->process, e), result = -ENOEXEC;

	if (err)
		return err;
	for (size_t i = 0; i < files.n && result; i++) {
		struct buildinfo of = {0};
		struct error why = {0};
		struct module *v;

		if (is_known(m, &files.v[i]))
			continue;
		err = open_mapped(m->process, &files.v[i], go_minor, &v, &of, &why);
		if (err && err != -ENOEXEC && why.status == EXIT_TARGET && e) {
			*e = why;
			result = err;
		}
		if (err)
			continue;
		if (!v->runtime) {
			buildinfo_free(&of);
			module_close(v);
			continue;
		}
		*b = of;
		result = keep(m, v, e);
		break;
	}
	mapped_files_free(&files);
	return result;
}

/*
 * The executable, if it is a Go program. What it says of itself comes before where it is mapped:
 * "not a Go program" says more than an odd mapping.
 */
static int read_executable(struct module *exe, const struct target_process *p, struct buildinfo *b,
			   struct error *e)
{
	int err = buildinfo_read(b, exe->elf, e);

	if (!err)
		err = elf_load_bias(exe->elf, p, &exe->bias, e);
	if (!err)
		err = read_table(exe, p, b->go_minor, e);
	if (err)
		buildinfo_free(b);
	return err;
}

/* Find the first module. */
static int find_runtime(struct modules *m, struct buildinfo *b, struct error *e)
{
	const struct target_process *p = m->process;
	int fd = fcntl(p->exe_fd, F_DUPFD_CLOEXEC, 0), err;
	unsigned int go_minor;
	struct module *exe;

	if (fd < 0)
		return error_set(e, EXIT_FAILED, -errno, "%s cannot be opened again: %s", p->exe,
				 strerror(errno));
	err = module_new(&exe, fd, p->exe, e);
	if (err)
		return err;
	err = read_executable(exe, p, b, e);
	if (!err && exe->runtime)
		return keep(m, exe, e);
	if (err && err != -ENOEXEC) {
		module_close(exe);
		return err;
	}
	/* a C program, or one whose runtime is a library (-linkshared) */
	go_minor = b->go_minor;
	if (!err)
		buildinfo_free(b);
	err = find_library(m, go_minor, b, e);
	if (err == -ENOEXEC)
		err = nogo_refuse(exe->elf, e);
	module_close(exe);
	return err;
}

/* The module behind that of the moduledata at `addr`, in its runtime's list: 0 if there is none. */
static uint64_t next_module(const struct modules *m, uint64_t addr)
{
	uint64_t next;

	for (size_t i = 0; i < m->n; i++) {
		if (pclntab_module(m->v[i]->pcln, &next) == addr)
			return next;
	}
	return 0;
}

/* Is `v` in the list of modules of the first one's runtime? */
static bool same_runtime(const struct modules *m, const struct module *v)
{
	uint64_t next, this = pclntab_module(v->pcln, &next);
	uint64_t at = pclntab_module(m->v[0]->pcln, &next);

	for (size_t i = 0; at && at != this && i < m->n; i++)
		at = next_module(m, at);
	return at == this;
}

/* A process can have several Go runtimes, which know nothing of each other. */
static void find_strangers(struct modules *m)
{
	/* how the modules of a newer release are linked is not known */
	if (m->go_minor > GO_MINOR_MAX)
		return;
	for (size_t i = 1; i < m->n; i++) {
		struct module *v = m->v[i];

		v->stranger = !same_runtime(m, v);
		if (v->stranger && v->runtime && !m->warning[0])
			snprintf(m->warning, sizeof(m->warning),
				 "%.100s has a Go runtime of its own: only the goroutines of "
				 "%.100s are traced",
				 elf_file_name(v->elf), elf_file_name(m->v[0]->elf));
	}
}

int modules_open(struct modules **out, const struct target_process *p, struct buildinfo *b,
		 struct error *e)
{
	struct modules *m = calloc(1, sizeof(*m));
	int err;

	*out = NULL;
	memset(b, 0, sizeof(*b));
	if (!m)
		return no_memory(e);
	m->process = p;
	m->refreshes = REFRESHES_AT_ONCE;
	m->refresh_ns = now_ns();
	err = find_runtime(m, b, e);
	if (err) {
		modules_close(m);
		return err;
	}
	m->go_minor = b->go_minor;
	refresh(m, UINT64_MAX);
	find_strangers(m);
	*out = m;
	return 0;
}

int modules_open_none(struct modules **out, const struct target_process *p)
{
	struct modules *m = calloc(1, sizeof(*m));

	*out = m;
	if (!m)
		return -ENOMEM;
	m->process = p;
	refresh(m, UINT64_MAX);
	return 0;
}

void modules_close(struct modules *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n; i++)
		module_close(m->v[i]);
	free(m->v);
	free(m->seen);
	free(m);
}

/*
 * Walk the runtime's list of modules, as it is now, to `wanted` or its end: how many there were. *found
 * (may be NULL): whether it was among them. 0: not known.
 */
static size_t walk_list(const struct modules *m, uint64_t wanted, bool *found)
{
	uint64_t next, word, at;
	size_t n = 0;

	if (!m->n)
		return 0;
	word = pclntab_next_word(m->v[0]->pcln, m->go_minor);
	at = pclntab_module(m->v[0]->pcln, &next);
	while (word && at && n < MAX_MODULES) {
		n++;
		if (found && at == wanted)
			*found = true;
		if (target_process_read(m->process, at + 8 * word, &at, sizeof(at)))
			return 0;
	}
	return n;
}

size_t modules_linked(const struct modules *m)
{
	return walk_list(m, 0, NULL);
}

bool modules_refresh(struct modules *m, bool all)
{
	if (all)
		m->nseen = 0;
	return refresh(m, now_ns() + LOOK_NS);
}

bool modules_is_stranger(struct modules *m, size_t i)
{
	struct module *v = m->v[i];
	bool found = false;
	uint64_t next;

	/* as find_strangers(): how they are linked may not be known */
	v->stranger = i && walk_list(m, pclntab_module(v->pcln, &next), &found) && !found;
	return v->stranger;
}

/* --- lookups -------------------------------------------------------------------------------- */

static bool may_refresh(struct modules *m)
{
	uint64_t now = now_ns(), paid = (now - m->refresh_ns) / REFRESH_NS;

	if (paid) {
		m->refreshes = paid < REFRESHES_AT_ONCE - m->refreshes ?
				       m->refreshes + (unsigned int)paid :
				       REFRESHES_AT_ONCE;
		m->refresh_ns += paid * REFRESH_NS;
	}
	if (!m->refreshes)
		return false;
	m->refreshes--;
	return true;
}

static const struct module *known_module(const struct modules *m, uint64_t pc)
{
	if (m->last && pc >= m->last->lo && pc < m->last->hi)
		return m->last;
	for (size_t i = 0; i < m->n; i++) {
		if (pc >= m->v[i]->lo && pc < m->v[i]->hi)
			return m->v[i];
	}
	return NULL;
}

/* Code of a file that was looked at: C. */
static bool is_other_code(const struct modules *m, uint64_t pc)
{
	for (size_t i = 0; i < m->nseen; i++) {
		if (pc >= m->seen[i].start && pc < m->seen[i].end)
			return true;
	}
	return false;
}

static struct pclntab *find_table(struct modules *m, uint64_t pc)
{
	const struct module *v = known_module(m, pc);

	if (!v && !is_other_code(m, pc) && may_refresh(m) && refresh(m, now_ns() + LOOK_NS))
		v = known_module(m, pc);
	if (!v)
		return NULL;
	m->last = v;
	return v->pcln;
}

int modules_frames(struct modules *m, uint64_t pc, struct pcln_frame *out, size_t max)
{
	struct pclntab *t = find_table(m, pc - 1);

	if (!t)
		t = find_table(m, pc);
	return t ? pclntab_frames(t, pc, out, max) : -ENOENT;
}

int modules_pcsp(struct modules *m, uint64_t pc)
{
	const struct pclntab *t = find_table(m, pc);

	return t ? pclntab_pcsp(t, pc) : -1;
}

uint64_t modules_start_pc(struct modules *m, uint64_t startpc)
{
	const struct pclntab *t = find_table(m, startpc);

	return t ? pclntab_start_pc(t, startpc) : startpc;
}

bool modules_func(struct modules *m, uint64_t pc, struct pcln_func *out)
{
	const struct pclntab *t = find_table(m, pc);

	return t && pclntab_func(t, pc, out);
}
