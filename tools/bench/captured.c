// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * For tools/bench/overhead: whether a capture that is being written has come to where tracing has
 * begun, or what is in one: how many events, how many of them in a span of time, how many were
 * lost; a line of JSON.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/capture/file.h"

struct counts {
	uint64_t from, to; /* the span, CLOCK_MONOTONIC */
	uint64_t types[256];
	uint64_t within; /* the span */
	uint64_t begin, end, events, lost;
};

/* Records from EV_USER_FIRST on are the collector's own. */
static void count(struct counts *c, const struct event_head *ev)
{
	if (ev->type < sizeof(c->types) / sizeof(c->types[0]))
		c->types[ev->type]++;
	if (ev->type < EV_USER_FIRST && ev->time_ns >= c->from && ev->time_ns < c->to)
		c->within++;
	if (ev->type == EV_END) {
		c->begin = ((const struct ev_end *)ev)->begin_ns;
		c->end = ev->time_ns;
		c->events = ((const struct ev_end *)ev)->events;
		c->lost = ((const struct ev_end *)ev)->lost;
	}
}

static void print(const struct counts *c)
{
	const char *comma = "";

	printf("{\"begin_ns\": %" PRIu64 ", \"end_ns\": %" PRIu64 ", \"events\": %" PRIu64
	       ", \"within\": %" PRIu64 ", \"lost\": %" PRIu64 ", \"types\": {",
	       c->begin, c->end, c->events, c->within, c->lost);
	for (unsigned int i = 0; i < sizeof(c->types) / sizeof(c->types[0]); i++) {
		if (!c->types[i])
			continue;
		printf("%s\"%s\": %" PRIu64, comma, event_type_name(i), c->types[i]);
		comma = ", ";
	}
	puts("}}");
}

/* A capture that is being written is cut where it ends: no error. */
static int look(const char *path, bool until_ready, struct counts *c, struct error *e)
{
	struct capture_reader *r = NULL;
	const struct event_head *ev;
	int err, fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return error_set(e, EXIT_FAILED, -errno, "%s", strerror(errno));
	err = capture_reader_open(&r, fd, e);
	while (!err && !(until_ready && c->types[EV_READY])) {
		err = capture_reader_next(r, &ev, e);
		if (err <= 0)
			break;
		count(c, ev);
		err = 0;
	}
	capture_reader_close(r);
	close(fd);
	return err;
}

int main(int argc, char **argv)
{
	bool ready = argc == 3 && !strcmp(argv[1], "--ready");
	struct counts c = {0};
	struct error e;

	if (!ready && argc != 4) {
		fprintf(stderr, "usage: captured FILE FROM TO | --ready FILE\n");
		return 2;
	}
	if (ready)
		return look(argv[2], true, &c, &e) || !c.types[EV_READY];
	c.from = strtoull(argv[2], NULL, 10);
	c.to = strtoull(argv[3], NULL, 10);
	if (look(argv[1], false, &c, &e)) {
		fprintf(stderr, "captured: %s: %s\n", argv[1], e.text);
		return 1;
	}
	if (!c.end) {
		fprintf(stderr, "captured: %s: the capture has no end\n", argv[1]);
		return 1;
	}
	print(&c);
	return 0;
}
