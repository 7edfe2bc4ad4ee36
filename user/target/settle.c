// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/target/settle.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* More CPU time than any probe's program needs. */
#define STEP_NS 50000
#define PAUSE_NS 1000000
#define MAX_PAUSES 200

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
			       const uint64_t *began, size_t n, const struct target_thread *now,
			       size_t nnow)
{
	size_t left = 0;

	for (size_t i = 0; i < n; i++) {
		bool runs = false;
		uint64_t ns;

		for (size_t j = 0; v[i].tid && j < nnow && !runs; j++)
			runs = now[j].tid == v[i].tid && now[j].state == 'R';
		if (!runs || !run_time(p, v[i].tid, &ns) || ns >= began[i] + STEP_NS)
			v[i].tid = 0;
		else
			left++;
	}
	return left;
}

int target_settle(const struct target_process *p, struct error *e)
{
	const struct timespec pause = {.tv_nsec = PAUSE_NS};
	struct target_thread *v, *now;
	size_t n, nnow, left;
	uint64_t *began;
	int err = target_process_threads(p, &v, &n, e);

	if (err)
		return err;
	began = calloc(n, sizeof(*began));
	if (!began) {
		free(v);
		return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	}
	for (size_t i = 0; i < n; i++) {
		if (v[i].state != 'R' || !run_time(p, v[i].tid, &began[i]))
			v[i].tid = 0;
	}
	left = still_waited_for(p, v, began, n, v, n);
	for (int i = 0; left && i < MAX_PAUSES && !err; i++) {
		nanosleep(&pause, NULL);
		err = target_process_threads(p, &now, &nnow, e);
		if (err)
			break;
		left = still_waited_for(p, v, began, n, now, nnow);
		free(now);
	}
	free(began);
	free(v);
	return err;
}
