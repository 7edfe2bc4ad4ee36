// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Writes the inputs that fuzzing starts from into the directory named by its argument. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/capture/records.h"
#include "user/base/io.h"
#include "user/capture/file.h"

static char room[65536] __attribute__((aligned(8)));

static int create(const char *name, unsigned int n)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s-%u", name, n);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0) {
		perror(path);
		exit(1);
	}
	return fd;
}

static void check(int err)
{
	if (err) {
		fprintf(stderr, "seeds: cannot write\n");
		exit(1);
	}
}

int main(int argc, char **argv)
{
	static const struct capture_info info = {.features = CAPTURE_SYSTEM_WIDE, .host = "host"};

	if (argc != 2 || chdir(argv[1])) {
		fprintf(stderr, "Usage: seeds DIRECTORY\n");
		return 2;
	}
	for (unsigned int type = 0; type < EV_USER_END; type++) {
		const struct event_head *ev;
		int fd;

		if (!event_type_name(type))
			continue;
		/* two of a kind: as plain records ... */
		fd = create("records", type);
		ev = record_make(room, type, 3, 1);
		check(io_write(fd, ev, ev->size, NULL));
		ev = record_make(room, type, 12, 2);
		check(io_write(fd, ev, ev->size, NULL));
		close(fd);
	}
	/* ... and whole files of 0, 1, 2 chunks */
	for (unsigned int chunks = 0; chunks < 3; chunks++) {
		int fd = create("file", chunks);
		struct capture_writer *w;

		check(capture_writer_open(&w, fd, &info, NULL, NULL));
		for (unsigned int i = 0; i < 6 * chunks; i++) {
			check(capture_writer_add(w, record_make(room, EV_STRING, i, i), NULL));
			if (i % 6 == 5)
				check(capture_writer_flush(w, NULL));
		}
		check(capture_writer_close(w, NULL));
		close(fd);
	}
	return 0;
}
