// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "user/report/print.h"

/* So that lines have 140 columns at most, as long as counts are below ten million. */
#define NAME_WIDTH 45
#define NAME_WIDTH_SINGLE 26
#define STATE_WIDTH 15

#define REASONS_PER_GROUP 5

/* --- goroutines --------------------------------------------------------------------------- */

static const char *sort_text(enum report_sort sort)
{
	switch (sort) {
	case REPORT_SORT_TOTAL:
		return "total time";
	case REPORT_SORT_RUNNING:
		return "time running";
	case REPORT_SORT_OFF_CPU:
		return "time off CPU";
	case REPORT_SORT_RUNNABLE:
		return "time runnable";
	case REPORT_SORT_SYSCALL:
		return "time in syscalls";
	case REPORT_SORT_BLOCKED:
		return "time blocked";
	case REPORT_SORT_DELAY:
		return "99th percentile of the scheduling delay";
	case REPORT_SORT_COUNT:
		return "number";
	case REPORT_SORT_WAIT:
		break;
	}
	return "time blocked or runnable";
}

/* Where a group's goroutines start. */
static const char *start_name(const struct report *r, const struct report_process *rp,
			      const struct group *g, char buf[32])
{
	const char *name;

	if (g->start_pc == START_C_THREAD)
		return "(C threads in Go)";
	if (!g->start_pc)
		return "(start not seen)";
	name = symbols_func(r->symbols, rp->tgid, g->start_pc);
	if (*name)
		return name;
	snprintf(buf, 32, "0x%" PRIx64, g->start_pc);
	return buf;
}

static void add_account(struct table *t, const struct account *a)
{
	for (int i = 0; i < PARTS; i++)
		table_time(t, a->part[i]);
	table_time(t, account_total(a));
	table_time(t, histogram_percentile(&a->delay, 500));
	table_time(t, histogram_percentile(&a->delay, 990));
	table_time(t, a->delay.max);
}

/* clang-format off */
#define ACCOUNT_COLUMNS                 \
	{"running", COLUMN_TIME, 0},    \
	{"off CPU", COLUMN_TIME, 0},    \
	{"runnable", COLUMN_TIME, 0},   \
	{"syscall", COLUMN_TIME, 0},    \
	{"blocked", COLUMN_TIME, 0},    \
	{"total", COLUMN_TIME, 0},      \
	{"delay p50", COLUMN_TIME, 0},  \
	{"p99", COLUMN_TIME, 0},        \
	{"max", COLUMN_TIME, 0}
/* clang-format on */

static int compare_groups(const void *a, const void *b)
{
	const struct group *x = *(struct group *const *)a, *y = *(struct group *const *)b;

	if (x->system != y->system)
		return x->system ? 1 : -1;
	if (x->key != y->key)
		return x->key > y->key ? -1 : 1;
	return x->start_pc < y->start_pc ? -1 : x->start_pc > y->start_pc;
}

static struct group **sorted_groups(const struct report_process *rp, size_t *n)
{
	struct group **v, *g, *tmp;

	*n = 0;
	v = calloc(HASH_COUNT(rp->goroutines.groups) + 1, sizeof(struct group *));
	if (!v)
		return NULL;
	HASH_ITER(hh, rp->goroutines.groups, g, tmp)
		v[(*n)++] = g;
	qsort(v, *n, sizeof(struct group *), compare_groups);
	return v;
}

static int print_groups(const struct report *r, const struct report_process *rp,
			struct group *const *groups, size_t n, FILE *out)
{
	static const struct column columns[] = {
		{"count", COLUMN_COUNT, 0},
		ACCOUNT_COLUMNS,
		{"start function", COLUMN_TEXT, NAME_WIDTH},
	};
	struct table *t = table_new(columns, ARRAY_SIZE(columns));
	char title[128], buf[32];

	for (size_t i = 0; t && i < shown(r, n); i++) {
		table_count(t, groups[i]->count);
		add_account(t, &groups[i]->a);
		table_text(t, start_name(r, rp, groups[i], buf));
	}
	snprintf(title, sizeof(title), "Goroutines by start function, most %s first",
		 sort_text(r->options.sort));
	return table_end(t, n - shown(r, n), title, out);
}

static int print_activity(const struct report *r, const struct report_process *rp,
			  struct group *const *groups, size_t n, FILE *out)
{
	static const struct column columns[] = {
		{"starts", COLUMN_COUNT, 0},        {"blocks", COLUMN_COUNT, 0},
		{"woke others", COLUMN_COUNT, 0},   {"created others", COLUMN_COUNT, 0},
		{"start function", COLUMN_TEXT, 0},
	};
	struct table *t = table_new(columns, ARRAY_SIZE(columns));
	char buf[32];

	for (size_t i = 0; t && i < shown(r, n); i++) {
		table_count(t, groups[i]->a.starts);
		table_count(t, groups[i]->a.blocks);
		table_count(t, groups[i]->a.wakes);
		table_count(t, groups[i]->a.creates);
		table_text(t, start_name(r, rp, groups[i], buf));
	}
	return table_end(t, n - shown(r, n), "How often they ran, blocked, and moved others", out);
}

static int compare_waits(const void *a, const void *b)
{
	const struct wait *x = a, *y = b;

	if (x->ns != y->ns)
		return x->ns > y->ns ? -1 : 1;
	return strcmp(x->reason, y->reason);
}

static int print_waits(const struct report *r, const struct report_process *rp,
		       struct group *const *groups, size_t n, FILE *out)
{
	static const struct column columns[] = {
		{"blocked", COLUMN_TIME, 0},        {"times", COLUMN_COUNT, 0},
		{"mean", COLUMN_TIME, 0},           {"waiting for", COLUMN_TEXT, 32},
		{"start function", COLUMN_TEXT, 0},
	};
	struct table *t = table_new(columns, ARRAY_SIZE(columns));
	char buf[32];

	for (size_t i = 0; t && i < shown(r, n); i++) {
		struct account *a = &groups[i]->a;

		if (a->nwaits)
			qsort(a->waits, a->nwaits, sizeof(a->waits[0]), compare_waits);
		for (size_t k = 0; k < a->nwaits && k < REASONS_PER_GROUP; k++) {
			const struct wait *w = &a->waits[k];

			table_time(t, w->ns);
			table_count(t, w->count);
			table_time(t, w->count ? w->ns / w->count : 0);
			table_text(t, w->reason);
			table_text(t, start_name(r, rp, groups[i], buf));
		}
	}
	return table_end(t, 0, "What they were blocked on", out);
}

static const char *state_text(const struct goroutine_row *row)
{
	switch (row->state) {
	case G_DEAD:
		return "ended";
	case G_WAITING:
		return row->reason;
	default:
		return g_state_name(row->state);
	}
}

static int print_singles(const struct report *r, const struct report_process *rp, FILE *out)
{
	static const struct column columns[] = {
		{"goroutine", COLUMN_COUNT, 0},
		{"at the end", COLUMN_TEXT, STATE_WIDTH},
		ACCOUNT_COLUMNS,
		{"start function", COLUMN_TEXT, NAME_WIDTH_SINGLE},
	};
	const struct goroutines *gs = &rp->goroutines;
	struct table *t = table_new(columns, ARRAY_SIZE(columns));
	char title[128], buf[32];

	for (size_t i = 0; t && i < gs->top.n; i++) {
		const struct goroutine_row *row = gs->top.items[i];

		table_count(t, row->id);
		table_text(t, state_text(row));
		add_account(t, &row->a);
		table_text(t, start_name(r, rp, row->group, buf));
	}
	snprintf(title, sizeof(title), "Single goroutines, most %s first",
		 r->options.sort == REPORT_SORT_COUNT ? "starts" : sort_text(r->options.sort));
	return table_end(t, gs->top.offered - gs->top.n, title, out);
}
/* --- the whole ---------------------------------------------------------------------------- */

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
	struct group **groups;
	size_t n;
	int err;

	print_process_header(rp, out);
	if (rp->plain)
		return print_plain(r, rp, out);
	groups = sorted_groups(rp, &n);
	if (!groups)
		return -ENOMEM;
	err = print_groups(r, rp, groups, n, out);
	if (!err)
		err = print_waits(r, rp, groups, n, out);
	if (!err)
		err = print_activity(r, rp, groups, n, out);
	free(groups);
	if (!err)
		err = print_singles(r, rp, out);
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
	fputc(')', out);
	if (r->first_loss_ns > t->begin_ns)
		fprintf(out, ", the first after %s", time_text(r->first_loss_ns - t->begin_ns));
	fprintf(out, ": numbers may be off from there on. A larger --buffer helps.\n");
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

static void print_cost(const struct report *r, FILE *out)
{
	const struct replay_totals *t = &r->totals;
	const struct ev_cost *c = &t->cost;
	double probes = (double)c->probe_hits * ((double)c->trap_ns + (double)c->probe_run_ns);
	double traces = (double)c->trace_hits * (double)c->trace_run_ns;
	double span = (double)(t->end_ns - t->begin_ns);

	if (probes + traces <= 0) {
		fprintf(out, "What tracing cost was not measured.\n");
		return;
	}
	fprintf(out, "Tracing cost %.1fms of CPU time", (probes + traces) / 1e6);
	if (span > 0)
		fprintf(out, ", %.2f%% of one CPU", 100 * (probes + traces) / span);
	fprintf(out,
		": %" PRIu64 " probe hits of %" PRIu64 "ns, %" PRIu64 " tracepoint runs of %" PRIu64
		"ns.\n",
		(uint64_t)c->probe_hits, (uint64_t)(c->trap_ns + c->probe_run_ns),
		(uint64_t)c->trace_hits, (uint64_t)c->trace_run_ns);
}

static void print_footer(const struct report *r, FILE *out)
{
	const struct replay_totals *t = &r->totals;

	fprintf(out, "%" PRIu64 " events in %s; the capture ended %s.\n", t->events,
		time_text(t->end_ns - t->begin_ns), why_text(t));
	if (r->damage) {
		fprintf(out, "WARNING: the capture is ");
		print_text(r->damage, out);
		fputs(".\n", out);
	}
	print_losses(r, out);
	print_repairs(r, out);
	print_sites(r, out);
	print_cost(r, out);
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
