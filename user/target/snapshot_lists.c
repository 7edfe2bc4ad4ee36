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

/* Bytes that a struct p has at least. */
#define LEAST_P 1024

static int add_m(struct snapshot *s, size_t *room, const struct snapshot_m *m)
{
	if (s->nm == *room) {
		size_t bigger = *room ? 2 * *room : 64;
		struct snapshot_m *v = realloc(s->m, bigger * sizeof(*v));

		if (!v)
			return -ENOMEM;
		s->m = v;
		*room = bigger;
	}
	s->m[s->nm++] = *m;
	return 0;
}

/*
 * A list that leads back to one of its own is found by Brent's way: the mark is moved up to where the
 * walk is each time that has gone twice as far.
 */
static bool goes_round(uint64_t addr, size_t steps, uint64_t *mark, size_t *next_mark)
{
	if (addr == *mark)
		return true;
	if (steps == *next_mark) {
		*mark = addr;
		*next_mark *= 2;
	}
	return false;
}

static int walk_list(struct snapshot *s, const struct target *t, uint8_t *m, size_t size,
		     struct error *e)
{
	const struct layout *l = &t->layout;
	size_t room = 0, next_mark = 1;
	uint64_t addr, mark = 0;
	int err = snapshot_variable(t, t->globals.allm, "runtime.allm", &addr, sizeof(addr), e);

	while (!err && addr) {
		err = target_process_read(t->process, addr, m, size);
		/* an M that ended is unlinked and may be freed under us: what was read stands */
		if (err == -EFAULT && s->nm)
			return 0;
		if (err)
			return snapshot_unreadable(t, "runtime.allm", err, e);
		if (add_m(s, &room,
			  &(struct snapshot_m){
				  .addr = addr,
				  .curg = get64(m, l->m.curg),
				  .p = get64(m, l->m.p),
				  .oldp = get64(m, l->m.oldp),
				  .id = get64(m, l->m.id),
				  .tid = get64(m, l->m.procid),
			  }))
			return snapshot_no_memory(e);
		if (goes_round(addr, s->nm, &mark, &next_mark) || s->nm > MAX_THREADS)
			return snapshot_senseless(t, "runtime.allm", e);
		addr = get64(m, l->m.alllink);
		err = snapshot_go_on(s, t, e);
	}
	return err;
}

static int read_list(struct snapshot *s, const struct target *t, struct error *e)
{
	size_t size = m_head(&t->layout);
	uint8_t *m = malloc(size);
	int err = m ? walk_list(s, t, m, size, e) : snapshot_no_memory(e);

	free(m);
	return err;
}

static int by_own_tid(const void *a, const void *b)
{
	const struct target_thread *x = a, *y = b;

	return x->own_tid < y->own_tid ? -1 : x->own_tid > y->own_tid;
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
	int err = target_process_threads(t->process, t->process->stop, &threads, &n, e);

	if (err)
		return err;
	qsort(threads, n, sizeof(*threads), by_own_tid);
	for (size_t i = 0; i < s->nm; i++) {
		struct target_thread key = {.own_tid = (pid_t)s->m[i].tid}, *found;

		found = key.own_tid ? bsearch(&key, threads, n, sizeof(*threads), by_own_tid) :
				      NULL;
		s->m[i].tid = found ? (uint32_t)found->tid : 0;
		if (found)
			found->tid = 0; /* taken */
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
	if (slice[1] > MAX_PROCESSORS || !snapshot_plausible(t, slice[1], LEAST_P))
		return snapshot_senseless(t, "runtime.allp", e);
	addrs = calloc(slice[1], sizeof(*addrs));
	s->p = calloc(slice[1], sizeof(*s->p));
	if (!addrs || !s->p) {
		free(addrs);
		return snapshot_no_memory(e);
	}
	err = target_process_read(t->process, slice[0], addrs, slice[1] * sizeof(*addrs));
	if (err)
		err = snapshot_unreadable(t, "runtime.allp", err, e);
	for (size_t i = 0; i < slice[1] && !err; i++) {
		int failed = addrs[i] ? snapshot_read_p(t, addrs[i], &s->p[s->np++]) : 0;

		err = failed ? snapshot_unreadable(t, "runtime.allp", failed, e) :
			       snapshot_go_on(s, t, e);
	}
	free(addrs);
	return err;
}
