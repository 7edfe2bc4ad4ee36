// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/export/random.h"
#include "tests/unit/export/wire_text.h"
#include "tests/unit/unit.h"
#include "user/export/gotrace.h"

static void begin(struct random *r)
{
	uint64_t pcs[140];

	for (unsigned int i = 0; i < 300; i++) {
		char func[2000];

		snprintf(func, sizeof(func), "main.f%0*u", rnd(r, 50) ? 1 : 1900, i);
		if (i % 10)
			world_symbol(&r->w, 0x10001 + i, func, "/src/main.go", i);
	}
	for (unsigned int i = 1; i < STACKS; i++) {
		unsigned int n = 1 + (unsigned int)rnd(r, i % 10 ? 20 : 140);

		for (unsigned int k = 0; k < n; k++)
			pcs[k] = 0x10001 + rnd(r, 300);
		world_stack(&r->w, i, pcs, n);
	}
	for (unsigned int i = 0; i < 4; i++) {
		struct thread *m = rnd(r, 2) ? &r->w.m[i] : NULL;

		world_p(&r->w, m ? P_RUNNING : P_IDLE, m);
		if (m)
			world_g(&r->w, ++r->goid, G_RUNNING, m);
	}
	for (unsigned int i = 4; i < 8; i++) {
		if (i < 6)
			world_p(&r->w, P_SYSCALL, &r->w.m[i]);
		world_g(&r->w, ++r->goid, G_SYSCALL, &r->w.m[i]);
	}
	for (unsigned int i = 0; i < 20; i++)
		world_g(&r->w, ++r->goid, rnd(r, 2) ? G_WAITING : G_RUNNABLE, NULL);
	world_begin(&r->w);
	/* what was under way */
	if (rnd(r, 2))
		world_range(&r->w, (struct range_change){.kind = RANGE_GC,
							 .begin = true,
							 .flags = CHANGE_INITIAL});
	for (unsigned int i = 0; i < r->w.ng; i += 1 + (unsigned int)rnd(r, 10))
		world_range(&r->w, (struct range_change){.kind = RANGE_MARK_ASSIST,
							 .begin = true,
							 .g = &r->w.g[i],
							 .flags = CHANGE_INITIAL});
	world_procs(&r->w, (struct procs_change){.n = 4});
}

/* Lines that begin with `what`. */
static unsigned int count(const char *text, const char *what)
{
	size_t len = strlen(what);
	unsigned int n = 0;

	for (; text; text = strchr(text, '\n')) {
		text += *text == '\n';
		n += !strncmp(text, what, len);
	}
	return n;
}

/* Of all kinds of what comes besides, each so often that it is chance no more. */
static void has_everything(const char *text)
{
	static const char *const events[] = {
		"ProcsChange",       "STWBegin",        "STWEnd",
		"GCActive",          "GCBegin",         "GCEnd",
		"GCSweepBegin",      "GCSweepEnd",      "GCMarkAssistActive",
		"GCMarkAssistBegin", "GCMarkAssistEnd", "HeapAlloc",
		"HeapGoal",          "GoLabel",         "UserTaskBegin",
		"UserTaskEnd",       "UserRegionBegin", "UserRegionEnd",
		"UserLog",           "CPUSample ",
	};

	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
		if (count(text, events[i]) < 10) {
			fprintf(stderr, "%u of %s\n", count(text, events[i]), events[i]);
			CU_FAIL("an event is missing");
		}
	}
}

void random_history(const char *name, uint64_t seed, bool coroutines, unsigned int minor,
		    uint64_t start, unsigned int steps)
{
	const struct gotrace_options options = {
		.go_minor = minor,
		.mono_ns = start,
		.wall_ns = 1700000000000000000,
	};
	struct random *r = calloc(1, sizeof(*r));
	struct gotrace *t;
	struct error e = {0};
	char path[64], *text;
	uint8_t *data;
	size_t n = 0;
	int fd;

	mkdir("build/random", 0755);
	snprintf(path, sizeof(path), "build/random/%s.trace", name);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
	CU_ASSERT_FATAL(fd >= 0);
	world_init(&r->w, start);
	r->seed = seed;
	r->coroutines = coroutines;
	CU_ASSERT_EQUAL_FATAL(gotrace_new(&t, fd, &options, r->w.symbols, &e), 0);
	r->w.sink = gotrace_sink(t);
	begin(r);
	for (unsigned int i = 0; i < steps * 20 && r->steps < steps && !r->w.err; i++)
		random_step(r);
	CU_ASSERT_EQUAL(r->steps, steps);
	world_end(&r->w);
	CU_ASSERT_EQUAL(r->w.err, 0);
	CU_ASSERT_EQUAL(gotrace_finish(t, &e), 0);
	if (e.text[0])
		fprintf(stderr, "%s: %s\n", name, e.text);

	data = wire_read(fd, &n);
	text = wire_text(data, n);
	CU_ASSERT_PTR_NOT_NULL(text);
	if (text) {
		CU_ASSERT(count(text, "Frequency") > 2);
		CU_ASSERT(count(text, "Go") + count(text, "Proc") > steps);
		CU_ASSERT_EQUAL(count(text, "GoSwitch") > 0, coroutines && minor >= 23);
		CU_ASSERT_EQUAL(count(text, "ClockSnapshot") > 2, minor >= 25);
		CU_ASSERT_EQUAL(count(text, "EndOfGeneration") > 2, minor >= 26);
		if (steps >= 30000)
			has_everything(text);
		CU_ASSERT(count(text, "ProcSteal") > 10);
		CU_ASSERT(count(text, "UserLog") > 0);
	}
	free(text);
	free(data);
	gotrace_free(t);
	world_free(&r->w);
	close(fd);
	free(r);
}
