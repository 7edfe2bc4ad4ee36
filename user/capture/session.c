// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/session.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/control.h"
#include "gscope.skel.h"
#include "user/capture/attach.h"
#include "user/capture/config.h"
#include "user/capture/cost.h"
#include "user/capture/drain.h"
#include "user/capture/load.h"
#include "user/capture/merge.h"
#include "user/capture/progress.h"
#include "user/capture/records.h"
#include "user/capture/stage.h"
#include "user/target/callback.h"

#define WAIT_MS 50 /* the longest a record waits in a ring */
#define COUNT_NS 300000000 /* how long run times are counted: counting costs, too */
#define FILTER_RUNS 2000

/* epoll data: ring wake-ups, or a target's index above it */
#define EVENT_RING 0

/* bpf_map_create()'s limit in bpf/maps.bpf.h */
#define MAX_TARGETS 256

struct capture_session {
	struct capture_options opt;
	struct target_cfg *cfg; /* by target */
	struct traced *traced; /* by target */
	struct programs *programs;
	struct merge *merge;
	struct record_sink own; /* the collector's own source of the merge */
	struct drain *drain;
	struct stage stage;
	struct links trace_links;
	struct links *probe_links; /* by target */
	struct progress progress;
	struct capture_result result;
	uint32_t sites; /* of all targets */
	int epoll_fd;
	int count_fd; /* run times are counted while it is open */
	uint64_t trap_ns;
	uint64_t filter_ns; /* run time of a tracepoint program for a task of somebody else */
	struct run_times before, counted; /* in the first COUNT_NS */
	uint64_t counted_traces; /* records of tracepoints in the same time */
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static int out_of_memory(struct error *e)
{
	return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
}

static int fill_cfg(struct target_cfg *cfg, const struct target *t, struct error *e)
{
	struct callback callback;
	uint64_t lo, hi;
	int err = target_cfg_fill(cfg, &t->layout, e);

	if (err)
		return err;
	pclntab_text(t->pcln, &lo, &hi);
	cfg->text_lo = lo;
	cfg->text_hi = hi;
	callback_find(&callback, t->pcln);
	cfg->callback_lo = callback.lo;
	cfg->callback_hi = callback.hi;
	cfg->callback_up = callback.up;
	cfg->goidgen = t->goidgen;
	return 0;
}

/*
 * Goroutines of this target cannot be traced: 0 if its threads will do, else `err`, with what can be
 * done instead.
 */
static int fall_back(struct capture_session *s, size_t i, int err, const struct error *why,
		     struct error *e)
{
	struct target *t = s->opt.targets[i];
	uint32_t tgid = (uint32_t)t->process->pid;

	if (!target_process_same(t->process))
		return error_set(e, EXIT_TARGET, -ESRCH,
				 "process %u ended, or started another program, while gscope "
				 "attached to it",
				 tgid);
	if (why->status != EXIT_TARGET) {
		*e = *why;
		return err;
	}
	if (!s->opt.threads_do)
		return error_set(e, EXIT_TARGET, err,
				 "%.400s; `gscope record -p %u` records its threads and system "
				 "calls",
				 why->text, tgid);
	target_set_plain(t, why);
	links_close(&s->probe_links[i]);
	s->cfg[i] = (struct target_cfg){0};
	if (s->programs && bpf_map_update_elem(bpf_map__fd(s->programs->skel->maps.targets), &tgid,
					       &s->cfg[i], BPF_ANY))
		return error_set(e, EXIT_FAILED, -errno, "cannot enter process %u: %s", tgid,
				 strerror(errno));
	if (s->opt.messages)
		fprintf(s->opt.messages,
			"gscope: pid %u: %s; recording its threads and system calls, no "
			"goroutines\n",
			tgid, t->plain);
	return 0;
}

static int take_targets(struct capture_session *s, struct error *e)
{
	const struct capture_options *opt = &s->opt;

	if (!opt->ntargets && !opt->system_wide)
		return error_set(e, EXIT_USAGE, -EINVAL, "there is nothing to trace");
	if (opt->ntargets > MAX_TARGETS)
		return error_set(e, EXIT_USAGE, -E2BIG,
				 "at most %d processes can be traced at a time", MAX_TARGETS);
	s->cfg = calloc(opt->ntargets + 1, sizeof(*s->cfg));
	s->traced = calloc(opt->ntargets + 1, sizeof(*s->traced));
	s->probe_links = calloc(opt->ntargets + 1, sizeof(*s->probe_links));
	if (!s->cfg || !s->traced || !s->probe_links)
		return out_of_memory(e);
	for (size_t i = 0; i < opt->ntargets; i++) {
		struct target *t = opt->targets[i];
		struct error why;
		int err = target_has_goroutines(t) ? fill_cfg(&s->cfg[i], t, &why) : 0;

		if (!opt->full)
			sites_leave_full(&t->sites);
		if (err)
			err = fall_back(s, i, err, &why, e);
		if (err)
			return err;
		s->traced[i] = (struct traced){
			.t = t, .tgid = (uint32_t)t->process->pid, .first_site = s->sites};
		if (!opt->no_probes && target_has_goroutines(t))
			s->sites += (uint32_t)t->sites.n;
	}
	if (s->sites > UINT16_MAX)
		return error_set(e, EXIT_USAGE, -E2BIG,
				 "too many probe sites: trace fewer processes");
	s->stage.v = s->traced;
	s->stage.n = opt->ntargets;
	return stage_init(&s->stage) ? out_of_memory(e) : 0;
}

static int watch(struct capture_session *s, struct error *e)
{
	int err;

	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll_fd < 0)
		return error_set(e, EXIT_FAILED, -errno, "epoll_create1: %s", strerror(errno));
	err = drain_watch(s->drain, s->epoll_fd, EVENT_RING);
	if (err)
		return error_set(e, EXIT_FAILED, err, "cannot wait for the ring buffers: %s",
				 strerror(-err));
	for (size_t i = 0; i < s->opt.ntargets; i++) {
		struct epoll_event want = {.events = EPOLLIN | EPOLLET, .data.u64 = i + 1};
		int fd = s->traced[i].t->process->pidfd;

		if (fd >= 0 && epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &want))
			return error_set(e, EXIT_FAILED, -errno, "cannot wait for process %u: %s",
					 s->traced[i].tgid, strerror(errno));
	}
	return 0;
}

/*
 * Stop recording at one moment, then detach, which takes its time: records of a half-detached
 * target would contradict each other.
 */
static void detach(struct capture_session *s)
{
	s->result.end_ns = now_ns();
	s->stage.until_ns = s->result.end_ns;
	for (size_t i = 0; s->programs && i < s->opt.ntargets; i++)
		bpf_map_delete_elem(bpf_map__fd(s->programs->skel->maps.targets),
				    &s->traced[i].tgid);
	for (size_t i = 0; s->probe_links && i < s->opt.ntargets; i++)
		links_close(&s->probe_links[i]);
	links_close(&s->trace_links);
}

int capture_session_open(struct capture_session **out, const struct capture_options *opt,
			 struct error *e)
{
	struct capture_session *s = calloc(1, sizeof(*s));
	struct load_options load = {opt->system_wide, opt->buffer_bytes, 0};
	int err;

	if (!s)
		return out_of_memory(e);
	s->opt = *opt;
	s->epoll_fd = -1;
	s->count_fd = -1;
	s->progress.out = opt->progress;
	err = take_targets(s, e);
	load.sites = s->sites;
	if (!err)
		err = programs_load(&s->programs, &load, e);
	if (!err) {
		size_t rings = drain_rings(s->programs);

		s->merge = merge_new(rings + 1);
		s->own = (struct record_sink){s->merge, rings};
		err = s->merge ? drain_new(&s->drain, s->programs, s->merge, e) : out_of_memory(e);
	}
	if (!err)
		err = watch(s, e);
	if (err) {
		capture_session_close(s);
		return err;
	}
	*out = s;
	return 0;
}

void capture_session_close(struct capture_session *s)
{
	if (!s)
		return;
	progress_clear(&s->progress);
	if (s->trace_links.n)
		detach(s);
	if (s->count_fd >= 0)
		close(s->count_fd);
	if (s->epoll_fd >= 0)
		close(s->epoll_fd);
	drain_free(s->drain);
	merge_free(s->merge);
	programs_close(s->programs);
	stage_free(&s->stage);
	free(s->probe_links);
	free(s->traced);
	free(s->cfg);
	free(s);
}

const struct capture_result *capture_session_result(const struct capture_session *s)
{
	return &s->result;
}

/* --- costs -------------------------------------------------------------------------------- */

static double mean(const struct run_time *a, const struct run_time *b)
{
	uint64_t runs = b->runs - a->runs;

	return runs ? (double)(b->ns - a->ns) / (double)runs : 0;
}

/*
 * What the tracepoint programs take to find that a task is not of interest; measured on
 * ourselves before any target is entered.
 */
static void measure_filter(struct capture_session *s)
{
	struct run_times before, after;
	int fd = cost_count_begin();

	if (fd < 0)
		return;
	cost_counted(s->programs, &before);
	for (int i = 0; i < FILTER_RUNS; i++)
		sched_yield();
	cost_counted(s->programs, &after);
	close(fd);
	s->filter_ns = (uint64_t)mean(&before.trace, &after.trace);
}

static void count_end(struct capture_session *s)
{
	if (s->count_fd < 0)
		return;
	cost_counted(s->programs, &s->counted);
	close(s->count_fd);
	s->count_fd = -1;
	s->counted_traces = s->stage.traces + s->stage.lost_traces;
}

/* Mean run time for traced tasks: what others took is what filtering takes. */
static uint64_t trace_run_ns(const struct capture_session *s)
{
	uint64_t runs = s->counted.trace.runs - s->before.trace.runs;
	uint64_t ns = s->counted.trace.ns - s->before.trace.ns;
	uint64_t mine = s->counted_traces < runs ? s->counted_traces : runs;
	uint64_t others = (runs - mine) * s->filter_ns;

	if (!mine)
		return 0;
	return others < ns ? (ns - others) / mine : ns / runs;
}

/* --- beginning ---------------------------------------------------------------------------- */

static int enter_targets(struct capture_session *s, struct error *e)
{
	int fd = bpf_map__fd(s->programs->skel->maps.targets);

	for (size_t i = 0; i < s->opt.ntargets; i++) {
		struct traced *t = &s->traced[i];

		if (!target_process_same(t->t->process))
			return error_set(e, EXIT_TARGET, -ESRCH,
					 "process %u ended, or runs another program by now",
					 t->tgid);
		if (bpf_map_update_elem(fd, &t->tgid, &s->cfg[i], BPF_ANY))
			return error_set(e, EXIT_FAILED, -errno, "cannot enter process %u: %s",
					 t->tgid, strerror(errno));
	}
	return 0;
}

static size_t probes_of(const struct capture_session *s, const struct traced *t)
{
	return s->opt.no_probes || !target_has_goroutines(t->t) ? 0 : t->t->sites.n;
}

static int attach_target(struct capture_session *s, size_t i, struct error *e)
{
	const struct traced *t = &s->traced[i];
	struct error why;
	int err;

	if (!probes_of(s, t))
		return 0;
	err = attach_probes(&s->probe_links[i], s->programs, t->t, t->first_site, s->opt.messages,
			    &why);
	return err ? fall_back(s, i, err, &why, e) : 0;
}

static int attach_all(struct capture_session *s, struct error *e)
{
	int err;

	if (s->sites)
		s->trap_ns = cost_of_trap(s->programs);
	err = attach_tracepoints(&s->trace_links, s->programs, e);
	if (err)
		return err;
	measure_filter(s);
	err = enter_targets(s, e);
	for (size_t i = 0; i < s->opt.ntargets && !err; i++)
		err = attach_target(s, i, e);
	/* what was found by pid has been attached: was it still the same process? */
	for (size_t i = 0; i < s->opt.ntargets && !err; i++)
		if (!target_process_same(s->traced[i].t->process))
			err = error_set(
				e, EXIT_TARGET, -ESRCH,
				"process %u ended, or started another program, while gscope "
				"attached to it",
				s->traced[i].tgid);
	return err;
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

static int record_sites(struct capture_session *s, const struct traced *t, uint64_t time_ns,
			struct error *e)
{
	int err = 0;

	for (size_t i = 0; i < probes_of(s, t) && !err; i++) {
		struct ev_site ev = site_record(t, i, time_ns);

		err = record_add(&s->own, &ev.h, e);
	}
	return err;
}

static int record_ready(struct capture_session *s, uint32_t tgid, struct error *e)
{
	struct ev_ready ev = {
		.h = {.time_ns = now_ns(), .tid = tgid, .type = EV_READY, .size = sizeof(ev)},
		.tgid = tgid,
	};

	return record_add(&s->own, &ev.h, e);
}

/* The process ended and its last thread's record was lost, or is not here yet. */
static int note_dead(struct capture_session *s, struct traced *t, struct error *e)
{
	struct ev_gone ev = {
		.h = {.time_ns = now_ns(), .tid = t->tgid, .type = EV_GONE, .size = sizeof(ev)},
		.tgid = t->tgid,
		.how = GONE_EXIT,
	};

	return t->gone ? 0 : record_add(&s->own, &ev.h, e);
}

/* The target and its probes; one that turns out to be without goroutines instead. */
static int record_identity(struct capture_session *s, size_t i, uint64_t since, struct error *e)
{
	const struct traced *t = &s->traced[i];
	struct error why;
	int err = record_target(&s->own, t->t, since, &why);

	if (err) {
		err = fall_back(s, i, err, &why, e);
		if (!err)
			err = record_target(&s->own, t->t, since, e);
	}
	return err ? err : record_sites(s, t, since, e);
}

/* Its goroutines, as they are now. */
static int record_goroutines(struct capture_session *s, size_t i, struct error *e)
{
	const struct traced *t = &s->traced[i];
	struct error why;
	int err;

	if (!target_has_goroutines(t->t))
		return 0;
	err = record_snapshot(&s->own, t->t, &why);
	if (!err)
		return 0;
	err = fall_back(s, i, err, &why, e);
	return err ? err : record_target(&s->own, t->t, now_ns(), e);
}

/*
 * All that is to be known of the targets. `since`: before any record of theirs. The rings are
 * emptied between the targets; nothing is handed on yet, as what is read here has its place
 * between the rings' records.
 */
static int record_beginning(struct capture_session *s, uint64_t since, struct error *e)
{
	int err = 0;

	for (size_t i = 0; i < s->opt.ntargets && !err; i++)
		err = record_identity(s, i, since, e);
	/* more is told of their threads than of all others, so they come first */
	for (size_t i = 0; i < s->opt.ntargets && !err && s->opt.system_wide; i++) {
		if (!target_has_goroutines(s->traced[i].t))
			err = record_threads(&s->own, s->traced[i].t, e);
		if (err == -ESRCH)
			err = 0;
	}
	if (!err && s->opt.system_wide)
		err = record_all_threads(&s->own, e);
	for (size_t i = 0; i < s->opt.ntargets && !err; i++) {
		err = s->opt.system_wide ? 0 : record_threads(&s->own, s->traced[i].t, e);
		if (!err)
			err = record_goroutines(s, i, e);
		if (!err)
			err = record_ready(s, s->traced[i].tgid, e);
		else if (err == -ESRCH && s->opt.ntargets > 1)
			err = note_dead(s, &s->traced[i], e); /* the others are still there */
		if (!err)
			err = drain_pass(s->drain, e);
	}
	if (!err && s->opt.system_wide)
		err = record_ready(s, 0, e);
	return err;
}

/* --- the loop ----------------------------------------------------------------------------- */

struct loss_report {
	struct capture_session *s;
	struct error *e;
};

static int report_loss(void *ctx, const struct ev_loss *ev)
{
	const struct loss_report *r = ctx;

	return record_add(&r->s->own, &ev->h, r->e);
}

/* Rings -> merge -> file, and what was lost meanwhile. */
static int move(struct capture_session *s, struct error *e)
{
	struct loss_report report = {s, e};
	int err = drain_pass(s->drain, e);

	if (err)
		return err;
	err = drain_losses(s->drain, report_loss, &report);
	if (err)
		return err == -ENOMEM ?
			       err :
			       error_set(e, EXIT_FAILED, err, "cannot read the loss counters: %s",
					 strerror(-err));
	merge_promise(s->merge, s->own.source, now_ns());
	return merge_emit(s->merge, stage_record, &s->stage);
}

static void show(struct capture_session *s)
{
	struct progress_state state = {
		.now_ns = now_ns(),
		.begin_ns = s->result.begin_ns,
		.events = s->stage.events,
		.lost = s->stage.lost,
		.bytes = capture_writer_bytes(s->stage.w),
	};

	progress_show(&s->progress, &state);
}

static int wait_ms(uint64_t now, uint64_t deadline)
{
	uint64_t left = deadline > now ? (deadline - now + 999999) / 1000000 : 0;

	return left < WAIT_MS ? (int)left : WAIT_MS;
}

static int loop(struct capture_session *s, struct error *e)
{
	uint64_t begin = s->result.begin_ns;
	uint64_t deadline = s->opt.duration_ns ? begin + s->opt.duration_ns : UINT64_MAX;
	struct epoll_event events[16];
	int err = 0;

	for (;;) {
		uint64_t now = now_ns();
		int n;

		if (s->opt.stop && *s->opt.stop) {
			s->result.why = END_INTERRUPT;
			return 0;
		}
		if (!s->opt.system_wide && s->stage.gone == s->opt.ntargets) {
			s->result.why = END_TARGETS_GONE;
			return 0;
		}
		if (now >= deadline) {
			s->result.why = END_DURATION;
			return 0;
		}
		if (s->count_fd >= 0 && now - begin >= COUNT_NS)
			count_end(s);
		n = epoll_wait(s->epoll_fd, events, 16, wait_ms(now, deadline));
		if (n < 0 && errno != EINTR)
			return error_set(e, EXIT_FAILED, -errno, "epoll_wait: %s", strerror(errno));
		err = move(s, e);
		for (int i = 0; i < n && !err; i++)
			if (events[i].data.u64 != EVENT_RING)
				err = note_dead(s, &s->traced[events[i].data.u64 - 1], e);
		if (err)
			return err;
		show(s);
	}
}

/* --- end ---------------------------------------------------------------------------------- */

static int write_end(struct capture_session *s, struct error *e)
{
	struct ev_cost cost = {.h = {.type = EV_COST, .size = sizeof(cost)}};
	struct ev_end end = {.h = {.type = EV_END, .size = sizeof(end)}};
	/* not now: no later record of the targets is in the file */
	uint64_t now = s->result.end_ns;
	int err = 0;

	for (size_t i = 0; i < s->opt.ntargets; i++) {
		const struct traced *t = &s->traced[i];

		for (size_t j = 0; j < probes_of(s, t) && !err; j++) {
			struct ev_site ev = site_record(t, j, now);

			ev.flags |= SITE_FINAL;
			ev.hits = site_hits(s, ev.site);
			cost.probe_hits += ev.hits;
			err = stage_write(&s->stage, &ev.h);
		}
	}
	cost.h.time_ns = now;
	cost.trap_ns = s->trap_ns;
	cost.probe_run_ns = (uint64_t)mean(&s->before.probes, &s->counted.probes);
	cost.trace_hits = s->stage.traces + s->stage.lost_traces;
	cost.trace_run_ns = trace_run_ns(s);
	end.h.time_ns = now;
	end.why = s->result.why;
	end.begin_ns = s->result.begin_ns;
	end.events = s->stage.events;
	end.lost = s->stage.lost;
	if (!err)
		err = stage_write(&s->stage, &cost.h);
	if (!err)
		err = stage_write(&s->stage, &end.h);
	return err ? err : capture_writer_flush(s->stage.w, e);
}

/* Nothing writes into the rings any more: take the rest. */
static int finish(struct capture_session *s, struct error *e)
{
	int err;

	do
		err = move(s, e);
	while (!err && !drain_empty(s->drain));
	if (err)
		return err;
	for (size_t i = 0; i <= s->own.source; i++)
		merge_promise(s->merge, i, UINT64_MAX);
	err = merge_emit(s->merge, stage_record, &s->stage);
	/* cannot happen as far as is known; if it does, whoever reads the capture has to know */
	if (!err && merge_late(s->merge) && s->opt.messages)
		fprintf(s->opt.messages,
			"gscope: %llu records came out of order and have a later time than their own\n",
			(unsigned long long)merge_late(s->merge));
	return err ? err : write_end(s, e);
}

int capture_session_run(struct capture_session *s, struct capture_writer *w, struct error *e)
{
	uint64_t since;
	int err;

	s->stage.w = w;
	s->stage.e = e;
	s->stage.until_ns = UINT64_MAX;
	since = now_ns();
	err = attach_all(s, e);
	if (!err)
		err = record_beginning(s, since, e);
	if (!err) {
		s->result.begin_ns = now_ns();
		s->count_fd = cost_count_begin();
		cost_counted(s->programs, &s->before);
		s->counted = s->before;
		err = loop(s, e);
	}
	count_end(s);
	detach(s);
	if (!err)
		err = finish(s, e);
	if (err == -ENOSPC)
		s->result.why = END_DISK_FULL;
	s->result.events = s->stage.events;
	s->result.lost = s->stage.lost;
	progress_clear(&s->progress);
	return err;
}
