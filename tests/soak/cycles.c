// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tests/soak/cycles.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bpf/control.h"
#include "user/base/clock.h"
#include "user/capture/file.h"
#include "user/inline/engine.h"
#include "user/target/target.h"

struct tally {
	const struct target *t;
	uint64_t last_ns;
	uint64_t records, stacks, frames, cut, busy, stayed;
	uint64_t lost, late;
	uint64_t pause_ns, clock_ns; /* the worst */
	uint32_t threads;
	char wrong[256];
};

static void pause_ms(unsigned int ms)
{
	const struct timespec ts = {ms / 1000, (long)(ms % 1000) * 1000000};

	nanosleep(&ts, NULL);
}

static void look_at_go(struct tally *y, const struct ev_go *ev)
{
	const struct sites *s = &y->t->sites;
	unsigned int kind = ev->site < s->n ? s->v[ev->site].kind : 0;

	y->records++;
	if (!kind || ev->gp % 8 || !ev->gp || !ev->h.tid)
		snprintf(y->wrong, sizeof(y->wrong),
			 "an event of site %u, goroutine %" PRIx64 ", thread %u", ev->site,
			 (uint64_t)ev->gp, ev->h.tid);
	else if (kind == SITE_PARK && (ev->old_status != 2 || ev->new_status != 4))
		snprintf(y->wrong, sizeof(y->wrong), "a goroutine parks from %u to %u",
			 ev->old_status, ev->new_status);
	else if (kind == SITE_START && (ev->old_status != 1 || ev->new_status != 2))
		snprintf(y->wrong, sizeof(y->wrong), "a goroutine starts from %u to %u",
			 ev->old_status, ev->new_status);
}

static void look_at_stack(struct tally *y, const struct ev_stack *ev)
{
	y->stacks++;
	y->frames += ev->n;
	y->cut += ev->flags & STACK_TRUNCATED;
	for (unsigned int i = 0; i < ev->n; i++)
		if (!ev->pc[i])
			snprintf(y->wrong, sizeof(y->wrong), "frame %u of %u is 0", i, ev->n);
}

static int look(void *ctx, struct event_head *ev)
{
	struct tally *y = ctx;

	if (!event_valid(ev))
		snprintf(y->wrong, sizeof(y->wrong), "an event that is none");
	else if (ev->time_ns < y->last_ns)
		snprintf(y->wrong, sizeof(y->wrong), "time goes back");
	else if (ev->type == EV_STACK)
		look_at_stack(y, (void *)ev);
	else
		look_at_go(y, (void *)ev);
	y->last_ns = ev->time_ns;
	return 0;
}

static void failed(struct tally *y, const char *what, const struct error *e)
{
	snprintf(y->wrong, sizeof(y->wrong), "%s: %.200s", what, e->text);
}

/* Where it is all read: how long a cycle lasts is another number each time. */
static int run(struct tally *y, struct inline_engine *x, unsigned int ms)
{
	uint64_t until = now_ns() + (uint64_t)ms * 1000000;
	struct error e;
	int err;

	do {
		pause_ms(2);
		err = inline_pass(x, false);
	} while (!err && now_ns() < until);
	if (!err && inline_end(x, &e)) {
		/* its memory may stay, which is no harm */
		if (!strstr(e.text, "harmless"))
			failed(y, "leaving", &e);
		y->stayed++;
	}
	return err ? err : inline_pass(x, true);
}

static void cycle(struct tally *y, unsigned int ms)
{
	struct merge *m = NULL;
	struct inline_start start = {.stack_limit = STACKS_OF_ALL};
	struct inline_engine *x;
	struct ev_inline sum;
	struct error e;
	int err = inline_open(&x, y->t, 0, 0, &e);

	if (err) {
		failed(y, "planning", &e);
		return;
	}
	start.m = m = merge_new(inline_rings(x));
	err = inline_plant(x, &start, &e);
	if (err == -EBUSY) {
		y->busy++;
	} else if (err) {
		failed(y, "planting", &e);
	} else {
		err = run(y, x, ms);
		for (size_t i = 0; i < inline_rings(x); i++)
			merge_promise(m, i, UINT64_MAX);
		if (err || merge_emit(m, look, y))
			snprintf(y->wrong, sizeof(y->wrong), "out of memory");
		sum = inline_summary(x, 0);
		y->lost += inline_lost(x);
		y->late += merge_late(m);
		if (sum.pause_ns > y->pause_ns) {
			y->pause_ns = sum.pause_ns;
			y->threads = sum.threads;
		}
		y->clock_ns = sum.clock_ns > y->clock_ns ? sum.clock_ns : y->clock_ns;
	}
	inline_close(x);
	merge_free(m);
}

bool cycles(pid_t pid, unsigned int n, unsigned int ms)
{
	struct target *t;
	struct tally y = {0};
	struct error e;
	unsigned int i;

	if (target_open(pid, &t, &e)) {
		fprintf(stderr, "%s\n", e.text);
		return false;
	}
	y.t = t;
	for (i = 0; i < n && !y.wrong[0]; i++) {
		y.last_ns = 0;
		cycle(&y, 1 + i * 7 % ms);
	}
	printf("%u cycles: %" PRIu64 " events, %" PRIu64 " stacks of %" PRIu64 " frames, %" PRIu64
	       " cut; %" PRIu64 " lost, %" PRIu64 " late; %" PRIu64
	       " times it did not stop, %" PRIu64 " times memory stayed; longest pause %" PRIu64
	       " us for %u threads, clock within %" PRIu64 " ns\n",
	       i, y.records, y.stacks, y.frames, y.cut, y.lost, y.late, y.busy, y.stayed,
	       y.pause_ns / 1000, y.threads, y.clock_ns);
	if (y.wrong[0])
		fprintf(stderr, "cycle %u: %s\n", i, y.wrong);
	target_close(t);
	return !y.wrong[0];
}
