/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* A process to be traced, with everything that was found out about it. */
#ifndef GSCOPE_TARGET_TARGET_H
#define GSCOPE_TARGET_TARGET_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "user/base/error.h"
#include "user/target/buildinfo.h"
#include "user/target/elf.h"
#include "user/target/globals.h"
#include "user/target/heap.h"
#include "user/target/layout.h"
#include "user/target/modules.h"
#include "user/target/pclntab.h"
#include "user/target/process.h"
#include "user/target/sites.h"
#include "user/target/work.h"

struct target {
	struct target_process *process;
	/* why its goroutines cannot be traced: nothing below is to be used; "": they can */
	char plain[ERROR_TEXT_LEN];
	struct modules *modules;
	/* the first of them: the file with the Go runtime, which the probes are attached to */
	int fd;
	struct elf_file *elf;
	uint64_t bias; /* runtime address - vaddr */
	uint64_t goidgen; /* address of runtime.sched.goidgen in Go 1.23, otherwise 0 */
	struct buildinfo build;
	struct pclntab *pcln;
	struct layout layout;
	struct globals globals;
	struct heap heap; /* .at NULL: not known */
	struct work_places work;
	struct sites sites;
};

/*
 * Open process `pid` and find out all that tracing needs. What cannot be traced is refused with
 * EXIT_TARGET and the reason. Free with target_close(), which takes NULL.
 */
int target_open(pid_t pid, struct target **out, struct error *e);

/*
 * The same, but a process that is no Go program (-ENOEXEC above), or one that is refused for what
 * it is, is opened, too: its threads can be traced, and ->plain says why its goroutines cannot.
 * -EINTR once *stop, which may be NULL and is asked later on, too, is not zero.
 */
int target_open_any(pid_t pid, const volatile sig_atomic_t *stop, struct target **out,
		    struct error *e);

/*
 * A module (by its number among t->modules) that was loaded since: plan its sites, *out is the caller's to
 * free; append them to those of the target, which may move in memory.
 */
int target_plan_module(struct target *t, size_t module, struct sites *out, struct error *e);
int target_add_sites(struct target *t, size_t module, const struct sites *more, struct error *e);

/* Its goroutines cannot be traced after all, for the reason in `why`. */
void target_set_plain(struct target *t, const struct error *why);

static inline bool target_has_goroutines(const struct target *t)
{
	return !t->plain[0];
}

void target_close(struct target *t);

#endif
