/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * The executable file. Addresses here are those the linker gave ("vaddr"); the process has them
 * at vaddr + bias, and bias is not 0 for a PIE only.
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

/*
 * Read the ELF headers of `fd`, which stays the caller's and must stay open as long as the file.
 * `name` is for messages. What is not a 64-bit x86-64 executable is refused with EXIT_TARGET.
 */
int elf_file_open(struct elf_file **out, int fd, const char *name, struct error *e);
void elf_file_close(struct elf_file *f);

const char *elf_file_name(const struct elf_file *f);
bool elf_is_pie(const struct elf_file *f);
bool elf_has_symtab(const struct elf_file *f);

/* The libelf handle (an Elf *), for libdw. */
void *elf_file_handle(const struct elf_file *f);

/* Function or object called `name` in .symtab: false if there is none. */
bool elf_symbol(const struct elf_file *f, const char *name, struct elf_symbol *out);

/* A section's bytes as the file has them; false if it does not exist or cannot be read. */
bool elf_section(struct elf_file *f, const char *name, struct elf_bytes *out);

/* The bytes from `vaddr` to the end of its section; false if no section has it in the file. */
bool elf_section_at(struct elf_file *f, uint64_t vaddr, struct elf_bytes *out);

/* Where the byte loaded at `vaddr` is in the file: false if it is in no PT_LOAD's file part. */
bool elf_file_offset(const struct elf_file *f, uint64_t vaddr, uint64_t *off);

/* Copy `len` bytes of the image as the file has it, before relocation: 0 or -EFAULT. */
int elf_read(const struct elf_file *f, uint64_t vaddr, void *buf, size_t len);

/* [*lo, *hi) of the writable (or, if !writable, executable) part: false if there is none. */
bool elf_segment(const struct elf_file *f, bool writable, uint64_t *lo, uint64_t *hi);

/* Runtime address minus vaddr, from the mappings of the process that runs this file. */
int elf_load_bias(const struct elf_file *f, const struct target_process *p, uint64_t *bias,
		  struct error *e);

#endif
