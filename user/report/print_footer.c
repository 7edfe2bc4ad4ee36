// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The footer: how the capture ended, what is missing in it, and what it cost. */
#include <inttypes.h>

#include "user/report/print.h"

static const char *why_text(const struct replay_totals *t)
{
	if (!t->ended)
		return "without an end: gscope was killed, or the file is cut";
	switch (t->why) {
	case END_DURATION:
		return "when the time was over";
	case END_INTERRUPT:
		return "when it was interrupted";
	case END_TARGETS_GONE:
		return "when the traced program ended";
	case END_DISK_FULL:
		return "because the disk was full";
	}
	return "for a reason that is not known";
}

/* Times since the beginning, in whole milliseconds around it. */
static void print_gap(uint64_t begin, const struct gap *gap, const char *before, FILE *out)
{
	uint64_t from = gap->begin > begin ? (gap->begin - begin) / 1000000 : 0;
	uint64_t to = gap->end > begin ? (gap->end - begin + 999999) / 1000000 : 0;

	fprintf(out, "%sfrom %" PRIu64 ".%03" PRIu64 "s to %" PRIu64 ".%03" PRIu64 "s", before,
		from / 1000, from % 1000, to / 1000, to % 1000);
}

static void print_losses(const struct report *r, FILE *out)
{
	static const char *const classes[LOSS_CLASSES] = {
		[LOSS_SCHED] = "scheduling", [LOSS_SYSCALL] = "system call",
		[LOSS_GO] = "goroutine",     [LOSS_STACK] = "stack",
		[LOSS_SAMPLE] = "sample",
	};
	const struct replay_totals *t = &r->totals;
	const char *comma = "";

	if (!t->lost) {
		fprintf(out, "No event was lost.\n");
		return;
	}
	fprintf(out, "WARNING: %" PRIu64 " event%s lost (", t->lost,
		t->lost == 1 ? " was" : "s were");
	for (int i = 0; i < LOSS_CLASSES; i++) {
		if (!t->loss_by_class[i])
			continue;
		fprintf(out, "%s%" PRIu64 " %s", comma, t->loss_by_class[i], classes[i]);
		comma = ", ";
	}
	fputs("): numbers may be off", out);
	for (size_t i = 0; i < r->gaps.n; i++)
		print_gap(t->begin_ns, &r->gaps.v[i], i ? ", " : " ", out);
	fputs(". A larger --buffer helps.\n", out);
}

/* A process that writes where only its stubs should: what was found, and what that means. */
static void print_damage(const struct report_process *rp, FILE *out)
{
	static const char *const kinds[] = {
		"positions that cannot be",
		"records of no stub's",
		"times that cannot be",
		"counters that cannot be",
		"more records than it had time for",
		"records that never come",
		"memory that was taken away",
	};
	const char *before = "";

	if (!rp->damage.kinds)
		return;
	fprintf(out, "WARNING: process %" PRIu32 " (", rp->tgid);
	print_text(rp->info.comm, out);
	fprintf(out,
		") has written into the memory that its redirected calls write into: %" PRIu64
		" thing%s found (",
		(uint64_t)rp->damage.found, rp->damage.found == 1 ? " was" : "s were");
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!(rp->damage.kinds & 1U << i))
			continue;
		fprintf(out, "%s%s", before, kinds[i]);
		before = ", ";
	}
	fputs("). That is left out, and counts as lost; do not rely on what is told of the "
	      "goroutines of this process. With --probes uprobe it has nothing to write into.\n",
	      out);
}

static void print_damages(const struct report *r, FILE *out)
{
	const struct report_process *rp, *tmp;

	HASH_ITER(hh, r->processes, rp, tmp) {
		print_damage(rp, out);
	}
}

static void print_beyond(const struct report *r, FILE *out)
{
	static const char *const kinds[BEYOND_KINDS] = {
		[BEYOND_GOROUTINES] = "goroutines at one time",
		[BEYOND_THREADS] = "threads at one time",
		[BEYOND_PROCESSES] = "processes",
		[BEYOND_PROCS] = "Ps",
		[BEYOND_STACKS] = "different stacks",
		[BEYOND_SYMBOLS] = "names of functions",
		[BEYOND_STRINGS] = "texts of Go runtimes",
		[BEYOND_REGIONS] = "open regions",
	};

	for (size_t i = 0; i < BEYOND_KINDS; i++) {
		bool one = r->totals.beyond[i] == 1;

		if (!r->totals.beyond[i])
			continue;
		fprintf(out,
			"WARNING: there are more %s than gscope keeps in memory: %" PRIu64
			" record%s of others %s left out.\n",
			kinds[i], r->totals.beyond[i], one ? "" : "s", one ? "is" : "are");
	}
}

static void print_repairs(const struct report *r, FILE *out)
{
	if (!r->totals.repairs)
		return;
	fprintf(out, "%" PRIu64 " contradiction%s repaired:\n", r->totals.repairs,
		r->totals.repairs == 1 ? " was" : "s were");
	for (size_t i = 0; i < r->nrepairs; i++)
		fprintf(out, "  %" PRIu64 " times: %s\n", r->repairs[i].count, r->repairs[i].what);
}

/* What is missing when a site is silent. */
static const char *site_loses(unsigned int kind)
{
	static const char *const texts[] = {
		[GO_START] = "starts",
		[GO_PARK] = "blocking",
		[GO_PARK_REFUSED] = "refused parks",
		[GO_READY] = "wake-ups",
		[GO_YIELD] = "preemptions and yields",
		[GO_YIELD_PREEMPTED] = "preemptions",
		[GO_PREEMPT_PARK] = "preemptions by the garbage collector",
		[GO_EXIT] = "ends",
		[GO_SYSBLOCK] = "blocking system calls",
		[GO_SYSEXIT_NOP] = "returns from system calls",
		[GO_SYSEXIT_NEWP] = "returns from system calls",
		[GO_CREATE] = "creations",
		[GO_CREATE_BLOCKED] = "creations of coroutines",
		[GO_SWITCH] = "switches of coroutines",
		[GO_NEEDM] = "calls from C",
		[GO_DROPM] = "returns to C",
	};

	return kind < ARRAY_SIZE(texts) && texts[kind] ? texts[kind] : "events";
}

/*
 * Whether a silent site is worth a word, by what the others of this target have seen. Goroutines
 * that start have to stop, and those that do not end or yield block; the ones that block are
 * woken, by this site or another. Switches count for the case that no probe works at all.
 */
static bool should_have_hit(const struct report *r, const struct ev_site *site)
{
	const uint64_t enough = 1000;
	const struct report_process *rp;
	const uint64_t *hits = NULL;
	uint64_t all = 0;

	for (size_t i = 0; i < r->nprobes; i++)
		if (r->probes[i].tgid == site->tgid)
			hits = r->probes[i].hits;
	if (!hits || site->kind >= PROBE_KINDS || hits[site->kind])
		return false;
	for (unsigned int i = 0; i < PROBE_KINDS; i++)
		all += hits[i];
	HASH_FIND(hh, r->processes, &site->tgid, sizeof(site->tgid), rp);
	if (!all || site->kind == GO_START)
		return all >= enough || (rp && rp->view.stats.switches >= enough);
	if (site->kind == GO_PARK)
		return hits[GO_START] >= enough + hits[GO_EXIT] + hits[GO_YIELD] +
						 hits[GO_YIELD_PREEMPTED] + hits[GO_PREEMPT_PARK];
	return site->kind == GO_READY && hits[GO_PARK] >= enough;
}

static void print_sites(const struct report *r, FILE *out)
{
	for (size_t i = 0; i < r->nsites; i++) {
		if (!should_have_hit(r, &r->sites[i]))
			continue;
		fprintf(out, "WARNING: the probe in ");
		print_text(r->sites[i].func, out);
		fprintf(out,
			" at 0x%" PRIx64 " was never hit: %s of goroutines may be missing (process "
			"%" PRIu32 ").\n",
			(uint64_t)r->sites[i].pc, site_loses(r->sites[i].kind), r->sites[i].tgid);
	}
}

/* The kernel tells the run times of BPF programs only to those with CAP_SYS_ADMIN: kernel/bpf/syscall.c, v5.8 */
static void print_trace_runs(const struct ev_cost *c, FILE *out)
{
	fprintf(out, "%" PRIu64 " tracepoint runs ", (uint64_t)c->trace_hits);
	if (c->trace_hits && !c->trace_run_ns)
		fputs("that were not measured (they were few, or gscope had no CAP_SYS_ADMIN)",
		      out);
	else
		fprintf(out, "of %" PRIu64 "ns", (uint64_t)c->trace_run_ns);
}

static void print_cost(const struct report *r, FILE *out)
{
	const struct replay_totals *t = &r->totals;
	const struct ev_cost *c = &t->cost;
	double probes = (double)c->probe_hits * ((double)c->trap_ns + (double)c->probe_run_ns);
	double traces = (double)c->trace_hits * (double)c->trace_run_ns;
	double stubs = (double)t->inlined.hits * (double)t->inlined.hit_ns;
	double sum = probes + traces + stubs;
	double span = (double)(t->end_ns - t->begin_ns);

	if (sum <= 0) {
		fprintf(out, "What tracing cost was not measured.\n");
		return;
	}
	fprintf(out, "Tracing cost %.1fms of CPU time", sum / 1e6);
	if (span > 0)
		fprintf(out, ", %.2f%% of one CPU", 100 * sum / span);
	fprintf(out, ": %" PRIu64 " probe hits of %" PRIu64 "ns, ", (uint64_t)c->probe_hits,
		(uint64_t)(c->trap_ns + c->probe_run_ns));
	print_trace_runs(c, out);
	if (t->inlined.hits)
		fprintf(out, ", %" PRIu64 " redirected calls of %" PRIu64 "ns",
			(uint64_t)t->inlined.hits, (uint64_t)t->inlined.hit_ns);
	fputs(".\n", out);
}

static void print_inline(const struct report *r, FILE *out)
{
	const struct ev_inline *x = &r->totals.inlined;

	if (!x->sites)
		return;
	fprintf(out,
		"%" PRIu32 " calls were redirected; for that %" PRIu32
		" thread%s stood still for %s at most. ",
		x->sites, x->threads, x->threads == 1 ? "" : "s", time_text(x->pause_ns));
	fprintf(out, "Times of their events are good to %" PRIu64 "ns.", (uint64_t)x->clock_ns);
	if (x->memory_kib) /* captures of earlier versions do not say */
		fprintf(out, " Their rings were %" PRIu32 " KiB.", x->memory_kib);
	fputc('\n', out);
}

/* What the kernel did not let gscope see. */
static void print_missing(const struct report *r, FILE *out)
{
	for (size_t i = 0; i < r->nmissing; i++) {
		fputs("WARNING: not seen: ", out);
		print_text(r->missing[i].shows, out);
		fputs("; the kernel refused BPF program ", out);
		print_text(r->missing[i].program, out);
		fputs(": ", out);
		print_text(r->missing[i].why, out);
		fputs(".\n", out);
	}
}

void print_footer(const struct report *r, FILE *out)
{
	const struct replay_totals *t = &r->totals;

	fprintf(out, "%" PRIu64 " events in %s; the capture ended %s.\n", t->events,
		time_text(t->end_ns - t->begin_ns), why_text(t));
	if (r->damage) {
		fprintf(out, "WARNING: the capture is ");
		print_text(r->damage, out);
		fputs(".\n", out);
	}
	print_missing(r, out);
	print_losses(r, out);
	print_damages(r, out);
	print_notices(r, out);
	print_shed(r, out);
	print_beyond(r, out);
	print_repairs(r, out);
	print_sites(r, out);
	print_cost(r, out);
	print_inline(r, out);
	print_overhead(r, out);
}
