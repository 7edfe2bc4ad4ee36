/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Reading a program file in all the ways gscope does, as tests with damaged files need it. */
#ifndef GSCOPE_TESTS_UNIT_TARGET_READALL_H
#define GSCOPE_TESTS_UNIT_TARGET_READALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct image {
	uint8_t *bytes;
	size_t size;
};

/* Read the file at `path`; bytes is the caller's to free. Asserts that it works. */
bool read_image(struct image *im, const char *path);

/*
 * Read the program in `fd`: function table, layout, sites. Asserts that what is refused is refused
 * with a message for the user. Returns whether all of it could be read.
 */
bool read_all(int fd);

/* The programs to damage, two that are as different as can be; NULL without the toolchain. */
#define READALL_PROGS 2
const char *readall_prog(size_t number);

#endif
