// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/target/settle.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "user/base/clock.h"
#include "user/target/process_internal.h"

/* More CPU time than any probe's program needs. */
#define STEP_NS 50000
#define PAUSE_NS 1000000
#define LIMIT_NS 1000000000ULL

/*
 * CPU time of a thread in ns, the first number of /proc/PID/task/TID/schedstat. The kernel brings
 * it up to date at ticks and switches (kernel/sched/fair.c: update_curr). Fails if the thread has
 * ended, or the kernel keeps no such account.
 */
static bool run_time(const struct target_process *p, pid_t tid, uint64_t *ns)
{
	char path[64], text[64];
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "task/%d/schedstat", (int)tid);
	fd = openat(p->proc_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	if (n <= 0)
		return false;
	text[n] = '\0';
	return sscanf(text, "%" SCNu64, ns) == 1;
}

/* Strike out the threads that have run on, went to sleep, or are gone; how many are left. */
static size_t still_waited_for(const struct target_process *p, struct target_thread *v,
			       uint64_t *began, size_t n)
{
	size_t left = 0;

	for (size_t i = 0; i < n && !target_process_stopped(p); i++) {
		struct process_stat st;
		char path[32];
		uint64_t ns;

		snprintf(path, sizeof(path), "task/%d/stat", (int)v[i].tid);
		if (process_read_stat(p->proc_fd, path, &st) || st.state != 'R' ||
		    !run_time(p, v[i].tid, &ns) || ns >= began[i] + STEP_NS)
			continue;
		v[left] = v[i];
		began[left++] = began[i];
	}
	return left;
}

int target_settle(const struct target_process *p, struct error *e)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	uint64_t *began, until = now_ns() + LIMIT_NS;
	struct target_thread *v;
	size_t n, left = 0;
	int err = target_process_threads(p, p->stop, &v, &n, e);

	if (err)
		return err;
	began = calloc(n, sizeof(*began));
	if (!began) {
		free(v);
		return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	}
	for (size_t i = 0; i < n; i++) {
		if (v[i].state == 'R' && run_time(p, v[i].tid, &began[left]))
			v[left++] = v[i];
	}
	while ((left = still_waited_for(p, v, began, left)) && now_ns() < until &&
	       !target_process_stopped(p))
		nanosleep(&pause, NULL);
	free(began);
	free(v);
	return target_process_alive(p) ? 0 : process_gone(e, p->pid);
}
