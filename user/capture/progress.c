// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/progress.h"

#define INTERVAL_NS 250000000
#define ERASE "\r\033[K"

void progress_show(struct progress *p, const struct progress_state *s)
{
	uint64_t ns = s->now_ns - p->drawn_ns;

	if (!p->out || ns < INTERVAL_NS)
		return;
	if (p->drawn_ns)
		fprintf(p->out, ERASE "%5.1f s  %llu events  %.0f/s  %llu lost  %.1f MiB",
			(double)(s->now_ns - s->begin_ns) / 1e9, (unsigned long long)s->events,
			(double)(s->events - p->drawn_events) * 1e9 / (double)ns,
			(unsigned long long)s->lost, (double)s->bytes / (1 << 20));
	fflush(p->out);
	p->drawn_ns = s->now_ns;
	p->drawn_events = s->events;
}

void progress_clear(struct progress *p)
{
	if (!p->out || !p->drawn_ns)
		return;
	fputs(ERASE, p->out);
	fflush(p->out);
	p->drawn_ns = 0;
}
