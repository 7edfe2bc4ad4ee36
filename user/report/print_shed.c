// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What was left out, and what it cost the targets. */
#include <inttypes.h>

#include "user/report/print.h"

/* One by a prediction: `foreseen` is its time. */
static void print_step(const struct ev_shed *s, uint64_t begin, bool foreseen, bool of, FILE *out)
{
	static const char *const down[] = {
		[SHED_NOTHING] = "nothing",
		[SHED_STACKS] = "stacks",
		[SHED_WINDOWS] = "goroutines, but for short windows",
		[SHED_KERNEL] = "goroutines: threads and system calls are left",
	};
	static const char *const up[] = {
		[SHED_NOTHING] = "stacks again",
		[SHED_STACKS] = "goroutines all the time again",
		[SHED_WINDOWS] = "goroutines in short windows again",
		[SHED_KERNEL] = "nothing",
	};
	uint64_t ms = s->h.time_ns > begin ? (s->h.time_ns - begin) / 1000000 : 0;

	fprintf(out, "  at %" PRIu64 ".%03" PRIu64 "s ", ms / 1000, ms % 1000);
	if (of)
		fprintf(out, "process %" PRIu32 ": ", s->h.tid);
	fprintf(out, "%s %s; tracing %s %.1f%%\n",
		s->to > s->from ? "shed" : "taken back:", s->to > s->from ? down[s->to] : up[s->to],
		foreseen ? "was predicted to cost" : "cost", (double)s->overhead / 1e4);
}

/* Whether it was made for what was predicted. */
static bool is_foreseen(const struct report *r, const struct ev_shed *step)
{
	const struct report_process *rp, *tmp;

	if (!step->h.tid)
		return step->h.time_ns == r->shed.foreseen_ns;
	HASH_ITER(hh, r->processes, rp, tmp) {
		if (rp->tgid == step->h.tid)
			return step->h.time_ns == rp->shed.foreseen_ns;
	}
	return false;
}

/* For how long a process was seen; `of` says of which one that is. */
static void print_seen(const struct report *r, const struct shed *s, uint32_t of, FILE *out)
{
	const struct replay_totals *t = &r->totals;
	uint64_t blind = shed_blind_ns(s, t->begin_ns, t->end_ns), all = t->end_ns - t->begin_ns;

	if (!blind)
		return;
	fputs("  goroutines ", out);
	if (of)
		fprintf(out, "of process %" PRIu32 " ", of);
	fprintf(out, "were seen for %s of ", time_text(all > blind ? all - blind : 0));
	fprintf(out, "%s; what they did else is in no table\n", time_text(all));
}

static void print_steps(const struct report *r, FILE *out)
{
	const struct shed *s = &r->shed;
	uint64_t n = s->nsteps < MOST_SHED_STEPS ? s->nsteps : MOST_SHED_STEPS;
	bool several = HASH_COUNT(r->processes) > 1;
	const struct report_process *rp, *tmp;

	fprintf(out, "Detail was left out to keep the overhead below %.1f%%:\n",
		(double)s->budget / 1e4);
	for (uint64_t i = 0; i < n; i++)
		print_step(&s->steps[i], r->totals.begin_ns, is_foreseen(r, &s->steps[i]),
			   several && s->steps[i].h.tid, out);
	if (n < s->nsteps)
		fprintf(out, "  and %" PRIu64 " more steps\n", s->nsteps - n);
	print_seen(r, s, 0, out);
	HASH_ITER(hh, r->processes, rp, tmp)
		print_seen(r, &rp->shed, several ? rp->tgid : 0, out);
	fputs("  --max-overhead off leaves nothing out.\n", out);
}

/* What the tables have instead, too: who reads them is to know what the figures are of. */
static void print_no_kernel(const struct report *r, FILE *out)
{
	const struct report_process *rp, *tmp;

	HASH_ITER(hh, r->processes, rp, tmp) {
		if (!rp->no_kernel)
			continue;
		fputs("kernel: not recorded (--no-kernel): no system calls, no waits for a CPU\n"
		      "  time running has both in it; time in syscall is that of C, and of calls for as "
		      "long as another thread had their P\n",
		      out);
		return;
	}
}

void print_shed(const struct report *r, FILE *out)
{
	const struct shed *s = &r->shed;

	print_no_kernel(r, out);
	if (s->asked && !s->stacks)
		fputs("Stacks of goroutines were left out, as asked for.\n", out);
	else if (s->asked && s->stacks > 1)
		fprintf(out, "Stacks are those of one goroutine in %" PRIu32 ", as asked for.\n",
			s->stacks);
	if (s->nsteps)
		print_steps(r, out);
}

static void print_foreseen(const struct shed *s, uint32_t of, FILE *out)
{
	fputs("Before anything was attached, recording all ", out);
	if (of)
		fprintf(out, "of process %" PRIu32 " ", of);
	fprintf(out, "was predicted to add %.1f%%.\n", (double)s->foreseen / 1e4);
}

/* Each of several processes has a budget of its own. */
static void print_each(const struct report *r, FILE *out)
{
	const struct report_process *rp, *tmp;

	HASH_ITER(hh, r->processes, rp, tmp) {
		if (rp->shed.measured)
			fprintf(out, "  process %" PRIu32 ": %.1f%%\n", rp->tgid,
				(double)rp->shed.overhead / 1e4);
	}
}

void print_overhead(const struct report *r, FILE *out)
{
	const struct report_process *rp, *tmp;
	const struct shed *s = &r->shed;
	bool several = HASH_COUNT(r->processes) > 1;

	if (!s->measured)
		return;
	fprintf(out, "That is %.1f%% on top of what the traced programs used themselves",
		(double)s->overhead / 1e4);
	if (s->budget)
		fprintf(out, "; the budget is %.1f%%%s", (double)s->budget / 1e4,
			several ? " of each" : "");
	fputs(".\n", out);
	if (several)
		print_each(r, out);
	HASH_ITER(hh, r->processes, rp, tmp) {
		if (rp->shed.foreseen_ns)
			print_foreseen(&rp->shed, several ? rp->tgid : 0, out);
	}
	if (s->foreseen_ns)
		print_foreseen(s, 0, out);
}
