/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * An executable file or a shared object. Addresses here are those the linker gave ("vaddr"); the
 * process has them at vaddr + bias, and bias is 0 for what is not position-independent.
 *
 * What is loaded is found by program headers alone; sections serve only what is not loaded: symbols
 * and DWARF. The file is data from outside: every count in it is checked against its size.
 */
#ifndef GSCOPE_TARGET_ELF_H
#define GSCOPE_TARGET_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/base/error.h"
#include "user/target/process.h"

struct elf_file;

struct elf_symbol {
	const char *name; /* lives as long as the file */
	uint64_t vaddr;
	uint64_t size;
	bool func;
};

/* Bytes of a section; they live as long as the file. */
struct elf_bytes {
	const uint8_t *data;
	size_t size;
	uint64_t vaddr;
};

/* A part of the file that is loaded (PT_LOAD): what lies behind filesz is zero in memory. */
struct elf_load {
	uint64_t vaddr, offset;
	uint64_t filesz, memsz;
	bool write, exec;
};

/*
 * Read the ELF headers of `fd`, which stays the caller's and must stay open as long as the file.
 * `name` is for messages. What is no 64-bit x86-64 executable or shared object is refused with
 * EXIT_TARGET and -ENOEXEC.
 */
int elf_file_open(struct elf_file **out, int fd, const char *name, struct error *e);
void elf_file_close(struct elf_file *f);

const char *elf_file_name(const struct elf_file *f);

/* Position-independent: ET_DYN, as shared objects are, too. */
bool elf_is_pie(const struct elf_file *f);
bool elf_has_symtab(const struct elf_file *f);

/*
 * The libelf handle (an Elf *), for libdw; NULL if the file has no sections, or senseless ones, or
 * DWARF of more than 160 MiB.
 */
void *elf_file_handle(const struct elf_file *f);

/* Function or object called `name` in .symtab: false if there is none. Walks all symbols. */
bool elf_symbol(const struct elf_file *f, const char *name, struct elf_symbol *out);

/* The next function or object of .symtab, from number *at (begin with 0) on: false past the end. */
bool elf_symbol_next(const struct elf_file *f, size_t *at, struct elf_symbol *out);

/* A section's bytes as the file has them; false if it does not exist or is larger than 64 MiB. */
bool elf_section(struct elf_file *f, const char *name, struct elf_bytes *out);

/* Where a section is loaded: false if there is none of that name. */
bool elf_section_vaddr(const struct elf_file *f, const char *name, uint64_t *vaddr);

/* Loaded part number `index`: false past the last one. */
bool elf_load_at(const struct elf_file *f, size_t index, struct elf_load *out);

/* The part whose file bytes hold `vaddr`: false if there is none. */
bool elf_load_of(const struct elf_file *f, uint64_t vaddr, struct elf_load *out);

/* Where the byte loaded at `vaddr` is in the file: false if it is in no PT_LOAD's file part. */
bool elf_file_offset(const struct elf_file *f, uint64_t vaddr, uint64_t *off);

/* Copy `len` bytes of the image as the file has it, before relocation: 0 or -EFAULT. */
int elf_read(const struct elf_file *f, uint64_t vaddr, void *buf, size_t len);

/*
 * The same, with the relocations applied that a load at bias 0 needs (R_X86_64_RELATIVE), which
 * give most pointers in a position-independent file their value.
 */
int elf_read_relocated(const struct elf_file *f, uint64_t vaddr, void *buf, size_t len);

/* What the file says of the libraries it needs (DT_NEEDED): is `name` the start of one's name? */
bool elf_needs(const struct elf_file *f, const char *name);

/* The program that is to load this one ("/lib64/ld-linux-x86-64.so.2"): false if it is static. */
bool elf_interpreter(const struct elf_file *f, char *out, size_t size);

/* Runtime address minus vaddr, for the executable of a process: from its entry point. */
int elf_load_bias(const struct elf_file *f, const struct target_process *p, uint64_t *bias,
		  struct error *e);

#endif
