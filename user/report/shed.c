// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/report/shed.h"

static uint64_t since(uint64_t begin, uint64_t end)
{
	return begin && end > begin ? end - begin : 0;
}

void shed_note(struct shed *s, const struct ev_shed *ev)
{
	switch (ev->what) {
	case SHED_ASKED:
		s->asked = true;
		s->stacks = ev->stacks;
		s->budget = ev->budget;
		break;
	case SHED_STEP:
		if (s->nsteps < MOST_SHED_STEPS)
			s->steps[s->nsteps] = *ev;
		s->nsteps++;
		break;
	case SHED_PROBES_OFF:
		s->blind_since = ev->h.time_ns;
		if (!s->first_off)
			s->first_off = ev->h.time_ns;
		break;
	case SHED_PROBES_ON:
		if (!s->first_on)
			s->first_on = ev->h.time_ns;
		s->blind_ns += since(s->blind_since, ev->h.time_ns);
		s->blind_since = 0;
		s->windows++;
		break;
	case SHED_FORESEEN:
		s->foreseen_ns = ev->h.time_ns;
		s->foreseen = ev->overhead;
		break;
	case SHED_SUMMARY:
		s->measured = true;
		s->level = ev->to;
		s->overhead = ev->overhead;
		break;
	}
}

uint64_t shed_blind_ns(const struct shed *s, uint64_t begin, uint64_t end)
{
	uint64_t before = s->first_on && s->first_on < begin ? s->first_on : begin;

	return s->blind_ns + since(s->blind_since, end) - since(s->first_off, before);
}
