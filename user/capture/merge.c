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

/* Further than so many places a record is not moved ahead of others: it goes to the stragglers. */
#define STEPS 32

/* Where a record of a source is. */
struct entry {
	uint64_t time_ns;
	size_t off; /* in bytes; in order of arrival */
};

struct source {
	struct entry *v; /* [head, n) wait, sorted by time */
	size_t head, n, room;
	struct entry *late; /* stragglers: a heap, the oldest first */
	size_t nlate, late_room;
	size_t gone; /* handed over, and still in `bytes` */
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
		free(m->src[i].late);
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

static size_t waiting(const struct source *s)
{
	return s->n - s->head + s->nlate;
}

/* Nothing is left. */
static void start_over(struct merge *m, struct source *s)
{
	m->bytes -= s->nbytes;
	s->quiet = s->nbytes < s->bytes_room / 8 ? s->quiet + 1 : 0;
	/* one long pause must not cost its memory for ever */
	if (s->bytes_room > KEEP_BYTES && s->quiet >= QUIET) {
		free(s->bytes);
		free(s->v);
		free(s->late);
		s->bytes = NULL;
		s->v = s->late = NULL;
		s->bytes_room = s->room = s->late_room = 0;
	}
	s->head = s->n = s->nbytes = s->gone = 0;
}

/* Where the first record begins that waits: entries are sorted by time, bytes in order of arrival. */
static size_t first_byte(const struct source *s)
{
	size_t first = s->nbytes;

	for (size_t i = s->head; i < s->n; i++)
		first = s->v[i].off < first ? s->v[i].off : first;
	for (size_t i = 0; i < s->nlate; i++)
		first = s->late[i].off < first ? s->late[i].off : first;
	return first;
}

/*
 * What was handed over leaves when nothing is left, or when it is the larger part: then moving
 * the rest costs less than what was gained.
 */
static void reclaim(struct merge *m, struct source *s)
{
	size_t first, left = waiting(s);

	if (!s->gone)
		return;
	if (!left) {
		start_over(m, s);
		return;
	}
	if (s->gone < 1024 || left > s->gone)
		return;
	first = first_byte(s);
	memmove(s->bytes, s->bytes + first, s->nbytes - first);
	s->nbytes -= first;
	m->bytes -= first;
	memmove(s->v, s->v + s->head, (s->n - s->head) * sizeof(*s->v));
	s->n -= s->head;
	s->head = s->gone = 0;
	for (size_t i = 0; i < s->n; i++)
		s->v[i].off -= first;
	for (size_t i = 0; i < s->nlate; i++)
		s->late[i].off -= first;
}

/* In order of time, then of arrival. */
static bool precedes(const struct entry *a, const struct entry *b)
{
	return a->time_ns != b->time_ns ? a->time_ns < b->time_ns : a->off < b->off;
}

static int add_late(struct source *s, struct entry new)
{
	size_t at = s->nlate;

	if (at == s->late_room && grow((void **)&s->late, &s->late_room, at + 1, sizeof(*s->late)))
		return -ENOMEM;
	s->nlate++;
	for (; at && precedes(&new, &s->late[(at - 1) / 2]); at = (at - 1) / 2)
		s->late[at] = s->late[(at - 1) / 2];
	s->late[at] = new;
	return 0;
}

static struct entry take_late(struct source *s)
{
	struct entry first = s->late[0], last = s->late[--s->nlate];
	size_t at = 0, next;

	while ((next = 2 * at + 1) < s->nlate) {
		next += next + 1 < s->nlate && precedes(&s->late[next + 1], &s->late[next]);
		if (precedes(&last, &s->late[next]))
			break;
		s->late[at] = s->late[next];
		at = next;
	}
	s->late[at] = last;
	return first;
}

/* The place of a record that came last, sorted by time; times may be any at all. */
static int add_entry(struct source *s, struct entry new)
{
	size_t at = s->n, end = s->n - s->head > STEPS ? s->n - STEPS : s->head;

	if (s->n == s->room && grow((void **)&s->v, &s->room, s->n + 1, sizeof(*s->v)))
		return -ENOMEM;
	while (at > end && s->v[at - 1].time_ns > new.time_ns)
		at--;
	if (at == end && at > s->head && s->v[at - 1].time_ns > new.time_ns)
		return add_late(s, new);
	if (at < s->n)
		memmove(s->v + at + 1, s->v + at, (s->n - at) * sizeof(*s->v));
	s->v[at] = new;
	s->n++;
	return 0;
}

int merge_add(struct merge *m, size_t source, const struct event_head *ev)
{
	struct source *s = &m->src[source];

	if (s->nbytes + ev->size > s->bytes_room &&
	    grow((void **)&s->bytes, &s->bytes_room, s->nbytes + ev->size, 1))
		return -ENOMEM;
	if (add_entry(s, (struct entry){.time_ns = ev->time_ns, .off = s->nbytes}))
		return -ENOMEM;
	memcpy(s->bytes + s->nbytes, ev, ev->size);
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
	return waiting(&m->src[source]);
}

static __uint128_t oldest(const struct merge *m, size_t source)
{
	const struct source *s = &m->src[source];
	uint64_t time_ns;

	if (source >= m->nsrc || !waiting(s))
		return NOTHING;
	if (!s->nlate)
		time_ns = s->v[s->head].time_ns;
	else if (s->head == s->n || s->late[0].time_ns < s->v[s->head].time_ns)
		time_ns = s->late[0].time_ns;
	else
		time_ns = s->v[s->head].time_ns;
	return (__uint128_t)time_ns << 64 | source;
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

/* The oldest record of a source that has one; it is no longer among those that wait. */
static struct entry take_oldest(struct source *s)
{
	if (s->nlate && (s->head == s->n || precedes(&s->late[0], &s->v[s->head])))
		return take_late(s);
	prefetch(s);
	return s->v[s->head++];
}

static int emit_oldest(struct merge *m, struct source *s, merge_emit_fn emit, void *ctx)
{
	struct event_head *ev = (void *)(s->bytes + take_oldest(s).off);

	if (ev->time_ns < m->last) {
		ev->time_ns = m->last;
		m->late++;
	}
	m->last = ev->time_ns;
	s->gone++;
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

size_t merge_bytes_of(const struct merge *m, size_t first, size_t n)
{
	size_t sum = 0;

	for (size_t i = first; i < first + n; i++)
		sum += m->src[i].nbytes;
	return sum;
}

size_t merge_pending(const struct merge *m)
{
	return m->pending;
}

uint64_t merge_late(const struct merge *m)
{
	return m->late;
}
