// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Damages captures at random, and writes what the real replay and exporter make of each to standard
 * output: length of a name, name, length of a Go trace, trace. A seed makes the same damage always.
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/soak/cycles.h"
#include "tests/soak/kill.h"
#include "tests/soak/records.h"
#include "user/capture/file.h"
#include "user/export/gotrace.h"
#include "user/replay/replay.h"

static void put(const void *data, size_t n)
{
	if (fwrite(data, 1, n, stdout) != n)
		err(1, "standard output");
}

static void put_trace(const char *name, int fd)
{
	uint32_t len = (uint32_t)strlen(name);
	struct stat st;
	uint64_t size;
	void *data;

	if (fstat(fd, &st))
		err(1, "%s", name);
	size = (uint64_t)st.st_size;
	put(&len, sizeof(len));
	put(name, len);
	put(&size, sizeof(size));
	if (!size)
		return;
	data = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	if (data == MAP_FAILED)
		err(1, "%s", name);
	put(data, size);
	munmap(data, size);
}

/* False if the exporter found a contradiction. */
static bool export(const struct records *rs, const char *name)
{
	int fd = memfd_create("soak", MFD_CLOEXEC), failed = 0;
	struct replay *replay;
	struct gotrace *t;
	struct error e = {0};

	if (fd < 0 || replay_new(&replay, &e) ||
	    gotrace_new(&t, fd, NULL, replay_symbols(replay), &e))
		errx(1, "%s: %s", name, e.text);
	replay_add_sink(replay, gotrace_sink(t));
	for (size_t i = 0; i < rs->n && !failed; i++)
		failed = event_valid(rs->v[i]) ? replay_event(replay, rs->v[i], &e) : 0;
	if (!failed)
		failed = replay_finish(replay, &e);
	if (gotrace_finish(t, &e) == -ENODATA)
		failed = ftruncate(fd, 0); /* cut before anything began */
	else if (e.text[0])
		failed = 1;
	if (failed)
		fprintf(stderr, "%s: %s\n", name, e.text);
	put_trace(name, fd);
	gotrace_free(t);
	replay_free(replay);
	close(fd);
	return !failed;
}

int main(int argc, char **argv)
{
	uint64_t first = 1, seeds = 100, most = 4000, rounds = 0, plantings = 0, killings = 0;
	bool good = true;
	int option;

	while ((option = getopt(argc, argv, "f:n:m:w:i:k:")) > 0) {
		uint64_t n = option == '?' ? 0 : strtoull(optarg, NULL, 10);

		switch (option) {
		case 'f':
			first = n;
			break;
		case 'n':
			seeds = n;
			break;
		case 'm':
			most = n;
			break;
		case 'w':
			rounds = n;
			break;
		case 'i':
			plantings = n;
			break;
		case 'k':
			killings = n;
			break;
		default:
			errx(2, "usage: drive [-f FIRST-SEED] [-n SEEDS] [-m RECORDS] [-w WINDOWS] "
				"CAPTURE... | -i CYCLES PID | [-f SEED] -k KILLS PID");
		}
	}
	if (plantings && optind < argc)
		return !cycles(atoi(argv[optind]), (unsigned int)plantings, 30);
	if (killings && optind < argc)
		return !kills(atoi(argv[optind]), (unsigned int)killings, (unsigned int)first);
	for (int i = optind; i < argc; i++) {
		struct records in, out;
		char name[4096];

		records_read(&in, argv[i]);
		if (rounds)
			good &= settle(&in, argv[i], first, (unsigned int)rounds);
		for (uint64_t seed = first; !rounds && seed < first + seeds; seed++) {
			snprintf(name, sizeof(name), "%s seed %llu", argv[i],
				 (unsigned long long)seed);
			damage(&out, &in, seed, most);
			good &= export(&out, name);
			records_free(&out);
		}
		records_free(&in);
	}
	if (fflush(stdout))
		err(1, "standard output");
	return !good;
}
