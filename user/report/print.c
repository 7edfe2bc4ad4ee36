// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The report as text, from its parts. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "user/report/print.h"

static void print_process_header(const struct report_process *rp, FILE *out)
{
	const struct goroutines *gs = &rp->goroutines;
	const struct task_stats *s = &rp->view.stats;

	print_text(rp->info.comm, out);
	fprintf(out, " (process %" PRIu32 "), ", rp->tgid);
	print_text(rp->plain ? "threads and system calls only" : rp->info.go_version, out);
	fprintf(out, ", traced for %s", time_text(rp->end - rp->begin));
	if (rp->gone)
		fputs(rp->how == GONE_EXEC ? ", until it executed another program" :
					     ", until it ended",
		      out);
	fputc('\n', out);
	if (*rp->info.exe) {
		print_text(rp->info.exe, out);
		fputc('\n', out);
	}
	if (rp->plain) {
		fputs("No goroutines: ", out);
		print_text(rp->plain, out);
		fputc('\n', out);
	} else if (rp->is_bare) {
		print_bare_header(rp, out);
	} else {
		fprintf(out,
			"%" PRIu64 " goroutine%s seen: %" PRIu64 " at the start, %" PRIu64
			" at the end\n",
			gs->seen, plural(gs->seen), gs->at_start, gs->at_end);
	}
	if (!rp->view.threads)
		return;
	fprintf(out, "%" PRIu64 " thread%s: %s on CPUs, ", rp->view.threads,
		plural(rp->view.threads), time_text(s->on_cpu));
	fprintf(out, "%s waiting for one (p50 %s, p99 %s, ", time_text(s->runnable),
		time_text(histogram_percentile(&s->latency, 500)),
		time_text(histogram_percentile(&s->latency, 990)));
	fprintf(out, "max %s)\n", time_text(s->latency.max));
	fprintf(out,
		"%" PRIu64 " switch%s to another task, %" PRIu64 " of them by preemption; %" PRIu64
		" wake-up%s\n",
		s->switches, s->switches == 1 ? "" : "es", s->preempted, s->wakeups,
		plural(s->wakeups));
}

static int print_plain(const struct report *r, struct report_process *rp, FILE *out)
{
	int err = print_threads(&rp->threads, out);

	if (!err)
		err = print_sleeps(r, &rp->view, out);
	if (!err)
		err = print_antagonists(&rp->view, out);
	if (!err)
		err = print_syscalls(r, &rp->view, false, out);
	fputc('\n', out);
	return err;
}

static int print_process(const struct report *r, struct report_process *rp, FILE *out)
{
	int err;

	print_process_header(rp, out);
	if (rp->plain)
		return print_plain(r, rp, out);
	print_runtime(rp, out);
	err = rp->is_bare ? print_bare(r, rp, out) : print_goroutines(r, rp, out);
	if (!err)
		err = print_annotations(r, rp, out);
	if (!err)
		err = print_gc(r, rp, out);
	if (!err)
		err = print_samples(r, rp, out);
	if (!err)
		err = print_antagonists(&rp->view, out);
	if (!err)
		err = print_syscalls(r, &rp->view, true, out);
	fputc('\n', out);
	return err;
}

static int print_system(struct report *r, FILE *out)
{
	int err;

	fprintf(out, "All processes, traced for %s\n",
		time_text(r->totals.end_ns - r->totals.begin_ns));
	err = print_tasks(r, out);
	if (!err)
		err = print_antagonists(&r->system, out);
	if (!err)
		err = print_syscalls(r, &r->system, false, out);
	fputc('\n', out);
	return err;
}

int report_print(struct report *r, FILE *out, struct error *e)
{
	struct report_process *rp, *tmp;
	int err = 0;

	HASH_ITER(hh, r->processes, rp, tmp)
		if (!err)
			err = print_process(r, rp, out);
	if (!err && r->options.system_wide)
		err = print_system(r, out);
	if (err)
		return error_set(e, EXIT_FAILED, err, "report: out of memory");
	if (!r->processes && !r->options.system_wide)
		fprintf(out, "The capture ended before tracing had begun: nothing to report.\n\n");
	print_footer(r, out);
	if (fflush(out) || ferror(out))
		return error_set(e, EXIT_FAILED, -EIO, "cannot write the report: %s",
				 strerror(errno));
	return 0;
}
