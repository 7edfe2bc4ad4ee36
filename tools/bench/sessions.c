// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Whole captures of running Go processes, by turns, into memory: how long it takes until the
 * process is traced, how many records a second go through and whether any are lost.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "user/capture/session.h"

#define MAX_PROCESSES 8
#define MAX_REPEATS 64

struct measured {
	double open_ms; /* reading the target, loading the programs */
	double attach_ms; /* probes, snapshot */
	double events; /* per second */
	double lost; /* per second */
	double detach_ms; /* and writing what is left */
};

static double ms(uint64_t from, uint64_t to)
{
	return (double)(to - from) / 1e6;
}

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static int run(pid_t pid, uint64_t duration_ns, struct measured *out, struct error *e)
{
	struct capture_options opt = {
		.ntargets = 1, .duration_ns = duration_ns, .messages = stderr};
	struct capture_info info = {0};
	struct capture_session *s = NULL;
	struct capture_writer *w = NULL;
	const struct capture_result *result;
	uint64_t begin = now_ns(), opened = 0;
	struct target *t = NULL;
	int err, fd = memfd_create("capture", MFD_CLOEXEC);

	err = target_open(pid, &t, e);
	opt.targets = &t;
	if (!err)
		err = capture_session_open(&s, &opt, e);
	if (!err)
		err = capture_writer_open(&w, fd, &info, NULL, e);
	if (!err) {
		opened = now_ns();
		err = capture_session_run(s, w, e);
	}
	if (!err) {
		double seconds;

		result = capture_session_result(s);
		seconds = (double)(result->end_ns - result->begin_ns) / 1e9;
		*out = (struct measured){
			.open_ms = ms(begin, opened),
			.attach_ms = ms(opened, result->begin_ns),
			.events = (double)result->events / seconds,
			.lost = (double)result->lost / seconds,
			.detach_ms = ms(result->end_ns, now_ns()),
		};
	}
	capture_session_close(s);
	capture_writer_close(w, NULL);
	target_close(t);
	close(fd);
	return err;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, int n)
{
	qsort(v, (size_t)n, sizeof(*v), by_value);
	return v[n / 2];
}

static void print(const char *name, const struct measured *m, int n)
{
	double open[MAX_REPEATS], attach[MAX_REPEATS], events[MAX_REPEATS], detach[MAX_REPEATS];
	double lost = 0;

	for (int i = 0; i < n; i++) {
		open[i] = m[i].open_ms;
		attach[i] = m[i].attach_ms;
		events[i] = m[i].events;
		detach[i] = m[i].detach_ms;
		lost += m[i].lost / n;
	}
	printf("%-28s %8.1f %10.1f %12.0f %8.0f %10.1f\n", name, median(open, n), median(attach, n),
	       median(events, n), lost, median(detach, n));
}

int main(int argc, char **argv)
{
	static struct measured m[MAX_PROCESSES][MAX_REPEATS];
	int n = (argc - 3) / 2, repeats = argc > 2 ? atoi(argv[2]) : 0;
	struct error e = {0};

	if (n < 1 || n > MAX_PROCESSES || repeats < 1 || repeats > MAX_REPEATS) {
		fprintf(stderr, "usage: sessions SECONDS REPEATS (NAME PID)...\n");
		return 2;
	}
	for (int r = 0; r < repeats; r++) {
		for (int i = 0; i < n; i++) {
			if (run(atoi(argv[4 + 2 * i]), (uint64_t)(atof(argv[1]) * 1e9), &m[i][r],
				&e)) {
				fprintf(stderr, "sessions: %s\n", e.text);
				return 1;
			}
		}
	}
	printf("%-28s %8s %10s %12s %8s %10s\n", "medians of captures", "open ms", "attach ms",
	       "events/s", "lost/s", "detach ms");
	for (int i = 0; i < n; i++)
		print(argv[3 + 2 * i], m[i], repeats);
	return 0;
}
