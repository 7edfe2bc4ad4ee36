/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The line on a terminal that shows that something happens. */
#ifndef GSCOPE_CAPTURE_PROGRESS_H
#define GSCOPE_CAPTURE_PROGRESS_H

#include <stdint.h>
#include <stdio.h>

struct progress {
	FILE *out; /* NULL: show nothing */
	uint64_t drawn_ns, drawn_events; /* when it was drawn last, and how many there were */
};

struct progress_state {
	uint64_t now_ns, begin_ns;
	uint64_t events, lost;
	uint64_t bytes; /* of the file */
};

/* Redraw, if it is a quarter of a second since. */
void progress_show(struct progress *p, const struct progress_state *s);

/* Leave an empty line. */
void progress_clear(struct progress *p);

#endif
