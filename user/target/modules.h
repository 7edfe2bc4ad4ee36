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
};

/* An executable mapping that was looked at. */
struct module_seen {
	uint64_t dev, inode, start, end;
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

/* How many modules the first one's runtime has linked by now, in its memory; 0: not known. */
size_t modules_linked(const struct modules *m);

/* Look at what is mapped and was not looked at before: true if there is a new module. */
bool modules_refresh(struct modules *m);

/*
 * The functions of pclntab.h, over all modules. A PC outside of them may be one of a plugin that was
 * opened since: then the mappings are read again, at a bounded rate.
 */
int modules_frames(struct modules *m, uint64_t pc, struct pcln_frame *out, size_t max);
int modules_pcsp(struct modules *m, uint64_t pc);
uint64_t modules_start_pc(struct modules *m, uint64_t startpc);
bool modules_func(struct modules *m, uint64_t pc, struct pcln_func *out);

#endif
