// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tests/soak/records.h"

#include <err.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "user/capture/file.h"

void records_add(struct records *rs, const struct event_head *ev)
{
	if (rs->n == rs->room) {
		rs->room = rs->room ? rs->room * 2 : 1024;
		rs->v = realloc(rs->v, rs->room * sizeof(*rs->v));
		if (!rs->v)
			err(1, "records");
	}
	rs->v[rs->n++] = ev;
}

struct event_head *records_new(struct records *rs, size_t size)
{
	struct event_head *ev = calloc(1, size);

	rs->memory = realloc(rs->memory, (rs->nmemory + 1) * sizeof(*rs->memory));
	if (!ev || !rs->memory)
		err(1, "records");
	rs->memory[rs->nmemory++] = ev;
	return ev;
}

void records_read(struct records *rs, const char *path)
{
	const struct event_head *ev;
	struct capture_reader *reader;
	struct error e;
	int fd = open(path, O_RDONLY | O_CLOEXEC), more;

	if (fd < 0)
		err(1, "%s", path);
	memset(rs, 0, sizeof(*rs));
	if (capture_reader_open(&reader, fd, &e))
		errx(1, "%s: %s", path, e.text);
	while ((more = capture_reader_next(reader, &ev, &e)) > 0) {
		struct event_head *copy = records_new(rs, ev->size);

		memcpy(copy, ev, ev->size);
		records_add(rs, copy);
		if (ev->type == EV_READY && !rs->first)
			rs->first = rs->n;
	}
	if (more < 0)
		errx(1, "%s: %s", path, e.text);
	if (!rs->first || rs->first == rs->n)
		errx(1, "%s: nothing was recorded", path);
	capture_reader_close(reader);
	close(fd);
}

void records_free(struct records *rs)
{
	for (size_t i = 0; i < rs->nmemory; i++)
		free(rs->memory[i]);
	free(rs->memory);
	free(rs->v);
	memset(rs, 0, sizeof(*rs));
}

bool record_is_of_ring(const struct event_head *ev)
{
	return ev->type < EV_USER_FIRST;
}

enum loss_class record_class(const struct event_head *ev)
{
	switch (ev->type) {
	case EV_SYS_ENTER:
	case EV_SYS_EXIT:
		return LOSS_SYSCALL;
	case EV_GO:
	case EV_GO_CREATE:
	case EV_RUNTIME:
	case EV_USER:
		return LOSS_GO;
	case EV_STACK:
		return LOSS_STACK;
	case EV_SAMPLE:
		return LOSS_SAMPLE;
	default:
		return LOSS_SCHED;
	}
}
