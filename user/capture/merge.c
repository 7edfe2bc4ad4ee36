// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/merge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
	uint64_t promise;
};

struct merge {
	struct source *src;
	size_t nsrc;
	size_t *heap; /* sources that have something, the one with the oldest record first */
	size_t pending;
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
	m->heap = calloc(sources ? sources : 1, sizeof(*m->heap));
	if (!m->src || !m->heap) {
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
	free(m->heap);
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
static void reclaim(struct source *s)
{
	size_t first, left = s->n - s->head;

	if (!s->head)
		return;
	if (!left) {
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
	m->pending++;
	return 0;
}

void merge_promise(struct merge *m, size_t source, uint64_t ns)
{
	if (ns > m->src[source].promise)
		m->src[source].promise = ns;
}

static uint64_t oldest(const struct merge *m, size_t source)
{
	const struct source *s = &m->src[source];

	return s->v[s->head].time_ns;
}

static int before(const struct merge *m, size_t a, size_t b)
{
	uint64_t ta = oldest(m, a), tb = oldest(m, b);

	return ta != tb ? ta < tb : a < b;
}

static void sift_down(struct merge *m, size_t n, size_t i)
{
	for (;;) {
		size_t child = 2 * i + 1, tmp;

		if (child >= n)
			return;
		if (child + 1 < n && before(m, m->heap[child + 1], m->heap[child]))
			child++;
		if (!before(m, m->heap[child], m->heap[i]))
			return;
		tmp = m->heap[i];
		m->heap[i] = m->heap[child];
		m->heap[child] = tmp;
		i = child;
	}
}

int merge_emit(struct merge *m, merge_emit_fn emit, void *ctx)
{
	uint64_t safe = UINT64_MAX;
	size_t n = 0;
	int err = 0;

	for (size_t i = 0; i < m->nsrc; i++) {
		if (m->src[i].promise < safe)
			safe = m->src[i].promise;
		if (m->src[i].head < m->src[i].n)
			m->heap[n++] = i;
	}
	for (size_t i = n; i-- > 0;)
		sift_down(m, n, i);
	while (n && !err) {
		struct source *s = &m->src[m->heap[0]];
		struct event_head *ev;

		if (s->v[s->head].time_ns >= safe)
			break;
		ev = (void *)(s->bytes + s->v[s->head].off);
		if (ev->time_ns < m->last) {
			ev->time_ns = m->last;
			m->late++;
		}
		m->last = ev->time_ns;
		s->head++;
		m->pending--;
		err = emit(ctx, ev);
		if (s->head == s->n)
			m->heap[0] = m->heap[--n];
		sift_down(m, n, 0);
	}
	for (size_t i = 0; i < m->nsrc; i++)
		reclaim(&m->src[i]);
	return err;
}

size_t merge_pending(const struct merge *m)
{
	return m->pending;
}

uint64_t merge_late(const struct merge *m)
{
	return m->late;
}
