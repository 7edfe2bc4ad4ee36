// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/report/notices.h"

#include <string.h>

void notices_gone(struct notices *ns, uint32_t tgid, uint64_t time)
{
	for (size_t i = 0; i < ns->n; i++) {
		struct noticed *n = &ns->v[i];

		if (n->tgid != tgid || !n->since_ns)
			continue;
		n->held_ns += time > n->since_ns ? time - n->since_ns : 0;
		n->since_ns = 0;
	}
}

static struct noticed *find(struct notices *ns, const struct ev_notice *ev)
{
	struct noticed *n;

	for (size_t i = 0; i < ns->n; i++) {
		n = &ns->v[i];
		if (n->tgid == ev->tgid && n->what == (enum notice)ev->what &&
		    !strncmp(n->text, ev->text, sizeof(n->text)))
			return n;
	}
	if (ns->n == MOST_NOTICES)
		return NULL;
	n = &ns->v[ns->n++];
	*n = (struct noticed){
		.tgid = ev->tgid, .what = (enum notice)ev->what, .first_ns = ev->h.time_ns};
	memcpy(n->text, ev->text, sizeof(n->text));
	return n;
}

void notices_note(struct notices *ns, const struct ev_notice *ev)
{
	struct noticed *n;

	if (ev->what < NOTICE_MODULE)
		notices_gone(ns, ev->tgid, ev->h.time_ns);
	n = ev->what == NOTICE_GOES_ON ? NULL : find(ns, ev);
	if (!n)
		return;
	n->times++;
	if (ev->what < NOTICE_MODULE)
		n->since_ns = ev->h.time_ns;
}
