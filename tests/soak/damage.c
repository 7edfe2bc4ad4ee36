// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "tests/soak/records.h"

#define ALL_CLASSES ((1U << LOSS_CLASSES) - 1)

uint64_t rnd(struct random *r, uint64_t n)
{
	/* splitmix64, Sebastiano Vigna, public domain */
	uint64_t z = r->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (z ^ z >> 31) % n;
}

/* What was lost since the last record that says so. */
struct losses {
	uint64_t since;
	uint64_t count[LOSS_CLASSES];
};

static void lose(struct losses *l, const struct event_head *ev)
{
	if (!l->since)
		l->since = ev->time_ns;
	l->count[record_class(ev)]++;
}

static void tell_losses(struct records *out, struct losses *l, uint64_t time)
{
	for (unsigned int c = 0; c < LOSS_CLASSES; c++) {
		struct ev_loss *ev;

		if (!l->count[c])
			continue;
		ev = (void *)records_new(out, sizeof(*ev));
		*ev = (struct ev_loss){
			.h = {.time_ns = time, .type = EV_LOSS, .size = sizeof(*ev)},
			.cpu = LOSS_ANY_CPU,
			.loss_class = c,
			.count = l->count[c],
			.since_ns = l->since,
		};
		records_add(out, &ev->h);
	}
	*l = (struct losses){0};
}

static bool in_class(const struct event_head *ev, unsigned int classes)
{
	return record_is_of_ring(ev) && classes & 1U << record_class(ev);
}

static unsigned int some_classes(struct random *r)
{
	return rnd(r, 2) ? ALL_CLASSES : 1 + (unsigned int)rnd(r, ALL_CLASSES);
}

/* Single records, one of `rarity`. */
static void drop_some(struct random *r, struct records *out, const struct records *in, bool tell)
{
	static const unsigned int rarities[] = {1000, 100, 10, 2};
	uint64_t rarity = rarities[rnd(r, 4)];
	unsigned int classes = some_classes(r);
	struct losses l = {0};

	for (size_t i = 0; i < in->n; i++) {
		if (tell && l.since && !rnd(r, 50))
			tell_losses(out, &l, in->v[i]->time_ns);
		if (in_class(in->v[i], classes) && !rnd(r, rarity))
			lose(&l, in->v[i]);
		else
			records_add(out, in->v[i]);
	}
}

static void drop_between(struct records *out, const struct records *in, size_t from, size_t to,
			 unsigned int classes, bool tell)
{
	struct losses l = {0};

	for (size_t i = 0; i < in->n; i++) {
		if (tell && i == to && i)
			tell_losses(out, &l, in->v[i]->time_ns);
		if (i >= from && i < to && in_class(in->v[i], classes))
			lose(&l, in->v[i]);
		else
			records_add(out, in->v[i]);
	}
}

static void drop_burst(struct random *r, struct records *out, const struct records *in, bool tell)
{
	size_t from = rnd(r, in->n), len = 1 + rnd(r, 1 + rnd(r, in->n));

	drop_between(out, in, from, from + len, some_classes(r), tell);
}

/* A record comes again, soon. */
static void duplicate(struct random *r, struct records *out, const struct records *in)
{
	uint64_t rarity = 2 + rnd(r, 200), distance = 1 + rnd(r, 30);
	const struct event_head *again = NULL;
	size_t at = 0;

	for (size_t i = 0; i < in->n; i++) {
		records_add(out, in->v[i]);
		if (again && i >= at) {
			records_add(out, again);
			again = NULL;
		}
		if (!again && record_is_of_ring(in->v[i]) && !rnd(r, rarity)) {
			again = in->v[i];
			at = i + rnd(r, distance);
		}
	}
}

/* Records change places with later ones; their times stay theirs. */
static void reorder(struct random *r, struct records *out, const struct records *in)
{
	uint64_t rarity = 1 + rnd(r, 100), distance = 1 + rnd(r, 64);

	for (size_t i = 0; i < in->n; i++)
		records_add(out, in->v[i]);
	for (size_t i = 0; i < out->n; i++) {
		size_t k = i + rnd(r, distance);
		const struct event_head *ev = out->v[i];

		if (rnd(r, rarity) || k >= out->n || !record_is_of_ring(ev) ||
		    !record_is_of_ring(out->v[k]))
			continue;
		out->v[i] = out->v[k];
		out->v[k] = ev;
	}
}

static void add_invented(struct records *out, const struct event_head *ev)
{
	struct event_head *copy = records_new(out, ev->size);

	memcpy(copy, ev, ev->size);
	records_add(out, copy);
}

static void invent_runtime(struct random *r, struct records *out, const struct ev_go *near,
			   const struct ev_go *other)
{
	struct ev_runtime ev = {
		.h = {near->h.time_ns, near->h.tid, EV_RUNTIME, sizeof(ev)},
		.tgid = near->tgid,
		.gp = near->gp,
		.goid = near->goid,
		.p = near->p,
		.stack = near->stack,
		.arg = {rnd(r, 20), rnd(r, 20)},
		.kind = (__u8)(RT_STW_BEGIN + rnd(r, RT_PROCS - RT_STW_BEGIN + 1)),
	};

	if (ev.kind >= RT_PROC_START && ev.kind <= RT_PROC_STEAL)
		ev.arg[0] = rnd(r, 2) ? near->p : other->p;
	add_invented(out, &ev.h);
}

static void invent_user(struct random *r, struct records *out, const struct ev_go *near)
{
	union {
		struct ev_user ev;
		char bytes[sizeof(struct ev_user) + 8];
	} u = {
		.ev =
			{
				.h = {near->h.time_ns, near->h.tid, EV_USER, sizeof(u)},
				.tgid = near->tgid,
				.gp = near->gp,
				.goid = near->goid,
				.p = near->p,
				.stack = near->stack,
				.task = rnd(r, 5),
				.parent = rnd(r, 5),
				.kind = (__u8)(USER_TASK_BEGIN +
					       rnd(r, USER_LABELS - USER_TASK_BEGIN)),
				.len = {1, 1},
			},
	};

	u.ev.text[0] = (char)('a' + rnd(r, 3));
	u.ev.text[1] = 'z';
	add_invented(out, &u.ev.h);
}

static void invent_other(struct random *r, struct records *out, const struct ev_go *near)
{
	struct ev_heap heap = {.h = {near->h.time_ns, 0, EV_HEAP, sizeof(heap)},
			       .tgid = near->tgid,
			       .live = rnd(r, 1 << 20),
			       .goal = rnd(r, 1 << 20)};
	struct ev_sample sample = {.h = {near->h.time_ns, near->h.tid, EV_SAMPLE, sizeof(sample)},
				   .tgid = near->tgid,
				   .ctx = {near->gp, near->gp, near->p},
				   .stack = near->stack};
	struct ev_shed shed = {.h = {near->h.time_ns, 0, EV_SHED, sizeof(shed)},
			       .what = rnd(r, 2) ? SHED_PROBES_OFF : SHED_PROBES_ON};
	struct ev_go go = *near;

	go.h.type = EV_GO;
	go.h.size = sizeof(go);
	go.kind = (__u8)(rnd(r, 2) ? GO_CGO_ENTER : GO_CGO_EXIT);
	switch (rnd(r, 4)) {
	case 0:
		add_invented(out, &heap.h);
		break;
	case 1:
		add_invented(out, &sample.h);
		break;
	case 2:
		add_invented(out, &shed.h);
		break;
	default:
		add_invented(out, &go.h);
	}
}

/* What the runtime and the program do besides, where goroutines were seen to run. */
static void invent(struct random *r, struct records *out, const struct records *in)
{
	uint64_t rarity = 1 + rnd(r, 20);
	const struct ev_go *other = NULL;

	for (size_t i = 0; i < in->n; i++) {
		const struct ev_go *near = (const void *)in->v[i];

		if (near->h.type == EV_GO && near->p && !rnd(r, rarity)) {
			for (uint64_t n = rnd(r, 4); n; n--) {
				if (!rnd(r, 4))
					invent_other(r, out, near);
				else if (rnd(r, 2))
					invent_user(r, out, near);
				else
					invent_runtime(r, out, near, other ? other : near);
			}
			other = near;
		}
		records_add(out, in->v[i]);
	}
}

static int by_time(const void *a, const void *b)
{
	const struct event_head *x = *(const struct event_head *const *)a;
	const struct event_head *y = *(const struct event_head *const *)b;

	return x->time_ns < y->time_ns ? -1 : x->time_ns > y->time_ns;
}

/* Clocks of CPUs that do not agree: other times, sorted again. */
static void shift_times(struct random *r, struct records *out, const struct records *in)
{
	uint64_t most = 1 + rnd(r, 50000);
	size_t first = in->first;

	for (size_t i = 0; i < in->n; i++) {
		const struct event_head *ev = in->v[i];
		struct event_head *copy;

		if (!record_is_of_ring(ev)) {
			records_add(out, ev);
			continue;
		}
		copy = records_new(out, ev->size);
		memcpy(copy, ev, ev->size);
		copy->time_ns += rnd(r, most);
		records_add(out, copy);
	}
	if (first < out->n)
		qsort(out->v + first, out->n - first, sizeof(*out->v), by_time);
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static void cut(struct records *rs, size_t n)
{
	rs->n = smaller(n, rs->n);
}

/* The memory of `from` goes to `to`. */
static void keep_memory(struct records *to, struct records *from)
{
	for (size_t i = 0; i < from->nmemory; i++) {
		to->memory = realloc(to->memory, (to->nmemory + 1) * sizeof(*to->memory));
		if (!to->memory)
			abort();
		to->memory[to->nmemory++] = from->memory[i];
	}
	free(from->memory);
	free(from->v);
}

void damage(struct records *out, const struct records *in, uint64_t seed, size_t most)
{
	struct random r = {.state = seed * 0x5851f42d4c957f2d};
	struct records now = {.first = in->first};
	unsigned int kinds = 1 + (unsigned int)rnd(&r, 63);
	bool tell = rnd(&r, 2), early = !rnd(&r, 4);
	size_t behind = in->n - in->first, start = 0;

	/* Anywhere in a long recording: what lies between is one burst that was lost. */
	if (behind > most && rnd(&r, 2))
		start = rnd(&r, behind - most);
	for (size_t i = 0; i < in->n && i < in->first + start + most; i++)
		if (i < in->first || i >= in->first + start || !record_is_of_ring(in->v[i]))
			records_add(&now, in->v[i]);
	for (unsigned int kind = 0; kind < 6; kind++) {
		struct records next = {.first = now.first};

		if (!(kinds & 1U << kind))
			continue;
		switch (kind) {
		case 0:
			drop_some(&r, &next, &now, tell);
			break;
		case 1:
			drop_burst(&r, &next, &now, tell);
			break;
		case 2:
			duplicate(&r, &next, &now);
			break;
		case 3:
			reorder(&r, &next, &now);
			break;
		case 4:
			invent(&r, &next, &now);
			break;
		case 5:
			shift_times(&r, &next, &now);
			break;
		}
		keep_memory(&next, &now);
		now = next;
	}
	if (!rnd(&r, 3))
		cut(&now, early ? rnd(&r, now.n) :
				  now.first + rnd(&r, now.n - smaller(now.first, now.n - 1)));
	*out = now;
}

void damage_window(struct records *out, const struct records *in, uint64_t seed, size_t from,
		   size_t to)
{
	struct random r = {.state = seed};

	*out = (struct records){.first = in->first};
	drop_between(out, in, from, to, some_classes(&r), true);
}
