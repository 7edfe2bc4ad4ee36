/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Where the Go runtime's global variables are, with or without a symbol table. */
#ifndef GSCOPE_TARGET_GLOBALS_H
#define GSCOPE_TARGET_GLOBALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/base/error.h"
#include "user/target/buildinfo.h"
#include "user/target/elf.h"
#include "user/target/layout.h"
#include "user/target/pclntab.h"
#include "user/target/process.h"

/* Runtime addresses; 0: not known. */
struct globals {
	const char *rung; /* how they were found: "symbols", "code" */
	uint64_t allglen; /* uintptr */
	uint64_t allgptr; /* **g */
	uint64_t allm; /* *m */
	uint64_t allp; /* []*p */
	uint64_t goidgen; /* u64: sched.goidgen, the last id that was handed to a P */
	uint64_t gc_controller; /* gcControllerState */
	uint64_t gc_blacken; /* u32: gcBlackenEnabled */
	uint64_t wait_reasons; /* [nwait_reasons]string */
	size_t nwait_reasons;
	uint64_t block_reasons; /* [nblock_reasons]string; not in every program */
	size_t nblock_reasons;
};

/*
 * Find them by symbol if there is a symbol table, else by what code refers to them. -ENOENT with
 * EXIT_TARGET if one without which nothing can be traced is not found; then *e names it.
 */
int globals_find(struct globals *out, struct elf_file *f, const struct pclntab *pcln, uint64_t bias,
		 struct error *e);

/* The two ways by themselves, for globals_find() and its test; what is not found stays 0. */
void globals_by_symbol(struct globals *out, const struct elf_file *f, uint64_t bias);
int globals_by_code(struct globals *out, struct elf_file *f, const struct pclntab *pcln,
		    uint64_t bias, struct error *e);

/*
 * Are there goroutines, threads and processors at these addresses? -EPROTO names what is not, -EAGAIN:
 * there are none yet, and were none for a second.
 */
int globals_check(const struct globals *g, const struct layout *l, const struct target_process *p,
		  struct error *e);

#endif
