// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Threads (M) and processors (P). */
#include "user/target/snapshot_read.h"

#include <errno.h>
#include <stdlib.h>

/* Far above what a process can have; stops a list that makes no sense. */
#define MAX_THREADS (1U << 20)
#define MAX_PROCESSORS (1U << 20)

/* What is of interest in a struct m is near its start. */
static size_t m_head(const struct layout *l)
{
	const int32_t offsets[] = {l->m.procid, l->m.curg, l->m.p,
				   l->m.oldp,   l->m.id,   l->m.alllink};
	size_t size = 0;

	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++)
		size = max_size(size, offsets[i], 8);
	return size;
}

static int read_list(struct snapshot *s, const struct target *t, struct error *e)
{
	const struct layout *l = &t->layout;
	size_t size = m_head(l);
	uint8_t *m = malloc(size);
	size_t room = 0;
	uint64_t addr;
	int err;

	if (!m)
		return snapshot_no_memory(e);
	err = snapshot_variable(t, t->globals.allm, "runtime.allm", &addr, sizeof(addr), e);
	while (!err && addr) {
		if (s->nm == room) {
			struct snapshot_m *v;

			room = room ? 2 * room : 64;
			v = realloc(s->m, room * sizeof(*v));
			if (!v) {
				err = snapshot_no_memory(e);
				break;
			}
			s->m = v;
		}
		err = target_process_read(t->process, addr, m, size);
		if (err == -EFAULT && s->nm) {
			/* an M that ended is unlinked and may be freed under us: what was read
			   stands */
			err = 0;
			break;
		}
		if (err) {
			err = snapshot_unreadable(t, "runtime.allm", err, e);
			break;
		}
		s->m[s->nm++] = (struct snapshot_m){
			.addr = addr,
			.curg = get64(m, l->m.curg),
			.p = get64(m, l->m.p),
			.oldp = get64(m, l->m.oldp),
			.id = get64(m, l->m.id),
			.tid = get64(m, l->m.procid),
		};
		addr = get64(m, l->m.alllink);
		if (s->nm > MAX_THREADS)
			err = snapshot_senseless(t, "runtime.allm", e);
	}
	free(m);
	return err;
}

/*
 * The tids of the Ms' threads as we see them, where the runtime has seen other ones in its
 * container. An extra M keeps the tid of the C thread it last served (unminit leaves m.procid
 * alone): forget tids of threads that are not there, or that are another M's by now, one nearer to
 * the head of allm, where new ones are put.
 */
static int find_threads(struct snapshot *s, const struct target *t, struct error *e)
{
	struct target_thread *threads;
	size_t n;
	int err = target_process_threads(t->process, &threads, &n, e);

	if (err)
		return err;
	for (size_t i = 0; i < s->nm; i++) {
		pid_t own = (pid_t)s->m[i].tid;

		s->m[i].tid = 0;
		for (size_t k = 0; k < n && own && !s->m[i].tid; k++)
			if (threads[k].own_tid == own)
				s->m[i].tid = (uint32_t)threads[k].tid;
		for (size_t k = 0; k < i; k++)
			if (s->m[k].tid == s->m[i].tid)
				s->m[i].tid = 0;
	}
	free(threads);
	return 0;
}

int snapshot_threads(struct snapshot *s, const struct target *t, struct error *e)
{
	int err = read_list(s, t, e);

	return err ? err : find_threads(s, t, e);
}

static void parse_p(const struct layout *l, uint64_t addr, const uint8_t *p, struct snapshot_p *out)
{
	*out = (struct snapshot_p){
		.addr = addr,
		.m = get64(p, l->p.m),
		.id = (int32_t)get32(p, l->p.id),
		.status = get32(p, l->p.status),
	};
}

/* Bytes of a struct p that have to be read for parse_p(); the whole is 16 kB. */
static size_t p_head(const struct layout *l)
{
	int32_t end = l->p.m + 8;

	if (l->p.id + 4 > end)
		end = l->p.id + 4;
	return l->p.status + 4 > end ? l->p.status + 4 : end;
}

int snapshot_read_p(const struct target *t, uint64_t addr, struct snapshot_p *out)
{
	size_t size = p_head(&t->layout);
	uint8_t *p = malloc(size);
	int err;

	if (!p)
		return -ENOMEM;
	err = target_process_read(t->process, addr, p, size);
	if (!err)
		parse_p(&t->layout, addr, p, out);
	free(p);
	return err;
}

int snapshot_processors(struct snapshot *s, const struct target *t, struct error *e)
{
	uint64_t slice[3], *addrs;
	int err = snapshot_variable(t, t->globals.allp, "runtime.allp", slice, sizeof(slice), e);

	if (err)
		return err;
	if (!slice[1] || slice[1] > MAX_PROCESSORS)
		return snapshot_senseless(t, "runtime.allp", e);
	addrs = calloc(slice[1], sizeof(*addrs));
	s->p = calloc(slice[1], sizeof(*s->p));
	if (!addrs || !s->p) {
		free(addrs);
		return snapshot_no_memory(e);
	}
	err = target_process_read(t->process, slice[0], addrs, slice[1] * sizeof(*addrs));
	for (size_t i = 0; i < slice[1] && !err; i++) {
		if (addrs[i])
			err = snapshot_read_p(t, addrs[i], &s->p[s->np++]);
	}
	free(addrs);
	return err ? snapshot_unreadable(t, "runtime.allp", err, e) : 0;
}
