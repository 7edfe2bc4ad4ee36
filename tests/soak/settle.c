// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * After a loss the states become right again: two replays of one capture side by side, one of which
 * has lost a window. What no record is about any more can only stay as it was.
 */
#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/soak/records.h"
#include "user/capture/file.h"
#include "user/replay/replay.h"

/* What the records behind the window were about, and since when. */
struct seen {
	uint64_t key; /* address of a goroutine, tid */
	UT_hash_handle hh;
};

struct side {
	struct replay *replay;
};

static void see(struct seen **all, uint64_t key)
{
	struct seen *s;

	HASH_FIND(hh, *all, &key, sizeof(key), s);
	if (s || !key)
		return;
	s = calloc(1, sizeof(*s));
	if (!s)
		err(1, "seen");
	s->key = key;
	HASH_ADD(hh, *all, key, sizeof(s->key), s);
}

static bool was_seen(struct seen *all, uint64_t key)
{
	struct seen *s;

	HASH_FIND(hh, all, &key, sizeof(key), s);
	return s;
}

static void forget(struct seen **all)
{
	struct seen *s, *tmp;

	HASH_ITER(hh, *all, s, tmp) {
		HASH_DELETE(hh, *all, s);
		free(s);
	}
}

static void see_record(struct seen **all, const struct event_head *ev)
{
	if (ev->type == EV_GO || ev->type == EV_GO_CREATE) {
		see(all, ((const struct ev_go *)ev)->gp);
		see(all, ev->tid);
	}
}

static uint32_t tid_of(const struct thread *t)
{
	return t ? t->tid : 0;
}

static void describe(char *out, size_t size, const struct goroutine *g, const struct goroutine *b)
{
	snprintf(out, size, "G%" PRIu64 " is %s on %u, not %s on %u", g->id,
		 b ? g_state_name(b->state) : "nowhere", b ? tid_of(b->m) : 0,
		 g_state_name(g->state), tid_of(g->m));
}

static const struct proc *proc_of(const struct process *ps, uint64_t addr)
{
	struct proc *p;

	HASH_FIND(hh, ps->procs, &addr, sizeof(addr), p);
	return p;
}

/* Ps in whose holder the two differ, if both are threads that were seen. */
static unsigned int differing_procs(const struct process *ps, const struct process *other,
				    struct seen *all, char *last, size_t size)
{
	struct proc *p, *tmp;
	unsigned int n = 0;

	HASH_ITER(hh, ps->procs, p, tmp) {
		const struct proc *b = proc_of(other, p->addr);
		uint32_t tid = tid_of(p->m), btid = b ? tid_of(b->m) : 0;

		if ((tid && !was_seen(all, tid)) || (btid && !was_seen(all, btid)) ||
		    (b && tid == btid && b->state == p->state))
			continue;
		n++;
		snprintf(last, size, "P%d is %s on %u, not %s on %u", p->id,
			 b ? p_state_name(b->state) : "nowhere", btid, p_state_name(p->state), tid);
	}
	return n;
}

/* Goroutines and Ps that were seen, in whose state the two differ; `last` describes one. */
static unsigned int differing(const struct side *good, const struct side *bad, struct seen *all,
			      char *last, size_t size)
{
	struct process *ps, *next, *other;
	unsigned int n = 0;

	HASH_ITER(hh, replay_processes(good->replay), ps, next) {
		struct goroutine *g, *gnext, *b;

		HASH_FIND(hh, replay_processes(bad->replay), &ps->tgid, sizeof(ps->tgid), other);
		HASH_ITER(hh, ps->goroutines, g, gnext) {
			HASH_FIND(hh, other->goroutines, &g->addr, sizeof(g->addr), b);
			if (!was_seen(all, g->addr) ||
			    (b && b->id == g->id && b->state == g->state &&
			     tid_of(b->m) == tid_of(g->m)))
				continue;
			n++;
			describe(last, size, g, b);
		}
		n += differing_procs(ps, other, all, last, size);
		HASH_ITER(hh, other->goroutines, b, gnext) {
			HASH_FIND(hh, ps->goroutines, &b->addr, sizeof(b->addr), g);
			n += was_seen(all, b->addr) && !g;
		}
	}
	return n;
}

static void side_open(struct side *s)
{
	struct error e;

	if (replay_new(&s->replay, &e))
		errx(1, "%s", e.text);
}

static void side_feed(struct side *s, const struct event_head *ev)
{
	struct error e;

	if (event_valid(ev) && replay_event(s->replay, ev, &e))
		errx(1, "%s", e.text);
}

struct outcome {
	uint64_t wrong_ns; /* from the end of the window until all was right for good */
	unsigned int left; /* wrong at the end */
	char last[128];
};

static struct outcome lose_window(const struct records *rs, struct random *r)
{
	size_t behind = rs->n - rs->first;
	size_t from = rs->first + rnd(r, behind / 2), to = from + 1 + rnd(r, 1 + behind / 10);
	struct outcome o = {0};
	struct seen *all = NULL;
	struct records lossy;
	struct side good, bad;
	size_t k = 0;

	if (to >= rs->n)
		to = rs->n - 1;
	damage_window(&lossy, rs, rnd(r, UINT32_MAX), from, to);
	side_open(&good);
	side_open(&bad);
	for (size_t i = 0; i < rs->n; i++) {
		const struct event_head *ev = rs->v[i];

		side_feed(&good, ev);
		while (k < lossy.n && lossy.v[k]->type == EV_LOSS)
			side_feed(&bad, lossy.v[k++]);
		if (k < lossy.n && lossy.v[k] == ev)
			side_feed(&bad, lossy.v[k++]);
		if (i < to || ev->type >= EV_USER_FIRST)
			continue;
		see_record(&all, ev);
		if (i % 16 && i + 1 < rs->n)
			continue;
		o.left = differing(&good, &bad, all, o.last, sizeof(o.last));
		if (o.left)
			o.wrong_ns = ev->time_ns - rs->v[to]->time_ns;
	}
	forget(&all);
	replay_free(good.replay);
	replay_free(bad.replay);
	records_free(&lossy);
	return o;
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

bool settle(const struct records *rs, const char *name, uint64_t seed, unsigned int rounds)
{
	struct random r = {.state = seed};
	uint64_t *times = calloc(rounds, sizeof(*times)), longest = 0;
	char last[128] = "none";
	unsigned int wrong = 0;

	if (!times)
		err(1, "settle");
	for (unsigned int i = 0; i < rounds; i++) {
		struct outcome o = lose_window(rs, &r);

		times[i] = o.wrong_ns;
		wrong += !!o.left;
		if (o.wrong_ns >= longest) {
			longest = o.wrong_ns;
			memcpy(last, o.last, sizeof(last));
		}
	}
	qsort(times, rounds, sizeof(*times), by_size);
	fprintf(stderr,
		"%s: %u windows lost; wrong states behind one last %.3f ms (median), %.3f ms "
		"(90 %%), %.3f ms (all: %s); %u have some at the end\n",
		name, rounds, (double)times[rounds / 2] / 1e6, (double)times[rounds * 9 / 10] / 1e6,
		(double)times[rounds - 1] / 1e6, last, wrong);
	free(times);
	/* a window may end so late that little comes behind it */
	return wrong <= rounds / 10;
}
