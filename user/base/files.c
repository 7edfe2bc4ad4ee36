// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/base/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

void files_fill_standard(void)
{
	int fd = -1;

	for (int i = 0; i <= STDERR_FILENO; i++)
		if (fcntl(i, F_GETFD) < 0 && errno == EBADF)
			fd = open("/dev/null", i == STDIN_FILENO ? O_WRONLY : O_RDONLY);
	(void)fd; /* the lowest that is free: i */
}

/* What a shell gives is often far less than it may; sites and CPUs take a descriptor each. */
void files_raise(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files))
		return;
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
}

/* Also counted in the machine's table of open files, which duplicates of a descriptor are not. */
static size_t open_some(int *fds, size_t n, int *err)
{
	for (size_t i = 0; i < n; i++) {
		fds[i] = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fds[i] < 0) {
			*err = -errno;
			return i;
		}
	}
	return n;
}

static int too_few(size_t needed, size_t had, int err, struct error *e)
{
	struct rlimit files = {0};

	if (err != -EMFILE || getrlimit(RLIMIT_NOFILE, &files))
		return error_set(e, EXIT_FAILED, err, "cannot open files: %s", strerror(-err));
	/* what else is open has its place, too */
	return error_set(e, EXIT_FAILED, err,
			 "too many open files: this takes %zu, and the limit is %llu; raise it "
			 "(ulimit -n %llu)",
			 (size_t)files.rlim_cur - had + needed, (unsigned long long)files.rlim_cur,
			 (unsigned long long)files.rlim_cur - had + needed);
}

int files_check(size_t needed, struct error *e)
{
	int *fds = calloc(needed + 1, sizeof(*fds));
	size_t n;
	int err = 0;

	if (!fds)
		return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	n = open_some(fds, needed, &err);
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
	free(fds);
	return files_lacking(err) ? too_few(needed, n, err, e) : 0;
}

bool files_lacking(int err)
{
	return err == -EMFILE || err == -ENFILE;
}

const char *files_advice(int err)
{
	if (err == -ENFILE)
		return "the machine has too many open files: raise fs.file-max (sysctl)";
	return "raise their limit (ulimit -n)";
}
