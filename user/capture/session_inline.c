// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The engines that redirect calls, as far as a session has to do with them. */
#include "user/capture/session_state.h"

#include <errno.h>
#include <string.h>

#include "gscope.skel.h"
#include "user/base/clock.h"
#include "user/capture/targets.h"

/* Probes do it all; but lack of memory is the same for both. */
static int without(struct capture_session *s, size_t i, int err, const struct error *why,
		   struct error *e)
{
	/* what the target may not have is its own affair */
	if (err == -ENOMEM && why->status != EXIT_TARGET) {
		*e = *why;
		return err;
	}
	if (s->opt.messages)
		fprintf(s->opt.messages,
			"gscope: pid %u: its calls cannot be redirected: %s; using uprobes, which "
			"cost more\n",
			s->traced[i].tgid, why->text);
	return 0;
}

int session_open_inline(struct capture_session *s, size_t i, struct error *e)
{
	struct target *t = s->opt.targets[i];
	uint64_t taken = 0;
	struct error why;
	int err;

	if (!s->opt.inlined || s->opt.no_probes || !target_has_goroutines(t))
		return 0;
	for (size_t k = 0; k < i; k++)
		taken += s->inlined[k] ? inline_bytes(s->inlined[k]) : 0;
	err = inline_open(&s->inlined[i], t, s->opt.buffer_bytes, taken, &why);
	return err ? without(s, i, err, &why, e) : 0;
}

size_t session_inline_rings(const struct capture_session *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->opt.ntargets; i++)
		n += s->inlined[i] ? inline_rings(s->inlined[i]) : 0;
	return n;
}

/* Where the rings of a target begin among the sources of the merge: behind the collector's own. */
static size_t first_source(const struct capture_session *s, size_t target)
{
	size_t first = s->own.source + 1;

	for (size_t i = 0; i < target; i++)
		first += s->inlined[i] ? inline_rings(s->inlined[i]) : 0;
	return first;
}

static void promise_all(struct capture_session *s, size_t i)
{
	size_t first = first_source(s, i);

	for (size_t k = 0; k < inline_rings(s->inlined[i]); k++)
		merge_promise(s->merge, first + k, UINT64_MAX);
}

int session_plant(struct capture_session *s, size_t i, struct error *e)
{
	struct inline_start start = {
		.first_site = s->traced[i].first_site,
		.m = s->merge,
		.stack_limit = s->programs->skel->bss->stack_limits[i],
		/* until all probes are there, which takes longer than a ring has room for */
		.off = true,
		.messages = s->opt.messages,
		.stop = s->opt.stop,
	};
	struct error why;
	int err;

	if (!s->inlined[i])
		return 0;
	start.first_source = first_source(s, i);
	err = inline_plant(s->inlined[i], &start, &why);
	if (!err)
		return 0;
	/* its rings stay sources of the merge, from which nothing comes */
	promise_all(s, i);
	return without(s, i, err, &why, e);
}

static int report_lost(struct capture_session *s, size_t i, uint64_t since, struct error *e)
{
	struct ev_loss ev = {
		.h = {.time_ns = now_ns(), .type = EV_LOSS, .size = sizeof(ev)},
		.cpu = LOSS_ANY_CPU,
		.loss_class = LOSS_GO,
		.count = inline_lost(s->inlined[i]),
		.since_ns = since,
	};

	return ev.count ? record_add(&s->own, &ev.h, e) : 0;
}

#define TELL_NS 1000000000 /* at the earliest it is told again of a damage that grows */

static struct ev_damage damage_record(const struct capture_session *s, size_t i, uint64_t time_ns)
{
	struct inline_damage d = inline_damage(s->inlined[i]);
	uint32_t tgid = s->traced[i].tgid;

	return (struct ev_damage){
		.h = {.time_ns = time_ns,
		      .tid = tgid,
		      .type = EV_DAMAGE,
		      .size = sizeof(struct ev_damage)},
		.tgid = tgid,
		.kinds = d.kinds,
		.found = d.found,
	};
}

static void warn_of_damage(const struct capture_session *s, size_t i)
{
	if (s->opt.messages)
		fprintf(s->opt.messages,
			"gscope: pid %u writes into the memory that its redirected calls write "
			"into: what is told of its goroutines may be made up\n",
			s->traced[i].tgid);
}

static int report_damage(struct capture_session *s, size_t i, struct error *e)
{
	struct told_damage *told = &s->told[i];
	struct ev_damage ev = damage_record(s, i, now_ns());

	if (ev.found == told->found || ev.h.time_ns - told->time_ns < TELL_NS)
		return 0;
	if (!told->found)
		warn_of_damage(s, i);
	*told = (struct told_damage){.found = ev.found, .time_ns = ev.h.time_ns};
	return record_add(&s->own, &ev.h, e);
}

#define PORTIONS 32 /* of all that is there, if it keeps coming */

int session_take_inline(struct capture_session *s, struct error *e)
{
	int err = 0;

	for (size_t i = 0; i < s->opt.ntargets && !err; i++) {
		struct inline_engine *x = s->inlined[i];
		int portions = 0;

		do
			err = x ? inline_pass(x, false) : 0;
		while (x && !err && !inline_patience(x) && ++portions < PORTIONS);
	}
	return err ? error_set(e, EXIT_FAILED, err, "out of memory") : 0;
}

int session_pass_inline(struct capture_session *s, bool last, struct error *e)
{
	uint64_t since = s->inline_ns ? s->inline_ns : now_ns();
	int err = 0;

	s->inline_ns = now_ns();
	for (size_t i = 0; i < s->opt.ntargets && !err; i++) {
		if (!s->inlined[i])
			continue;
		/* nobody is left who writes; what another process has of that memory is not its */
		err = inline_pass(s->inlined[i], last || s->traced[i].gone);
		if (err)
			error_set(e, EXIT_FAILED, err, "out of memory");
		else
			err = report_lost(s, i, since, e);
		if (!err)
			err = report_damage(s, i, e);
	}
	return err;
}

uint64_t session_inline_patience(const struct capture_session *s, uint64_t most)
{
	for (size_t i = 0; i < s->opt.ntargets; i++) {
		uint64_t ns = s->inlined[i] ? inline_patience(s->inlined[i]) : most;

		most = ns < most ? ns : most;
	}
	return most;
}

void session_choose_inline(struct capture_session *s, size_t i, uint64_t stack_limit, bool on)
{
	if (!s->inlined[i])
		return;
	/* a system call may be told twice, but not by nobody */
	if (!on)
		targets_told(s->programs, i, false);
	inline_choose_stacks(s->inlined[i], stack_limit);
	inline_enable(s->inlined[i], on);
	if (on)
		targets_told(s->programs, i,
			     !s->watched[i].late && inline_tells_syscalls(s->inlined[i]));
}

void session_add_inline(struct capture_session *s, size_t i, struct guard_sample *sample)
{
	double ns = (double)sample->hits * (double)sample->hit_ns;
	struct guarded *g = &s->guarded[i];
	uint64_t hits;

	if (!s->inlined[i])
		return;
	hits = inline_all_hits(s->inlined[i]) - g->inline_seen;
	g->inline_seen += hits;
	/* they may be made up */
	if (inline_damage(s->inlined[i]).kinds)
		return;
	sample->hits += hits;
	ns += (double)hits * (double)inline_hit_ns(s->inlined[i]);
	sample->hit_ns = sample->hits ? (uint64_t)(ns / (double)sample->hits) : sample->hit_ns;
}

double session_inline_ns(const struct capture_session *s, size_t i)
{
	return s->inlined[i] ? (double)inline_all_hits(s->inlined[i]) *
				       (double)inline_hit_ns(s->inlined[i]) :
			       0;
}

static void tell(const struct capture_session *s, size_t i, const char *text, const char *more)
{
	if (s->opt.messages)
		fprintf(s->opt.messages, "gscope: pid %u: %s%s\n", s->traced[i].tgid, text, more);
}

void session_end_inline(struct capture_session *s)
{
	for (size_t i = 0; s->inlined && i < s->opt.ntargets; i++) {
		struct error why;
		int err;

		if (!s->inlined[i])
			continue;
		/* should threads not stop, its stubs do nothing until they do */
		inline_enable(s->inlined[i], false);
		err = inline_end(s->inlined[i], &why);
		if (err == -EINPROGRESS)
			tell(s, i, why.text, "; trying again until its calls are put back");
		else if (err)
			tell(s, i, why.text, "");
		s->restoring |= err == -EINPROGRESS;
		s->result.left |= inline_is_left(s->inlined[i]);
	}
}

/* What is waited for is said again when it is another thread. */
static void await_restored(struct capture_session *s, size_t i)
{
	struct error why, said = {.text = ""};
	int err;

	while ((err = inline_end(s->inlined[i], &why)) == -EINPROGRESS) {
		if (s->opt.stop && *s->opt.stop) {
			tell(s, i, "another process waits on, and puts its calls back", "");
			inline_leave(s->inlined[i]);
			return;
		}
		if (strcmp(why.text, said.text) != 0)
			tell(s, i, "waiting: ", why.text);
		said = why;
	}
	if (err)
		tell(s, i, why.text, "");
	s->result.left |= inline_is_left(s->inlined[i]);
}

void session_await_inline(struct capture_session *s)
{
	for (size_t i = 0; s->restoring && i < s->opt.ntargets; i++)
		if (s->inlined[i])
			await_restored(s, i);
	s->restoring = false;
}

int session_write_inline(struct capture_session *s, uint64_t time_ns)
{
	int err = 0;

	for (size_t i = 0; i < s->opt.ntargets && !err; i++) {
		struct ev_damage damage;
		struct ev_inline ev;

		if (!s->inlined[i] || !inline_is_planted(s->inlined[i]))
			continue;
		ev = inline_summary(s->inlined[i], time_ns);
		err = stage_write(&s->stage, &ev.h);
		damage = damage_record(s, i, time_ns);
		if (!err && damage.kinds)
			err = stage_write(&s->stage, &damage.h);
		if (damage.kinds && !s->told[i].found)
			warn_of_damage(s, i);
	}
	return err;
}
