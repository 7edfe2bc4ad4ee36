// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/predict.h"

/*
 * A start has a wake-up or a creation before it and a park or an end behind it. That a goroutine
 * yields saves the one; that a thread gets and gives up its P adds two.
 */
#define HITS_PER_START 3
#define HITS_PER_SWITCH 2

/* Runs of tracepoint programs: begin and end of a system call; a switch has two, and a wake-up. */
#define EVENTS_PER_SYSCALL 2
#define EVENTS_PER_SWITCH 4

/*
 * As parts of a trap (556 ns where they were measured): a program that walks a stack of some 10
 * frames (341 and 256 ns), one that does not (214 and 205), a run of a tracepoint program (265 and 491), a stub
 * with a stack and without.
 */
#define PROBE_FULL 0.55
#define PROBE_BARE 0.38
#define EVENT 0.65
#define STUB_FULL 0.14
#define STUB_BARE 0.09

/* Of CPU time: nothing takes less. */
#define START_MIN_NS 30
#define SYSCALL_MIN_NS 50
#define SWITCH_MIN_NS 200

static double believed(double n, double cpu_ns, double least_ns)
{
	return n * least_ns > cpu_ns ? cpu_ns / least_ns : n;
}

/* Counters of the target may go back. */
static double grown(uint64_t before, uint64_t after)
{
	return after > before ? (double)(after - before) : 0;
}

void predict_add(struct predict_load *sum, const struct work *before, const struct work *after)
{
	double cpu = grown(before->cpu_ns, after->cpu_ns);
	double span = grown(before->time_ns, after->time_ns);
	double starts = grown(before->starts, after->starts);
	double ticks = (double)(uint32_t)(after->ticks - before->ticks);
	double syscalls = (double)(uint32_t)(after->syscalls - before->syscalls);

	/* one counter is in large steps, the other one does not have all */
	if (ticks > starts)
		starts = ticks;
	if (span > sum->span_ns)
		sum->span_ns = span;
	sum->cpu_ns += cpu;
	sum->starts += believed(starts, cpu, START_MIN_NS);
	sum->syscalls += believed(syscalls, cpu, SYSCALL_MIN_NS);
	sum->delay_ns += grown(before->delay_ns, after->delay_ns);
	sum->switches += believed(grown(before->switches, after->switches), cpu, SWITCH_MIN_NS);
}

struct prediction predict(const struct predict_load *load, uint64_t trap_ns, bool kernel)
{
	double trap = (double)trap_ns;

	return (struct prediction){
		.hits = HITS_PER_START * load->starts + HITS_PER_SWITCH * load->switches,
		.events = kernel ? EVENTS_PER_SYSCALL * load->syscalls +
					   EVENTS_PER_SWITCH * load->switches :
				   0,
		.hit_ns = {[PREDICT_UPROBE] = trap * (1 + PROBE_FULL),
			   [PREDICT_INLINE] = trap * STUB_FULL},
		.bare_ns = {[PREDICT_UPROBE] = trap * (1 + PROBE_BARE),
			    [PREDICT_INLINE] = trap * STUB_BARE},
		.event_ns = trap * EVENT,
	};
}

double predict_added(const struct prediction *p, enum predict_engine engine, bool stacks)
{
	return p->hits * (stacks ? p->hit_ns[engine] : p->bare_ns[engine]) +
	       p->events * p->event_ns;
}
