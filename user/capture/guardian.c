// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/guardian.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "user/base/privilege.h"

/*
 * Without "gscope", so that `pkill gscope`, which goes by this name, does not end it before it has
 * removed the probes.
 */
#define NAME "probe-guardian"
#define PLACES 65536 /* of one request: there are not more sites in a capture */
#define LINKS 65536
#define SLICE_MS 1000
#define SLICES 30 /* to answer; what the kernel does meanwhile takes some 10 ms */
#define END_MS 3000

enum request {
	REQUEST_ATTACH = 'a',
	REQUEST_CLOSE = 'c',
	REQUEST_STATISTICS = 's',
	REQUEST_END = 'e',
};

/* What both see. The one whose turn it is writes. */
struct desk {
	struct uprobes u; /* path and lists are below */
	char path[4096];
	unsigned long offsets[PLACES];
	uint64_t cookies[PLACES];
	int closing[LINKS];
	size_t nclosing;
	size_t closed; /* so many of them so far */
	int links[LINKS]; /* open ones, those that go first when gscope is gone */
	size_t nlinks;
};

struct guardian {
	struct desk *desk;
	int here, there; /* ends of a socket pair; both have both */
	int gscope; /* pidfd */
	pid_t pid; /* 0: there is none */
	char *args; /* where our command line is, */
	size_t args_size; /* of which the guardian makes its own; 0: not known */
};

/* --- the guardian: another thread may hold any lock, so nothing but system calls ------------------ */

/* A string into a file below /proc/self. */
static void put(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		errno = 0; /* it may not; that is no reason to do without it */
	close(fd);
}

/* As ps and `pkill -f` see it; the memory is a copy. */
static void rename_args(const struct guardian *g)
{
	if (g->args_size < sizeof(NAME))
		return;
	memset(g->args, 0, g->args_size);
	memcpy(g->args, NAME, sizeof(NAME));
}

static void note_link(struct desk *d, int link)
{
	if (d->nlinks < LINKS)
		d->links[d->nlinks++] = link;
}

static void forget_link(struct desk *d, int link)
{
	size_t n = 0;

	for (size_t i = 0; i < d->nlinks; i++)
		if (d->links[i] != link)
			d->links[n++] = d->links[i];
	d->nlinks = n;
}

static int do_attach(struct desk *d)
{
	struct uprobes u = d->u;
	int link;

	u.path = d->path;
	u.offsets = d->offsets;
	u.cookies = d->cookies;
	link = uprobes_attach(&u);
	if (link >= 0)
		note_link(d, link);
	return link;
}

static void do_close(struct desk *d)
{
	for (size_t i = d->closed; i < d->nclosing; i++) {
		close(d->closing[i]);
		forget_link(d, d->closing[i]);
		d->closed = i + 1;
	}
}

static int run_times_begin(void)
{
	int fd = bpf_enable_stats(BPF_STATS_RUN_TIME);

	return fd < 0 ? -errno : fd;
}

/* False: it is to end. */
static bool serve(const struct guardian *g)
{
	int answer = 0;
	char word;

	if (recv(g->there, &word, 1, 0) != 1)
		return true;
	if (word == REQUEST_END)
		return false;
	if (word == REQUEST_ATTACH)
		answer = do_attach(g->desk);
	else if (word == REQUEST_STATISTICS)
		answer = run_times_begin();
	else
		do_close(g->desk);
	send(g->there, &answer, sizeof(answer), MSG_NOSIGNAL | MSG_DONTWAIT);
	return true;
}

/* gscope is gone: its links first, then everything it had open. */
static void clean_up(const struct guardian *g)
{
	for (size_t i = g->desk->nlinks; i > 0; i--)
		close(g->desk->links[i - 1]);
	syscall(SYS_close_range, 0U, ~0U, 0);
}

__attribute__((noreturn)) static void be_guardian(const struct guardian *g)
{
	struct pollfd fds[] = {{.fd = g->there, .events = POLLIN},
			       {.fd = g->gscope, .events = POLLIN}};

	/* all signals are blocked, and stay so; what ends the parent's group is not for this process */
	setsid();
	prctl(PR_SET_NAME, NAME);
	rename_args(g);
	put("/proc/self/oom_score_adj", "-1000");
	privilege_keep(PRIVILEGE_GUARDIAN, NULL);
	for (;;) {
		if (poll(fds, 2, -1) <= 0)
			continue;
		/* what was asked for before the end comes before it */
		if (fds[0].revents && !serve(g))
			_exit(0);
		if (!fds[0].revents && fds[1].revents)
			break;
	}
	clean_up(g);
	_exit(0);
}

/* --- gscope ----------------------------------------------------------------------------------------- */

/*
 * Not fork(): that would copy the table of descriptors. Nor may it have any of our handlers run, or a
 * signal end it.
 */
static int begin(struct guardian *g)
{
	sigset_t all, before;
	long pid;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, 0);
	if (!pid)
		be_guardian(g);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (pid < 0)
		return -errno;
	g->pid = (pid_t)pid;
	return 0;
}

static bool has_ended(struct guardian *g)
{
	if (g->pid && waitpid(g->pid, NULL, WNOHANG) != g->pid)
		return false;
	g->pid = 0;
	return true;
}

/* What the last one was asked for, or has answered, is of no use to the next one. */
static void forget_words(const struct guardian *g)
{
	char words[16];

	while (recv(g->there, words, sizeof(words), MSG_DONTWAIT) > 0)
		;
	while (recv(g->here, words, sizeof(words), MSG_DONTWAIT) > 0)
		;
}

bool guardian_look(struct guardian *g)
{
	if (!g || !has_ended(g))
		return false;
	forget_words(g);
	return !begin(g);
}

static bool is_there(struct guardian *g)
{
	guardian_look(g);
	return g->pid;
}

/* One that is stopped goes on: what it holds back is the traced process's. */
static int await_answer(struct guardian *g, int *answer)
{
	struct pollfd fd = {.fd = g->here, .events = POLLIN};

	for (int i = 0; i < SLICES; i++) {
		int n = poll(&fd, 1, SLICE_MS);

		if (n > 0 && recv(g->here, answer, sizeof(*answer), 0) == sizeof(*answer))
			return 0;
		if (n < 0)
			continue; /* a signal */
		if (has_ended(g))
			return -EPIPE;
		kill(g->pid, SIGCONT);
	}
	return -ETIMEDOUT;
}

static int ask(struct guardian *g, enum request request, int *answer)
{
	char word = (char)request;

	forget_words(g);
	if (send(g->here, &word, 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1)
		return -errno;
	return await_answer(g, answer);
}

int guardian_attach(struct guardian *g, const struct uprobes *u)
{
	struct desk *d;
	int answer, err;

	if (!g || !is_there(g))
		return uprobes_attach(u);
	d = g->desk;
	if (u->n > PLACES || strlen(u->path) >= sizeof(d->path))
		return -E2BIG;
	d->u = *u;
	strcpy(d->path, u->path);
	memcpy(d->offsets, u->offsets, u->n * sizeof(*u->offsets));
	memcpy(d->cookies, u->cookies, u->n * sizeof(*u->cookies));
	err = ask(g, REQUEST_ATTACH, &answer);
	return err ? err : answer;
}

int guardian_count_run_times(struct guardian *g)
{
	int answer, err;

	if (!g || !is_there(g))
		return run_times_begin();
	err = ask(g, REQUEST_STATISTICS, &answer);
	return err ? err : answer;
}

/* Another one may have closed it, and its number be of another file by now. */
static bool is_link(int fd)
{
	struct bpf_link_info info = {0};
	uint32_t size = sizeof(info);

	return !bpf_obj_get_info_by_fd(fd, &info, &size) && size;
}

static void close_some(struct guardian *g, const int *links, size_t n)
{
	struct desk *d = g->desk;
	int answer;

	memcpy(d->closing, links, n * sizeof(*links));
	d->nclosing = n;
	d->closed = 0;
	if (is_there(g) && !ask(g, REQUEST_CLOSE, &answer))
		return;
	if (g->pid)
		return; /* it has them still, and closes them once it can */
	for (size_t i = d->closed; i < n; i++)
		if (is_link(links[i]))
			close(links[i]);
}

void guardian_close(struct guardian *g, const int *links, size_t n)
{
	for (size_t i = 0; i < n && !g; i++)
		close(links[i]);
	for (size_t i = 0; i < n && g; i += LINKS)
		close_some(g, links + i, n - i < LINKS ? n - i : LINKS);
}

static void free_guardian(struct guardian *g)
{
	if (g->here >= 0)
		close(g->here);
	if (g->there >= 0)
		close(g->there);
	if (g->gscope >= 0)
		close(g->gscope);
	if (g->desk)
		munmap(g->desk, sizeof(*g->desk));
	free(g);
}

/* Fields 48 and 49 of /proc/self/stat: Linux, Documentation/filesystems/proc.rst. */
static void find_args(struct guardian *g)
{
	unsigned long start = 0, end = 0;
	char line[2048], *at = NULL;
	FILE *f = fopen("/proc/self/stat", "re");

	if (f && fgets(line, sizeof(line), f))
		at = strrchr(line, ')'); /* field 2 may contain anything */
	for (int field = 2; at && field < 48; field++)
		at = strchr(at + 1, ' ');
	if (at && sscanf(at, "%lu %lu", &start, &end) == 2 && end > start) {
		g->args = (char *)start;
		g->args_size = end - start;
	}
	if (f)
		fclose(f);
}

static int prepare(struct guardian *g)
{
	void *desk = mmap(NULL, sizeof(*g->desk), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int pair[2];

	if (desk == MAP_FAILED)
		return -errno;
	g->desk = desk;
	find_args(g);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	g->here = pair[0];
	g->there = pair[1];
	g->gscope = (int)syscall(SYS_pidfd_open, getpid(), 0);
	if (g->gscope < 0)
		return -errno;
	return begin(g);
}

int guardian_start(struct guardian **out, struct error *e)
{
	struct guardian *g = malloc(sizeof(*g));
	int err;

	if (!g)
		return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	*g = (struct guardian){.here = -1, .there = -1, .gscope = -1};
	err = prepare(g);
	if (err) {
		free_guardian(g);
		return error_set(e, EXIT_FAILED, err,
				 "the process that removes probes should gscope be killed cannot "
				 "be started: %s",
				 strerror(-err));
	}
	*out = g;
	return 0;
}

static void await_end(struct guardian *g)
{
	for (int i = 0; i < END_MS && !has_ended(g); i++)
		usleep(1000);
}

void guardian_stop(struct guardian *g)
{
	char word = REQUEST_END;

	if (!g)
		return;
	if (g->pid && !has_ended(g)) {
		kill(g->pid, SIGCONT);
		send(g->here, &word, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
		await_end(g);
	}
	/* one that is still at work needs them */
	if (g->pid)
		g->here = g->there = g->gscope = -1;
	free_guardian(g);
}
