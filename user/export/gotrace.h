/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Go execution trace (version 2) of one process, as `go tool trace` of Go 1.22 and later reads it.
 * The format and what makes a reader refuse a trace: internal/trace of Go 1.22 to 1.27, order.go
 * and generation.go.
 *
 * The trace is written a generation, that is about a second, at a time. Each generation is whole
 * when it reaches the file, so a trace that ends early ends with its last generation.
 *
 * The header names a release, and what is in the file is what that release writes:
 *   - "go 1.22": every reader takes it. No coroutine events: a switch is an unblock, a block and a
 *     start, and a new coroutine is runnable, as Go 1.22 has them;
 *   - "go 1.23", of Go 1.23 and 1.24: coroutines, and statuses with stacks;
 *   - "go 1.25": each generation tells the wall clock;
 *   - "go 1.26", of Go 1.26 and later: each generation has an end, and stands for itself.
 *
 * What is lost leaves a gap: a task "gscope: events lost" from its begin to its end, which the page
 * of tasks shows with its length, and a log message of category "gscope" in it, which the timeline
 * shows. A task, as that is the only range of time that need not be one goroutine's or P's: those
 * that begin and end it have no more to do with the loss than others. It begins up to 10 ms early,
 * or later, where the generation begins or no goroutine ran.
 *
 * What was left out to keep a budget (struct ev_shed) is told in the same way: the times without
 * probes as "gscope: probes off", each step as "gscope: detail shed" or "gscope: detail taken back".
 *
 * Ranges and annotations need a goroutine that runs; what comes at another moment waits for the
 * next one or, if it is of one goroutine that does not run, is left out. Where none runs until the
 * end, nothing in the trace can tell of losses and of what was left out: see gotrace_untold().
 *
 * Times are CLOCK_MONOTONIC nanoseconds (frequency 1e9). Readers take the base time of a batch
 * through a float64; it is rounded down to what a float64 holds exactly, the first event makes up
 * for it, and the other differences are small: no time loses precision, whatever the uptime.
 *
 * An event has the stack that the runtime's own tracer gives it, and none where that gives none,
 * such as wake-ups no goroutine did. A stack that was lost is one made-up frame,
 * gscope.unknownStack.
 */
#ifndef GSCOPE_EXPORT_GOTRACE_H
#define GSCOPE_EXPORT_GOTRACE_H

#include "user/replay/sink.h"

struct gotrace;

struct gotrace_options {
	uint32_t tgid; /* process to write; 0: the first whose trace begins */
	unsigned int go_minor; /* header of Go 1.go_minor; 0: as the process's own release has it */
	uint64_t mono_ns, wall_ns; /* CLOCK_MONOTONIC and CLOCK_REALTIME at one moment */
};

#define GOTRACE_MINOR_MIN 22U /* releases whose traces can be asked for: Go 1.22 ... */
#define GOTRACE_MINOR_MAX 27U /* ... to 1.27 */

/*
 * Write to fd, which stays the caller's. *symbols must outlive the writer; it may be NULL here and
 * given later by gotrace_set_symbols(), before the first transition.
 */
int gotrace_new(struct gotrace **out, int fd, const struct gotrace_options *options,
		const struct symbols *symbols, struct error *e);
void gotrace_set_symbols(struct gotrace *t, const struct symbols *symbols);

struct sink gotrace_sink(struct gotrace *t);

/*
 * Complete the file; call it also when the replay stopped early. Returns the first error there
 * was, with its message: a failed write, -EPROTO for a transition that contradicts the earlier
 * ones, -ENODATA if there was no process to write. What is in the file by then is a valid trace.
 */
int gotrace_finish(struct gotrace *t, struct error *e);

/*
 * After gotrace_finish(): what the trace does not tell of as no goroutine ran that could, as a
 * message for the user; NULL: it tells of all.
 */
const char *gotrace_untold(const struct gotrace *t);

/* t may be NULL. */
void gotrace_free(struct gotrace *t);

#endif
