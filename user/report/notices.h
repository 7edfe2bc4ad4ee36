/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What happened to the targets that explains what is not seen: a few notices, however many there were. */
#ifndef GSCOPE_REPORT_NOTICES_H
#define GSCOPE_REPORT_NOTICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/event.h"

#define MOST_NOTICES 64

/* Times that one process was held in one way; or a plugin of it. */
struct noticed {
	uint32_t tgid;
	enum notice what;
	uint64_t first_ns; /* when it was noticed first */
	uint64_t times;
	uint64_t since_ns; /* it is held so since then; 0: it is not */
	uint64_t held_ns; /* altogether, before that */
	char text[sizeof(((struct ev_notice *)0)->text)];
};

/* Zeroes are none. */
struct notices {
	struct noticed v[MOST_NOTICES];
	size_t n;
};

void notices_note(struct notices *ns, const struct ev_notice *ev);

/* A process has ended: it is not held any more. */
void notices_gone(struct notices *ns, uint32_t tgid, uint64_t time);

#endif
