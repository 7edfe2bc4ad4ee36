/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef GSCOPE_TARGET_ELF_INTERNAL_H
#define GSCOPE_TARGET_ELF_INTERNAL_H

#include <elf.h>
#include <libelf.h>

#include "user/target/elf.h"

/* More make no sense: a linker makes ten. */
#define ELF_MAX_LOADS 256

struct elf_cached {
	struct elf_cached *next;
	Elf64_Shdr shdr;
	uint8_t data[];
};

/* What is read only when it is asked for. */
struct elf_lazy {
	bool sections_read, symbols_read, relocs_read;
	Elf *elf;
	Elf64_Shdr *sections;
	size_t nsections;
	char *section_names;
	size_t section_names_size;
	struct elf_cached *cached;
	Elf64_Sym *symtab;
	size_t nsymbols;
	char *strtab; /* NUL-terminated whatever the file says */
	size_t strtab_size;
	struct elf_reloc *relocs; /* in order of address */
	size_t nrelocs;
};

struct elf_reloc {
	uint64_t vaddr, value;
};

struct elf_file {
	int fd;
	char *name;
	uint64_t size;
	Elf64_Ehdr ehdr;
	Elf64_Phdr *load; /* PT_LOAD only */
	size_t nload;
	Elf64_Phdr dynamic, interp; /* p_filesz 0: none */
	struct elf_lazy *lazy;
};

/* Read exactly `len` bytes of the file at `off`: 0 or -EFAULT. */
int elf_pread(const struct elf_file *f, uint64_t off, void *buf, size_t len);

void elf_lazy_free(struct elf_lazy *l);
void elf_relocs_free(struct elf_lazy *l);

#endif
