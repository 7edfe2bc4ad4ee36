/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "user/cmd/live.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "user/base/clock.h"
#include "user/base/duration.h"
#include "user/base/files.h"
#include "user/base/share.h"
#include "user/base/version.h"
#include "user/capture/file.h"
#include "user/capture/guardian.h"
#include "user/capture/sample.h"
#include "user/capture/session.h"
#include "user/cmd/cmd.h"
#include "user/inline/engine.h"
#include "user/target/describe.h"
#include "user/target/procfs.h"
#include "user/target/target.h"

/* Options without a letter. */
enum {
	OPT_LEVEL = 0x100,
	OPT_SAMPLE_RATE,
	OPT_PROBES,
	OPT_MAX_OVERHEAD,
	OPT_NO_STACKS,
	OPT_NO_KERNEL,
	OPT_SAMPLE_GOROUTINES,
};

static const struct argp_option options[] = {
	{"pid", 'p', "PID", 0, "process to trace", 0},
	{"duration", 'd', "DURATION", 0, "how long: 500ms, 5s, 2m (default 5s)", 0},
	{"level", OPT_LEVEL, "LEVEL", 0,
	 "how much to record: kernel, which plants nothing in the program; goroutines (default); or "
	 "full, which adds CPU samples and sweeps",
	 0},
	{"sample-rate", OPT_SAMPLE_RATE, "HZ", 0,
	 "CPU samples per second of CPU time, at level full (default 100)", 0},
	{"probes", OPT_PROBES, "ENGINE", 0,
	 "how goroutines are seen: uprobe (default), or inline, which redirects calls in the process "
	 "while it is traced and costs it far less",
	 0},
	{"max-overhead", OPT_MAX_OVERHEAD, "SHARE", 0,
	 "leave out detail when tracing adds more to the CPU time the processes use: 3%, off (default "
	 "25%)",
	 0},
	{"no-stacks", OPT_NO_STACKS, NULL, 0,
	 "record no stacks of goroutines (those of CPU samples are)", 0},
	{"no-kernel", OPT_NO_KERNEL, NULL, 0,
	 "record goroutines alone: no system calls, no switches and wake-ups of threads", 0},
	{"sample-goroutines", OPT_SAMPLE_GOROUTINES, "1/N", 0,
	 "record stacks of one goroutine in N, the same ones all the time", 0},
	{"buffer", 'B', "SIZE", 0,
	 "memory for events under way, all CPUs together: 64M, 1G (default: one second at 500,000 "
	 "events/s, 4M per CPU at least)",
	 0},
	{"verbose", 'v', NULL, 0, "say first what was found out about each process, and how", 0},
	{0},
};

/* False: there is no such level. */
static bool parse_level(struct live_options *o, const char *name)
{
	static const struct {
		const char *name;
		bool kernel, full;
	} levels[] = {{"kernel", true, false}, {"goroutines", false, false}, {"full", false, true}};

	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		if (strcmp(name, levels[i].name) != 0)
			continue;
		o->kernel = levels[i].kernel;
		o->full = levels[i].full;
		return true;
	}
	return false;
}

/* False: not a rate. */
static bool parse_rate(struct live_options *o, const char *text)
{
	char *end;
	long rate;

	errno = 0;
	rate = strtol(text, &end, 10);
	if (errno || *end || end == text || rate < 1 || rate > SAMPLE_RATE_MAX)
		return false;
	o->sample_rate = (unsigned int)rate;
	return true;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct live_options *o = state->input;
	struct error e;
	char *end;
	long pid;

	switch (key) {
	case 'p':
		errno = 0;
		pid = strtol(arg, &end, 10);
		if (errno || *end || end == arg || pid <= 0 || pid > INT32_MAX)
			argp_error(state, "'%s' is not a process id; give a number, -p 1234", arg);
		if (o->npids == LIVE_MAX_TARGETS)
			argp_error(state, "at most %d processes at once", LIVE_MAX_TARGETS);
		for (size_t i = 0; i < o->npids; i++)
			if (o->pids[i] == pid)
				return 0;
		o->pids[o->npids++] = (pid_t)pid;
		return 0;
	case 'd':
		if (duration_parse(arg, &o->duration_ns, &e))
			argp_error(state, "%s", e.text);
		return 0;
	case OPT_LEVEL:
		if (!parse_level(o, arg))
			argp_error(state,
				   "there is no level '%s'; levels are kernel, goroutines and "
				   "full",
				   arg);
		return 0;
	case OPT_SAMPLE_RATE:
		if (!parse_rate(o, arg))
			argp_error(state, "'%s' is not a sample rate; give a number from 1 to %d",
				   arg, SAMPLE_RATE_MAX);
		return 0;
	case OPT_PROBES:
		if (strcmp(arg, "uprobe") != 0 && strcmp(arg, "inline") != 0)
			argp_error(state, "there is no engine '%s'; engines are uprobe and inline",
				   arg);
		o->inlined = !strcmp(arg, "inline");
		return 0;
	case OPT_MAX_OVERHEAD:
		if (!strcmp(arg, "off"))
			o->max_overhead = 0;
		else if (percent_parse(arg, &o->max_overhead, &e))
			argp_error(state, "%s, or off", e.text);
		return 0;
	case OPT_NO_STACKS:
		o->no_stacks = true;
		return 0;
	case OPT_NO_KERNEL:
		o->no_kernel = true;
		return 0;
	case OPT_SAMPLE_GOROUTINES:
		if (one_in_parse(arg, &o->sample_goroutines, &e))
			argp_error(state, "%s", e.text);
		return 0;
	case ARGP_KEY_END:
		if (o->no_stacks && o->sample_goroutines)
			argp_error(state, "no stacks, or those of some goroutines? give one of "
					  "--no-stacks and --sample-goroutines");
		if (o->sample_rate && !o->full)
			argp_error(state, "CPU samples are taken at level full: --level full");
		if (o->no_kernel && o->kernel)
			argp_error(state, "--no-kernel leaves out all that --level kernel records: "
					  "give one of them");
		if (o->no_kernel && o->system_wide)
			argp_error(state, "--no-kernel leaves out all that -a records: give one of "
					  "them");
		return 0;
	case 'v':
		o->verbose = true;
		return 0;
	case 'B':
		if (size_parse(arg, &o->buffer_bytes, &e))
			argp_error(state, "%s", e.text);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

const struct argp live_argp = {.options = options, .parser = parse};

/* Signal handlers can reach nothing else. */
static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	(void)sig;
	stop = stop + 1; /* another one after the end has begun cuts that short */
}

/* The first Ctrl-C ends the tracing, a second one the program: every probe goes with it. */
static void catch_signals(void)
{
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static struct capture_info info_now(bool system_wide)
{
	struct capture_info info = {
		.features = system_wide ? CAPTURE_SYSTEM_WIDE : 0,
		.mono_ns = clock_ns(CLOCK_MONOTONIC),
		.wall_ns = clock_ns(CLOCK_REALTIME),
		.cpus = (uint32_t)sysconf(_SC_NPROCESSORS_CONF),
	};
	struct utsname u;

	snprintf(info.gscope, sizeof(info.gscope), "%.31s", gscope_version);
	if (!uname(&u)) {
		snprintf(info.host, sizeof(info.host), "%.63s", u.nodename);
		snprintf(info.kernel, sizeof(info.kernel), "%.63s %.63s", u.release, u.version);
	}
	return info;
}

#define MUCH 100000 /* of overhead by probes, in millionths, is worth a word */

/* What it takes to see more, or the same for less. */
static void offer_more(const struct live_options *o, const struct capture_result *result)
{
	const char *cheaper = o->inlined ? "" : ", or --probes inline, which costs less";

	if (result->shed)
		cmd_warn("detail was left out to keep the overhead below %.4g%%; to see all of it "
			 "use --max-overhead off%s",
			 o->max_overhead / 1e4, cheaper);
	else if (result->probe_overhead > MUCH && *cheaper)
		cmd_warn(
			"probes cost the processes %.0f%% more CPU time; --probes inline costs less",
			(double)result->probe_overhead / 1e4);
}

/* A session that is over, and processes that are not as they were yet. */
struct live_rest {
	struct capture_session *session;
	struct target *targets[LIVE_MAX_TARGETS];
};

static int capture_targets(const struct live_options *o, struct live_rest *rest,
			   struct guardian *guardian, int fd, int *status, struct error *e)
{
	struct capture_options co = {
		.targets = rest->targets,
		.ntargets = o->npids,
		.system_wide = o->system_wide,
		.no_probes = o->kernel,
		.full = o->full,
		.inlined = o->inlined,
		.sample_rate = o->sample_rate,
		.no_stacks = o->no_stacks,
		.no_kernel = o->no_kernel,
		.sample_goroutines = o->sample_goroutines,
		.max_overhead = o->max_overhead,
		.threads_do = !o->goroutines && !o->no_kernel,
		.duration_ns = o->duration_ns,
		.buffer_bytes = o->buffer_bytes,
		.stop = &stop,
		.guardian = guardian,
		.begun = o->begun,
		.begun_ctx = o->begun_ctx,
		.messages = stderr,
		.progress = isatty(STDERR_FILENO) ? stderr : NULL,
	};
	struct capture_info info = info_now(o->system_wide);
	struct io_patience patience = {.stop = &stop, .until_ns = UINT64_MAX};
	struct capture_session *session = NULL;
	struct capture_writer *writer = NULL;
	int err, err2;

	err = capture_session_open(&session, &co, e);
	if (o->duration_ns && o->duration_ns < UINT64_MAX - info.mono_ns)
		patience.until_ns = info.mono_ns + o->duration_ns;
	if (!err)
		err = capture_writer_open(&writer, fd, &info, &patience, e);
	if (!err)
		err = capture_session_run(session, writer, e);
	err2 = capture_writer_close(writer, err ? NULL : e);
	*status = stop ? EXIT_INTERRUPTED : EXIT_DONE;
	if (!err)
		offer_more(o, capture_session_result(session));
	rest->session = session;
	return err ? err : err2;
}

/* What the user is to know before it starts: what is left out, and why. */
static int check_target(const struct live_options *o, const struct target *t, struct error *e)
{
	int pid = (int)t->process->pid;

	if (!target_has_goroutines(t)) {
		if (o->no_kernel)
			return error_set(e, EXIT_USAGE, -EINVAL,
					 "pid %d: %.400s; without it --no-kernel leaves nothing to "
					 "record",
					 pid, t->plain);
		if (o->goroutines)
			return error_set(
				e, EXIT_TARGET, -ENOEXEC,
				"pid %d: %.400s; `gscope record -p %d` records its threads "
				"and system calls",
				pid, t->plain, pid);
		cmd_warn("pid %d: %s; recording its threads and system calls, no goroutines", pid,
			 t->plain);
	}
	if (o->verbose && target_has_goroutines(t))
		target_describe(t, stderr);
	if (t->modules && t->modules->warning[0])
		cmd_warn("pid %d: %s", pid, t->modules->warning);
	for (size_t k = 0; k < t->sites.nwarnings && !o->kernel; k++)
		cmd_warn("pid %d: %s", pid, t->sites.warnings[k].text);
	return 0;
}

/* What a gscope that was killed has left there goes first. */
static int clean(pid_t pid, struct error *e)
{
	const struct remote_wait wait = {.limit_ns = REMOTE_LIMIT_NS, .cancel_fd = -1};
	struct target_process *p;
	int err = target_process_open(pid, &p, e);

	if (err)
		return err;
	err = inline_clean(p, &wait, e);
	target_process_close(p);
	if (err > 0)
		cmd_warn("pid %d: put back what an earlier gscope, which was killed, had changed",
			 (int)pid);
	if (err > 0 && e->text[0])
		cmd_warn("%s", e->text);
	return err < 0 ? err : 0;
}

/* False: something is left in a process. */
static bool free_rest(struct live_rest *rest)
{
	bool left;

	if (!rest)
		return true;
	left = capture_session_await(rest->session);
	capture_session_close(rest->session);
	for (size_t i = 0; i < LIVE_MAX_TARGETS; i++)
		target_close(rest->targets[i]);
	free(rest);
	return !left;
}

/* NULL: it cannot be had. */
static struct guardian *start_guardian(void)
{
	struct guardian *g;
	struct error e;

	if (!guardian_start(&g, &e))
		return g;
	cmd_warn("%s; `gscope detach` removes probes then", e.text);
	return NULL;
}

/*
 * What is opened in all but the oddest cases, counted once and rounded up: BPF programs, maps and what attaches
 * them; of each CPU a ring and two events; of each process its memory, files, links, and the helper that
 * redirects calls. A want of it half way would be taken for something else, and found when probes are in already.
 */
#define FILES_OF_ALL 72
#define FILES_OF_CPU 3
#define FILES_OF_TARGET 16

static int check_files(const struct live_options *o, struct error *e)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF);

	return files_check(FILES_OF_ALL + FILES_OF_CPU * (size_t)(cpus > 0 ? cpus : 1) +
				   FILES_OF_TARGET * o->npids,
			   e);
}

int live_capture(const struct live_options *o, int fd, int *status, struct live_rest **rest,
		 struct error *e)
{
	struct live_rest *r = calloc(1, sizeof(*r));
	struct guardian *guardian;
	int err = r ? check_files(o, e) : error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");

	if (!err)
		err = procfs_check(e);

	/* from here on there may be a file to take away again */
	catch_signals();
	guardian = err ? NULL : start_guardian();
	for (size_t i = 0; i < o->npids && !err; i++) {
		err = clean(o->pids[i], e);
		if (!err)
			err = target_open_any(o->pids[i], &stop, &r->targets[i], e);
		if (!err)
			err = check_target(o, r->targets[i], e);
	}
	if (!err && stop)
		err = error_set(e, EXIT_INTERRUPTED, -EINTR,
				"interrupted before the tracing has begun");
	if (!err) {
		err = capture_targets(o, r, guardian, fd, status, e);
	}
	*rest = r;
	if (r && !capture_session_restores(r->session)) {
		if (!free_rest(r) && !err)
			*status = EXIT_FAILED;
		*rest = NULL;
	}
	guardian_stop(guardian);
	return err;
}

int live_finish(struct live_rest *rest, int status)
{
	if (!rest)
		return status;
	/* what was captured is told by now: from here on Ctrl-C ends the waiting */
	fflush(stdout);
	stop = 0;
	catch_signals();
	return free_rest(rest) ? status : EXIT_FAILED;
}
