/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * One capture: load the programs, attach them, take the snapshot of every target, write all
 * records in order of time, detach.
 */
#ifndef GSCOPE_CAPTURE_SESSION_H
#define GSCOPE_CAPTURE_SESSION_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "bpf/event.h"
#include "user/base/error.h"
#include "user/capture/file.h"
#include "user/target/target.h"

struct guardian;

struct capture_options {
	struct target **targets; /* stay the caller's and must outlive the session */
	size_t ntargets; /* 0 only if system_wide */
	bool system_wide; /* record every task */
	bool no_probes; /* level "kernel": plant nothing in the targets */
	bool inlined; /* redirect calls where that can be done, instead of probing them */
	bool full; /* level "full": CPU samples, and the sites that only it asks for */
	unsigned int sample_rate; /* Hz; 0: SAMPLE_RATE */
	bool no_stacks; /* of goroutines; CPU samples have theirs */
	bool no_kernel; /* goroutines alone; not with system_wide, no_probes or threads_do */
	uint32_t sample_goroutines; /* stacks of one in so many only; 0, 1: of all */
	uint32_t max_overhead; /* budget, in millionths: user/capture/guard.h; 0: no limit */
	bool threads_do; /* trace the threads of a process that takes no probes, and say so */
	uint64_t duration_ns; /* from the moment everything is attached; 0: until stopped */
	uint64_t buffer_bytes; /* of all rings together; 0: see ring_size() */
	const volatile sig_atomic_t
		*stop; /* ends the capture when it becomes non-zero; may be NULL */
	struct guardian *guardian; /* who attaches probes; NULL: the session itself */
	void (*begun)(void *ctx); /* called when the capture holds something; may be NULL */
	void *begun_ctx;
	FILE *progress; /* a terminal for the progress line, or NULL */
	FILE *messages; /* for one-line warnings ("gscope: ..."), or NULL */
};

struct capture_result {
	enum end_why why;
	uint64_t begin_ns, end_ns; /* CLOCK_MONOTONIC; the time in which everything was attached */
	uint64_t events; /* records taken from the rings */
	uint64_t lost;
	bool left; /* calls of a target are redirected still; a message has said so */
	enum shed_level shed; /* the most that was left out to keep the budget */
	uint64_t probe_overhead; /* of probes over all the time, in millionths; 0: not measured */
};

struct capture_session;

/*
 * Check privileges and kernel, load the programs. The message says what is missing and what to
 * do. Free with capture_session_close(), which takes NULL and detaches all that is attached.
 */
int capture_session_open(struct capture_session **out, const struct capture_options *opt,
			 struct error *e);

/*
 * Attach, capture until the duration is over, *stop, or all targets are gone; detach; the last
 * record is EV_END. The writer stays the caller's, who closes it. Returns 0, or a negative errno
 * with *e; -ENOSPC when the disk is full: what is on disk is a good capture, without EV_END.
 */
int capture_session_run(struct capture_session *s, struct capture_writer *w, struct error *e);

/* How it went; valid after capture_session_run(), also a failed one. */
const struct capture_result *capture_session_result(const struct capture_session *s);

/*
 * Whether a process is not yet as it was, because threads of it do not stop: what was captured can be used
 * before that is waited for. Takes NULL.
 */
bool capture_session_restores(const struct capture_session *s);

/* Wait for that, until *stop. Whether calls are redirected still and stay so; a message has said it. Takes NULL. */
bool capture_session_await(struct capture_session *s);

void capture_session_close(struct capture_session *s);

#endif
