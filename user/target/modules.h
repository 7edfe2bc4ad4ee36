/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The Go code of a process: the file that holds the Go runtime - its executable, or a shared
 * library that a C program loaded - and the modules of other files, plugins for one.
 */
#ifndef GSCOPE_TARGET_MODULES_H
#define GSCOPE_TARGET_MODULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/base/error.h"
#include "user/target/buildinfo.h"
#include "user/target/elf.h"
#include "user/target/mapped.h"
#include "user/target/pclntab.h"
#include "user/target/process.h"

struct module {
	int fd; /* the file, as the process has it mapped */
	struct elf_file *elf;
	uint64_t bias;
	struct pclntab *pcln;
	uint64_t lo, hi; /* its Go code: [lo, hi) */
	/*
	 * It has code of the runtime. That is a copy if the file is a plugin: its own code calls
	 * it, and it works on the variables of the first module's runtime.
	 */
	bool runtime;
	bool stranger; /* it is, or belongs to, another Go runtime in the same process */
	uint64_t found_ns; /* when it was found */
};

/* An executable mapping that was looked at; once more a while later, as it may not have been ready. */
struct module_seen {
	uint64_t dev, inode, start, end;
	uint64_t first_ns;
	bool again;
};

struct modules {
	const struct target_process *process;
	struct module **v; /* the first one holds the runtime */
	size_t n;
	struct module_seen *seen;
	size_t nseen;
	unsigned int go_minor;
	const struct module *last; /* that had a PC */
	uint64_t refresh_ns; /* when a refresh was paid for */
	unsigned int refreshes; /* that may follow at once */
	char warning[320]; /* what the user is to know before it starts; "": nothing */
};

/*
 * Find the Go code of `p`, which must stay open as long. *b is what the file with the runtime says
 * of itself, the caller's to free. Errors have the status EXIT_TARGET: -ENOEXEC there is no Go in
 * it, -ENOTSUP it is too old, -EPROTO what should be there was not found.
 */
int modules_open(struct modules **out, const struct target_process *p, struct buildinfo *b,
		 struct error *e);
void modules_close(struct modules *m);

/* The same of a process in which there is no Go yet, as far as is known. */
int modules_open_none(struct modules **out, const struct target_process *p);

/* How many modules the first one's runtime has linked by now, in its memory; 0: not known. */
size_t modules_linked(const struct modules *m);

/*
 * Look at what is mapped and was not looked at before, or `all` that is: true if there is a new module.
 * Where that takes long the rest is left for the next time.
 */
bool modules_refresh(struct modules *m, bool all);

/* Whether a module belongs to another runtime than the first one, by now; so, and in ->stranger. */
bool modules_is_stranger(struct modules *m, size_t i);

/*
 * The functions of pclntab.h, over all modules. A PC outside of them may be one of a plugin that was
 * opened since: then the mappings are read again, at a bounded rate.
 */
int modules_frames(struct modules *m, uint64_t pc, struct pcln_frame *out, size_t max);
int modules_pcsp(struct modules *m, uint64_t pc);
uint64_t modules_start_pc(struct modules *m, uint64_t startpc);
bool modules_func(struct modules *m, uint64_t pc, struct pcln_func *out);

#endif
