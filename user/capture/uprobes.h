/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Links of uprobes, by system calls alone: the guardian makes them, too, which shares nothing but
 * descriptors with the one that has the BPF object.
 */
#ifndef GSCOPE_CAPTURE_UPROBES_H
#define GSCOPE_CAPTURE_UPROBES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Places of one file in one process that one program takes. */
struct uprobes {
	int prog_fd;
	bool multi; /* one link takes all of them; else there is one */
	uint32_t perf_type; /* if not multi: uprobes_perf_type() */
	pid_t pid;
	const char *path;
	const unsigned long *offsets; /* in the file */
	const uint64_t *cookies;
	size_t n;
};

/* The number perf events of uprobes have on this kernel, or a negative errno. */
int uprobes_perf_type(void);

/* Attach: a link, or a negative errno. The probes are gone once that is closed. */
int uprobes_attach(const struct uprobes *u);

#endif
