// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/inline/planter.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "user/inline/plant.h"

#define LOOK_MS 50

/* What the child answers. */
struct answer {
	int err;
	struct error e;
	bool goes_on; /* that was not the last try */
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

/* Memory that is short is to be taken from others: this is the one that gives it back. */
static void stay_alive(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		(void)!write(fd, "-1000", 5);
		close(fd);
	}
	/* what it has in memory, not all that it could have */
	mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
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
	stay_alive();
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

/* One try to put everything back. -EBUSY, -EAGAIN: a thread does not stop; it will, at some time. */
static void put_back(struct planted *d, struct answer *a)
{
	*a = (struct answer){0};
	a->err = plant_restore(d, &a->e);
	if (!a->err)
		a->err = plant_unmap(d, &a->e);
	/* that one is inside of a stub is told as what it is */
	a->goes_on = a->err == -EAGAIN || (a->err == -EBUSY && d->h->state == INLINE_PLANTED);
	a->pause_ns = d->pause_ns;
	a->threads = d->threads;
}

static void run_child(int socket, const struct target_process *p, struct inline_plan *plan,
		      const struct stub_options *o, const struct plant_owner *owner)
{
	/* the parent says nothing before it is answered, unless it wants no more of it, or has ended */
	const struct remote_wait wait = {.limit_ns = REMOTE_LIMIT_NS, .cancel_fd = socket};
	struct answer a = {0};
	struct planted d;
	char word;
	ssize_t n;

	a.err = plant(&d, p, plan, o, owner, &wait, &a.e);
	if (!a.err) {
		a.mapped = d.mapped;
		a.pause_ns = d.pause_ns;
		a.threads = d.threads;
	}
	send_answer(socket, &a, a.err ? -1 : d.shared_fd);
	if (a.err)
		return;
	do
		n = read(socket, &word, sizeof(word));
	while (n < 0 && errno == EINTR);
	d.wait.cancel_fd = -1;
	do {
		put_back(&d, &a);
		send_answer(socket, &a, -1);
	} while (a.goes_on);
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
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED)
		return -errno;
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

/*
 * Wait for an answer. Once `stop` is set the child is asked to give up, or to put back what it has planted by
 * then, and answers that.
 */
static void await_answer(struct planter *p, const volatile sig_atomic_t *stop)
{
	struct pollfd fd = {.fd = p->socket, .events = POLLIN};

	while (poll(&fd, 1, LOOK_MS) <= 0) {
		if (!p->asked && stop && *stop)
			p->asked = send(p->socket, "r", 1, MSG_NOSIGNAL) == 1;
	}
}

/* The child's first answer. */
static int begin(struct planter *p, const volatile sig_atomic_t *stop, struct error *e)
{
	struct answer a = {0};
	int fd, err;

	await_answer(p, stop);
	err = receive(p->socket, &a, &fd);
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
		  const struct stub_options *o, const volatile sig_atomic_t *stop, struct error *e)
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
	err = begin(out, stop, e);
	if (!err && out->asked) {
		/* it had planted before it was asked to give up */
		if (planter_stop(out, e) == -EINPROGRESS)
			planter_leave(out);
		planter_close(out);
		return error_set(e, EXIT_TARGET, -EINTR, "interrupted");
	}
	if (err)
		reap(out); /* closing the socket has it put back whatever there is */
	return err;
}

int planter_stop(struct planter *p, struct error *e)
{
	struct answer a = {0};
	int fd, err = 0;

	if (!p->pid)
		return 0;
	if (!p->asked)
		err = send(p->socket, "r", 1, MSG_NOSIGNAL) == 1 ? 0 : -errno;
	p->asked = true;
	if (!err)
		err = receive(p->socket, &a, &fd);
	if (!err && a.goes_on) {
		*e = a.e;
		return -EINPROGRESS;
	}
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

pid_t planter_leave(struct planter *p)
{
	pid_t pid = p->pid;

	if (pid)
		close(p->socket);
	p->pid = 0;
	return pid;
}

void planter_close(struct planter *p)
{
	struct error e;

	while (planter_stop(p, &e) == -EINPROGRESS)
		;
	if (p->h)
		munmap(p->h, p->mapped);
	*p = (struct planter){0};
}
