// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What the collector itself takes: CPU time of gscope for each record, and whether it keeps up.
 *
 *   collector stages [RECORDS]                made-up records of 1 to 64 rings, through merge, stage
 *                                             and capture writer
 *   collector calls SECONDS THREADS RATE      a whole capture of a program that makes RATE system
 *                                             calls a second (0: as many as it can)
 *   collector process SECONDS PID             a whole capture of a running process
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "user/base/clock.h"
#include "user/capture/merge.h"
#include "user/capture/session.h"
#include "user/capture/stage.h"

#define TGID 4711
#define MAX_SOURCES 64
#define POOL 65536 /* records of one pass: what a busy machine has in 50 ms */
#define GOROUTINES 64
#define STACKS 200

static double peak_mib(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)u.ru_maxrss / 1024;
}

/* A file without a name: what is written has to go somewhere real. */
static int scratch_file(void)
{
	const char *dir = getenv("TMPDIR");
	int fd = open(dir ? dir : "/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0) {
		perror("collector: cannot create a temporary file");
		exit(1);
	}
	return fd;
}

static void fail(const struct error *e)
{
	fprintf(stderr, "collector: %s\n", e->text);
	exit(1);
}

/* --- made-up records ---------------------------------------------------------------------- */

union record {
	struct event_head h;
	struct ev_go go;
	struct ev_switch sw;
	struct ev_wakeup wakeup;
	struct ev_sys_enter enter;
	struct ev_sys_exit leave;
	struct ev_stack stack;
	char room[sizeof(struct ev_stack) + 16 * 8];
};

struct pool {
	union record v[POOL];
	uint8_t source[POOL];
	uint64_t span_ns; /* from its first record's time to that of the next pool's first */
};

static uint64_t goroutine(uint64_t i)
{
	return 0xc000002000 + i % GOROUTINES * 0x1c0;
}

static uint64_t processor(uint64_t source)
{
	return 0xc000038000 + source * 0x2800;
}

static uint64_t stack_id(uint64_t i)
{
	return (i % STACKS + 1) * 0x9e3779b97f4a7c15ULL;
}

/* Of ten records of a busy server about these are switches, wake-ups, system calls. */
static void make_record(union record *r, uint64_t time_ns, uint32_t source)
{
	uint64_t g = (uint64_t)random();
	struct ev_gctx ctx = {goroutine(g), goroutine(g), processor(source)};
	struct event_head h = {.time_ns = time_ns, .tid = TGID + source};

	memset(r, 0, sizeof(*r));
	switch (random() % 10) {
	case 0:
		r->sw = (struct ev_switch){h, TGID, source, TGID + source, TGID, ctx, 1, 3, "load"};
		r->h.type = EV_SWITCH;
		r->h.size = sizeof(r->sw);
		break;
	case 1:
		r->wakeup = (struct ev_wakeup){h, TGID, source, TGID, TGID, ctx, source, 0, "load"};
		r->h.type = EV_WAKEUP;
		r->h.size = sizeof(r->wakeup);
		break;
	case 2:
		r->enter = (struct ev_sys_enter){h, TGID, source, 202, 3, ctx, stack_id(g / 64)};
		r->h.type = EV_SYS_ENTER;
		r->h.size = sizeof(r->enter);
		break;
	case 3:
		r->leave = (struct ev_sys_exit){h, TGID, source, 202, 3, ctx, ctx.p, 1, 0, 0};
		r->h.type = EV_SYS_EXIT;
		r->h.size = sizeof(r->leave);
		break;
	default:
		r->go = (struct ev_go){
			.h = h,
			.tgid = TGID,
			.cpu = source,
			.gp = goroutine(g),
			.goid = g % GOROUTINES,
			.p = processor(source),
			.stack = stack_id(g / 64),
			.site = (uint16_t)(g % 3),
			.kind = (uint8_t)(GO_START + g % 2),
			.old_status = 1,
			.new_status = 2,
			.wait_reason = (uint8_t)(g % 3),
		};
		r->h.type = EV_GO;
		r->h.size = sizeof(r->go);
	}
	if (random() % 2000)
		return;
	r->stack = (struct ev_stack){.h = h, .id = stack_id(g), .tgid = TGID, .n = 8};
	for (uint16_t i = 0; i < 8; i++)
		r->stack.pc[i] = 0x401000 + (g % STACKS * 8 + i) * 64;
	r->h.type = EV_STACK;
	r->h.size = sizeof(r->stack) + 8 * 8;
}

/*
 * About a million records a second, of each ring one as likely as of another; one ring after the
 * other, as they are emptied.
 */
static void make_pool(struct pool *p, uint32_t sources)
{
	static uint64_t times[POOL];
	static uint8_t source[POOL];
	uint64_t now = 1000000;
	size_t n = 0;

	srandom(1);
	for (size_t i = 0; i < POOL; i++) {
		source[i] = (uint8_t)(random() % sources);
		times[i] = now;
		now += 1 + (uint64_t)random() % 2000;
	}
	for (uint32_t k = 0; k < sources; k++) {
		for (size_t i = 0; i < POOL; i++) {
			if (source[i] != k)
				continue;
			p->source[n] = source[i];
			make_record(&p->v[n++], times[i], k);
		}
	}
	p->span_ns = now - 1000000;
}

/* --- the stages --------------------------------------------------------------------------- */

static int some_frame(void *ctx, uint64_t pc, struct pcln_frame *out, size_t max)
{
	(void)ctx;
	(void)max;
	*out = (struct pcln_frame){.pc = pc,
				   .func = "main.handle",
				   .file = "/home/user/src/server/main.go",
				   .line = 7};
	return 1;
}

static int some_pcsp(void *ctx, uint64_t pc)
{
	(void)ctx;
	(void)pc;
	return 16;
}

static uint64_t some_start(void *ctx, uint64_t pc)
{
	(void)ctx;
	return pc;
}

static int write_symbol(void *ctx, const struct event_head *ev)
{
	return stage_write(ctx, ev);
}

static int ignore(void *ctx, struct event_head *ev)
{
	(void)ctx;
	(void)ev;
	return 0;
}

struct stage_costs {
	double add_ns, emit_ns; /* for each record, of the thread that does it */
	double total_ns; /* of all threads */
	double bytes;
};

/* Pools one after the other through a merge, to `emit`. */
static void replay(struct pool *p, uint32_t sources, uint64_t passes, merge_emit_fn emit, void *ctx,
		   struct stage_costs *out)
{
	struct merge *m = merge_new(sources);
	uint64_t add_ns = 0, emit_ns = 0, edge = 1000000;

	for (uint64_t pass = 0; pass < passes; pass++) {
		uint64_t begin, added, end;

		begin = clock_ns(CLOCK_THREAD_CPUTIME_ID);
		for (size_t i = 0; i < POOL; i++)
			if (merge_add(m, p->source[i], &p->v[i].h))
				abort();
		/* as in a capture, the newest of a pass wait for the next */
		edge += p->span_ns;
		for (uint32_t i = 0; i < sources; i++)
			merge_promise(m, i, edge - 100000);
		added = clock_ns(CLOCK_THREAD_CPUTIME_ID);
		if (merge_emit(m, emit, ctx))
			abort();
		end = clock_ns(CLOCK_THREAD_CPUTIME_ID);
		add_ns += added - begin;
		emit_ns += end - added;
		for (size_t i = 0; i < POOL; i++)
			p->v[i].h.time_ns += p->span_ns;
	}
	for (size_t i = 0; i < POOL; i++)
		p->v[i].h.time_ns -= passes * p->span_ns;
	merge_free(m);
	out->add_ns = (double)add_ns / (double)(passes * POOL);
	out->emit_ns = (double)emit_ns / (double)(passes * POOL);
}

/* The Ps are known, as they are after the snapshot. */
static void record_procs(struct stage *st, uint32_t sources)
{
	for (uint32_t i = 0; i < sources; i++) {
		struct ev_snap_p ev = {
			.h = {.time_ns = 1, .type = EV_SNAP_P, .size = sizeof(ev)},
			.tgid = TGID,
			.id = (int32_t)i,
			.p = processor(i),
		};

		if (stage_record(st, &ev.h))
			abort();
	}
}

static void replay_to_file(struct pool *p, uint32_t sources, uint64_t passes,
			   struct stage_costs *out)
{
	static struct target target; /* zero: its goroutines can be traced */
	struct symbol_source symbols = {some_frame, some_pcsp, some_start, NULL, NULL};
	struct capture_info info = {.cpus = sources};
	struct traced traced = {.t = &target, .tgid = TGID};
	struct error e;
	struct stage st = {.v = &traced, .n = 1, .until_ns = UINT64_MAX, .e = &e};
	uint64_t own, all;
	int fd = scratch_file();

	if (capture_writer_open(&st.w, fd, &info, NULL, &e))
		fail(&e);
	traced.symbolizer = symbolizer_new(TGID, &symbols, write_symbol, &st);
	record_procs(&st, sources);
	own = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	all = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	replay(p, sources, passes, stage_record, &st, out);
	if (capture_writer_flush(st.w, &e))
		fail(&e);
	own = clock_ns(CLOCK_THREAD_CPUTIME_ID) - own;
	all = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - all;
	out->total_ns =
		out->add_ns + out->emit_ns + (double)(int64_t)(all - own) / (double)(passes * POOL);
	out->bytes = (double)capture_writer_bytes(st.w) / (double)(passes * POOL);
	if (capture_writer_close(st.w, &e))
		fail(&e);
	stage_free(&st);
	close(fd);
}

static int stages(uint64_t records)
{
	static struct pool pool;
	uint64_t passes = (records + POOL - 1) / POOL;

	printf("%-8s %8s %8s %18s %8s %12s %9s\n", "ns CPU", "take in", "merge", "stage, write",
	       "all", "bytes/event", "peak MiB");
	for (uint32_t sources = 1; sources <= MAX_SOURCES; sources *= 2) {
		struct stage_costs merge, file;

		make_pool(&pool, sources);
		replay(&pool, sources, passes, ignore, NULL, &merge);
		replay_to_file(&pool, sources, passes, &file);
		printf("%2u ring%-2s %8.1f %8.1f %18.1f %8.1f %12.2f %9.1f\n", sources,
		       sources > 1 ? "s" : "", file.add_ns, merge.emit_ns,
		       file.total_ns - file.add_ns - merge.emit_ns, file.total_ns, file.bytes,
		       peak_mib());
		fflush(stdout);
	}
	return 0;
}

/* --- whole captures ----------------------------------------------------------------------- */

struct caller {
	pthread_t thread;
	double rate; /* system calls a second, 0: no limit */
};

/* A call that does next to nothing, in bursts of a millisecond. */
static void *make_calls(void *arg)
{
	const struct caller *c = arg;
	uint64_t done = 0, begin = now_ns();

	for (;;) {
		uint64_t now = now_ns();
		uint64_t due = c->rate > 0 ? (uint64_t)((double)(now - begin) * c->rate / 1e9) :
					     done + 1000;

		/* what was missed in a long pause is not made up for */
		if ((double)(due - done) > 1000 + c->rate / 10)
			done = due - (uint64_t)(c->rate / 10);
		while (done < due) {
			syscall(SYS_getppid);
			done++;
		}
		if (c->rate > 0)
			usleep(1000);
	}
	return NULL;
}

static pid_t start_calls(unsigned int threads, double rate)
{
	const struct sched_param first = {.sched_priority = 1};
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* what else runs on the machine slows down the collector, but not the pace */
	if (rate > 0 && sched_setscheduler(0, SCHED_FIFO, &first))
		perror("collector: cannot set the pace");
	for (unsigned int i = 0; i < threads; i++) {
		struct caller *c = malloc(sizeof(*c));

		if (!c)
			_exit(1);
		c->rate = rate / threads;
		if (pthread_create(&c->thread, NULL, make_calls, c))
			_exit(1);
	}
	for (;;)
		pause();
}

static uint64_t cpu_ns(const struct rusage *u)
{
	return (uint64_t)(u->ru_utime.tv_sec + u->ru_stime.tv_sec) * 1000000000 +
	       (uint64_t)(u->ru_utime.tv_usec + u->ru_stime.tv_usec) * 1000;
}

static int whole_capture(pid_t pid, double seconds)
{
	struct capture_options opt = {
		.ntargets = 1,
		.duration_ns = (uint64_t)(seconds * 1e9),
		.threads_do = true,
		.messages = stderr,
	};
	struct capture_info info = {0};
	struct capture_session *s;
	struct capture_writer *w;
	const struct capture_result *r;
	struct target *t;
	struct rusage before, after;
	struct error e;
	double ns, bytes;
	int fd = scratch_file();

	if (target_open_any(pid, NULL, &t, &e))
		fail(&e);
	opt.targets = &t;
	if (capture_session_open(&s, &opt, &e) || capture_writer_open(&w, fd, &info, NULL, &e))
		fail(&e);
	getrusage(RUSAGE_SELF, &before);
	if (capture_session_run(s, w, &e))
		fail(&e);
	bytes = (double)capture_writer_bytes(w);
	if (capture_writer_close(w, &e))
		fail(&e);
	getrusage(RUSAGE_SELF, &after);
	r = capture_session_result(s);
	ns = (double)(cpu_ns(&after) - cpu_ns(&before)) / (double)(r->events ? r->events : 1);
	seconds = (double)(r->end_ns - r->begin_ns) / 1e9;
	printf("%12s %10s %14s %26s %12s %9s\n", "events/s", "lost", "CPU ns/event",
	       "% of a core per 100,000/s", "bytes/event", "peak MiB");
	printf("%12.0f %10llu %14.1f %26.2f %12.2f %9.1f\n", (double)r->events / seconds,
	       (unsigned long long)r->lost, ns, ns * 1e5 / 1e7,
	       bytes / (double)(r->events ? r->events : 1), peak_mib());
	capture_session_close(s);
	target_close(t);
	close(fd);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc >= 2 && !strcmp(argv[1], "stages"))
		return stages(argc > 2 ? (uint64_t)atoll(argv[2]) : 2000000);
	if (argc == 4 && !strcmp(argv[1], "process"))
		return whole_capture(atoi(argv[3]), atof(argv[2]));
	if (argc == 5 && !strcmp(argv[1], "calls")) {
		pid_t pid = start_calls((unsigned int)atoi(argv[3]), atof(argv[4]));
		int err = whole_capture(pid, atof(argv[2]));

		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return err;
	}
	fprintf(stderr, "usage: collector stages [RECORDS]\n"
			"       collector calls SECONDS THREADS RATE\n"
			"       collector process SECONDS PID\n");
	return 2;
}
