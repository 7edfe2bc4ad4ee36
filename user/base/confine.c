// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/base/confine.h"

#include <errno.h>
#include <pthread.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "user/base/privilege.h"

/* The sanitizers of a test build read /proc, and map what they execute. */
#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define FILTERED 0
#else
#define FILTERED 1
#endif

/* What the child leaves for its parent. */
struct outcome {
	int err;
	bool done;
	struct error e;
	char result[];
};

/* --- the filter ----------------------------------------------------------------------------- */

static const char *const allowed[] = {
	"read",          "readv",           "pread64",        "write",
	"writev",        "pwrite64",        "lseek",          "close",
	"fstat",         "newfstatat",      "fcntl",          "ftruncate",
	"fsync",         "fdatasync",       "munmap",         "mremap",
	"brk",           "madvise",         "futex",          "getrandom",
	"rt_sigaction",  "rt_sigreturn",    "rt_sigprocmask", "restart_syscall",
	"clock_gettime", "clock_nanosleep", "nanosleep",      "getpid",
	"poll",          "ppoll",           "gettid",         "tgkill",
	"sched_yield",   "sysinfo",         "exit",           "exit_group",
};

/* `number`, when its argument `arg` under `mask` is `value`. */
static int allow_if(scmp_filter_ctx f, int number, unsigned int arg, uint64_t mask, uint64_t value)
{
	const struct scmp_arg_cmp when = {
		.arg = arg, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value};

	return seccomp_rule_add_array(f, SCMP_ACT_ALLOW, number, 1, &when);
}

/* Memory is not to be executed; a terminal is asked what it is, and what is asked of it does no harm. */
static int allow_some(scmp_filter_ctx f)
{
	int err = allow_if(f, SCMP_SYS(mmap), 2, PROT_EXEC, 0);

	if (!err)
		err = allow_if(f, SCMP_SYS(mprotect), 2, PROT_EXEC, 0);
	if (!err)
		err = allow_if(f, SCMP_SYS(ioctl), 1, UINT32_MAX, TCGETS);
	if (!err)
		err = allow_if(f, SCMP_SYS(ioctl), 1, UINT32_MAX, TIOCGWINSZ);
	return err;
}

static int filter(void)
{
	/* others fail: a library that tries something optional goes on without */
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int err = f ? allow_some(f) : -ENOMEM;

	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]) && !err; i++) {
		int number = seccomp_syscall_resolve_name(allowed[i]);

		if (number != __NR_SCMP_ERROR)
			err = seccomp_rule_add(f, SCMP_ACT_ALLOW, number, 0);
	}
	if (!err)
		err = seccomp_load(f);
	if (f)
		seccomp_release(f);
	return err;
}

/* What a tracer that has attached never does, and who has taken it over would. */
static const char *const denied[] = {
	"execve",        "execveat",      "socket",
	"connect",       "bind",          "listen",
	"mount",         "umount2",       "move_mount",
	"fsopen",        "open_tree",     "pivot_root",
	"chroot",        "setns",         "unshare",
	"setuid",        "setgid",        "setreuid",
	"setregid",      "setresuid",     "setresgid",
	"setgroups",     "init_module",   "finit_module",
	"delete_module", "kexec_load",    "kexec_file_load",
	"reboot",        "swapon",        "swapoff",
	"iopl",          "ioperm",        "open_by_handle_at",
	"add_key",       "keyctl",        "request_key",
	"chmod",         "fchmod",        "fchmodat",
	"mknod",         "mknodat",       "io_uring_setup",
	"userfaultfd",   "settimeofday",  "clock_settime",
	"sethostname",   "setdomainname", "acct",
	"quotactl",      "personality",
};

int confine_tracer(struct error *e)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
	int err = f ? seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1) : -ENOMEM;

	for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]) && !err; i++) {
		int number = seccomp_syscall_resolve_name(denied[i]);

		if (number != __NR_SCMP_ERROR)
			err = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), number, 0);
	}
	if (!err)
		err = seccomp_load(f);
	if (f)
		seccomp_release(f);
	return err ? error_set(e, EXIT_FAILED, err, "cannot restrict system calls: %s",
			       strerror(-err)) :
		     0;
}

int confine_self(struct error *e)
{
	int err = privilege_keep(PRIVILEGE_NONE, e);

	if (err || !FILTERED)
		return err;
	err = filter();
	return err ? error_set(e, EXIT_FAILED, err, "cannot restrict system calls: %s",
			       strerror(-err)) :
		     0;
}

/* --- the child ------------------------------------------------------------------------------ */

static const int ending[] = {SIGINT, SIGTERM, SIGHUP};

static void run_child(pid_t parent, const sigset_t *mask,
		      int (*work)(void *ctx, void *result, struct error *e), void *ctx,
		      struct outcome *out)
{
	for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++)
		if (signal(ending[i], SIG_DFL) == SIG_IGN) /* nohup */
			signal(ending[i], SIG_IGN);
	sigprocmask(SIG_SETMASK, mask, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(EXIT_FAILED);
	out->err = confine_self(&out->e);
	if (!out->err)
		out->err = work(ctx, out->result, &out->e);
	fflush(NULL);
	out->done = true;
	_exit(EXIT_DONE);
}

/* A closed pipe ends this process as it ended the child: the shell is to see that. */
static void end_by_pipe(void)
{
	signal(SIGPIPE, SIG_DFL);
	raise(SIGPIPE);
}

static int died(int status, struct error *e)
{
	int by = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

	if (by == SIGPIPE)
		end_by_pipe();
	if (by == SIGINT || by == SIGTERM || by == SIGHUP)
		return error_set(e, EXIT_INTERRUPTED, -EINTR,
				 "interrupted before the output was complete");
	if (by == SIGKILL)
		return error_set(e, EXIT_FAILED, -ENOMEM,
				 "the process that reads the data was killed: is there too little "
				 "memory?");
	return error_set(e, EXIT_FAILED, -ECHILD,
			 "the process that reads the data failed (%s %d): a bug in gscope, please "
			 "report it",
			 by ? "signal" : "status", by ? by : WEXITSTATUS(status));
}

/* Those by which the user ends us, unless nohup has them ignored; and that a child has ended. */
static void waited_for(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGCHLD);
	for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++) {
		struct sigaction now;

		if (!sigaction(ending[i], NULL, &now) && now.sa_handler != SIG_IGN)
			sigaddset(set, ending[i]);
	}
}

/*
 * A signal to this process alone is the user's wish that the child ends, too. It does not end this process before:
 * there may be a file to take away.
 */
static int wait_for(pid_t pid, const sigset_t *set)
{
	/* should another thread get the signal of its end */
	const struct timespec slice = {.tv_nsec = 100000000};
	int status = 0;
	pid_t got;

	while (!(got = waitpid(pid, &status, WNOHANG)) || (got < 0 && errno == EINTR)) {
		int sig = sigtimedwait(set, NULL, &slice);

		if (sig > 0 && sig != SIGCHLD)
			kill(pid, SIGTERM);
	}
	return status;
}

/* What the child says is checked like any other foreign text. */
static int take_outcome(const struct outcome *out, void *result, size_t size, struct error *e)
{
	if (result)
		memcpy(result, out->result, size);
	if (!out->err)
		return 0;
	return error_set(e, out->e.status, out->err < 0 ? out->err : -EPROTO, "%.*s",
			 ERROR_TEXT_LEN - 1, out->e.text);
}

int confine_run(int (*work)(void *ctx, void *result, struct error *e), void *ctx, void *result,
		size_t size, struct error *e)
{
	size_t bytes = sizeof(struct outcome) + size;
	struct outcome *out =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t parent = getpid(), pid = -1;
	sigset_t set, before;
	int err, status;

	if (out != MAP_FAILED) {
		fflush(NULL);
		waited_for(&set);
		pthread_sigmask(SIG_BLOCK, &set, &before);
		pid = fork();
	}
	if (pid < 0) {
		err = error_set(e, EXIT_FAILED, -errno,
				"cannot start a process to read the data: %s", strerror(errno));
		if (out != MAP_FAILED) {
			pthread_sigmask(SIG_SETMASK, &before, NULL);
			munmap(out, bytes);
		}
		return err;
	}
	if (!pid)
		run_child(parent, &before, work, ctx, out);
	status = wait_for(pid, &set);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	err = out->done ? take_outcome(out, result, size, e) : died(status, e);
	munmap(out, bytes);
	return err;
}
