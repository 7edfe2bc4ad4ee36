// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/target/heap.h"

#include <errno.h>
#include <string.h>

#include "user/target/flow.h"

/* Fields of runtime.gcControllerState, all u64: the DWARF of Go 1.19 to 1.27. */
struct heap_offsets {
	uint16_t memory_limit, percent_goal, sweep_trigger, triggered, live, marked, free,
		total_alloc, total_free, mapped_ready;
};

static const struct heap_offsets known[] = {
	{8, 72, 80, 88, 104, 152, 288, 296, 304, 312}, /* 1.21 and later */
	{8, 104, 112, 120, 136, 184, 320, 328, 336, 344}, /* 1.19 */
};

#define MAX_SIZE 512 /* of the struct: 424 bytes at most */

/* --- where it is -------------------------------------------------------------------------- */

/* Words of the controller that code reads or changes, by number. */
struct used {
	uint64_t vaddr; /* of the controller */
	bool word[MAX_SIZE / 8];
};

/* The controller is the receiver, or the variable itself. */
static void note_word(struct used *u, const struct flow *fl, flow_id base, uint64_t off)
{
	struct flow_value v = flow_value(fl, base);

	if (v.kind == FLOW_GLOBAL)
		off += (uint64_t)v.v - u->vaddr;
	else if (v.kind == FLOW_SUM && flow_is_entry(fl, v.of, FLOW_AX))
		off += (uint64_t)v.v;
	else if (!flow_is_entry(fl, base, FLOW_AX))
		return;
	if (off < MAX_SIZE && off % 8 == 0)
		u->word[off / 8] = true;
}

static void note_use(void *ctx, const struct flow *fl, const struct flow_event *ev)
{
	if ((ev->kind == FLOW_READ || ev->kind == FLOW_ATOMIC) && ev->size == 8)
		note_word(ctx, fl, ev->base, (uint64_t)ev->disp);
	else if (ev->kind == FLOW_CALL) /* a method of the field, where that was not inlined */
		note_word(ctx, fl, ev->args[FLOW_AX], 0);
}

/* heapGoal() and what counts live bytes use all that is wanted, and little else. */
static bool uses(const struct used *u, const struct heap_offsets *at)
{
	const uint16_t all[] = {at->memory_limit, at->percent_goal, at->sweep_trigger,
				at->triggered,    at->live,         at->marked,
				at->free,         at->total_alloc,  at->total_free,
				at->mapped_ready};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (!u->word[all[i] / 8])
			return false;
	return true;
}

bool heap_find(struct heap *h, uint64_t controller, unsigned int go_minor, struct elf_file *f,
	       const struct pclntab *pcln, uint64_t bias)
{
	static const char *const functions[] = {
		"runtime.(*gcControllerState).heapGoalInternal",
		"runtime.(*gcControllerState).memoryLimitHeapGoal",
		"runtime.(*gcControllerState).update",
	};
	struct used u = {.vaddr = controller - bias};
	struct error e;
	struct flow *fl;

	*h = (struct heap){0};
	if (!controller || flow_open(&fl, f, pcln, bias, &e))
		return false;
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
		flow_run(fl, functions[i], note_use, &u);
	flow_close(fl);
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (uses(&u, &known[i]))
			*h = (struct heap){controller, &known[i], go_minor};
	return h->at;
}

/* --- what it says ------------------------------------------------------------------------- */

static uint64_t field(const uint8_t *c, uint16_t off)
{
	uint64_t v;

	memcpy(&v, c + off, sizeof(v));
	return v;
}

int heap_read(const struct heap *h, const struct target_process *p, struct heap_state *out)
{
	const struct heap_offsets *at = h->at;
	uint8_t c[MAX_SIZE];
	int err = target_process_read(p, h->controller, c, at->mapped_ready + 8U);

	if (err)
		return err;
	*out = (struct heap_state){
		.live = field(c, at->live),
		.percent_goal = field(c, at->percent_goal),
		.sweep_trigger = field(c, at->sweep_trigger),
		.triggered = field(c, at->triggered),
		.marked = field(c, at->marked),
		.limit = field(c, at->memory_limit),
		.free = field(c, at->free),
		.alloc = field(c, at->total_alloc) - field(c, at->total_free),
		.mapped = field(c, at->mapped_ready),
	};
	return out->free + out->alloc > out->mapped ? -EAGAIN : 0;
}

/* memoryLimitHeapGoal */
static uint64_t limit_goal(const struct heap_state *s, unsigned int go_minor)
{
	uint64_t other = s->mapped - s->free - s->alloc;
	uint64_t overage = s->mapped > s->limit ? s->mapped - s->limit : 0;
	uint64_t goal, headroom;

	if (other + overage >= s->limit)
		return s->marked;
	goal = s->limit - (other + overage);
	/* memoryLimitHeapGoalHeadroomPercent, since Go 1.21, and its minimum */
	headroom = go_minor >= 21 ? goal / 100 * 3 : 0;
	if (headroom < 1U << 20)
		headroom = 1U << 20;
	if (goal < headroom || goal - headroom < headroom)
		goal = headroom;
	else
		goal -= headroom;
	return goal < s->marked ? s->marked : goal;
}

uint64_t heap_goal(const struct heap_state *s, unsigned int go_minor)
{
	const uint64_t min_runway = 64U << 10;
	uint64_t goal = s->percent_goal, limited = limit_goal(s, go_minor);

	if (goal == UINT64_MAX && s->limit == INT64_MAX)
		return 0;
	if (limited < goal)
		return limited;
	if (goal < s->sweep_trigger)
		goal = s->sweep_trigger;
	if (s->triggered != UINT64_MAX && goal < s->triggered + min_runway)
		goal = s->triggered + min_runway;
	return goal;
}
