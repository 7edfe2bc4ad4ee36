// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/export/world.h"
#include "tests/unit/unit.h"
#include "user/capture/file.h"
#include "user/export/dump.h"

#define BEGIN 5000000000

struct fixture {
	struct world w;
	struct dump *d;
	FILE *out;
	char *text;
	size_t len;
};

static void setup(struct fixture *f, struct dump_options options)
{
	static const uint64_t pcs[] = {0x1001, 0x2001, 0x3001, 0x4001, 0x5001, 0x6001};

	world_init(&f->w, BEGIN);
	world_symbol(&f->w, 0x1001, "runtime.gopark", "proc.go", 400);
	world_symbol(&f->w, 0x2001, "main.recv", "main.go", 10);
	world_symbol(&f->w, 0x3001, "main.inner", "main.go", 20);
	world_symbol(&f->w, 0x4001, "main.outer", "main.go", 30);
	world_symbol(&f->w, 0x5001, "main.worker", "main.go", 40);
	world_stack(&f->w, 7, pcs, 3);
	world_stack(&f->w, 8, pcs, 6);
	f->text = NULL;
	f->out = open_memstream(&f->text, &f->len);
	CU_ASSERT_EQUAL_FATAL(dump_new(&f->d, f->out, &options, NULL), 0);
	dump_set_symbols(f->d, f->w.symbols);
	f->w.sink = dump_sink(f->d);
}

/* What was printed has to be exactly this. */
static void check(struct fixture *f, const char *want)
{
	CU_ASSERT_EQUAL(f->w.err, 0);
	CU_ASSERT_EQUAL(dump_finish(f->d, NULL), 0);
	if (strcmp(f->text, want))
		fprintf(stderr, "\n--- want\n%s--- got\n%s", want, f->text);
	CU_ASSERT_STRING_EQUAL(f->text, want);
	fclose(f->out);
	free(f->text);
	dump_free(f->d);
	world_free(&f->w);
}

#define GO(cause, g, m, ...) world_go(w, cause, g, m, &(const struct with){__VA_ARGS__})

static void transitions(void)
{
	struct fixture f;
	struct world *w = &f.w;
	struct goroutine *g1, *g2;
	struct proc *p;

	setup(&f, (struct dump_options){.transitions = true});
	strcpy(w->ps.info.go_version, "go1.25.3");
	strcpy(w->ps.info.exe, "/bin/server");
	p = world_p(w, P_RUNNING, &w->m[0]);
	g1 = world_g(w, 1, G_RUNNING, &w->m[0]);
	g2 = world_g(w, 17, G_WAITING, NULL);
	g2->reason = "IO wait";
	g2->start_pc = 0x5001;
	world_begin(w);
	GO(G_UNBLOCK, g2, NULL);
	GO(G_SYSCALL_ENTER, g1, &w->m[0], .stack = 8, .skip = 1);
	world_proc(w, P_STEAL, p, &w->m[1]);
	world_proc(w, P_START, p, &w->m[1]);
	GO(G_START, g2, &w->m[1], .other = NULL);
	GO(G_BLOCK, g2, &w->m[1], .reason = "chan receive", .block = "chan receive", .stack = 8);
	GO(G_UNBLOCK, g2, &w->m[0], .other = g1, .stack = 99);
	world_lose(w, LOSS_GO, 12, 0);
	world_end(w);
	check(&f, "0.000000000 process 4000 go1.25.3 /bin/server\n"
		  "0.000000000 M4000 P0 G- proc-init running\n"
		  "0.000000000 M4000 P0 G1 init running\n"
		  "0.000000000 M- P- G17 init waiting \"IO wait\" start=main.worker\n"
		  "0.000001000 M- P- G17 unblock waiting=0.000001000\n"
		  "0.000002000 M4000 P0 G1 syscall-enter running=0.000002000 "
		  "stack=main.recv<main.inner<main.outer<+2\n"
		  "0.000003000 M4001 P0 G- proc-steal from M4000\n"
		  "0.000004000 M4001 P0 G- proc-start\n"
		  "0.000005000 M4001 P0 G17 start runnable=0.000004000\n"
		  "0.000006000 M4001 P0 G17 block \"chan receive\" (chan receive) "
		  "running=0.000001000 stack=runtime.gopark<main.recv<main.inner<+3\n"
		  "0.000007000 M4000 P- G17 unblock by G1 waiting=0.000001000 stack=#99\n"
		  "0.000008000 loss go count=12 cpu=0\n"
		  "0.000008000 end: records=0 lost=0 repairs=0 inferred=0\n");
}

static void other_changes(void)
{
	struct fixture f;
	struct world *w = &f.w;
	struct thread *m = &w->m[0];
	struct t_change t = {
		.time = BEGIN + 10,
		.since = BEGIN + 3,
		.t = m,
		.from = T_RUNNING,
		.to = T_RUNNABLE,
		.cpu = 3,
		.by_tid = 77,
		.by_comm = "make",
	};
	struct syscall_span s = {BEGIN + 1, BEGIN + 1000000021, m, NULL, 0, -EAGAIN};
	struct repair r = {.time = BEGIN + 30, .process = &w->ps, .what = "G runs twice"};
	struct goroutine *g, *co;

	setup(&f, (struct dump_options){.transitions = true, .begin_ns = BEGIN + 5});
	g = world_g(w, 1, G_RUNNING, m);
	g->addr = 0xc000;
	world_p(w, P_RUNNING, m);
	co = world_new_g(w, 2);
	co->state = G_WAITING;
	CU_ASSERT_EQUAL(w->sink.ops->thread(w->sink.ctx, &t), 0);
	CU_ASSERT_EQUAL(w->sink.ops->syscall(w->sink.ctx, &s), 0);
	r.g = g;
	CU_ASSERT_EQUAL(w->sink.ops->repair(w->sink.ctx, &r), 0);
	w->now = BEGIN + 2;
	GO(G_SWITCH_OUT, g, m, .other = co, .reason = "coroutine");
	CU_ASSERT_EQUAL(w->sink.ops->gone(w->sink.ctx, &w->ps, GONE_EXEC, BEGIN + 40), 0);
	check(&f, "0.000000005 M4000 P0 G1 thread-runnable cpu=3 by make/77 running=0.000000007\n"
		  "1.000000016 M4000 P0 G- syscall read ret=-11 took=1.000000020\n"
		  "0.000000025 M- P- G1 repair: G runs twice\n"
		  "-0.000000003 M4000 P0 G1 switch-out \"coroutine\" to G2\n"
		  "-0.000000003 M4000 P0 G2 switch-in from G1\n"
		  "0.000000035 process 4000 gone: exec\n");
}

#define TELL(op, change, ...)                                          \
	do {                                                           \
		const struct change c_ = {__VA_ARGS__};                \
                                                                       \
		CU_ASSERT_EQUAL(w->sink.ops->op(w->sink.ctx, &c_), 0); \
	} while (0)

/* Who does it, in the tests below. */
#define BY .m = m, .p = p, .g = g

static void ranges(void)
{
	struct fixture f;
	struct world *w = &f.w;
	struct thread *m = &w->m[0];
	struct goroutine *g;
	struct proc *p;

	setup(&f, (struct dump_options){.transitions = true, .begin_ns = BEGIN});
	p = world_p(w, P_RUNNING, m);
	g = world_g(w, 17, G_RUNNING, m);
	TELL(procs, procs_change, .time = BEGIN + 1, .process = &w->ps, .n = 4,
	     .flags = CHANGE_INITIAL);
	TELL(range, range_change, .time = BEGIN + 1, .kind = RANGE_GC, .begin = true,
	     .process = &w->ps, .flags = CHANGE_INITIAL);
	TELL(range, range_change, .time = BEGIN + 2, .kind = RANGE_STW, .begin = true,
	     .process = &w->ps, BY, .name = "GC mark termination", .stack = 8, .skip = 1);
	TELL(procs, procs_change, .time = BEGIN + 3, .process = &w->ps, .n = 2, BY, .stack = 7);
	TELL(range, range_change, .time = BEGIN + 1000000004, .since = BEGIN + 2, .kind = RANGE_STW,
	     .process = &w->ps, BY, .name = "GC mark termination", .stack = 8);
	TELL(range, range_change, .time = BEGIN + 5, .kind = RANGE_GC, .process = &w->ps, BY,
	     .name = "");
	TELL(range, range_change, .time = BEGIN + 6, .kind = RANGE_MARK_ASSIST, .begin = true,
	     .process = &w->ps, BY, .stack = 7);
	TELL(range, range_change, .time = BEGIN + 7, .since = BEGIN + 6, .kind = RANGE_MARK_ASSIST,
	     .process = &w->ps, BY, .flags = CHANGE_REPAIR);
	TELL(range, range_change, .time = BEGIN + 8, .since = BEGIN + 7, .kind = RANGE_SWEEP,
	     .process = &w->ps, BY, .swept = 8192, .reclaimed = 4096);
	TELL(heap, heap_change, .time = BEGIN + 9, .process = &w->ps, .live = 12345,
	     .goal = 4 << 20);
	/* nothing happens at the first */
	TELL(shed, ev_shed, .h.time_ns = BEGIN + 9, .what = SHED_ASKED, .stacks = 1,
	     .budget = 30000);
	TELL(shed, ev_shed, .h.time_ns = BEGIN + 10, .what = SHED_STEP, .stacks = 10,
	     .from = SHED_STACKS, .to = SHED_WINDOWS, .overhead = 123456, .budget = 30000);
	TELL(shed, ev_shed, .h.time_ns = BEGIN + 11, .what = SHED_PROBES_OFF, .from = SHED_WINDOWS,
	     .to = SHED_WINDOWS, .overhead = 123456);
	check(&f, "0.000000001 M- P- G- procs 4 initial\n"
		  "0.000000001 M- P- G- gc-begin initial\n"
		  "0.000000002 M4000 P0 G17 stw-begin \"GC mark termination\" "
		  "stack=main.recv<main.inner<main.outer<+2\n"
		  "0.000000003 M4000 P0 G17 procs 2 stack=runtime.gopark<main.recv<main.inner\n"
		  "1.000000004 M4000 P0 G17 stw-end \"GC mark termination\" took=1.000000002\n"
		  "0.000000005 M4000 P0 G17 gc-end\n"
		  "0.000000006 M4000 P0 G17 mark-assist-begin "
		  "stack=runtime.gopark<main.recv<main.inner\n"
		  "0.000000007 M4000 P0 G17 mark-assist-end took=0.000000001 repair\n"
		  "0.000000008 M4000 P0 G17 sweep-end swept=8192 reclaimed=4096 "
		  "took=0.000000001\n"
		  "0.000000009 heap live=12345 goal=4194304\n"
		  "0.000000010 shed step no-stacks->windows stacks=1/10 overhead=12.34% "
		  "budget=3.00%\n"
		  "0.000000011 shed probes-off level=windows stacks=none overhead=12.34%\n");
}

/* Names are the program's: whatever is in them, each is on one line, and none is like another. */
static void annotations(void)
{
	struct fixture f;
	struct world *w = &f.w;
	struct thread *m = &w->m[0];
	struct goroutine *g;
	struct proc *p;

	setup(&f, (struct dump_options){.transitions = true, .begin_ns = BEGIN});
	p = world_p(w, P_RUNNING, m);
	g = world_g(w, 17, G_RUNNING, m);
	TELL(user, user_change, .time = BEGIN + 1, .kind = USER_TASK_BEGIN, BY, .task = 7,
	     .parent = 3, .name = "größe \"x\"", .stack = 7);
	TELL(user, user_change, .time = BEGIN + 2, .kind = USER_REGION_BEGIN, BY, .task = 7,
	     .name = "a\nb");
	TELL(user, user_change, .time = BEGIN + 3, .kind = USER_LOG, BY, .task = 7,
	     .name = "\033[31mred", .text = "50% \\ \xff");
	TELL(user, user_change, .time = BEGIN + 4, .kind = USER_REGION_END, BY, .task = 7,
	     .name = "a\nb");
	TELL(user, user_change, .time = BEGIN + 5, .kind = USER_START_REGION, BY, .name = "");
	TELL(user, user_change, .time = BEGIN + 6, .kind = USER_TASK_END, BY, .task = 7);
	TELL(label, label_change, .time = BEGIN + 7, BY, .label = "GC (idle)", .gc_worker = true);
	TELL(label, label_change, .time = BEGIN + 8, BY, .label = "user=\b");
	TELL(label, label_change, .time = BEGIN + 9, BY, .label = "");
	TELL(sample, cpu_sample, .time = BEGIN + 10, .t = m, .g = g, .p = p, .cpu = 3, .stack = 7,
	     .in_kernel = true);
	TELL(sample, cpu_sample, .time = BEGIN + 11, .t = &w->m[1]);
	check(&f, "0.000000001 M4000 P0 G17 task-begin task=7 parent=3 \"größe \\x22x\\x22\" "
		  "stack=runtime.gopark<main.recv<main.inner\n"
		  "0.000000002 M4000 P0 G17 region-begin task=7 \"a\\x0ab\"\n"
		  "0.000000003 M4000 P0 G17 log task=7 \"\\x1b[31mred\" \"50% \\x5c \\xff\"\n"
		  "0.000000004 M4000 P0 G17 region-end task=7 \"a\\x0ab\"\n"
		  "0.000000005 M4000 P0 G17 start-region \"\"\n"
		  "0.000000006 M4000 P0 G17 task-end task=7\n"
		  "0.000000007 M4000 P0 G17 gc-worker \"GC (idle)\"\n"
		  "0.000000008 M4000 P0 G17 labels \"user=\\x08\"\n"
		  "0.000000009 M4000 P0 G17 labels \"\"\n"
		  "0.000000010 M4000 P0 G17 sample cpu=3 kernel "
		  "stack=runtime.gopark<main.recv<main.inner\n"
		  "0.000000011 M4001 P- G- sample cpu=0\n");
}

static void records(void)
{
	struct ev_snap_p p = {.tgid = 4000, .id = 2, .p = 0x9000, .status = 1};
	struct ev_snap_g g = {
		.tgid = 4000,
		.status = 4,
		.wait_reason = 3,
		.gp = 0xc000,
		.goid = 17,
		.parent_goid = 1,
		.start_pc = 0x5001,
	};
	struct {
		struct ev_string s;
		char text[16];
	} reason = {.s = {.tgid = 4000, .kind = STRING_WAIT_REASON, .number = 3}, .text = "select"};
	struct ev_go go = {
		.tgid = 4000,
		.cpu = 1,
		.gp = 0xc000,
		.goid = 17,
		.p = 0x9000,
		.other = 0xd000,
		.stack = 7,
		.site = 4,
		.kind = GO_PARK,
		.old_status = 2,
		.new_status = 4,
		.wait_reason = 3,
		.block_reason = 9,
		.skip = -1,
	};
	struct ev_switch sw = {
		.tgid = 4000,
		.cpu = 1,
		.next_tid = 12,
		.ctx = {.g = 0xc000, .curg = 0xc000, .p = 0x9000},
		.prev_state = 1,
		.flags = SWITCH_PREEMPT,
		.next_comm = "make",
	};
	struct ev_sys_exit sys = {
		.tgid = 4000,
		.gstatus = 3,
		.ctx = {.g = 0xe000, .curg = 0xc000},
		.oldp = 0x9000,
		.oldp_status = 2,
		.ret = -11,
	};
	struct fixture f;

	setup(&f, (struct dump_options){.events = true});
	p.h = (struct event_head){BEGIN, 0, EV_SNAP_P, sizeof(p)};
	reason.s.h = (struct event_head){BEGIN, 0, EV_STRING, sizeof(reason)};
	g.h = (struct event_head){BEGIN, 0, EV_SNAP_G, sizeof(g)};
	go.h = (struct event_head){BEGIN + 100, 4001, EV_GO, sizeof(go)};
	sw.h = (struct event_head){BEGIN + 200, 4001, EV_SWITCH, sizeof(sw)};
	sys.h = (struct event_head){BEGIN + 300, 4001, EV_SYS_EXIT, sizeof(sys)};
	CU_ASSERT_EQUAL(dump_event(f.d, &p.h, NULL), 0);
	CU_ASSERT_EQUAL(dump_event(f.d, &reason.s.h, NULL), 0);
	CU_ASSERT_EQUAL(dump_event(f.d, &g.h, NULL), 0);
	CU_ASSERT_EQUAL(dump_event(f.d, &go.h, NULL), 0);
	CU_ASSERT_EQUAL(dump_event(f.d, &sw.h, NULL), 0);
	CU_ASSERT_EQUAL(dump_event(f.d, &sys.h, NULL), 0);
	/* asked for records only */
	CU_ASSERT_PTR_NULL(f.w.sink.ops->goroutine);
	check(&f,
	      "> 0.000000000 T0 snap_p P2 running\n"
	      "> 0.000000000 T0 string wait-reason 3 \"select\"\n"
	      "> 0.000000000 T0 snap_g G17 waiting \"select\" parent=G1 start=main.worker\n"
	      "> 0.000000100 T4001 go park G17 P2 running->waiting \"select\" (#9) other G? "
	      "cpu=1 site=4 skip=-1 stack=runtime.gopark<main.recv<main.inner\n"
	      "> 0.000000200 T4001 switch cpu=1 state=S preempted G17 P2 next=make/12\n"
	      "> 0.000000300 T4001 sys_exit read ret=-11 G17 system-stack syscall old P2 syscall\n");
}

/* Addresses, files and lines are for -v. */
static void verbose(void)
{
	struct ev_sys_enter sys = {.tgid = 4000, .nr = 1, .ctx = {.curg = 0xc000}, .stack = 7};
	struct fixture f;

	setup(&f, (struct dump_options){.verbose = true});
	sys.h = (struct event_head){BEGIN, 4001, EV_SYS_ENTER, sizeof(sys)};
	CU_ASSERT_EQUAL(dump_event(f.d, &sys.h, NULL), 0);
	check(&f,
	      "> 0.000000000 T4001 sys_enter write G?@0xc000 idle "
	      "stack=runtime.gopark(proc.go:400)<main.recv(main.go:10)<main.inner(main.go:20)\n");
}

/* Every type of record has a line, also one with every byte set. */
static void every_type(void)
{
	union {
		struct event_head h;
		uint8_t bytes[1024];
	} ev;
	struct fixture f;
	unsigned int n = 0, lines = 0;

	setup(&f, (struct dump_options){.events = true});
	for (unsigned int type = 0; type < 100; type++) {
		if (!event_type_name(type))
			continue;
		memset(&ev, 0, sizeof(ev));
		for (unsigned int size = sizeof(ev.h); size <= sizeof(ev); size += 8) {
			ev.h = (struct event_head){BEGIN, 1, (uint16_t)type, (uint16_t)size};
			if (!event_valid(&ev.h))
				continue;
			CU_ASSERT_EQUAL(dump_event(f.d, &ev.h, NULL), 0);
			n++;
			break;
		}
	}
	fflush(f.out);
	for (const char *at = f.text; (at = strchr(at, '\n')); at++)
		lines++;
	CU_ASSERT(n > 15);
	CU_ASSERT_EQUAL(lines, n);
	CU_ASSERT_PTR_NULL(strstr(f.text, "T1 ?"));
	fclose(f.out);
	free(f.text);
	dump_free(f.d);
	world_free(&f.w);
}

static void full_disk(void)
{
	struct ev_gone gone = {.tgid = 1, .how = GONE_EXIT};
	struct error e = {0};
	struct dump *d;
	FILE *out = fopen("/dev/full", "w");

	CU_ASSERT_EQUAL_FATAL(dump_new(&d, out, NULL, &e), 0);
	gone.h = (struct event_head){BEGIN, 1, EV_GONE, sizeof(gone)};
	for (int i = 0; i < 10000 && !dump_event(d, &gone.h, &e); i++)
		;
	CU_ASSERT(dump_finish(d, &e) < 0);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "cannot write the dump"));
	dump_free(d);
	fclose(out);
}

static CU_TestInfo tests[] = {
	{"transitions", transitions},
	{"threads, system calls, repairs", other_changes},
	{"ranges and the heap", ranges},
	{"annotations, labels, samples", annotations},
	{"records", records},
	{"verbose", verbose},
	{"every type of record", every_type},
	{"full disk", full_disk},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("export/dump", tests);
