// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* libFuzzer target: everything that is asked of an ELF file, of a damaged one. */
#include <stdlib.h>

#include "tests/fuzz/damage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void ask_names(struct elf_file *f)
{
	static const char *const sections[] = {
		".gopclntab", ".data.rel.ro.gopclntab", ".go.buildinfo", ".text", ".bss", ".none"};
	static const char *const symbols[] = {"runtime.pclntab", "runtime.text", "go:func.*",
					      "runtime.sched",   "no symbol",    ""};
	struct elf_bytes bytes;
	struct elf_symbol sym;

	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		if (elf_section(f, sections[i], &bytes))
			damaged_use(bytes.data, bytes.size);
	}
	for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
		if (elf_symbol(f, symbols[i], &sym))
			damaged_use_string(sym.name);
	}
}

static void ask_addresses(struct elf_file *f)
{
	static const size_t lengths[] = {1, 8, 4096, 65536};
	static char room[65536];
	struct elf_load part;
	uint64_t vaddr, off;

	for (size_t i = 0; damaged_address(i, &vaddr); i++) {
		damaged_sum += elf_file_offset(f, vaddr, &off);
		if (elf_load_of(f, vaddr, &part) && vaddr - part.vaddr >= part.filesz)
			abort();
		for (size_t k = 0; k < sizeof(lengths) / sizeof(lengths[0]); k++) {
			if (!elf_read(f, vaddr, room, lengths[k]))
				damaged_use(room, lengths[k]);
			if (!elf_read_relocated(f, vaddr, room, lengths[k]))
				damaged_use(room, lengths[k]);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct damaged d;
	struct elf_load part;

	damaged_open(&d, data, size, DAMAGED_ELF);
	if (d.elf) {
		damaged_sum += elf_is_pie(d.elf) + elf_has_symtab(d.elf);
		for (size_t i = 0; elf_load_at(d.elf, i, &part); i++) {
			if (part.vaddr + part.filesz < part.vaddr || part.filesz > part.memsz)
				abort();
		}
		damaged_sum += elf_needs(d.elf, "libc");
		ask_names(d.elf);
		ask_addresses(d.elf);
	}
	damaged_close(&d);
	return 0;
}
