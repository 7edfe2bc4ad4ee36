// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* What was left out, and what it cost the targets. */
#include <inttypes.h>

#include "user/report/print.h"

/* One by a prediction: `foreseen` is its time. */
static void print_step(const struct ev_shed *s, uint64_t begin, uint64_t foreseen, FILE *out)
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

	fprintf(out, "  at %" PRIu64 ".%03" PRIu64 "s %s %s; tracing %s %.1f%%\n", ms / 1000,
		ms % 1000,
		s->to > s->from ? "shed" : "taken back:", s->to > s->from ? down[s->to] : up[s->to],
		s->h.time_ns == foreseen ? "was predicted to cost" : "cost",
		(double)s->overhead / 1e4);
}

static void print_steps(const struct report *r, FILE *out)
{
	const struct replay_totals *t = &r->totals;
	const struct shed *s = &r->shed;
	uint64_t n = s->nsteps < MOST_SHED_STEPS ? s->nsteps : MOST_SHED_STEPS;
	uint64_t blind = shed_blind_ns(s, t->begin_ns, t->end_ns), all = t->end_ns - t->begin_ns;

	fprintf(out, "Detail was left out to keep the overhead below %.1f%%:\n",
		(double)s->budget / 1e4);
	for (uint64_t i = 0; i < n; i++)
		print_step(&s->steps[i], t->begin_ns, s->foreseen_ns, out);
	if (n < s->nsteps)
		fprintf(out, "  and %" PRIu64 " more steps\n", s->nsteps - n);
	if (blind) {
		fprintf(out, "  goroutines were seen for %s of ",
			time_text(all > blind ? all - blind : 0));
		fprintf(out, "%s; what they did else is in no table\n", time_text(all));
	}
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

void print_overhead(const struct report *r, FILE *out)
{
	const struct shed *s = &r->shed;

	if (!s->measured)
		return;
	fprintf(out, "That is %.1f%% on top of what the traced programs used themselves",
		(double)s->overhead / 1e4);
	if (s->budget)
		fprintf(out, "; the budget is %.1f%%", (double)s->budget / 1e4);
	fputs(".\n", out);
	if (s->foreseen_ns)
		fprintf(out,
			"Before anything was attached, recording all was predicted to add %.1f%%.\n",
			(double)s->foreseen / 1e4);
}
