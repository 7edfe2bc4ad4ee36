/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* The files a process has mapped to run: its executable and its shared libraries. */
#ifndef GSCOPE_TARGET_MAPPED_H
#define GSCOPE_TARGET_MAPPED_H

#include <stddef.h>
#include <stdint.h>

#include "user/base/error.h"
#include "user/target/elf.h"
#include "user/target/process.h"

/* Executable mappings of files. */
struct mapped_files {
	struct target_map *v; /* in order of address */
	size_t n;
};

/* Free with mapped_files_free(). */
int mapped_files_read(struct mapped_files *out, const struct target_process *p, struct error *e);
void mapped_files_free(struct mapped_files *m);

/*
 * Runtime address minus vaddr of a file of which `map` is an executable mapping: 0, or -EPROTO if
 * that mapping does not come from it.
 */
int mapped_bias(const struct elf_file *f, const struct target_map *map, uint64_t *bias);

#endif
