// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/merge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A source that has nothing left comes behind all others. */
#define NOTHING (~(__uint128_t)0)

/* Records of a source that are fetched ahead. */
#define PREFETCH 8

/* Buffers of a source below this stay, whether they are needed or not. */
#define KEEP_BYTES (1U << 20)

/* Others go when they were too large so many times in a row: the memory comes at a price. */
#define QUIET 100

/* Where a record of a source is, sorted by time. */
struct entry {
	uint64_t time_ns;
	size_t off; /* in bytes */
};

struct source {
	struct entry *v; /* [head, n) wait */
	size_t head, n, room;
	char *bytes;
	size_t nbytes, bytes_room;
	unsigned int quiet; /* times in a row in which most of the room was not needed */
	uint64_t promise;
};

struct merge {
	struct source *src;
	size_t nsrc;
	/*
	 * A tournament of the sources' oldest records: [leaves + i] stands for source i. In every
	 * other node is who lost there, in [0] the winner. One that has a new record only plays
	 * against the losers on its way up. Time, then number of the source: __uint128_t orders both.
	 */
	__uint128_t *tree;
	size_t leaves; /* a power of two */
	size_t pending, bytes;
	uint64_t last; /* time of the last record handed over */
	uint64_t late;
};

struct merge *merge_new(size_t sources)
{
	struct merge *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->nsrc = sources;
	m->src = calloc(sources ? sources : 1, sizeof(*m->src));
	for (m->leaves = 1; m->leaves < sources;)
		m->leaves *= 2;
	m->tree = calloc(m->leaves, sizeof(*m->tree));
	if (!m->src || !m->tree) {
		merge_free(m);
		return NULL;
	}
	return m;
}

void merge_free(struct merge *m)
{
	if (!m)
		return;
	for (size_t i = 0; m->src && i < m->nsrc; i++) {
		free(m->src[i].v);
		free(m->src[i].bytes);
	}
	free(m->src);
	free(m->tree);
	free(m);
}

static int grow(void **p, size_t *room, size_t need, size_t unit)
{
	size_t n = *room ? *room : 64;
	void *q;

	while (n < need)
		n *= 2;
	q = realloc(*p, n * unit);
	if (!q)
		return -ENOMEM;
	*p = q;
	*room = n;
	return 0;
}

/*
 * What was handed over leaves when nothing is left, or when it is the larger part: then moving
 * the rest costs less than what was gained.
 */
static void reclaim(struct merge *m, struct source *s)
{
	size_t first, left = s->n - s->head;

	if (!s->head)
		return;
	if (!left) {
		m->bytes -= s->nbytes;
		s->quiet = s->nbytes < s->bytes_room / 8 ? s->quiet + 1 : 0;
		/* one long pause must not cost its memory for ever */
		if (s->bytes_room > KEEP_BYTES && s->quiet >= QUIET) {
			free(s->bytes);
			free(s->v);
			s->bytes = NULL;
			s->v = NULL;
			s->bytes_room = s->room = 0;
		}
		s->head = s->n = s->nbytes = 0;
		return;
	}
	if (s->head < 1024 || left > s->head)
		return;
	/* entries are sorted by time, bytes are in order of arrival */
	first = s->nbytes;
	for (size_t i = s->head; i < s->n; i++)
		if (s->v[i].off < first)
			first = s->v[i].off;
	memmove(s->bytes, s->bytes + first, s->nbytes - first);
	s->nbytes -= first;
	m->bytes -= first;
	memmove(s->v, s->v + s->head, left * sizeof(*s->v));
	s->head = 0;
	s->n = left;
	for (size_t i = 0; i < left; i++)
		s->v[i].off -= first;
}

int merge_add(struct merge *m, size_t source, const struct event_head *ev)
{
	struct source *s = &m->src[source];
	size_t at;

	if (s->n == s->room && grow((void **)&s->v, &s->room, s->n + 1, sizeof(*s->v)))
		return -ENOMEM;
	if (s->nbytes + ev->size > s->bytes_room &&
	    grow((void **)&s->bytes, &s->bytes_room, s->nbytes + ev->size, 1))
		return -ENOMEM;
	memcpy(s->bytes + s->nbytes, ev, ev->size);
	for (at = s->n; at > s->head && s->v[at - 1].time_ns > ev->time_ns; at--)
		s->v[at] = s->v[at - 1];
	s->v[at] = (struct entry){.time_ns = ev->time_ns, .off = s->nbytes};
	s->n++;
	s->nbytes += ev->size;
	m->bytes += ev->size;
	m->pending++;
	return 0;
}

void merge_promise(struct merge *m, size_t source, uint64_t ns)
{
	if (ns > m->src[source].promise)
		m->src[source].promise = ns;
}

static uint64_t lowest_promise(const struct merge *m)
{
	uint64_t lowest = UINT64_MAX;

	for (size_t i = 0; i < m->nsrc; i++)
		if (m->src[i].promise < lowest)
			lowest = m->src[i].promise;
	return lowest;
}

bool merge_waits_for(const struct merge *m, size_t source)
{
	return m->src[source].promise == lowest_promise(m);
}

size_t merge_waiting(const struct merge *m, size_t source)
{
	return m->src[source].n - m->src[source].head;
}

static __uint128_t oldest(const struct merge *m, size_t source)
{
	const struct source *s = &m->src[source];

	if (source >= m->nsrc || s->head == s->n)
		return NOTHING;
	return (__uint128_t)s->v[s->head].time_ns << 64 | source;
}

/* The winner below a node, all of it played anew. */
static __uint128_t play_all(struct merge *m, size_t node)
{
	__uint128_t a, b;

	if (node >= m->leaves)
		return oldest(m, node - m->leaves);
	a = play_all(m, 2 * node);
	b = play_all(m, 2 * node + 1);
	m->tree[node] = a < b ? b : a;
	return a < b ? a : b;
}

/* The winner, `source` having another record than at the last time. */
static __uint128_t play(struct merge *m, size_t source)
{
	__uint128_t winner = oldest(m, source);

	for (size_t node = (m->leaves + source) / 2; node; node /= 2) {
		__uint128_t other = m->tree[node];
		bool lost = other < winner;

		/* in this form there is no branch, which nobody could predict */
		m->tree[node] = lost ? winner : other;
		winner = lost ? other : winner;
	}
	return winner;
}

/* The best of those that lost against `source`: what it has before that is in order without a game. */
static __uint128_t runner_up(const struct merge *m, size_t source)
{
	__uint128_t best = NOTHING;

	for (size_t node = (m->leaves + source) / 2; node; node /= 2)
		best = m->tree[node] < best ? m->tree[node] : best;
	return best;
}

/*
 * Most records lie on two cache lines, and those of many sources in too many places for the CPU. What
 * had to wait for long is no longer in its cache: then one record is not ahead enough.
 */
static void prefetch(const struct source *s)
{
	size_t ahead = s->head + PREFETCH < s->n ? s->head + PREFETCH : s->n - 1;
	const char *record = s->bytes + s->v[ahead].off;

	__builtin_prefetch(record);
	__builtin_prefetch(record + 64);
}

static int emit_oldest(struct merge *m, struct source *s, merge_emit_fn emit, void *ctx)
{
	struct event_head *ev = (void *)(s->bytes + s->v[s->head].off);

	prefetch(s);
	if (ev->time_ns < m->last) {
		ev->time_ns = m->last;
		m->late++;
	}
	m->last = ev->time_ns;
	s->head++;
	m->pending--;
	return emit(ctx, ev);
}

int merge_emit_some(struct merge *m, size_t most, bool *more, merge_emit_fn emit, void *ctx)
{
	size_t enough = m->pending > most ? m->pending - most : 0;
	__uint128_t safe = (__uint128_t)lowest_promise(m) << 64;
	__uint128_t winner = play_all(m, 1);
	int err = 0;

	while (!err && winner < safe && m->pending > enough) {
		size_t source = (size_t)(uint64_t)winner;
		__uint128_t limit = runner_up(m, source);

		limit = limit < safe ? limit : safe;
		do
			err = emit_oldest(m, &m->src[source], emit, ctx);
		while (!err && m->pending > enough && oldest(m, source) < limit);
		winner = play(m, source);
	}
	for (size_t i = 0; i < m->nsrc; i++)
		reclaim(m, &m->src[i]);
	*more = !err && winner < safe;
	return err;
}

int merge_emit(struct merge *m, merge_emit_fn emit, void *ctx)
{
	bool more;

	return merge_emit_some(m, SIZE_MAX, &more, emit, ctx);
}

size_t merge_bytes(const struct merge *m)
{
	return m->bytes;
}

size_t merge_pending(const struct merge *m)
{
	return m->pending;
}

uint64_t merge_late(const struct merge *m)
{
	return m->late;
}
