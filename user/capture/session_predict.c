// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What tracing these targets will cost: they are looked at twice, when the session is opened and before
 * anything is attached. In between programs are loaded, so that hardly takes any time of its own.
 */
#include "user/capture/session_state.h"

#include <time.h>
#include <unistd.h>

#include "user/base/clock.h"

#define WAITS_PART 4 /* of the CPU time: waiting for more than that is having to */

static bool is_probed(const struct capture_session *s, size_t i)
{
	return session_probes_of(s, &s->traced[i]);
}

void session_predict_begin(struct capture_session *s)
{
	for (size_t i = 0; i < s->opt.ntargets; i++)
		if (is_probed(s, i) && work_read(s->traced[i].t, &s->guarded[i].work))
			s->guarded[i].work.time_ns = 0;
}

/* Until targets were looked at for long enough; a signal ends it, which the loop will notice. */
static void wait_for_more(const struct capture_session *s)
{
	uint64_t now = now_ns(), first = 0;

	for (size_t i = 0; i < s->opt.ntargets; i++)
		if (s->guarded[i].work.time_ns > first)
			first = s->guarded[i].work.time_ns;
	if (first && now < first + PREDICT_NS)
		nanosleep(&(struct timespec){.tv_nsec = (long)(first + PREDICT_NS - now)}, NULL);
}

static void foresee(struct capture_session *s, size_t i)
{
	enum predict_engine engine = s->inlined[i] ? PREDICT_INLINE : PREDICT_UPROBE;
	struct guard_forecast *f = &s->guarded[i].forecast;
	struct predict_load load = {0};
	struct prediction p;
	struct work after;

	if (!s->guarded[i].work.time_ns || work_read(s->traced[i].t, &after))
		return;
	predict_add(&load, &s->guarded[i].work, &after);
	p = predict(&load, s->trap_ns, !s->opt.no_kernel);
	if (p.hits <= 0 || load.span_ns <= 0)
		return;
	*f = (struct guard_forecast){
		.span_ns = load.span_ns,
		.cpu_ns = load.cpu_ns,
		.hits = p.hits,
		.events = p.events,
		.event_ns = p.event_ns,
		.hit_full = s->opt.no_stacks ? p.bare_ns[engine] : p.hit_ns[engine],
		.hit_bare = p.bare_ns[engine],
		.cpus = (double)sysconf(_SC_NPROCESSORS_ONLN),
	};
	/* who has to wait for CPUs gets no more of them for having more to do */
	if (load.delay_ns > f->cpu_ns / WAITS_PART)
		f->cpus = f->cpu_ns / f->span_ns;
}

void session_predict(struct capture_session *s)
{
	if (!s->sites || !s->trap_ns)
		return;
	wait_for_more(s);
	for (size_t i = 0; i < s->opt.ntargets; i++)
		foresee(s, i);
}
