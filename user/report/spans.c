// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/report/spans.h"

int spans_add(struct spans *s, uint64_t ns, bool whole)
{
	s->count++;
	s->ns += ns;
	return whole ? histogram_add(&s->times, ns) : 0;
}

void spans_free(struct spans *s)
{
	histogram_free(&s->times);
	*s = (struct spans){0};
}
