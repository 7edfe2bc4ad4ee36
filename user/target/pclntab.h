/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The function table of a Go binary: PC to function, file and line, inlined calls expanded as the
 * Go runtime does it. Every PC given or returned here is a runtime address, load bias included.
 * Strings live as long as the table. The table is data from outside: whatever it says is checked
 * against its bounds, and nonsense is an unknown PC.
 */
#ifndef GSCOPE_TARGET_PCLNTAB_H
#define GSCOPE_TARGET_PCLNTAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/base/error.h"
#include "user/target/elf.h"
#include "user/target/process.h"

struct pclntab;

struct pcln_func {
	const char *name; /* as in the table: generics have their type arguments */
	uint64_t entry, end; /* [entry, end) */
	bool wrapper; /* made by the compiler: method and ABI wrappers */
	uint64_t off; /* internal: of its struct _func */
};

/* One logical frame. */
struct pcln_frame {
	uint64_t pc; /* distinct for every logical frame of a PC */
	const char *func; /* as Go prints it: type arguments are "[...]" */
	const char *file;
	uint32_t line;
	bool wrapper; /* Go hides it unless it is what panicked: runtime.elideWrapperCalling */
};

/*
 * Read the table of `f`, a binary of Go 1.go_minor, which is to be at `bias`: from the file alone.
 * It is found without sections and symbols, and proved by what the runtime demands of it. Errors:
 * -EPROTO with EXIT_TARGET. Free with pclntab_close() before `f` is closed.
 */
int pclntab_open(struct pclntab **out, struct elf_file *f, unsigned int go_minor, uint64_t bias,
		 struct error *e);

/* The same with the help of process `p`, which has the file at `bias`: its pointers are final. */
int pclntab_open_live(struct pclntab **out, struct elf_file *f, const struct target_process *p,
		      unsigned int go_minor, uint64_t bias, struct error *e);
void pclntab_close(struct pclntab *t);

/* [*lo, *hi) is the code of the module, C code of the same file not included. */
void pclntab_text(const struct pclntab *t, uint64_t *lo, uint64_t *hi);

/*
 * Where the process has the table's runtime.moduledata, and *next that of the next module of the
 * same Go runtime; 0: none, or not known for this release.
 */
uint64_t pclntab_module(const struct pclntab *t, uint64_t *next);

/* Which word of a moduledata leads to the next one in Go 1.`go_minor`; 0: not known, as where that is. */
unsigned int pclntab_next_word(const struct pclntab *t, unsigned int go_minor);

/* The function that contains `pc` itself (no -1): false if none does. */
bool pclntab_func(const struct pclntab *t, uint64_t pc, struct pcln_func *out);

/* The function called `name` that is not a wrapper: false if there is none. */
bool pclntab_find(const struct pclntab *t, const char *name, struct pcln_func *out);

/* Functions in order of address, for walks: false past the end. */
bool pclntab_at(const struct pclntab *t, size_t index, struct pcln_func *out);

/*
 * Expand the return address `pc` (looked up as pc - 1 unless it is a function's entry) into at most
 * `max` logical frames, innermost first, as runtime.CallersFrames does. Returns their number;
 * -ENOENT for a PC that is in no known function. No wrapper is called one where a goroutine starts,
 * that is, when pc or pc - 1 is a function's entry, as for pclntab_start_pc().
 */
int pclntab_frames(struct pclntab *t, uint64_t pc, struct pcln_frame *out, size_t max);

/* Distance from SP to the return address's slot at `pc`, 0 before the frame is made; -1 unknown. */
int pclntab_pcsp(const struct pclntab *t, uint64_t pc);

/*
 * The functions whose inlining put code at `pc`, innermost first, then the one that it is in. At
 * most `max`; returns their number, 0 for a PC that is in no known function.
 */
size_t pclntab_logical(const struct pclntab *t, uint64_t pc, const char **names, size_t max);

/* Is the code at `pc` there because the function `name` was inlined? */
bool pclntab_inlined(const struct pclntab *t, uint64_t pc, const char *name);

/*
 * Was a function for whose name `test` is true inlined anywhere into function number `index`
 * (pclntab_at())? Takes a step for every piece of it that was inlined, and as many from *budget: a
 * sound table has fewer than the code has bytes, a damaged one may have no end.
 */
typedef bool (*pcln_name_test)(const char *name, void *ctx);
bool pclntab_inlines_any(const struct pclntab *t, size_t index, pcln_name_test test, void *ctx,
			 uint64_t *budget);

/* The same for the function `name`. */
bool pclntab_inlines(const struct pclntab *t, size_t index, const char *name, uint64_t *budget);

/*
 * The function a `go` statement started, from g.startpc: looks through the wrapper the compiler
 * made for its arguments (runtime.startPCForTrace), not through that of a method value (f-fm).
 * To be symbolised as the value + 1.
 */
uint64_t pclntab_start_pc(const struct pclntab *t, uint64_t startpc);

/* A function's name as Go prints it: everything between the first [ and the last ] is "...". */
void pcln_func_name(const char *name, char *out, size_t size);

#endif
