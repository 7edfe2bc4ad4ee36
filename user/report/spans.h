/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* How often something happened, and how long it took. */
#ifndef GSCOPE_REPORT_SPANS_H
#define GSCOPE_REPORT_SPANS_H

#include <stdbool.h>

#include "user/report/histogram.h"

/* Zeroes are none. */
struct spans {
	uint64_t count;
	uint64_t ns; /* all together */
	struct histogram times; /* only of those that were seen from begin to end */
};

/* One more, of `ns`. 0 or -ENOMEM. */
int spans_add(struct spans *s, uint64_t ns, bool whole);

void spans_free(struct spans *s);

#endif
