// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/session_state.h"

#include <stdlib.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "gscope.skel.h"

size_t session_probes_of(const struct capture_session *s, const struct traced *t)
{
	return s->opt.no_probes || !target_has_goroutines(t->t) ? 0 : t->t->sites.n;
}

/* Hits of a site on all CPUs. */
static uint64_t site_hits(const struct capture_session *s, uint32_t site)
{
	uint64_t sum = 0, *hits = calloc(s->programs->ncpus, sizeof(*hits));

	if (hits &&
	    !bpf_map_lookup_elem(bpf_map__fd(s->programs->skel->maps.site_hits), &site, hits))
		for (size_t cpu = 0; cpu < s->programs->ncpus; cpu++)
			sum += hits[cpu];
	free(hits);
	return sum;
}

static struct ev_site site_record(const struct traced *t, size_t i, uint64_t time_ns)
{
	const struct site *site = &t->t->sites.v[i];
	struct ev_site ev = {
		.h = {.time_ns = time_ns, .tid = t->tgid, .type = EV_SITE, .size = sizeof(ev)},
		.tgid = t->tgid,
		.site = (uint16_t)(t->first_site + i),
		.kind = site_go_kind(site->kind),
		.flags = site->must_hit ? SITE_MUST_HIT : 0,
		.pc = site->pc,
	};

	snprintf(ev.func, sizeof(ev.func), "%s", site->func);
	return ev;
}

int session_record_site(struct capture_session *s, const struct traced *t, size_t i,
			uint64_t time_ns, struct error *e)
{
	struct ev_site ev = site_record(t, i, time_ns);

	return record_add(&s->own, &ev.h, e);
}

int session_record_sites(struct capture_session *s, const struct traced *t, uint64_t time_ns,
			 struct error *e)
{
	int err = 0;

	for (size_t i = 0; i < session_probes_of(s, t) && !err; i++)
		err = session_record_site(s, t, i, time_ns, e);
	return err;
}

int session_write_hits(struct capture_session *s, uint64_t time_ns, uint64_t *sum)
{
	int err = 0;

	for (size_t i = 0; i < s->opt.ntargets; i++) {
		const struct traced *t = &s->traced[i];

		for (size_t j = 0; j < session_probes_of(s, t) && !err; j++) {
			struct ev_site ev = site_record(t, j, time_ns);

			ev.flags |= SITE_FINAL;
			ev.hits = site_hits(s, ev.site);
			*sum += ev.hits;
			if (s->inlined[i])
				ev.hits += inline_hits(s->inlined[i], j);
			err = stage_write(&s->stage, &ev.h);
		}
	}
	return err;
}
