// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/inline/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bpf/control.h"
#include "user/base/clock.h"
#include "user/inline/cost.h"
#include "user/inline/leftover.h"
#include "user/inline/pending.h"
#include "user/inline/plan.h"
#include "user/inline/plant.h"
#include "user/inline/planter.h"
#include "user/inline/reader.h"
#include "user/inline/stray.h"
#include "user/target/callback.h"

/* Between two passes: as seldom as can be without a ring that gets more than half full. */
#define PATIENCE_MIN 500000
#define PATIENCE_MAX 20000000

#define CLEAN_NS 2000000000 /* for what others left, of which there is little if it is not a trap */

struct inline_engine {
	const struct target *t;
	struct inline_plan plan;
	bool *has; /* by site, of those the target had when it was opened: */
	size_t nhas;
	uint32_t sites; /* so many */
	struct planter planter;
	struct inline_reader *reader;
	uint64_t patience;
	bool goes_on; /* the next pass is for what this one has left */
	struct inline_cost cost;
};

int inline_open(struct inline_engine **out, const struct target *t, uint64_t bytes, uint64_t taken,
		struct error *e)
{
	struct inline_engine *x;
	int err = plant_possible(t->process, e);

	if (err)
		return err;
	x = calloc(1, sizeof(*x));
	if (x)
		x->has = calloc(t->sites.n + 1, sizeof(*x->has));
	if (!x || !x->has) {
		free(x);
		return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	}
	x->t = t;
	x->nhas = t->sites.n;
	x->patience = PATIENCE_MIN;
	err = inline_plan(&x->plan, t, bytes, taken, e);
	if (err) {
		inline_close(x);
		return err;
	}
	*out = x;
	return 0;
}

uint32_t inline_rings(const struct inline_engine *x)
{
	return x->plan.geometry.rings;
}

uint64_t inline_bytes(const struct inline_engine *x)
{
	return inline_size(&x->plan.geometry);
}

/*
 * Which calls were redirected: as the code of the process has it, not as its shared memory says. What it
 * changes itself there is its own loss, and is seen in what it sends.
 */
static void find_sites(struct inline_engine *x)
{
	for (size_t i = 0; i < x->plan.n; i++) {
		const struct inline_operand *o = &x->plan.operand[i];
		int32_t rel;

		if (target_process_read(x->t->process, o->pc + 1, &rel, sizeof(rel)) ||
		    rel == o->original)
			continue;
		x->has[x->plan.stub[i].number] = true;
		x->sites++;
	}
}

int inline_plant(struct inline_engine *x, const struct inline_start *start, struct error *e)
{
	struct stub_options o = {
		.layout = &x->t->layout,
		.seed = stack_id_begin((uint32_t)x->t->process->pid),
	};
	struct reader_options ro = {
		.t = x->t,
		.since_ns = now_ns(),
		.first_site = start->first_site,
		.m = start->m,
		.first_source = start->first_source,
	};
	int err;

	x->plan.stack_limit = start->stack_limit;
	x->plan.off = start->off;
	callback_find(&o.callback, x->t->pcln);
	inline_cost(&x->cost, &x->plan, &o);
	err = planter_start(&x->planter, x->t->process, &x->plan, &o, start->stop, e);
	if (err)
		return err;
	x->planter.messages = start->messages;
	/* they are smaller where memory turned out to be locked */
	if (!inline_divide(&x->plan.geometry, x->planter.mapped)) {
		planter_close(&x->planter);
		return error_set(e, EXIT_FAILED, -EPROTO, "its rings have an odd size");
	}
	ro.geometry = x->plan.geometry;
	ro.memory = x->planter.h;
	ro.has_stub = x->has;
	find_sites(x);
	err = reader_new(&x->reader, &ro);
	if (err) {
		planter_close(&x->planter);
		return error_set(e, EXIT_FAILED, err, "out of memory");
	}
	return 0;
}

bool inline_is_planted(const struct inline_engine *x)
{
	return x->reader;
}

bool inline_has(const struct inline_engine *x, size_t site)
{
	return site < x->nhas && x->has[site];
}

bool inline_knows(const struct inline_engine *x, size_t site)
{
	return site < x->nhas;
}

bool inline_tells_syscalls(const struct inline_engine *x)
{
	for (size_t i = 0; i < x->nhas; i++)
		if (x->has[i] && x->t->sites.v[i].kind == SITE_SYSCALL_ENTER)
			return true;
	return false;
}

void inline_choose_stacks(struct inline_engine *x, uint64_t limit)
{
	if (x->reader)
		__atomic_store_n(&x->planter.h->stack_limit, limit, __ATOMIC_RELAXED);
}

void inline_enable(struct inline_engine *x, bool on)
{
	if (x->reader)
		__atomic_store_n(&x->planter.h->enabled, on, __ATOMIC_SEQ_CST);
}

uint64_t inline_all_hits(const struct inline_engine *x)
{
	uint64_t sum = 0;

	for (size_t i = 0; x->reader && i < x->nhas; i++)
		sum += reader_hits(x->reader, i);
	return sum;
}

/* Stubs take no more than the process has used. */
uint64_t inline_hit_ns(const struct inline_engine *x)
{
	uint64_t hits = inline_all_hits(x), ns = x->cost.hit_ns, most;

	if (!hits)
		return ns;
	ns += reader_waits(x->reader) * x->cost.wait_ns / hits;
	most = reader_cpu_ns(x->reader) / hits;
	return ns < most ? ns : most;
}

struct inline_damage inline_damage(const struct inline_engine *x)
{
	return x->reader ? reader_damage(x->reader) : (struct inline_damage){0};
}

int inline_pass(struct inline_engine *x, bool last)
{
	bool goes_on = x->goes_on;
	unsigned int fill;
	int err;

	if (!x->reader)
		return 0;
	if (!last)
		planter_look(&x->planter);
	err = reader_pass(x->reader, last);
	fill = reader_fill(x->reader);
	x->goes_on = reader_has_more(x->reader);
	if (goes_on)
		return err; /* how full they are is no matter of patience */
	if (fill > 25 && x->patience > PATIENCE_MIN)
		x->patience /= 2;
	else if (fill < 10 && x->patience < PATIENCE_MAX)
		x->patience += x->patience / 4;
	return err;
}

uint64_t inline_patience(const struct inline_engine *x)
{
	if (!x->reader)
		return UINT64_MAX;
	return x->goes_on ? 0 : x->patience;
}

uint64_t inline_lost(struct inline_engine *x)
{
	return x->reader ? reader_lost(x->reader) : 0;
}

uint64_t inline_hits(const struct inline_engine *x, size_t site)
{
	return x->reader && site < x->nhas ? reader_hits(x->reader, site) : 0;
}

int inline_end(struct inline_engine *x, struct error *e)
{
	return planter_stop(&x->planter, e);
}

pid_t inline_leave(struct inline_engine *x)
{
	return planter_leave(&x->planter);
}

bool inline_is_left(const struct inline_engine *x)
{
	return x->planter.left;
}

struct ev_inline inline_summary(const struct inline_engine *x, uint64_t time_ns)
{
	struct ev_inline ev = {
		.h = {.time_ns = time_ns,
		      .tid = (uint32_t)x->t->process->pid,
		      .type = EV_INLINE,
		      .size = sizeof(ev)},
		.tgid = (uint32_t)x->t->process->pid,
		.sites = x->sites,
		.hits = inline_all_hits(x),
		.hit_ns = inline_hit_ns(x),
		.pause_ns = x->planter.pause_ns,
		.threads = x->planter.threads,
		.memory_kib = (uint32_t)(x->planter.mapped >> 10),
		.clock_ns = reader_clock_bound(x->reader),
	};
	return ev;
}

void inline_close(struct inline_engine *x)
{
	struct error e;

	if (!x)
		return;
	planter_stop(&x->planter, &e);
	reader_free(x->reader); /* before what it guards is unmapped */
	planter_close(&x->planter);
	inline_plan_free(&x->plan);
	free(x->has);
	free(x);
}

/* What was found, and what it takes to take it away. */
struct leftover {
	const struct target_process *p;
	struct target *t; /* NULL: not known yet, or it cannot be */
	struct error stays; /* "": no memory does */
	struct error stray; /* "": no descriptor does */
	bool found; /* something was in the way */
};

static const struct layout *layout_of(struct leftover *l)
{
	if (!l->t && target_open(l->p->pid, &l->t, &l->stays))
		l->t = NULL;
	return l->t ? &l->t->layout : NULL;
}

/* Restore and unmap one of them: 0, or what could not be done. */
static int clean_planted(struct leftover *l, struct planted *d, const struct remote_wait *wait,
			 struct error *e)
{
	int err;

	if (leftover_is_in_use(d))
		return error_set(e, EXIT_TARGET, -EBUSY,
				 "process %d is being traced by gscope %d, which has "
				 "redirected its calls: wait until that has ended",
				 (int)l->p->pid, d->own->owner);
	/* memory that could not be unmapped at the time is no change */
	l->found |= d->own->state != INLINE_RESTORED;
	d->wait = *wait;
	err = plant_restore(d, e);
	if (err)
		return err;
	d->layout = layout_of(l);
	/* what stays is in nobody's way */
	if (!plant_unmap(d, &l->stays))
		l->stays.text[0] = 0;
	return 0;
}

/* Whether something there is called like gscope's: then a call that makes more of it may be pending. */
static bool is_named(const struct target_process *p)
{
	struct target_map *maps;
	bool named = stray_find(p) >= 0;
	struct error e;
	size_t n;

	if (named || target_process_maps(p, &maps, &n, &e))
		return named;
	for (size_t i = 0; i < n && !named; i++)
		named = strstr(maps[i].path, INLINE_NAME);
	free(maps);
	return named;
}

/* A gscope that is about to map that memory has the descriptor, too. */
static bool clean_stray(struct leftover *l)
{
	const struct timespec moment = {.tv_nsec = 100000000};
	int fd = stray_find(l->p);
	const struct layout *layout;

	if (fd < 0)
		return false;
	nanosleep(&moment, NULL);
	if (stray_find(l->p) != fd)
		return false;
	layout = layout_of(l);
	/* two gscopes that were killed have left two */
	for (size_t i = 0; layout && fd >= 0 && i < LEFTOVERS_MOST; i++) {
		if (stray_close(l->p, layout, fd, &l->stray))
			return true;
		fd = stray_find(l->p);
	}
	l->stray.text[0] = 0;
	return true;
}

int inline_clean(const struct target_process *p, const struct remote_wait *wait, struct error *e)
{
	uint64_t end = now_ns() + CLEAN_NS;
	struct error why, pending = {.text = ""};
	struct leftover l = {.p = p};
	struct leftovers all;
	size_t done = 0;
	int err, one;

	if (is_named(p)) {
		if (!pending_wait(p, wait, &pending))
			pending.text[0] = 0;
		l.found = clean_stray(&l);
	}
	err = leftovers_find(&all, p, e);
	if (err) {
		target_close(l.t);
		return err;
	}
	for (; done < all.n && now_ns() < end; done++) {
		one = clean_planted(&l, &all.v[done], wait, &why);
		if (one && !err) {
			err = one;
			*e = why;
		}
	}
	if (all.named > all.seen || done < all.n)
		error_set(
			&l.stays, EXIT_FAILED, 0,
			"process %d has %zu mappings that are called like gscope's, which were not "
			"all looked at: it makes them itself",
			(int)p->pid, all.named);
	leftovers_close(&all);
	target_close(l.t);
	if (!err)
		*e = l.stays.text[0] ? l.stays : l.stray.text[0] ? l.stray : pending;
	return err ? err : l.found;
}
