// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tests/unit/target/plans.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/unit.h"

const struct site *plan_find(const struct sites *s, enum site_kind kind, const char *func)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].kind == kind && !strcmp(s->v[i].func, func))
			return &s->v[i];
	return NULL;
}

bool plan_open_patched(struct prog_file *copy, const struct prog_file *f, uint64_t off,
		       const void *bytes, size_t n)
{
	off_t size = lseek(f->fd, 0, SEEK_END);
	int fd = memfd_create("prog", MFD_CLOEXEC);
	char *all = malloc(size), path[32];
	bool ok;

	CU_ASSERT_EQUAL(pread(f->fd, all, size, 0), size);
	memcpy(all + off, bytes, n);
	CU_ASSERT_EQUAL(write(fd, all, size), size);
	free(all);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ok = prog_open(copy, path, 0);
	close(fd);
	return ok;
}
