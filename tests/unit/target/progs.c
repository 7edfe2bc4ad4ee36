// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tests/unit/target/progs.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/unit.h"

#define NO_TOOLCHAIN 4 /* exit status of prog/build */

const char *const prog_all_releases[] = {"1.19", "1.21", "1.22", "1.23", "1.24",
					 "1.25", "1.26", "1.27", NULL};
const char *const prog_releases[] = {"1.21", "1.22", "1.23", "1.24", "1.25", "1.26", "1.27", NULL};
const char *const prog_modes[] = {"plain", "pie", "cgo", "cgopie", NULL};

const char *const prog_how[] = {"plain", "pie", "cgo", "cgopie", "pgo", "race", "nl", NULL};

bool prog_worth_it(const char *release, const char *how)
{
	static const char *const all[] = {"plain", "pie", "cgo", "cgopie", NULL};

	for (const char *const *m = all; *m; m++)
		if (!strcmp(how, *m))
			return true;
	/* profiles are used from 1.21 on */
	return !strcmp(release, strcmp(how, "pgo") ? "1.19" : "1.22") || !strcmp(release, "1.24") ||
	       !strcmp(release, "1.27");
}

/* Whether prog/build was run in this process, and what it said, by release and mode. */
struct built {
	char path[64];
	int status;
};

static int build(const char *release, const char *mode, const char *path)
{
	static struct built done[512];
	char command[128];
	size_t i;

	for (i = 0; done[i].path[0]; i++) {
		if (!strcmp(done[i].path, path))
			return done[i].status;
	}
	snprintf(command, sizeof(command), "tests/unit/target/prog/build %s %s", release, mode);
	strcpy(done[i].path, path);
	done[i].status = system(command);
	return done[i].status;
}

const char *prog_path(const char *release, const char *mode)
{
	static char path[64];
	const char *ci = getenv("CI");
	int status;

	snprintf(path, sizeof(path), "build/unit-targets/%s-%s", release, mode);
	status = build(release, mode, path);
	if (!status)
		return path;
	if (WIFEXITED(status) && WEXITSTATUS(status) == NO_TOOLCHAIN &&
	    !(ci && !strcmp(ci, "true")))
		printf("\n    skipped: no Go %s in build/go (tools/go-toolchains fetches it)",
		       release);
	else
		CU_FAIL("a program to test with could not be built");
	return NULL;
}

bool prog_open(struct prog_file *f, const char *path, uint64_t bias)
{
	struct error e = {0};
	int err;

	memset(f, 0, sizeof(*f));
	f->fd = open(path, O_RDONLY | O_CLOEXEC);
	err = elf_file_open(&f->elf, f->fd, path, &e);
	if (!err)
		err = buildinfo_read(&f->build, f->elf, &e);
	if (!err)
		err = pclntab_open(&f->pcln, f->elf, f->build.go_minor, bias, &e);
	CU_ASSERT_EQUAL(err, 0);
	if (!err)
		return true;
	printf("\n    %s: %s", path, e.text);
	prog_close(f);
	return false;
}

void prog_close(struct prog_file *f)
{
	pclntab_close(f->pcln);
	buildinfo_free(&f->build);
	elf_file_close(f->elf);
	if (f->fd >= 0)
		close(f->fd);
	memset(f, 0, sizeof(*f));
}

bool prog_start(struct prog *p, const char *path, const char *arg, const char *arg2, bool wait)
{
	int in[2], out[2];
	char line[64];

	memset(p, 0, sizeof(*p));
	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC)) {
		CU_FAIL("pipe2");
		return false;
	}
	p->pid = fork();
	if (!p->pid) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		execl(path, path, arg, arg2, NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	p->in = fdopen(in[1], "w");
	p->out = fdopen(out[0], "r");
	if (!wait || (fgets(line, sizeof(line), p->out) && !strcmp(line, "ready\n")))
		return true;
	CU_FAIL("the program did not get ready");
	prog_stop(p);
	return false;
}

void prog_stop(struct prog *p)
{
	fclose(p->in);
	fclose(p->out);
	kill(p->pid, SIGKILL);
	waitpid(p->pid, NULL, 0);
}
