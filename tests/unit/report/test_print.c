// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* The text, against what it should be. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/report/scene.h"
#include "tests/unit/unit.h"
#include "user/report/internal.h"
#include "user/report/syscall_names.h"

/* Two seconds of a small server; every number of it can be followed by hand. */
static void play(void)
{
	struct goroutine main_g = goroutine(1, 1, 0x400000, false);
	struct goroutine sweeper = goroutine(2, 3, 0x402000, true);
	struct goroutine conn = goroutine(3, 17, 0x401000, false);
	struct goroutine conn2 = goroutine(4, 18, 0x401000, false);
	struct goroutine worker = goroutine(5, 19, 0x403000, false);
	struct goroutine from_c = goroutine(6, 20, 0, false);

	CU_ASSERT_EQUAL(sink.ops->process(sink.ctx, &target, now), 0);
	thread_to(&m1, T_RUNNING, 0, "");
	thread_to(&m2, T_SLEEPING, 0, "");
	go(&main_g, G_INIT, G_WAITING, NULL, "IO wait");
	go(&sweeper, G_INIT, G_WAITING, NULL, "GC sweep wait");
	go(&conn, G_INIT, G_RUNNING, &m1, "");

	now += 100 * MS; /* conn ran 100ms; its thread loses the CPU for 20ms */
	thread_to(&m1, T_RUNNABLE, 99, "stress");
	now += 20 * MS;
	thread_to(&m1, T_RUNNING, 0, "");
	now += 80 * MS;
	go(&conn, G_BLOCK, G_WAITING, &m1, "sync.Mutex.Lock");
	go(&main_g, G_UNBLOCK, G_RUNNABLE, &m1, "");
	now += 300 * MS; /* main_g waits 300ms for a P */
	go(&main_g, G_START, G_RUNNING, &m1, "");
	go(&conn2, G_CREATE, G_RUNNABLE, &m1, "");
	go(&worker, G_CREATE, G_RUNNABLE, &m1, "");
	go(&main_g, G_SYSCALL_ENTER, G_SYSCALL, &m1, "");
	now += 500 * MS;
	syscall_took(&m1, &main_g, 0, 500 * MS, -11);
	go(&main_g, G_SYSCALL_RETURN, G_RUNNING, &m1, "");
	go(&main_g, G_BLOCK, G_WAITING, &m1, "IO wait");
	go(&conn2, G_START, G_RUNNING, &m1, "");
	now += 250 * MS;
	go(&conn2, G_EXIT, G_DEAD, &m1, "");
	go(&from_c, G_EXTRA_ENTER, G_SYSCALL, &m1, "");
	now += 750 * MS;
	syscall_took(&m2, NULL, 202, 1500 * MS, 0);
	go(&conn, G_UNBLOCK, G_RUNNABLE, &m1, "");
}

static void a_report_reads_like_this(void)
{
	static const char want[] =
		"server (process 42), go1.26.1, traced for 2.00s\n"
		"/srv/bin/?[2Jserver\n"
		"6 goroutines seen: 3 at the start, 5 at the end\n"
		"2 threads: 1.98s on CPUs, 20.0ms waiting for one (p50 20.0ms, p99 20.0ms, max 20.0ms)\n"
		"1 switch to another task, 1 of them by preemption; 0 wake-ups\n"
		"\n"
		"Goroutines by start function, most time blocked or runnable first\n"
		"  count  running  off CPU  runnable  syscall  blocked    total  delay p50      p99      max  start function\n"
		"      2    430ms   20.0ms     500ms        -    1.80s    2.75s      500ms    500ms    500ms  net/http.(*Server).Serve.gowrap3\n"
		"      1        -        -     300ms    500ms    1.20s    2.00s      300ms    300ms    300ms  main.main\n"
		"      1        -        -     1.50s        -        -    1.50s          -        -        -  …th/a/long/path/größe.(*Arbeiter).läuft.func1\n"
		"      1        -        -         -    750ms        -    750ms          -        -        -  (C threads in Go)\n"
		"      1        -        -         -        -    2.00s    2.00s          -        -        -  runtime.bgsweep\n"
		"\n"
		"What they were blocked on\n"
		"  blocked  times     mean  waiting for      start function\n"
		"    1.80s      1    1.80s  sync.Mutex.Lock  net/http.(*Server).Serve.gowrap3\n"
		"    1.20s      2    600ms  IO wait          main.main\n"
		"    2.00s      1    2.00s  GC sweep wait    runtime.bgsweep\n"
		"\n"
		"How often they ran, blocked, and moved others\n"
		"  starts  blocks  woke others  created others  start function\n"
		"       1       1            0               0  net/http.(*Server).Serve.gowrap3\n"
		"       1       1            0               0  main.main\n"
		"       0       0            0               0  example.com/a/module/with/a/long/path/größe.(*Arbeiter).läuft.func1\n"
		"       0       0            0               0  (C threads in Go)\n"
		"       0       0            0               0  runtime.bgsweep\n"
		"\n"
		"Single goroutines, most time blocked or runnable first\n"
		"  goroutine  at the end     running  off CPU  runnable  syscall  blocked    total  delay p50      p99      max  start function\n"
		"         17  runnable         180ms   20.0ms         -        -    1.80s    2.00s          -        -        -  …p.(*Server).Serve.gowrap3\n"
		"          1  IO wait              -        -     300ms    500ms    1.20s    2.00s      300ms    300ms    300ms  main.main\n"
		"         19  runnable             -        -     1.50s        -        -    1.50s          -        -        -  …e.(*Arbeiter).läuft.func1\n"
		"         18  ended            250ms        -     500ms        -        -    750ms      500ms    500ms    500ms  …p.(*Server).Serve.gowrap3\n"
		"         20  syscall              -        -         -    750ms        -    750ms          -        -        -  (C threads in Go)\n"
		"          3  GC sweep wait        -        -         -        -    2.00s    2.00s          -        -        -  runtime.bgsweep\n"
		"\n"
		"Who took the CPU while it was wanted, until it was given back\n"
		"  off CPU  times     mean  the CPU went to\n"
		"   20.0ms      1   20.0ms  stress\n"
		"\n"
		"System calls, those for goroutines first\n"
		"  count  errors    total      p50      p99      max  name\n"
		"      1       1    500ms    500ms    500ms    500ms  read\n"
		"      1       0    1.50s    1.50s    1.50s    1.50s  futex (runtime)\n"
		"\n"
		"1234 events in 2.00s; the capture ended when the time was over.\n"
		"No event was lost.\n"
		"What tracing cost was not measured.\n";
	struct report_options options = {.top = REPORT_TOP_DEFAULT};
	char *text;

	begin(&options);
	play();
	end((struct replay_totals){.events = 1234, .ended = true, .why = END_DURATION});
	text = print();
	expect(text, want);
	free(text);
}

static int repaired(const char *what)
{
	struct repair rep = {.time = now, .process = &target, .what = what};

	return sink.ops->repair(sink.ctx, &rep);
}

static void what_went_wrong_is_told(void)
{
	static const char want[] =
		"The capture ended before tracing had begun: nothing to report.\n"
		"\n"
		"7 events in 2.00s; the capture ended without an end: gscope was killed, or the "
		"file is cut.\n"
		"WARNING: the capture is damaged at byte 12: ??.\n"
		"WARNING: 30 events were lost (10 scheduling, 20 goroutine): numbers may be off from "
		"0.500s to 0.600s, from 0.900s to 1.000s. A larger --buffer helps.\n"
		"3 contradictions were repaired:\n"
		"  2 times: a goroutine's start was not seen\n"
		"  1 times: a live goroutine was created\n"
		"WARNING: the probe in runtime.park_m at 0x4321 was never hit: blocking of "
		"goroutines may be missing (process 42).\n"
		"Tracing cost 7.0ms of CPU time, 0.35% of one CPU: 10000 probe hits of 600ns, 8000 "
		"tracepoint runs of 125ns.\n";
	static const char *const texts[] = {"a goroutine's start was not seen",
					    "a live goroutine was created"};
	struct report_options options = {.top = 1};
	struct ev_loss loss = {
		.h.time_ns = 11 * SECOND, .count = 10, .since_ns = 10 * SECOND + 900 * MS};
	struct ev_site site = {.tgid = 42,
			       .kind = GO_PARK,
			       .pc = 0x4321,
			       .flags = SITE_MUST_HIT | SITE_FINAL,
			       .func = "runtime.park_m"};
	struct replay_totals totals = {
		.events = 7,
		.lost = 30,
		.loss_by_class = {[LOSS_SCHED] = 10, [LOSS_GO] = 20},
		.repairs = 3,
		.cost = {.probe_hits = 10000,
			 .trap_ns = 500,
			 .probe_run_ns = 100,
			 .trace_hits = 8000,
			 .trace_run_ns = 125},
	};
	char *text;

	begin(&options);
	CU_ASSERT_EQUAL(sink.ops->loss(sink.ctx, &loss), 0);
	loss.since_ns = 10 * SECOND + 500 * MS;
	loss.h.time_ns = 10 * SECOND + 600 * MS;
	CU_ASSERT_EQUAL(sink.ops->loss(sink.ctx, &loss), 0);
	CU_ASSERT_EQUAL(repaired(texts[0]), 0);
	CU_ASSERT_EQUAL(repaired(texts[1]), 0);
	CU_ASSERT_EQUAL(repaired(texts[0]), 0);
	CU_ASSERT_EQUAL(sink.ops->site(sink.ctx, &site), 0);
	/* none of these is worth a line */
	site.flags = SITE_FINAL;
	CU_ASSERT_EQUAL(sink.ops->site(sink.ctx, &site), 0);
	site.flags = SITE_MUST_HIT;
	CU_ASSERT_EQUAL(sink.ops->site(sink.ctx, &site), 0);
	site.flags = SITE_MUST_HIT | SITE_FINAL;
	site.kind = GO_START;
	site.hits = 1000;
	CU_ASSERT_EQUAL(sink.ops->site(sink.ctx, &site), 0);
	/* nor is this one: nobody waited who could have been woken */
	site.kind = GO_READY;
	site.hits = 0;
	CU_ASSERT_EQUAL(sink.ops->site(sink.ctx, &site), 0);
	/* nor are those of a process that slept, or whose goroutines only ended */
	site.tgid = 43;
	site.kind = GO_PARK;
	CU_ASSERT_EQUAL(sink.ops->site(sink.ctx, &site), 0);
	site.tgid = 44;
	CU_ASSERT_EQUAL(sink.ops->site(sink.ctx, &site), 0);
	site.hits = 2000;
	site.kind = GO_START;
	CU_ASSERT_EQUAL(sink.ops->site(sink.ctx, &site), 0);
	site.kind = GO_EXIT;
	CU_ASSERT_EQUAL(sink.ops->site(sink.ctx, &site), 0);
	report_set_damage(report, "damaged at byte 12: \033\n");
	now += 2 * SECOND;
	end(totals);
	text = print();
	expect(text, want);
	free(text);
}

static void shed(struct ev_shed s)
{
	s.h.time_ns = now;
	CU_ASSERT_EQUAL(sink.ops->shed(sink.ctx, &s), 0);
}

/* Nobody knows what goroutines did without probes: that time is nobody's. */
static void what_was_left_out_is_said(void)
{
	static const char want[] =
		"Detail was left out to keep the overhead below 25.0%:\n"
		"  at 0.500s shed stacks; tracing cost 63.4%\n"
		"  at 1.000s shed goroutines, but for short windows; tracing cost 41.0%\n"
		"  at 3.000s taken back: goroutines all the time again; tracing cost 5.0%\n"
		"  goroutines were seen for 2.50s of 4.00s; what they did else is in no table\n"
		"  --max-overhead off leaves nothing out.\n"
		"What tracing cost was not measured.\n"
		"That is 4.0% on top of what the traced programs used themselves; the budget is "
		"25.0%.\n";
	struct report_options options = {.top = 1};
	struct goroutine g;
	char *text, *at;

	begin(&options);
	CU_ASSERT_EQUAL(sink.ops->process(sink.ctx, &target, now), 0);
	g = goroutine(1, 7, 0x400000, false);
	go(&g, G_INIT, G_WAITING, NULL, "select");
	shed((struct ev_shed){.what = SHED_ASKED, .stacks = 1, .budget = 250000});
	now += 500 * MS;
	shed((struct ev_shed){.what = SHED_STEP, .to = SHED_STACKS, .overhead = 634000});
	now += 500 * MS;
	shed((struct ev_shed){
		.what = SHED_STEP, .from = SHED_STACKS, .to = SHED_WINDOWS, .overhead = 410000});
	shed((struct ev_shed){.what = SHED_PROBES_OFF});
	now += 1500 * MS;
	shed((struct ev_shed){.what = SHED_PROBES_ON});
	now += 500 * MS;
	shed((struct ev_shed){
		.what = SHED_STEP, .from = SHED_WINDOWS, .to = SHED_STACKS, .overhead = 50000});
	now += 1 * SECOND;
	shed((struct ev_shed){.what = SHED_SUMMARY, .to = SHED_STACKS, .overhead = 40000});
	end((struct replay_totals){0});
	text = print();
	at = strstr(text, "Detail was");
	CU_ASSERT_PTR_NOT_NULL(at);
	expect(at ? at : "", want);
	/* it waited all the time, as far as that was seen */
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "2.50s"));
	CU_ASSERT_PTR_NULL(strstr(text, "traced for 2.50s"));
	free(text);
	begin(&options);
	shed((struct ev_shed){.what = SHED_ASKED, .stacks = 10});
	shed((struct ev_shed){.what = SHED_SUMMARY, .overhead = 5});
	end((struct replay_totals){0});
	text = print();
	CU_ASSERT_PTR_NOT_NULL(
		strstr(text, "Stacks are those of one goroutine in 10, as asked for.\n"));
	CU_ASSERT_PTR_NULL(strstr(text, "Detail"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "That is 0.0% on top of what the traced programs used "
					    "themselves.\n"));
	free(text);
}

/* What was left out from the beginning, by a prediction, and what is before the beginning. */
static void what_was_foreseen_is_said(void)
{
	static const char want[] =
		"Detail was left out to keep the overhead below 25.0%:\n"
		"  at 0.000s shed stacks; tracing was predicted to cost 300.0%\n"
		"  at 0.000s shed goroutines, but for short windows; tracing was predicted to cost "
		"270.0%\n"
		"  goroutines were seen for 500ms of 4.00s; what they did else is in no table\n"
		"  --max-overhead off leaves nothing out.\n"
		"What tracing cost was not measured.\n"
		"That is 20.0% on top of what the traced programs used themselves; the budget is "
		"25.0%.\n"
		"Before anything was attached, recording all was predicted to add 300.0%.\n";
	struct report_options options = {.top = 1};
	uint64_t start;
	char *text, *at;

	begin(&options);
	start = now;
	now -= SECOND; /* it takes that long to attach */
	shed((struct ev_shed){.what = SHED_ASKED, .stacks = 1, .budget = 250000});
	shed((struct ev_shed){.what = SHED_FORESEEN, .to = SHED_WINDOWS, .overhead = 3000000});
	shed((struct ev_shed){.what = SHED_STEP, .to = SHED_STACKS, .overhead = 3000000});
	shed((struct ev_shed){
		.what = SHED_STEP, .from = SHED_STACKS, .to = SHED_WINDOWS, .overhead = 2700000});
	shed((struct ev_shed){.what = SHED_PROBES_OFF});
	now = start;
	CU_ASSERT_EQUAL(sink.ops->process(sink.ctx, &target, now), 0);
	now += 3 * SECOND;
	shed((struct ev_shed){.what = SHED_PROBES_ON});
	now += SECOND / 2;
	shed((struct ev_shed){.what = SHED_PROBES_OFF});
	now += SECOND / 2;
	shed((struct ev_shed){.what = SHED_SUMMARY, .to = SHED_WINDOWS, .overhead = 200000});
	end((struct replay_totals){0});
	text = print();
	at = strstr(text, "Detail was");
	CU_ASSERT_PTR_NOT_NULL_FATAL(at);
	CU_ASSERT_STRING_EQUAL(at, want);
	free(text);
}

/* Nothing is told of threads and system calls, and there are no figures that would be. */
static void what_the_kernel_does_is_left_out(void)
{
	static const char want[] =
		"1 goroutine seen: 1 at the start, 1 at the end\n"
		"GOMAXPROCS 1; time of Ps: 75.0% goroutines and system calls, 0.0% the runtime's own, 0.0% "
		"scheduling, 25.0% idle\n"
		"\n"
		"Goroutines by start function, most time blocked or runnable first\n"
		"  count  running  runnable  syscall  blocked    total  delay p50      p99      max  start function\n"
		"      1    2.00s         -    1.00s    1.00s    4.00s          -        -        -  main.main\n";
	static const char footer[] =
		"No event was lost.\n"
		"kernel: not recorded (--no-kernel): no system calls, no waits for a CPU\n"
		"  time running has both in it; time in syscall is that of C, and of calls for as long as "
		"another thread had their P\n";
	struct report_options options = {.top = 1};
	struct proc p = {.process = &target, .m = &m1};
	struct p_change c = {.p = &p, .cause = P_INIT, .to = P_RUNNING};
	struct goroutine g;
	char *text, *at;

	begin(&options);
	target.no_kernel = true;
	CU_ASSERT_EQUAL(sink.ops->process(sink.ctx, &target, now), 0);
	g = goroutine(1, 7, 0x400000, false);
	c.time = now;
	CU_ASSERT_EQUAL(sink.ops->processor(sink.ctx, &c), 0);
	go(&g, G_INIT, G_RUNNING, &m1, "");
	now += 2 * SECOND;
	go(&g, G_SYSCALL_ENTER, G_SYSCALL, &m1, "");
	now += 1 * SECOND;
	go(&g, G_SYSCALL_RETURN, G_RUNNING, &m1, "");
	go(&g, G_BLOCK, G_WAITING, &m1, "select");
	c = (struct p_change){
		.time = now, .p = &p, .cause = P_STOP, .from = P_RUNNING, .to = P_IDLE, .m = &m1};
	CU_ASSERT_EQUAL(sink.ops->processor(sink.ctx, &c), 0);
	now += 1 * SECOND;
	end((struct replay_totals){0});
	text = print();
	at = strstr(text, "1 goroutine seen");
	CU_ASSERT_PTR_NOT_NULL_FATAL(at);
	CU_ASSERT_EQUAL(strncmp(at, want, strlen(want)), 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, footer));
	CU_ASSERT_PTR_NULL(strstr(text, "off CPU"));
	if (strncmp(at, want, strlen(want)) != 0 || !strstr(text, footer))
		puts(text);
	free(text);
}

/* A line for each, and more than there can be of one capture do not matter. */
static void what_was_refused_is_said(void)
{
	static const char want[] =
		"WARNING: not seen: CPU samples; the kernel refused BPF program sample: it is too large?[0m "
		"for this kernel's verifier.\n"
		"WARNING: not seen: pprof labels; the kernel refused BPF program labels_probe: there is too "
		"little memory.\n";
	static const struct ev_missing missing[] = {
		{.program = "sample",
		 .shows = "CPU samples",
		 .why = "it is too large\033[0m for this kernel's verifier"},
		{.program = "labels_probe",
		 .shows = "pprof labels",
		 .why = "there is too little memory"},
	};
	struct report_options options = {.top = 1};
	unsigned int lines = 0;
	char *text;

	begin(&options);
	CU_ASSERT_EQUAL(sink.ops->process(sink.ctx, &target, now), 0);
	end((struct replay_totals){0});
	text = print();
	CU_ASSERT_PTR_NULL(strstr(text, "not seen"));
	free(text);

	begin(&options);
	CU_ASSERT_EQUAL(sink.ops->process(sink.ctx, &target, now), 0);
	for (unsigned int i = 0; i < 20; i++)
		CU_ASSERT_EQUAL(sink.ops->missing(sink.ctx, &missing[i % 2]), 0);
	end((struct replay_totals){0});
	text = print();
	CU_ASSERT_PTR_NOT_NULL(strstr(text, want));
	if (!strstr(text, want))
		puts(text);
	for (const char *at = text; (at = strstr(at, "WARNING: not seen")); at++)
		lines++;
	CU_ASSERT_EQUAL(lines, MOST_MISSING);
	free(text);
}

static void a_system_reads_like_this(void)
{
	static const char want[] =
		"All processes, traced for 17.0ms\n"
		"\n"
		"Processes, those that waited longest for a CPU first\n"
		"  process  threads   on CPU  runnable  delay p50      p99      max  switches  preempted  wake-ups  syscalls  in them  name\n"
		"        7        2   14.0ms    5.00ms     5.00ms   5.00ms   5.00ms         1          1         0         3   13.0ms  sh\n"
		"  1000000        1   5.00ms    1.00ms          -        -        -         1          0         1         2   3.00ms  größte-db\n"
		"\n"
		"Threads, those that waited longest for a CPU first\n"
		"  process   thread   on CPU  runnable  delay p50      p99      max  switches  preempted  wake-ups  syscalls  in them  name\n"
		"        7        7   12.0ms    5.00ms     5.00ms   5.00ms   5.00ms         1          1         0         3   13.0ms  sh\n"
		"  1000000  1000000   5.00ms    1.00ms          -        -        -         1          0         1         2   3.00ms  größte-db\n"
		"  ... and 1 more\n"
		"\n"
		"Who took the CPU while it was wanted, until it was given back\n"
		"  off CPU  times     mean  the CPU went to\n"
		"   5.00ms      1   5.00ms  größte-db\n"
		"\n"
		"System calls\n"
		"  count  errors    total      p50      p99      max  name\n"
		"      1       0   9.00ms   9.00ms   9.00ms   9.00ms  read\n"
		"      2       1   3.00ms   1.02ms   2.00ms   2.00ms  write\n"
		"  ... and 2 more\n"
		"\n"
		"99 events in 17.0ms; the capture ended when it was interrupted.\n"
		"No event was lost.\n"
		"What tracing cost was not measured.\n";
	struct report_options options = {.top = 2, .system_wide = true};
	struct thread shell = {.tid = 7, .tgid = 7, .comm = "sh"};
	struct thread helper = {.tid = 8, .tgid = 7, .comm = "helper"};
	struct thread db = {.tid = 1000000, .tgid = 1000000, .comm = "größte-db"};
	char *text;

	begin(&options);
	thread_to(&shell, T_RUNNING, 0, "");
	now += 10 * MS;
	thread_to(&shell, T_RUNNABLE, 1000000, "größte-db");
	thread_to(&db, T_RUNNING, 0, "");
	now += 5 * MS;
	syscall_took(&db, NULL, 1, 2 * MS, 100);
	syscall_took(&db, NULL, 1, 1 * MS, -32);
	syscall_took(&shell, NULL, 0, 9 * MS, 0);
	syscall_took(&shell, NULL, 777, 3 * MS, 0);
	syscall_took(&shell, NULL, 7777, 1 * MS, 0);
	thread_to(&db, T_SLEEPING, 7, "sh");
	thread_to(&shell, T_RUNNING, 0, "");
	thread_to(&helper, T_RUNNING, 0, "");
	now += 1 * MS;
	thread_to(&db, T_RUNNABLE, 7, "sh");
	now += 1 * MS;
	end((struct replay_totals){.events = 99, .ended = true, .why = END_INTERRUPT});
	text = print();
	expect(text, want);
	free(text);
}

static const char *first_of(enum report_sort sort)
{
	static char line[256];
	struct report_options options = {.sort = sort, .top = 1};
	char *text, *p, *name;

	begin(&options);
	play();
	end((struct replay_totals){.ended = true});
	text = print();
	p = strstr(text, "Goroutines by start function");
	CU_ASSERT_PTR_NOT_NULL_FATAL(p);
	CU_ASSERT_PTR_NOT_NULL(strstr(p, "  ... and 4 more\n"));
	p = strchr(strchr(p, '\n') + 1, '\n') + 1;
	*strchr(p, '\n') = 0;
	name = strrchr(p, ' ');
	snprintf(line, sizeof(line), "%s", name + 1);
	free(text);
	return line;
}

static void sorting_decides_what_comes_first(void)
{
	CU_ASSERT_STRING_EQUAL(first_of(REPORT_SORT_WAIT), "net/http.(*Server).Serve.gowrap3");
	CU_ASSERT_STRING_EQUAL(first_of(REPORT_SORT_TOTAL), "net/http.(*Server).Serve.gowrap3");
	CU_ASSERT_STRING_EQUAL(first_of(REPORT_SORT_RUNNING), "net/http.(*Server).Serve.gowrap3");
	CU_ASSERT_STRING_EQUAL(first_of(REPORT_SORT_OFF_CPU), "net/http.(*Server).Serve.gowrap3");
	CU_ASSERT_PTR_NOT_NULL(strstr(first_of(REPORT_SORT_RUNNABLE), "größe.(*Arbeiter)"));
	CU_ASSERT_STRING_EQUAL(first_of(REPORT_SORT_SYSCALL), "Go)"); /* C threads in Go */
	CU_ASSERT_STRING_EQUAL(first_of(REPORT_SORT_BLOCKED), "net/http.(*Server).Serve.gowrap3");
	CU_ASSERT_STRING_EQUAL(first_of(REPORT_SORT_DELAY), "net/http.(*Server).Serve.gowrap3");
	CU_ASSERT_STRING_EQUAL(first_of(REPORT_SORT_COUNT), "net/http.(*Server).Serve.gowrap3");
}

static void sort_keys_are_parsed(void)
{
	enum report_sort sort = REPORT_SORT_WAIT;
	struct error e = {0};

	CU_ASSERT_EQUAL(report_sort_parse("offcpu", &sort, NULL), 0);
	CU_ASSERT_EQUAL(sort, REPORT_SORT_OFF_CPU);
	CU_ASSERT_EQUAL(report_sort_parse("count", &sort, NULL), 0);
	CU_ASSERT_EQUAL(sort, REPORT_SORT_COUNT);
	CU_ASSERT_EQUAL(report_sort_parse("cpu", &sort, &e), -EINVAL);
	CU_ASSERT_EQUAL(e.status, EXIT_USAGE);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "offcpu"));
}

static void a_process_without_goroutines_reads_like_this(void)
{
	static const char want[] =
		"server (process 42), threads and system calls only, traced for 2.00s\n"
		"/srv/bin/?[2Jserver\n"
		"No goroutines: it is a ?shell\n"
		"2 threads: 150ms on CPUs, 50.0ms waiting for one (p50 50.0ms, p99 50.0ms, max 50.0ms)\n"
		"2 switches to another task, 1 of them by preemption; 0 wake-ups\n"
		"\n"
		"Threads, those that waited longest for a CPU first\n"
		"  thread   asleep   on CPU  runnable  delay p50      p99      max  switches  preempted  wake-ups  syscalls  in them  name\n"
		"      43    1.80s    150ms    50.0ms     50.0ms   50.0ms   50.0ms         2          1         0         1    1.80s  server\n"
		"      44    2.00s        -         -          -        -        -         0          0         0         0        -  server\n"
		"\n"
		"What the threads slept in\n"
		"   asleep  times     mean      max  in\n"
		"    2.00s      1    2.00s    2.00s  (stopped by a signal or a debugger)\n"
		"    1.80s      1    1.80s    1.80s  read, not interruptible\n"
		"\n"
		"Who took the CPU while it was wanted, until it was given back\n"
		"  off CPU  times     mean  the CPU went to\n"
		"   50.0ms      1   50.0ms  stress\n"
		"\n"
		"System calls\n"
		"  count  errors    total      p50      p99      max  name\n"
		"      1       0    1.80s    1.80s    1.80s    1.80s  read\n"
		"\n"
		"0 events in 2.00s; the capture ended when the time was over.\n"
		"No event was lost.\n"
		"What tracing cost was not measured.\n";
	char *text;

	begin(&(struct report_options){0});
	target.plain = (char[]){"it is a \033shell"};
	CU_ASSERT_EQUAL(sink.ops->process(sink.ctx, &target, now), 0);
	m1.sys_nr = m2.sys_nr = -1;
	m2.asleep = SLEEP_STOPPED;
	thread_to(&m1, T_RUNNING, 0, "");
	thread_to(&m2, T_SLEEPING, 0, "");
	now += 100 * MS;
	thread_to(&m1, T_RUNNABLE, 99, "stress");
	now += 50 * MS;
	thread_to(&m1, T_RUNNING, 0, "");
	now += 50 * MS;
	m1.sys_nr = 0;
	m1.asleep = SLEEP_UNINTERRUPTIBLE;
	thread_to(&m1, T_SLEEPING, 0, "");
	now += 1800 * MS;
	syscall_took(&m1, NULL, 0, 1800 * MS, 0);
	end((struct replay_totals){.ended = true, .why = END_DURATION});
	text = print();
	expect(text, want);
	free(text);
}

static void system_calls_have_names(void)
{
	CU_ASSERT_STRING_EQUAL(syscall_name(0), "read");
	CU_ASSERT_STRING_EQUAL(syscall_name(435), "clone3");
	CU_ASSERT_PTR_NULL(syscall_name(SYS_NR_32BIT - 1));
	CU_ASSERT_STRING_EQUAL(syscall_name(SYS_NR_32BIT | 3), "read (32-bit)");
	CU_ASSERT_STRING_EQUAL(syscall_name(SYS_NR_32BIT | 435), "clone3 (32-bit)");
	CU_ASSERT_PTR_NULL(syscall_name(SYS_NR_32BIT | 5000));
	CU_ASSERT_PTR_NULL(syscall_name(UINT32_MAX));
}

static void a_full_disk_is_an_error(void)
{
	struct report_options options = {.top = 1};
	struct error e = {0};
	FILE *f = fopen("/dev/full", "w");

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	begin(&options);
	end((struct replay_totals){.ended = true});
	CU_ASSERT_EQUAL(report_print(report, f, &e), -EIO);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "cannot write the report"));
	fclose(f);
	report_free(report);
	symbols_free(symbols);
}

static CU_TestInfo tests[] = {
	{"a report reads like this", a_report_reads_like_this},
	{"what went wrong is told", what_went_wrong_is_told},
	{"a system reads like this", a_system_reads_like_this},
	{"a process without goroutines reads like this",
	 a_process_without_goroutines_reads_like_this},
	{"system calls have names", system_calls_have_names},
	{"sorting decides what comes first", sorting_decides_what_comes_first},
	{"sort keys are parsed", sort_keys_are_parsed},
	{"a full disk is an error", a_full_disk_is_an_error},
	{"what was left out is said", what_was_left_out_is_said},
	{"what was refused is said", what_was_refused_is_said},
	{"what was foreseen is said", what_was_foreseen_is_said},
	{"what the kernel does is left out", what_the_kernel_does_is_left_out},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("report/print", tests);
