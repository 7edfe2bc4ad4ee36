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

#include "user/base/clock.h"
#include "user/base/privilege.h"
#include "user/inline/forked.h"
#include "user/inline/memory.h"
#include "user/inline/pending.h"
#include "user/inline/plant.h"

/*
 * Without "gscope", so that `pkill gscope`, which goes by this name, does not end it before it has put
 * everything back.
 */
#define NAME "call-planter"
#define RETRY_NS 100000000
#define ORPHAN_NS \
	3600000000000 /* to put calls back once the parent is gone: then they stay, and do no harm */
#define DEBUGGER_NS \
	10000000000 /* for a debugger to let go of the threads, while the parent waits */
#define LOOK_MS 50
#define SLICE_MS 1000
#define SLICES 10 /* to answer, before another one does it */
#define LOOK_NS 50000000

/* What the parent says: put everything back; and give up doing so. */
enum word { WORD_RESTORE = 'r', WORD_END = 'e' };

/* What the child answers. */
struct answer {
	int err;
	struct error e;
	bool restored; /* all calls lead where they did, whatever became of the rest */
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
	/* what it has in memory, not all that it could have; nor what it maps later, which has a limit */
	mlockall(MCL_CURRENT | MCL_ONFAULT);
}

static void become_child(int socket, int parent, const struct target_process *p)
{
	int keep[] = {socket, parent, p->proc_fd, p->mem_fd, p->pidfd};
	const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT};
	int null;

	setsid(); /* what ends the parent's group is not for this process */
	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	prctl(PR_SET_NAME, NAME);
	stay_alive();
	privilege_keep(PRIVILEGE_PLANT, NULL);
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

/* A debugger holds the threads, or one does not stop: that may change. */
static bool may_change(const struct answer *a)
{
	return !a->restored ? a->err == -EPERM || a->err == -EBUSY : a->err == -EAGAIN;
}

/* One try. */
static struct answer put_back(struct planted *d)
{
	struct answer a = {0};

	a.err = plant_restore(d, &a.e);
	a.restored = !a.err;
	if (!a.err)
		a.err = plant_unmap(d, &a.e);
	forked_clean_all(d);
	a.pause_ns = d->pause_ns;
	a.threads = d->threads;
	return a;
}

/*
 * What an earlier child of the same parent has planted, by the parent's knowledge of it: -ENOENT if there is
 * nothing, because that one has put it back, or the process has ended or runs another program.
 */
static int adopt(struct planted *d, const struct planter *of, struct error *e)
{
	*d = (struct planted){.p = of->process,
			      .layout = of->layout,
			      .wait = {.limit_ns = REMOTE_LIMIT_NS, .cancel_fd = -1},
			      .own = of->own,
			      .mem_fd = -1,
			      .shared_fd = -1};
	/* one that does not get on is found by `gscope detach` */
	pending_wait(of->process, &d->wait, e);
	return plant_find_rings(d) && plant_is_mapped(d, of->process) ?
		       plant_open_memory(d, of->process, e) :
		       -ENOENT;
}

/* Wait for a word of the parent's, and look at the target's children in the meantime: false: it is gone. */
static bool await_word(const struct planted *d, int socket, int parent, char *word)
{
	struct pollfd fds[] = {{.fd = socket, .events = POLLIN}, {.fd = parent, .events = POLLIN}};
	int rest = 0;

	for (;;) {
		int got = poll(fds, 2, rest);
		ssize_t n;

		if (!got)
			rest = forked_watch(d);
		if (got <= 0)
			continue;
		n = recv(socket, word, sizeof(*word), MSG_DONTWAIT);
		if (n == sizeof(*word))
			return true;
		/* its end of the socket may be open still, by who shares its descriptors */
		if (!n || (n < 0 && errno != EAGAIN && errno != EINTR) || fds[1].revents)
			return false;
	}
}

/* Whoever finds what is left now is to wait for this process. */
static void put_back_alone(struct planted *d)
{
	const struct timespec pause = {.tv_nsec = RETRY_NS};
	struct plant_owner owner = plant_owner();
	uint64_t end = now_ns() + ORPHAN_NS;

	plant_set_owner(d, &owner);
	for (;;) {
		struct answer a = put_back(d);

		if (!may_change(&a) || now_ns() > end)
			return;
		nanosleep(&pause, NULL);
	}
}

/* As often as the parent asks for it, until it is done, or given up. */
static void serve(struct planted *d, int socket, int parent)
{
	struct answer a;
	char word;

	do {
		if (!await_word(d, socket, parent, &word)) {
			put_back_alone(d);
			return;
		}
		if (word == WORD_END)
			return;
		a = put_back(d);
		send_answer(socket, &a, -1);
	} while (may_change(&a));
}

/* Without a plan: adopt what is there. */
static void run_child(int socket, int parent, const struct planter *of, struct inline_plan *plan,
		      const struct stub_options *o)
{
	/* the parent says nothing before it is answered, unless it wants no more of it, or has ended */
	const struct remote_wait wait = {.limit_ns = REMOTE_LIMIT_NS, .cancel_fd = socket};
	struct answer a = {0};
	struct planted d;

	a.err = plan ? plant(&d, of->process, plan, o, &of->owner, &wait, of->own, &a.e) :
		       adopt(&d, of, &a.e);
	if (!a.err) {
		a.mapped = d.mapped;
		a.pause_ns = d.pause_ns;
		a.threads = d.threads;
	}
	send_answer(socket, &a, a.err ? -1 : d.shared_fd);
	if (a.err)
		return;
	d.wait.cancel_fd = -1;
	serve(&d, socket, parent);
	plant_close(&d);
}

/* --- the parent ----------------------------------------------------------------------------- */

static int no_answer(struct error *e, int err)
{
	return error_set(e, EXIT_FAILED, err, "the process that redirects calls has failed: %s",
			 strerror(-err));
}

/* -EPIPE: it has ended; -ETIMEDOUT: it does not answer. One that is stopped is to go on. */
static int await_answer(const struct planter *p)
{
	struct pollfd fd = {.fd = p->socket, .events = POLLIN};

	for (int i = 0; i < SLICES; i++) {
		if (poll(&fd, 1, SLICE_MS) > 0)
			return 0;
		kill(p->pid, SIGCONT);
	}
	return -ETIMEDOUT;
}

static int receive(const struct planter *p, struct answer *a, int *fd)
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
	int err = await_answer(p);
	ssize_t n;

	*fd = -1;
	if (err)
		return err;
	do
		n = recvmsg(p->socket, &m, MSG_CMSG_CLOEXEC);
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

/* It ends by itself, now that its socket is closed; but it may be held up. */
static void reap(struct planter *p)
{
	close(p->socket);
	for (int i = 0; i < SLICES * SLICE_MS && waitpid(p->pid, NULL, WNOHANG) != p->pid; i++) {
		if (i && i % SLICE_MS == 0)
			kill(p->pid, SIGCONT);
		usleep(1000);
	}
	p->pid = 0;
}

/* One that does not do what it is there for. */
static void give_up(struct planter *p)
{
	kill(p->pid, SIGKILL);
	reap(p);
}

/*
 * Wait for the child's first answer. Once `stop` is set it is asked to give up, or to put back what it has
 * planted by then, and answers that, too.
 */
static int await_first(const struct planter *p, const volatile sig_atomic_t *stop, bool *asked)
{
	const char word = WORD_RESTORE;
	struct pollfd fd = {.fd = p->socket, .events = POLLIN};

	for (int ms = 0; ms < SLICES * SLICE_MS; ms += LOOK_MS) {
		if (poll(&fd, 1, LOOK_MS) > 0)
			return 0;
		if (!*asked && stop && *stop)
			*asked = send(p->socket, &word, 1, MSG_NOSIGNAL) == 1;
		if (ms % SLICE_MS == 0)
			kill(p->pid, SIGCONT);
	}
	return -ETIMEDOUT;
}

static int begin(struct planter *p, const volatile sig_atomic_t *stop, bool *asked, struct error *e)
{
	struct answer a = {0};
	int fd = -1, err = await_first(p, stop, asked);

	if (!err)
		err = receive(p, &a, &fd);
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

/* A child that plants, or that adopts what one has planted. */
static int fork_child(struct planter *p, struct inline_plan *plan, const struct stub_options *o)
{
	int pair[2], parent, err = 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -errno;
	parent = (int)syscall(SYS_pidfd_open, getpid(), 0);
	p->pid = fork();
	if (p->pid < 0)
		err = -errno;
	if (!p->pid) {
		close(pair[0]);
		become_child(pair[1], parent, p->process);
		run_child(pair[1], parent, p, plan, o);
		_exit(0);
	}
	if (parent >= 0)
		close(parent);
	close(pair[1]);
	p->socket = pair[0];
	if (err) {
		close(pair[0]);
		p->pid = 0;
	}
	return err;
}

/* It had planted before it was asked to give up: its next answer is how that went. */
static void await_undone(struct planter *p)
{
	struct answer a = {0};
	int fd, err = receive(p, &a, &fd);

	if (fd >= 0)
		close(fd);
	if (err || may_change(&a))
		planter_leave(p);
	else
		reap(p);
	p->stopped = true;
}

/* The child has failed, by itself or because it was killed: what it did all the same is put back. */
static void undo(struct planter *p)
{
	struct error e;

	if (p->pid)
		give_up(p);
	p->stopped = !p->own->inode;
	while (planter_stop(p, &e) == -EINPROGRESS)
		;
	planter_close(p);
}

int planter_start(struct planter *out, const struct target_process *p, struct inline_plan *plan,
		  const struct stub_options *o, const volatile sig_atomic_t *stop, struct error *e)
{
	bool asked = false;
	int err;

	*out = (struct planter){.process = p, .layout = o->layout, .owner = plant_owner()};
	out->own = mmap(NULL, sizeof(*out->own), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			-1, 0);
	if (out->own == MAP_FAILED) {
		out->own = NULL;
		return no_answer(e, -errno);
	}
	err = fork_child(out, plan, o);
	if (!err)
		err = begin(out, stop, &asked, e);
	else
		no_answer(e, err);
	if (err) {
		undo(out);
		return err;
	}
	if (!asked)
		return 0;
	await_undone(out);
	planter_close(out);
	return error_set(e, EXIT_TARGET, -EINTR, "interrupted");
}

/* -ENOENT: there is nothing to adopt. */
static int start_again(struct planter *p)
{
	struct answer a = {0};
	int fd, err = fork_child(p, NULL, NULL);

	if (err)
		return err;
	err = receive(p, &a, &fd);
	if (fd >= 0)
		close(fd);
	if (err)
		give_up(p);
	else if (a.err)
		reap(p);
	return err ? err : a.err;
}

static void say_replaced(const struct planter *p, const char *why)
{
	if (p->messages)
		fprintf(p->messages,
			"gscope: pid %d: the process that puts calls back %s; another one has taken "
			"its place\n",
			(int)p->process->pid, why);
}

void planter_look(struct planter *p)
{
	uint64_t now = now_ns();

	if (!p->own || p->stopped || now - p->looked_ns < LOOK_NS)
		return;
	p->looked_ns = now;
	if (p->pid && waitpid(p->pid, NULL, WNOHANG) != p->pid)
		return;
	if (p->pid)
		close(p->socket);
	p->pid = 0;
	if (!start_again(p))
		say_replaced(p, "has ended");
}

/* --- the end -------------------------------------------------------------------------------- */

static int ask(struct planter *p, struct answer *a)
{
	const char word = WORD_RESTORE;
	int fd, err;

	if (send(p->socket, &word, 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1)
		return -errno;
	err = receive(p, a, &fd);
	if (fd >= 0)
		close(fd);
	return err;
}

/* By a second child, should the first one not answer: 0 or a negative errno. */
static int ask_any(struct planter *p, struct answer *a)
{
	int err = p->pid ? ask(p, a) : -EPIPE;

	for (int i = 0; i < 2 && err; i++) {
		const char *why = err == -ETIMEDOUT ? "does not answer" : "has ended";

		if (p->pid)
			give_up(p);
		err = start_again(p);
		if (err == -ENOENT) {
			*a = (struct answer){.restored = true};
			return 0;
		}
		if (err)
			continue;
		say_replaced(p, why);
		err = ask(p, a);
	}
	return err;
}

static void end_child(struct planter *p)
{
	const char word = WORD_END;

	if (!p->pid)
		return;
	send(p->socket, &word, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	reap(p);
}

/* Whether to ask once more: for ever while threads do not stop, but not while a debugger holds them. */
static bool goes_on(struct planter *p, const struct answer *a)
{
	const struct timespec pause = {.tv_nsec = RETRY_NS};

	if (!p->asked_ns)
		p->asked_ns = now_ns();
	if (!may_change(a) || (a->err == -EPERM && now_ns() - p->asked_ns > DEBUGGER_NS))
		return false;
	if (a->err == -EPERM) /* it was not waited for that */
		nanosleep(&pause, NULL);
	return true;
}

int planter_stop(struct planter *p, struct error *e)
{
	struct answer a = {0};
	int err;

	if (!p->own || p->stopped)
		return 0;
	err = ask_any(p, &a);
	if (!err && goes_on(p, &a)) {
		*e = a.e;
		return -EINPROGRESS;
	}
	p->stopped = true;
	end_child(p);
	if (err)
		no_answer(&a.e, err);
	else if (a.pause_ns > p->pause_ns) {
		p->pause_ns = a.pause_ns;
		p->threads = a.threads;
	}
	p->left = !a.restored;
	err = err ? err : a.err;
	if (err && p->left)
		return error_set(e, EXIT_FAILED, err,
				 "calls of process %d are redirected still: %.300s; `sudo gscope "
				 "detach -p %d` puts them back",
				 (int)p->process->pid, a.e.text, (int)p->process->pid);
	if (err)
		*e = a.e;
	return err;
}

pid_t planter_leave(struct planter *p)
{
	pid_t pid = p->pid;

	if (pid)
		close(p->socket);
	p->pid = 0;
	p->stopped = true;
	return pid;
}

void planter_close(struct planter *p)
{
	struct error e;

	while (planter_stop(p, &e) == -EINPROGRESS)
		;
	memory_unmap(p->h, p->mapped);
	if (p->own)
		munmap(p->own, sizeof(*p->own));
	*p = (struct planter){0};
}
