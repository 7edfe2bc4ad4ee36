/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/replay/crowd.h"
#include "user/replay/internal.h"

/* Memory for one more of `n`, all zero; NULL as internal.h says. */
static void *make(struct replay *r, enum beyond what, uint64_t n, uint64_t most, size_t size)
{
	void *p = n < most ? calloc(1, size) : NULL;

	if (n >= most)
		note_beyond(r, what);
	else if (!p)
		r->status = -ENOMEM;
	return p;
}

struct process *process_find(struct replay *r, uint32_t tgid)
{
	struct process *ps;

	HASH_FIND(hh, r->processes, &tgid, sizeof(tgid), ps);
	return ps;
}

struct process *process_get(struct replay *r, uint32_t tgid)
{
	struct process *ps = process_find(r, tgid);

	if (ps)
		return ps;
	ps = make(r, BEYOND_PROCESSES, HASH_COUNT(r->processes), r->limits.processes, sizeof(*ps));
	if (!ps)
		return NULL;
	ps->tgid = tgid;
	ps->replay = r;
	HASH_ADD(hh, r->processes, tgid, sizeof(ps->tgid), ps);
	return ps;
}

struct thread *thread_find(struct replay *r, uint32_t tid)
{
	struct thread *t;

	HASH_FIND(hh, r->threads, &tid, sizeof(tid), t);
	return t;
}

struct thread *thread_get(struct replay *r, uint32_t tid, uint32_t tgid)
{
	struct thread *t = thread_find(r, tid);

	if (t) {
		if (!t->tgid && tgid) {
			t->tgid = tgid;
			t->process = process_find(r, tgid);
		}
		return t;
	}
	t = make(r, BEYOND_THREADS, HASH_COUNT(r->threads), r->limits.threads, sizeof(*t));
	if (!t)
		return NULL;
	t->tid = tid;
	t->tgid = tgid;
	t->process = process_find(r, tgid);
	t->cpu = -1;
	t->sys_nr = -1;
	t->cut.nr = -1;
	HASH_ADD(hh, r->threads, tid, sizeof(t->tid), t);
	return t;
}

void thread_drop(struct replay *r, struct thread *t)
{
	HASH_DELETE(hh, r->threads, t);
	free(t);
}

/* Something happens to one of the crowd, or may. */
static struct goroutine *goroutine_from_crowd(struct process *ps, uint64_t addr)
{
	struct goroutine quiet, *g;

	if (!crowd_take(ps->crowd, addr, &quiet))
		return NULL;
	g = malloc(sizeof(*g));
	if (!g) {
		ps->replay->status = -ENOMEM;
		return NULL;
	}
	*g = quiet;
	g->process = ps;
	if (!ps->ready)
		g->serial = ++ps->replay->serial;
	g->since = ps->ready_ns;
	HASH_ADD(hh, ps->goroutines, addr, sizeof(g->addr), g);
	ps->replay->ngoroutines++;
	tell_late(ps->replay, g);
	return g;
}

struct goroutine *goroutine_find(struct process *ps, uint64_t addr)
{
	struct goroutine *g;

	HASH_FIND(hh, ps->goroutines, &addr, sizeof(addr), g);
	return g ? g : goroutine_from_crowd(ps, addr);
}

struct goroutine *goroutine_new(struct replay *r, struct process *ps, uint64_t addr, uint64_t id)
{
	struct goroutine *g =
		make(r, BEYOND_GOROUTINES, r->ngoroutines, r->limits.goroutines, sizeof(*g));

	if (!g)
		return NULL;
	g->addr = addr;
	g->id = id;
	g->serial = ++r->serial;
	g->process = ps;
	g->reason = "";
	HASH_ADD(hh, ps->goroutines, addr, sizeof(g->addr), g);
	ps->replay->ngoroutines++;
	return g;
}

void goroutine_drop(struct goroutine *g)
{
	if (g->m && g->m->g == g)
		g->m->g = NULL;
	if (g->process->stopper == g)
		g->process->stopper = NULL;
	user_forget_goroutine(g);
	HASH_DELETE(hh, g->process->goroutines, g);
	g->process->replay->ngoroutines--;
	free(g);
}

struct proc *proc_find(struct process *ps, uint64_t addr)
{
	struct proc *p;

	HASH_FIND(hh, ps->procs, &addr, sizeof(addr), p);
	return p;
}

struct proc *proc_get(struct process *ps, uint64_t addr, int id)
{
	struct proc *p = proc_find(ps, addr);
	struct replay *r = ps->replay;

	if (p)
		return p;
	p = make(r, BEYOND_PROCS, r->nprocs, r->limits.procs, sizeof(*p));
	if (!p)
		return NULL;
	p->addr = addr;
	p->id = id;
	p->process = ps;
	HASH_ADD(hh, ps->procs, addr, sizeof(p->addr), p);
	r->nprocs++;
	return p;
}

static void set_string(struct process *ps, unsigned int kind, unsigned int n, const char *text)
{
	struct replay *r = ps->replay;
	size_t size = strlen(text) + 1;

	if (r->string_bytes + size > r->limits.string_bytes) {
		note_beyond(r, BEYOND_STRINGS);
		return;
	}
	ps->strings[kind][n] = strdup(text);
	if (ps->strings[kind][n])
		r->string_bytes += size;
	else
		r->status = -ENOMEM;
}

void process_set_string(struct process *ps, unsigned int kind, unsigned int n, const char *text)
{
	if (kind >= sizeof(ps->strings) / sizeof(ps->strings[0]) || n > UINT16_MAX)
		return;
	if (n >= ps->nstrings[kind]) {
		char **v = realloc(ps->strings[kind], (n + 1) * sizeof(*v));

		if (!v) {
			ps->replay->status = -ENOMEM;
			return;
		}
		memset(v + ps->nstrings[kind], 0, (n + 1 - ps->nstrings[kind]) * sizeof(*v));
		ps->strings[kind] = v;
		ps->nstrings[kind] = n + 1;
	}
	/* Sinks may hold the old text: the first one stays. */
	if (!ps->strings[kind][n])
		set_string(ps, kind, n, text);
}

const char *process_string(const struct process *ps, unsigned int kind, unsigned int n)
{
	return n < ps->nstrings[kind] && ps->strings[kind][n] ? ps->strings[kind][n] : "";
}

void process_note_end(struct replay *r, struct process *ps, uint64_t id)
{
	struct ended *e;

	if (process_knows_end(ps, id))
		return;
	e = calloc(1, sizeof(*e));
	if (!e) {
		r->status = -ENOMEM;
		return;
	}
	e->id = id;
	HASH_ADD(hh, ps->ended, id, sizeof(e->id), e);
}

bool process_knows_end(const struct process *ps, uint64_t id)
{
	struct ended *e;

	HASH_FIND(hh, ps->ended, &id, sizeof(id), e);
	return e;
}

void process_forget_ends(struct process *ps)
{
	struct ended *e, *tmp;

	HASH_ITER(hh, ps->ended, e, tmp) {
		HASH_DELETE(hh, ps->ended, e);
		free(e);
	}
}

void process_forget_goroutines(struct process *ps)
{
	struct goroutine *g, *tmp;

	HASH_ITER(hh, ps->goroutines, g, tmp)
		goroutine_drop(g);
	crowd_free(ps->crowd);
	ps->crowd = NULL;
}

static void process_free(struct process *ps)
{
	struct proc *p, *ptmp;

	process_forget_ends(ps);
	user_forget_process(ps);
	free(ps->plain);
	process_forget_goroutines(ps);
	HASH_ITER(hh, ps->procs, p, ptmp) {
		HASH_DELETE(hh, ps->procs, p);
		free(p);
	}
	for (size_t k = 0; k < sizeof(ps->strings) / sizeof(ps->strings[0]); k++) {
		for (unsigned int i = 0; i < ps->nstrings[k]; i++)
			free(ps->strings[k][i]);
		free(ps->strings[k]);
	}
	free(ps);
}

void model_free(struct replay *r)
{
	struct process *ps, *tmp;
	struct thread *t, *ttmp;

	HASH_ITER(hh, r->processes, ps, tmp) {
		HASH_DELETE(hh, r->processes, ps);
		process_free(ps);
	}
	HASH_ITER(hh, r->threads, t, ttmp)
		thread_drop(r, t);
}
