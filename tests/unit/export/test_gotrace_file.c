// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* A Go trace as a file: headers, whatever it is written to, errors. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/export/golden.h"
#include "tests/unit/export/wire_text.h"
#include "tests/unit/unit.h"
#include "user/export/export.h"

static void short_history(struct world *w)
{
	struct goroutine *g1;

	world_p(w, P_RUNNING, &w->m[0]);
	g1 = world_g(w, 1, G_RUNNING, &w->m[0]);
	world_begin(w);
	for (int i = 0; i < 3; i++) {
		w->now += 1000000000;
		GO(G_STOP, g1, &w->m[0], .stack = 8);
		GO(G_START, g1, &w->m[0]);
	}
	world_end(w);
}

static uint8_t *history_in(int fd, unsigned int minor, size_t *n)
{
	struct fixture f;
	uint8_t *data;

	fixture_setup_fd(&f, fd, minor);
	short_history(&f.w);
	CU_ASSERT_EQUAL(gotrace_finish(f.t, NULL), 0);
	data = wire_read(fd, n);
	fixture_teardown(&f);
	return data;
}

/* The same bytes whatever fd is. */
static void pipes_and_appending(void)
{
	char path[] = "/tmp/gscope-unit.XXXXXX";
	uint8_t *file, *other, buf[8192];
	size_t nfile = 0, nother = 0;
	struct fixture f;
	int fds[2], fd;

	file = history_in(memfd_create("trace", 0), 26, &nfile);
	CU_ASSERT_FATAL(file && nfile > 16 && nfile < sizeof(buf));
	CU_ASSERT_EQUAL(memcmp(file, "go 1.26 trace\0\0\0", 16), 0);

	fd = mkstemp(path);
	close(fd);
	fd = open(path, O_RDWR | O_APPEND);
	unlink(path);
	CU_ASSERT_EQUAL(write(fd, "head", 4), 4);
	other = history_in(fd, 26, &nother);
	CU_ASSERT_FATAL(other && nother == nfile + 4);
	CU_ASSERT_EQUAL(memcmp(other, "head", 4), 0);
	CU_ASSERT_EQUAL(memcmp(other + 4, file, nfile), 0);
	free(other);

	CU_ASSERT_EQUAL_FATAL(pipe(fds), 0);
	fixture_setup_fd(&f, fds[1], 26);
	short_history(&f.w);
	CU_ASSERT_EQUAL(gotrace_finish(f.t, NULL), 0);
	CU_ASSERT_EQUAL(read(fds[0], buf, sizeof(buf)), (ssize_t)nfile);
	CU_ASSERT_EQUAL(memcmp(buf, file, nfile), 0);
	fixture_teardown(&f);
	close(fds[0]);
	free(file);
}

/* Of what is asked for, else of the process's own release. */
static void headers(void)
{
	static const struct {
		unsigned int asked, own, written;
	} cases[] = {
		{0, 0, 22},   {0, 19, 22},  {0, 21, 22},  {0, 22, 22},  {0, 23, 23},
		{0, 24, 23},  {0, 25, 25},  {0, 26, 26},  {0, 27, 26},  {0, 28, 26},
		{22, 27, 22}, {24, 19, 23}, {27, 22, 26}, {25, 26, 25},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char want[16] = "";
		struct fixture f;
		uint8_t *data;
		size_t n = 0;

		fixture_setup_minor(&f, cases[i].asked);
		f.w.ps.info.go_minor = (uint16_t)cases[i].own;
		short_history(&f.w);
		CU_ASSERT_EQUAL(gotrace_finish(f.t, NULL), 0);
		snprintf(want, sizeof(want), "go 1.%u trace", cases[i].written);
		data = wire_read(f.fd, &n);
		CU_ASSERT_FATAL(data && n > 16);
		CU_ASSERT_EQUAL(memcmp(data, want, 16), 0);
		/* the last byte ends the last generation */
		CU_ASSERT_EQUAL(data[n - 1] == 52, cases[i].written >= 26);
		free(data);
		fixture_teardown(&f);
	}
}

/* In a file that has something before it, the header is written where the trace begins. */
static void starts_at_the_offset(void)
{
	int fd = memfd_create("trace", 0);
	uint8_t *data;
	size_t n = 0;
	char *text;

	CU_ASSERT_EQUAL(write(fd, "0123456789", 10), 10);
	data = history_in(fd, 23, &n);
	CU_ASSERT_FATAL(data && n > 26);
	CU_ASSERT_EQUAL(memcmp(data, "0123456789go 1.23", 17), 0);
	text = wire_text(data + 10, n - 10);
	CU_ASSERT_PTR_NOT_NULL(text);
	free(text);
	free(data);
}

static void full_disk(void)
{
	struct fixture f;
	struct error e = {0};

	fixture_setup_fd(&f, open("/dev/full", O_WRONLY), 22);
	short_history(&f.w);
	CU_ASSERT_EQUAL(f.w.err, -ENOSPC);
	CU_ASSERT_EQUAL(gotrace_finish(f.t, &e), -ENOSPC);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "full"));
	fixture_teardown(&f);
}

/* A file that cannot take the second generation keeps the first. */
static void keeps_whole_generations(void)
{
	int fd = memfd_create("trace", MFD_ALLOW_SEALING);
	struct fixture f;
	struct error e = {0};
	uint8_t *data;
	size_t n = 0, first;
	char *text;

	fixture_setup_fd(&f, fd, 22);
	world_p(&f.w, P_RUNNING, &f.w.m[0]);
	world_g(&f.w, 1, G_RUNNING, &f.w.m[0]);
	world_begin(&f.w);
	world_lose(&f.w, LOSS_GO, 1, 0);
	f.w.now += 2000000000;
	world_go(&f.w, G_STOP, &f.w.g[0], &f.w.m[0], NULL);
	data = wire_read(fd, &first);
	free(data);
	CU_ASSERT(first > 16);
	CU_ASSERT_EQUAL(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), 0);
	f.w.now += 2000000000;
	world_go(&f.w, G_START, &f.w.g[0], &f.w.m[0], NULL);
	CU_ASSERT_EQUAL(f.w.err, -EPERM);
	CU_ASSERT_EQUAL(gotrace_finish(f.t, &e), -EPERM);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "cannot write the Go trace"));
	data = wire_read(fd, &n);
	CU_ASSERT_EQUAL(n, first);
	text = wire_text(data, n);
	CU_ASSERT_PTR_NOT_NULL(text);
	free(text);
	free(data);
	fixture_teardown(&f);
}

static void no_process(void)
{
	struct gotrace_options options = {.tgid = 99};
	struct error e = {0};
	struct gotrace *t;
	struct world w;
	int fd = memfd_create("trace", 0);

	/* there is a process, but not the one that was asked for */
	world_init(&w, FIXTURE_BEGIN);
	CU_ASSERT_EQUAL(gotrace_new(&t, fd, &options, w.symbols, &e), 0);
	w.sink = gotrace_sink(t);
	short_history(&w);
	CU_ASSERT_EQUAL(w.err, 0);
	CU_ASSERT_EQUAL(gotrace_finish(t, &e), -ENODATA);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "nothing to write"));
	CU_ASSERT_EQUAL(lseek(fd, 0, SEEK_END), 0);
	gotrace_free(t);
	world_free(&w);
	close(fd);
}

/* The replay must not do this; if it does, what was good so far is kept. */
static void contradictions(void)
{
	struct fixture f;
	struct error e = {0};
	struct thread *m;
	uint8_t *data;
	size_t n = 0;
	char *text;

	fixture_setup(&f);
	m = &f.w.m[0];
	world_p(&f.w, P_RUNNING, m);
	world_g(&f.w, 1, G_RUNNING, m);
	world_begin(&f.w);
	world_go(&f.w, G_STOP, &f.w.g[0], m, NULL);
	world_go(&f.w, G_BLOCK, &f.w.g[0], m, NULL);
	world_go(&f.w, G_UNBLOCK, &f.w.g[0], m, NULL);
	CU_ASSERT_EQUAL(f.w.err, 0);
	world_end(&f.w);
	CU_ASSERT_EQUAL(f.w.err, -EPROTO);
	CU_ASSERT_EQUAL(gotrace_finish(f.t, &e), -EPROTO);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "goroutine 1 blocks but is not running"));
	data = wire_read(f.fd, &n);
	text = wire_text(data, n);
	CU_ASSERT_PTR_NOT_NULL_FATAL(text);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "GoStop"));
	CU_ASSERT_PTR_NULL(strstr(text, "GoBlock"));
	free(text);
	free(data);
	fixture_teardown(&f);
}

static void formats(void)
{
	CU_ASSERT_PTR_NULL(exporter_find("gone"));
	CU_ASSERT_PTR_NOT_NULL_FATAL(exporter_find("go"));
	CU_ASSERT_STRING_EQUAL(exporter_find("go")->suffix, ".trace");
}

static CU_TestInfo tests[] = {
	{"headers", headers},
	{"pipes and files open for appending", pipes_and_appending},
	{"begins where the file stands", starts_at_the_offset},
	{"full disk", full_disk},
	{"keeps whole generations", keeps_whole_generations},
	{"no process to write", no_process},
	{"a transition that contradicts", contradictions},
	{"formats", formats},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("export/gotrace file", tests);
