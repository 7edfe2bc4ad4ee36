// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/inline/planter.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "user/inline/forked.h"
#include "user/inline/memory.h"
#include "user/inline/plant.h"

#define RESTORE_TRIES 100

/* What the child answers. */
struct answer {
	int err;
	struct error e;
	uint64_t pause_ns;
	uint64_t mapped;
	uint32_t threads;
};

/* --- the child ------------------------------------------------------------------------------ */

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/*
 * All but these: what the child keeps open outlives its parent, and probes are attached for as long
 * as their links are open.
 */
static void close_others(int *keep, size_t n)
{
	unsigned int from = 0;

	qsort(keep, n, sizeof(*keep), by_number);
	for (size_t i = 0; i < n; i++) {
		if (keep[i] < 0)
			continue;
		if ((unsigned int)keep[i] > from)
			syscall(SYS_close_range, from, (unsigned int)keep[i] - 1, 0);
		from = (unsigned int)keep[i] + 1;
	}
	syscall(SYS_close_range, from, ~0U, 0);
}

static void become_child(int socket, const struct target_process *p)
{
	int keep[] = {socket, p->proc_fd, p->mem_fd, p->pidfd};
	const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT};
	int null;

	setsid(); /* what ends the parent's group is not for this process */
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	prctl(PR_SET_NAME, "gscope-planter");
	/* while it waits for a CPU, the target stands still */
	prctl(PR_SET_TIMERSLACK, 1);
	sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1});
	close_others(keep, sizeof(keep) / sizeof(keep[0]));
	/* whoever reads the parent's output waits for everybody who could write it */
	null = open("/dev/null", O_RDWR);
	if (null == 0 && dup(null) == 1)
		dup(null);
}

static void send_answer(int socket, const struct answer *a, int fd)
{
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec data = {(void *)a, sizeof(*a)};
	struct msghdr m = {.msg_iov = &data, .msg_iovlen = 1};

	if (fd >= 0) {
		m.msg_control = &control;
		m.msg_controllen = sizeof(control);
		control.h.cmsg_level = SOL_SOCKET;
		control.h.cmsg_type = SCM_RIGHTS;
		control.h.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.h), &fd, sizeof(fd));
	}
	sendmsg(socket, &m, MSG_NOSIGNAL);
}

/* A process that cannot be stopped now can be some time later. */
static int restore(struct planted *d, struct error *e)
{
	const struct timespec pause = {.tv_nsec = 20000000};
	int err = plant_restore(d, e);

	for (int i = 0; i < RESTORE_TRIES && err == -EBUSY; i++) {
		nanosleep(&pause, NULL);
		err = plant_restore(d, e);
	}
	return err;
}

static void run_child(int socket, const struct target_process *p, struct inline_plan *plan,
		      const struct stub_options *o, const struct plant_owner *owner)
{
	struct answer a = {0};
	struct planted d;
	char word;

	a.err = plant(&d, p, plan, o, owner, &a.e);
	if (!a.err) {
		a.mapped = d.mapped;
		a.pause_ns = d.pause_ns;
		a.threads = d.threads;
	}
	send_answer(socket, &a, a.err ? -1 : d.shared_fd);
	if (a.err)
		return;
	forked_watch(&d, socket, &word);
	a = (struct answer){0};
	a.err = restore(&d, &a.e);
	if (!a.err)
		a.err = plant_unmap(&d, &a.e);
	forked_clean_all(&d);
	a.pause_ns = d.pause_ns;
	a.threads = d.threads;
	send_answer(socket, &a, -1);
	plant_close(&d);
}

/* --- the parent ----------------------------------------------------------------------------- */

static int no_answer(struct error *e, int err)
{
	return error_set(e, EXIT_FAILED, err, "the process that redirects calls has failed: %s",
			 strerror(-err));
}

static int receive(int socket, struct answer *a, int *fd)
{
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec data = {a, sizeof(*a)};
	struct msghdr m = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n;

	*fd = -1;
	do
		n = recvmsg(socket, &m, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (n != sizeof(*a))
		return -EPIPE;
	if (CMSG_FIRSTHDR(&m) && CMSG_FIRSTHDR(&m)->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(*fd));
	return 0;
}

static int map_memory(struct planter *p, int fd, uint64_t size)
{
	void *at;
	int err = memory_map(&at, fd, size);

	if (err)
		return err;
	p->h = at;
	p->mapped = size;
	return 0;
}

static void reap(struct planter *p)
{
	close(p->socket);
	while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
		;
	p->pid = 0;
}

/* The child's first answer. */
static int begin(struct planter *p, struct error *e)
{
	struct answer a;
	int fd, err = receive(p->socket, &a, &fd);

	if (err)
		return no_answer(e, err);
	if (a.err) {
		*e = a.e;
		return a.err;
	}
	p->pause_ns = a.pause_ns;
	p->threads = a.threads;
	err = map_memory(p, fd, a.mapped);
	close(fd);
	return err ? error_set(e, EXIT_FAILED, err, "the rings cannot be mapped: %s",
			       strerror(-err)) :
		     0;
}

int planter_start(struct planter *out, const struct target_process *p, struct inline_plan *plan,
		  const struct stub_options *o, struct error *e)
{
	struct plant_owner owner = plant_owner();
	int pair[2], err;

	*out = (struct planter){0};
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return no_answer(e, -errno);
	out->pid = fork();
	if (out->pid < 0) {
		err = -errno;
		close(pair[0]);
		close(pair[1]);
		return no_answer(e, err);
	}
	if (!out->pid) {
		close(pair[0]);
		become_child(pair[1], p);
		run_child(pair[1], p, plan, o, &owner);
		_exit(0);
	}
	close(pair[1]);
	out->socket = pair[0];
	err = begin(out, e);
	if (err)
		reap(out); /* closing the socket has it put back whatever there is */
	return err;
}

int planter_stop(struct planter *p, struct error *e)
{
	struct answer a;
	int fd, err;

	if (!p->pid)
		return 0;
	err = send(p->socket, "r", 1, MSG_NOSIGNAL) == 1 ? receive(p->socket, &a, &fd) : -errno;
	reap(p);
	if (err)
		return no_answer(e, err);
	if (a.pause_ns > p->pause_ns) {
		p->pause_ns = a.pause_ns;
		p->threads = a.threads;
	}
	if (a.err)
		*e = a.e;
	return a.err;
}

void planter_close(struct planter *p)
{
	struct error e;

	planter_stop(p, &e);
	memory_unmap(p->h, p->mapped);
	*p = (struct planter){0};
}
