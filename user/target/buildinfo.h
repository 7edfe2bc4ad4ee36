/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What a Go binary says about itself: Go version, build settings, build id. */
#ifndef GSCOPE_TARGET_BUILDINFO_H
#define GSCOPE_TARGET_BUILDINFO_H

#include <stdbool.h>
#include <stddef.h>

#include "user/base/error.h"
#include "user/target/elf.h"

/* Release lines this gscope knows. */
#define GO_MINOR_MIN 19
#define GO_MINOR_MAX 27

struct buildinfo {
	char version[128]; /* as the binary has it, cut */
	unsigned int go_minor; /* 1.NN */
	unsigned int go_patch;
	/*
	 * One of the release lines that are known, as released: no devel version, no beta, nothing
	 * newer, no experiments ("X:..."). What is not known may be laid out in another way.
	 */
	bool known;
	char *settings; /* lines "path\t...", "mod\t...", "build\tKEY=VALUE"; "" if there are none */
	char build_id[128]; /* of the Go linker, cut; "" if there is none */
};

/*
 * Read the build information. -ENOEXEC with EXIT_TARGET for what is no Go program, -ENOTSUP for a
 * Go older than 1.19 or of which no version can be told. Free with buildinfo_free().
 */
int buildinfo_read(struct buildinfo *b, struct elf_file *f, struct error *e);
void buildinfo_free(struct buildinfo *b);

/*
 * Parse "go1.22.3", "go1.22.3 X:exp", "go1.23rc1", "go1.23.1-vendor", "devel go1.24-abc...":
 * false if no minor version can be told.
 */
bool go_version_parse(const char *s, unsigned int *minor, unsigned int *patch);

/*
 * Copy the value of a build setting ("-buildmode", "CGO_ENABLED") into `out`: false if it is not
 * set or does not fit.
 */
bool buildinfo_setting(const struct buildinfo *b, const char *key, char *out, size_t size);

#endif
