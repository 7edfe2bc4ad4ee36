// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tests/unit/report/scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <CUnit/CUnit.h>

struct report *report;
struct sink sink;
struct symbols *symbols;
struct process target;
struct thread m1, m2;
uint64_t now;

void add_symbol(uint64_t pc, const char *func)
{
	char room[512] __attribute__((aligned(8))) = {0};
	struct ev_symbol *s = (void *)room;
	struct ev_frame *f = (void *)(s + 1);

	s->tgid = 42;
	s->n = 1;
	s->pc = pc;
	f->func_len = (__u16)strlen(func);
	memcpy(f + 1, func, strlen(func));
	CU_ASSERT_EQUAL(symbols_add_symbol(symbols, s), 0);
}

void thread_to(struct thread *t, enum t_state to, uint32_t by, const char *comm)
{
	struct t_change c = {.time = now,
			     .since = t->since,
			     .t = t,
			     .from = t->state,
			     .to = to,
			     .by_tid = by,
			     .by_comm = comm};

	t->state = to;
	t->since = now;
	CU_ASSERT_EQUAL(sink.ops->thread(sink.ctx, &c), 0);
}

void go(struct goroutine *g, enum g_cause cause, enum g_state to, struct thread *m,
	const char *reason)
{
	struct g_change c = {.time = now,
			     .since = g->since,
			     .g = g,
			     .from = g->state,
			     .to = to,
			     .cause = cause,
			     .m = m,
			     .reason = reason,
			     .block = ""};

	if (m)
		m->g = to == G_RUNNING || to == G_SYSCALL ? g : NULL;
	g->state = to;
	g->since = now;
	CU_ASSERT_EQUAL(sink.ops->goroutine(sink.ctx, &c), 0);
}

void syscall_took(struct thread *t, struct goroutine *g, int nr, uint64_t ns, int64_t ret)
{
	struct syscall_span s = {
		.begin = now - ns, .end = now, .t = t, .g = g, .nr = nr, .ret = ret};

	CU_ASSERT_EQUAL(sink.ops->syscall(sink.ctx, &s), 0);
}

struct goroutine goroutine(uint64_t serial, uint64_t id, uint64_t start, bool system)
{
	return (struct goroutine){.addr = 0xc000000000 + serial * 512,
				  .serial = serial,
				  .id = id,
				  .start_pc = start,
				  .system = system,
				  .process = &target};
}

void begin(const struct report_options *options)
{
	symbols = symbols_new();
	CU_ASSERT_PTR_NOT_NULL_FATAL(symbols);
	add_symbol(0x400000, "main.main");
	add_symbol(0x401000, "net/http.(*Server).Serve.gowrap3");
	add_symbol(0x402000, "runtime.bgsweep");
	add_symbol(0x403000, "example.com/a/module/with/a/long/path/größe.(*Arbeiter).läuft.func1");
	target = (struct process){.tgid = 42};
	strcpy(target.info.comm, "server");
	strcpy(target.info.go_version, "go1.26.1");
	strcpy(target.info.exe, "/srv/bin/\033[2Jserver");
	m1 = (struct thread){.tid = 43, .tgid = 42, .process = &target, .comm = "server"};
	m2 = (struct thread){.tid = 44, .tgid = 42, .process = &target, .comm = "server"};
	CU_ASSERT_EQUAL_FATAL(report_new(&report, options, symbols, NULL), 0);
	sink = report_sink(report);
	now = 10 * SECOND;
}

void end(struct replay_totals totals)
{
	totals.begin_ns = 10 * SECOND;
	totals.end_ns = now;
	CU_ASSERT_EQUAL(sink.ops->end(sink.ctx, &totals, NULL), 0);
}

char *print(void)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	CU_ASSERT_PTR_NOT_NULL_FATAL(f);
	CU_ASSERT_EQUAL(report_print(report, f, NULL), 0);
	fclose(f);
	report_free(report);
	symbols_free(symbols);
	return text;
}

void expect(const char *got, const char *want)
{
	CU_ASSERT_STRING_EQUAL(got, want);
	if (strcmp(got, want))
		printf("--- got\n%s--- want\n%s", got, want);
}
