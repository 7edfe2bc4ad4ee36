// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tests/unit/export/golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/export/wire_text.h"
#include "tests/unit/unit.h"

void fixture_setup_fd(struct fixture *f, int fd, unsigned int minor)
{
	const struct gotrace_options options = {
		.go_minor = minor,
		.mono_ns = 500000,
		.wall_ns = 1700000000999000000,
	};
	static const uint64_t leaf[] = {0x1001, 0x2001, 0x3001, 0x9001};
	static const uint64_t create_stack[] = {0x7001, 0x8001, 0x4001, 0x5001, 0x9001};
	static const uint64_t main_stack[] = {0x1001, 0x4001, 0x5001, 0x9001};

	world_init(&f->w, FIXTURE_BEGIN);
	world_symbol(&f->w, 0x1001, "runtime.gopark", "proc.go", 400);
	world_symbol(&f->w, 0x2001, "main.recv", "main.go", 10);
	world_symbol(&f->w, 0x3001, "main.worker", "main.go", 20);
	world_symbol(&f->w, 0x4001, "main.main", "main.go", 30);
	world_symbol(&f->w, 0x5001, "runtime.main", "proc.go", 283);
	world_symbol(&f->w, 0x6000, "main.worker", "main.go", 15);
	world_symbol(&f->w, 0x7001, "runtime.systemstack_switch", "asm.s", 480);
	world_symbol(&f->w, 0x8001, "runtime.newproc", "proc.go", 5000);
	world_symbol(&f->w, 0x9001, "runtime.goexit", "asm.s", 1);
	world_stack(&f->w, 7, leaf, 4);
	world_stack(&f->w, 8, main_stack, 4);
	world_stack(&f->w, 9, create_stack, 5);
	f->fd = fd;
	f->t = NULL;
	CU_ASSERT_EQUAL_FATAL(gotrace_new(&f->t, fd, &options, f->w.symbols, NULL), 0);
	f->w.sink = gotrace_sink(f->t);
}

void fixture_setup_minor(struct fixture *f, unsigned int minor)
{
	fixture_setup_fd(f, memfd_create("trace", 0), minor);
}

void fixture_setup(struct fixture *f)
{
	fixture_setup_minor(f, 22);
}

void fixture_teardown(struct fixture *f)
{
	gotrace_free(f->t);
	world_free(&f->w);
	close(f->fd);
}

/* The text of a golden file, without its comments. */
static char *golden_read(const char *path)
{
	FILE *in = fopen(path, "r"), *out;
	char *text = NULL, *line = NULL;
	size_t len = 0, size = 0;

	if (!in)
		return NULL;
	out = open_memstream(&text, &len);
	while (getline(&line, &size, in) > 0) {
		if (line[0] != '#')
			fputs(line, out);
	}
	free(line);
	fclose(out);
	fclose(in);
	return text;
}

static void leave(const char *name, const char *suffix, const void *data, size_t n)
{
	char path[256];
	FILE *out;

	mkdir("build/golden", 0755);
	snprintf(path, sizeof(path), "build/golden/%s%s", name, suffix);
	out = fopen(path, "w");
	if (out) {
		fwrite(data, 1, n, out);
		fclose(out);
	}
}

void golden_check(struct fixture *f, const char *name)
{
	char path[256], *want, *got = NULL;
	uint8_t *data;
	size_t n = 0;

	CU_ASSERT_EQUAL(f->w.err, 0);
	CU_ASSERT_EQUAL(gotrace_finish(f->t, NULL), 0);
	snprintf(path, sizeof(path), "tests/golden/gotrace_%s.txt", name);
	want = golden_read(path);
	data = wire_read(f->fd, &n);
	if (data)
		got = wire_text(data, n);
	CU_ASSERT_PTR_NOT_NULL(want);
	CU_ASSERT_PTR_NOT_NULL(got);
	if (!want || !got || strcmp(want, got)) {
		leave(name, ".trace", data, n);
		if (got)
			leave(name, ".txt", got, strlen(got));
		CU_FAIL("differs from the golden file");
	}
	free(data);
	free(want);
	free(got);
}
