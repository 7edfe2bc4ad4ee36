/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The Go program in tests/unit/target/prog, built with every toolchain in build/go. */
#ifndef GSCOPE_TESTS_UNIT_TARGET_PROGS_H
#define GSCOPE_TESTS_UNIT_TARGET_PROGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#include "user/target/buildinfo.h"
#include "user/target/elf.h"
#include "user/target/pclntab.h"

/* "1.19", "1.21" to "1.27", then NULL. */
extern const char *const prog_all_releases[];
/* The same from "1.21" on. */
extern const char *const prog_releases[];
/* "plain", "pie", "cgo", "cgopie", then NULL. */
extern const char *const prog_modes[];
/* All ways to compile it: these, "pgo", "race", "nl", then NULL. */
extern const char *const prog_how[];

/*
 * Is there this way in this release, and is it worth the minute it takes to compile the standard
 * library anew? Other ways than those of prog_modes are built with three releases.
 */
bool prog_worth_it(const char *release, const char *how);

/*
 * Path of the program, valid until the next call; built if need be. Without the toolchain it is
 * NULL, after naming it; where CI=true that is a failure of the test.
 */
const char *prog_path(const char *release, const char *mode);

/* An open program file, for tests of what is read from files. */
struct prog_file {
	int fd;
	struct elf_file *elf;
	struct buildinfo build;
	struct pclntab *pcln;
};

/* Open at load bias `bias`; asserts that it works. */
bool prog_open(struct prog_file *f, const char *path, uint64_t bias);
void prog_close(struct prog_file *f);

/* A running program. */
struct prog {
	pid_t pid;
	FILE *in; /* its input; it ends when this is closed */
	FILE *out; /* its output */
};

/* Start it with up to two arguments; if `wait`, until it says "ready". Asserts that it works. */
bool prog_start(struct prog *p, const char *path, const char *arg, const char *arg2, bool wait);
void prog_stop(struct prog *p);

#endif
