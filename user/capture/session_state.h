/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the parts of a session share, in the order in which they work: session_open.c,
 * session_begin.c, session.c (the loop and the end); session_sites.c, session_cost.c and
 * session_guard.c serve them.
 */
#ifndef GSCOPE_CAPTURE_SESSION_STATE_H
#define GSCOPE_CAPTURE_SESSION_STATE_H

#include "bpf/control.h"
#include "user/capture/attach.h"
#include "user/capture/cost.h"
#include "user/capture/drain.h"
#include "user/capture/guard.h"
#include "user/capture/heap.h"
#include "user/capture/load.h"
#include "user/capture/merge.h"
#include "user/capture/meter.h"
#include "user/capture/predict.h"
#include "user/capture/progress.h"
#include "user/capture/records.h"
#include "user/capture/session.h"
#include "user/capture/stage.h"
#include "user/inline/engine.h"
#include "user/target/held.h"

/* epoll data: ring wake-ups, or a target's index above it */
#define EVENT_RING 0

struct told_damage {
	uint64_t found;
	uint64_t time_ns;
};

/* What is looked at of a target now and then. */
struct watched {
	struct held_watch freezer;
	enum held held; /* as recorded last */
	struct modules *modules; /* with Go in it; of its target, or */
	bool own; /* of this, as the target has none */
	size_t linked; /* that its runtime has; 0: not known */
	size_t known; /* modules about which all was done and said, */
	size_t missed; /* and how many of those linked were never found */
	uint64_t looked_ns; /* when what it has mapped was looked at, */
	uint64_t pause_ns; /* and how long not to do it again, after one that took its time */
	bool late; /* probes were added, where stubs are there: they do not tell all any more */
};

/* What is left out of a target, so that it is not charged more than its budget. */
struct guarded {
	struct work work; /* what it had done when the session was opened; time 0: not known */
	struct guard_forecast forecast; /* span 0: none */
	struct meter_target meter;
	struct guard guard;
	enum shed_level level; /* in force, */
	bool probing; /* and whether probes are there */
	uint64_t inline_seen; /* hits of its stubs, when the guard looked */
};

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
	struct probe_links *probe_links; /* by target */
	struct inline_engine **inlined; /* by target; NULL: uprobes alone */
	bool restoring; /* calls are not yet back, as threads do not stop */
	struct told_damage *told; /* what was told of theirs, by target */
	struct heap_watch *heaps; /* by target */
	bool has_heaps; /* any of them can be read */
	uint64_t inline_ns; /* when their rings were emptied */
	uint64_t heaps_ns; /* when they were looked at */
	uint64_t moved_ns; /* when the rings were emptied */
	bool more; /* the merge has records left that are due */
	uint64_t losses_ns; /* when their losses were looked at */
	struct watched *watched; /* by target */
	uint64_t watched_ns; /* when they were looked at */
	int nice; /* the caller's nice value */
	int stopped; /* *opt.stop when the loop ended: another value ends the end, too */
	struct progress progress;
	struct capture_result result;
	uint32_t sites; /* numbers of all targets, with those kept for what they may load: */
	uint32_t late_sites; /* for each */
	int epoll_fd;
	uint64_t trap_ns;
	uint64_t filter_ns; /* run time of a tracepoint program for a task of somebody else */
	struct meter meter;
	bool metered; /* that is open */
	struct guarded *guarded; /* by target */
};

/*
 * Goroutines of target `i` cannot be traced: 0 if its threads will do, else `err`, with what can be
 * done instead.
 */
int session_fall_back(struct capture_session *s, size_t i, int err, const struct error *why,
		      struct error *e);

/*
 * Stop recording at one moment, then detach, which takes its time: records of a half-detached
 * target would contradict each other.
 */
void session_detach(struct capture_session *s);

/* Attach everything. */
int session_attach(struct capture_session *s, struct error *e);

/*
 * All that is to be known of the targets. `since`: before any record of theirs. The rings are
 * emptied between the targets; nothing is handed on yet, as what is read here has its place
 * between the rings' records.
 */
int session_record_beginning(struct capture_session *s, uint64_t since, struct error *e);

/*
 * Engines that redirect calls: what they have to say goes the rings' way. A target that does not take
 * them gets probes, and a line says why.
 */
int session_open_inline(struct capture_session *s, size_t i, struct error *e);
size_t session_inline_rings(const struct capture_session *s);
int session_plant(struct capture_session *s, size_t i, struct error *e);
/* Take what the rings have, and tell of nothing else; the same with losses, and ends. */
int session_take_inline(struct capture_session *s, struct error *e);
int session_pass_inline(struct capture_session *s, bool last, struct error *e);
uint64_t session_inline_patience(const struct capture_session *s, uint64_t most);
/* Of which goroutines the stubs walk stacks, and whether they do anything. */
void session_choose_inline(struct capture_session *s, size_t i, uint64_t stack_limit, bool on);
/* Add what there was of a target's since the last time to what there was of its probes. */
void session_add_inline(struct capture_session *s, size_t i, struct guard_sample *sample);
/* What they have cost it so far. */
double session_inline_ns(const struct capture_session *s, size_t i);
void session_end_inline(struct capture_session *s);
/* Wait for what session_end_inline() has left under way; opt.stop ends that. */
void session_await_inline(struct capture_session *s);
int session_write_inline(struct capture_session *s, uint64_t time_ns);

/* The process ended and its last thread's record was lost, or is not here yet. */
int session_note_dead(struct capture_session *s, struct traced *t, struct error *e);

/* The probe sites of a target: their records, and, at the end, those with the hits. */
size_t session_probes_of(const struct capture_session *s, const struct traced *t);
int session_record_sites(struct capture_session *s, const struct traced *t, uint64_t time_ns,
			 struct error *e);
int session_record_site(struct capture_session *s, const struct traced *t, size_t i,
			uint64_t time_ns, struct error *e);
int session_write_hits(struct capture_session *s, uint64_t time_ns, uint64_t *sum);

/*
 * What the tracepoint programs take to find that a task is not of interest; measured on
 * ourselves before any target is entered.
 */
void session_measure_filter(struct capture_session *s);

/* Whose stacks of a target are walked: as asked, and as far as they are not shed. */
void session_choose_stacks(struct capture_session *s, size_t i);

/* Look at what targets do, a first and a last time. */
void session_predict_begin(struct capture_session *s);
void session_predict(struct capture_session *s);

/* EV_SHED: what was asked for, and what is left out from the beginning; what became of it. */
int session_record_asked(struct capture_session *s, uint64_t time_ns, struct error *e);
int session_record_foreseen(struct capture_session *s, size_t i, uint64_t time_ns, struct error *e);
int session_write_shed(struct capture_session *s, const struct ev_cost *cost);

/*
 * Measure from here on, before targets are entered, and decide by the prediction; all is attached;
 * look, and do what the guard decides; the last look.
 */
int session_guard_begin(struct capture_session *s, struct error *e);
void session_guard_attached(struct capture_session *s);
void session_guard_start(struct capture_session *s);
int session_guard_tick(struct capture_session *s, struct error *e);
uint64_t
session_guard_next(const struct capture_session *s); /* when that is to be, at the latest */
void session_guard_end(struct capture_session *s);

/* Say which targets are held; look at them, if it is time or `now`; end. */
void session_watch_begin(struct capture_session *s);
int session_watch(struct capture_session *s, bool now, struct error *e);
void session_watch_end(struct capture_session *s);

/* Go code that a target has loaded since: say so, and attach to it; with session_watch(). */
void session_modules_begin(struct capture_session *s, size_t i);
int session_modules_watch(struct capture_session *s, size_t i, struct error *e);
void session_modules_end(struct capture_session *s, size_t i);
int session_notice(struct capture_session *s, const struct traced *t, enum notice what,
		   const char *text, struct error *e);

/* What was measured. */
struct ev_cost session_cost(const struct capture_session *s, uint64_t time_ns, uint64_t hits);

#endif
