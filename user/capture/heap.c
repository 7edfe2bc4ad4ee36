// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/heap.h"

#include <errno.h>

#include "user/base/clock.h"

/* The numbers of one moment: the target may be changing them, for a few nanoseconds. */
static int read_state(const struct target *t, struct heap_state *state)
{
	int err = -EAGAIN;

	for (int i = 0; i < 3 && err == -EAGAIN; i++)
		err = heap_read(&t->heap, t->process, state);
	return err;
}

int heap_look(struct heap_watch *w, const struct traced *t, const struct record_sink *to,
	      struct error *e)
{
	struct ev_heap ev = {
		.h = {.time_ns = now_ns(), .tid = t->tgid, .type = EV_HEAP, .size = sizeof(ev)},
		.tgid = t->tgid,
	};
	struct heap_state state;

	/* if it has ended that is noticed elsewhere */
	if (t->gone || !target_has_goroutines(t->t) || !t->t->heap.at || read_state(t->t, &state))
		return 0;
	ev.live = state.live;
	ev.goal = heap_goal(&state, t->t->heap.go_minor);
	if (w->known && w->live == ev.live && w->goal == ev.goal)
		return 0;
	*w = (struct heap_watch){ev.live, ev.goal, true};
	return record_add(to, &ev.h, e);
}
