// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* A session begins: which targets, which programs; and it ends. */
#include "user/capture/session_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "user/base/clock.h"
#include "user/capture/config.h"
#include "user/capture/targets.h"
#include "user/target/callback.h"

static int out_of_memory(struct error *e)
{
	return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
}

/* The code of a function; empty if there is none. */
static void code_of(const struct pclntab *t, const char *name, __u64 *lo, __u64 *hi)
{
	struct pcln_func func = {0};

	*lo = *hi = 0;
	if (!pclntab_find(t, name, &func))
		return;
	*lo = func.entry;
	*hi = func.end;
}

static int fill_cfg(struct target_cfg *cfg, const struct target *t, bool bare, struct error *e)
{
	struct callback callback;
	uint64_t lo, hi;
	int err = target_cfg_fill(cfg, &t->layout, e);

	if (err)
		return err;
	if (bare)
		cfg->flags |= TARGET_BARE;
	pclntab_text(t->pcln, &lo, &hi);
	cfg->text_lo = lo;
	cfg->text_hi = hi;
	code_of(t->pcln, "runtime.systemstack", &cfg->systemstack_lo, &cfg->systemstack_hi);
	code_of(t->pcln, "runtime.morestack", &cfg->morestack_lo, &cfg->morestack_hi);
	callback_find(&callback, t->pcln);
	cfg->callback_lo = callback.lo;
	cfg->callback_hi = callback.hi;
	cfg->callback_up = callback.up;
	cfg->cgocall_frame = callback.cgocall_frame;
	cfg->goidgen = t->goidgen;
	cfg->go_minor = (__u16)t->build.go_minor;
	return 0;
}

int session_fall_back(struct capture_session *s, size_t i, int err, const struct error *why,
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
	probe_links_close(&s->probe_links[i]);
	s->cfg[i] = (struct target_cfg){0};
	err = s->programs ? targets_enter(s->programs, i, tgid, &s->cfg[i]) : 0;
	if (err)
		return error_set(e, EXIT_FAILED, err, "cannot enter process %u: %s", tgid,
				 strerror(-err));
	if (s->opt.messages)
		fprintf(s->opt.messages,
			"gscope: pid %u: %s; recording its threads and system calls, no "
			"goroutines\n",
			tgid, t->plain);
	return 0;
}

/* Numbers of sites, kept for each target that may load more of them. */
#define LATE_SITES 512
#define LATE_SITES_OF_ALL 16384

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
	s->inlined = calloc(opt->ntargets + 1, sizeof(*s->inlined));
	s->told = calloc(opt->ntargets + 1, sizeof(*s->told));
	s->heaps = calloc(opt->ntargets + 1, sizeof(*s->heaps));
	s->watched = calloc(opt->ntargets + 1, sizeof(*s->watched));
	s->guarded = calloc(opt->ntargets + 1, sizeof(*s->guarded));
	if (!s->cfg || !s->traced || !s->probe_links || !s->inlined || !s->told || !s->heaps ||
	    !s->guarded || !s->watched)
		return out_of_memory(e);
	s->late_sites = opt->ntargets * LATE_SITES <= LATE_SITES_OF_ALL ?
				LATE_SITES :
				(uint32_t)(LATE_SITES_OF_ALL / opt->ntargets);
	for (size_t i = 0; i < opt->ntargets; i++)
		s->watched[i].freezer = (struct held_watch){{-1, -1}};
	for (size_t i = 0; i < opt->ntargets; i++) {
		struct target *t = opt->targets[i];
		struct error why;
		int err = target_has_goroutines(t) ? fill_cfg(&s->cfg[i], t, opt->no_probes, &why) :
						     0;

		s->probe_links[i].guardian = opt->guardian;
		if (!opt->full)
			sites_leave_full(&t->sites);
		if (!opt->inlined)
			sites_leave(&t->sites, SITE_SYSCALL_ENTER);
		/* where tracepoints tell, and cost nothing more */
		if (!opt->inlined || !opt->no_kernel)
			sites_leave(&t->sites, SITE_SYSCALL_EXIT);
		s->has_heaps |= t->heap.at != NULL;
		if (err)
			err = session_fall_back(s, i, err, &why, e);
		if (err)
			return err;
		s->traced[i] = (struct traced){.t = t,
					       .tgid = (uint32_t)t->process->pid,
					       .first_site = s->sites,
					       .may_have = (uint32_t)t->sites.n + s->late_sites};
		if (!opt->no_probes && target_has_goroutines(t))
			s->sites += (uint32_t)t->sites.n + s->late_sites;
		err = session_open_inline(s, i, e);
		if (err)
			return err;
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

void session_detach(struct capture_session *s)
{
	s->result.end_ns = now_ns();
	s->stage.until_ns = s->result.end_ns;
	for (size_t i = 0; s->programs && s->inlined && i < s->opt.ntargets; i++)
		session_choose_inline(s, i, 0, false);
	for (size_t i = 0; s->programs && i < s->opt.ntargets; i++)
		targets_leave(s->programs, s->traced[i].tgid);
	for (size_t i = 0; s->probe_links && i < s->opt.ntargets; i++)
		probe_links_close(&s->probe_links[i]);
	links_close(&s->trace_links);
	/* the last: a debugger may hold it up, and nobody empties the rings meanwhile */
	session_end_inline(s);
}

int capture_session_open(struct capture_session **out, const struct capture_options *opt,
			 struct error *e)
{
	struct capture_session *s = calloc(1, sizeof(*s));
	struct load_options load = {
		.system_wide = opt->system_wide,
		.buffer_bytes = opt->buffer_bytes,
		.bare = opt->no_probes,
		.probed = !opt->no_probes,
		.samples = opt->full,
		.no_kernel = opt->no_kernel,
		.messages = opt->messages,
	};
	int err;

	if (!s)
		return out_of_memory(e);
	s->opt = *opt;
	s->epoll_fd = -1;
	s->progress.out = opt->progress;
	err = take_targets(s, e);
	if (!err)
		session_predict_begin(s);
	load.sites = s->sites;
	if (!err)
		err = programs_load(&s->programs, &load, e);
	if (!err) {
		size_t rings = drain_rings(s->programs);

		for (size_t i = 0; i < opt->ntargets; i++)
			session_choose_stacks(s, i);
		s->merge = merge_new(rings + 1 + session_inline_rings(s));
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
		session_detach(s);
	session_await_inline(s);
	if (s->epoll_fd >= 0)
		close(s->epoll_fd);
	meter_close(&s->meter);
	drain_free(s->drain);
	merge_free(s->merge);
	programs_close(s->programs);
	stage_free(&s->stage);
	for (size_t i = 0; s->inlined && i < s->opt.ntargets; i++)
		inline_close(s->inlined[i]);
	free(s->inlined);
	free(s->told);
	free(s->heaps);
	free(s->guarded);
	session_watch_end(s);
	free(s->watched);
	free(s->probe_links);
	free(s->traced);
	free(s->cfg);
	free(s);
}

bool capture_session_await(struct capture_session *s)
{
	if (!s)
		return false;
	session_await_inline(s);
	return s->result.left;
}

bool capture_session_restores(const struct capture_session *s)
{
	return s && s->restoring;
}

const struct capture_result *capture_session_result(const struct capture_session *s)
{
	return &s->result;
}
