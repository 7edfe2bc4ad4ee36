// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/target/elf.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/target/progs.h"
#include "tests/unit/unit.h"

/* The head of an ELF file, changed a little; what elf_file_open() says. */
static void refuses_head(unsigned int machine, int class, int type, const char *text)
{
	int fd = memfd_create("head", MFD_CLOEXEC);
	struct elf_file *f;
	struct error e = {0};
	union {
		Elf64_Ehdr b64;
		Elf32_Ehdr b32;
	} h;

	memset(&h, 0, sizeof(h));
	memcpy(h.b64.e_ident, ELFMAG, SELFMAG);
	h.b64.e_ident[EI_CLASS] = class;
	h.b64.e_ident[EI_DATA] = ELFDATA2LSB;
	h.b64.e_ident[EI_VERSION] = EV_CURRENT;
	h.b64.e_type = type;
	h.b64.e_machine = machine;
	h.b64.e_version = EV_CURRENT;
	if (class == ELFCLASS32)
		h.b32.e_ehsize = sizeof(h.b32);
	else
		h.b64.e_ehsize = sizeof(h.b64);
	CU_ASSERT_EQUAL(write(fd, &h, sizeof(h)), sizeof(h));
	CU_ASSERT_EQUAL(elf_file_open(&f, fd, "some/file", &e), -ENOEXEC);
	CU_ASSERT_PTR_NULL(f);
	CU_ASSERT_EQUAL(e.status, EXIT_TARGET);
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, "some/file"));
	CU_ASSERT_PTR_NOT_NULL(strstr(e.text, text));
	if (!strstr(e.text, text))
		printf("\n    %s", e.text);
	close(fd);
}

static void refuses_other_machines(void)
{
	struct error e = {0};
	struct elf_file *f;
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);

	refuses_head(EM_AARCH64, ELFCLASS64, ET_EXEC, "arm64");
	refuses_head(EM_386, ELFCLASS32, ET_EXEC, "32-bit x86");
	refuses_head(EM_X86_64, ELFCLASS32, ET_EXEC, "32-bit"); /* x32 */
	refuses_head(EM_X86_64, ELFCLASS64, ET_REL, "no executable");
	refuses_head(EM_X86_64, ELFCLASS64, ET_EXEC, "no program headers");
	CU_ASSERT_EQUAL(elf_file_open(&f, fd, "text", &e), -ENOEXEC);
	CU_ASSERT_EQUAL(e.status, EXIT_TARGET);
	close(fd);
}

static void reads_image(void)
{
	const char *path = prog_path("1.26", "plain");
	struct elf_symbol sym, none;
	struct elf_bytes sec;
	struct elf_load part;
	uint64_t off, vaddr, hi;
	struct prog_file f;
	uint8_t a[16], b[16];

	if (!path || !prog_open(&f, path, 0))
		return;
	CU_ASSERT_TRUE(elf_symbol(f.elf, "runtime.gopark", &sym));
	CU_ASSERT_TRUE(sym.func);
	CU_ASSERT_FALSE(elf_symbol(f.elf, "runtime.gopark ", &none));
	CU_ASSERT_FALSE(elf_symbol(f.elf, "", &none));
	CU_ASSERT_TRUE(elf_file_offset(f.elf, sym.vaddr, &off));
	CU_ASSERT_EQUAL(pread(f.fd, a, sizeof(a), off), sizeof(a));
	CU_ASSERT_EQUAL(elf_read(f.elf, sym.vaddr, b, sizeof(b)), 0);
	CU_ASSERT_FALSE(memcmp(a, b, sizeof(a)));
	CU_ASSERT_TRUE(elf_section(f.elf, ".text", &sec));
	CU_ASSERT_FALSE(memcmp(a, sec.data + (sym.vaddr - sec.vaddr), sizeof(a)));
	CU_ASSERT_TRUE(elf_section_vaddr(f.elf, ".text", &vaddr));
	CU_ASSERT_EQUAL(vaddr, sec.vaddr);
	/* data of the runtime; bss is in no file */
	CU_ASSERT_TRUE(elf_symbol(f.elf, "runtime.waitReasonStrings", &sym));
	CU_ASSERT_FALSE(sym.func);
	CU_ASSERT_TRUE(elf_symbol(f.elf, "runtime.allglen", &sym));
	CU_ASSERT_FALSE(elf_file_offset(f.elf, sym.vaddr, &off));
	CU_ASSERT_EQUAL(elf_read(f.elf, sym.vaddr, b, 1), -EFAULT);
	CU_ASSERT_FALSE(elf_file_offset(f.elf, 0, &off));
	CU_ASSERT_FALSE(elf_section(f.elf, ".nosuch", &sec));
	/* not across the end of a segment */
	CU_ASSERT_TRUE(elf_load_of(f.elf, sec.vaddr, &part));
	CU_ASSERT_TRUE(part.exec && !part.write);
	hi = part.vaddr + part.filesz;
	CU_ASSERT_EQUAL(elf_read(f.elf, hi - 4, b, 4), 0);
	CU_ASSERT_EQUAL(elf_read(f.elf, hi - 4, b, 8), -EFAULT);
	CU_ASSERT_EQUAL(elf_read(f.elf, ~0ULL - 3, b, 8), -EFAULT);
	prog_close(&f);
}

static void finds_load_bias(void)
{
	for (const char *const *m = prog_modes; *m; m++) {
		const char *path = prog_path("1.25", *m);
		struct target_process *process;
		struct error e = {0};
		struct elf_symbol sym;
		struct prog_file f;
		uint8_t a[16], b[16];
		uint64_t bias;
		struct prog p;

		if (!path || !prog_start(&p, path, "park", "1", true))
			continue;
		if (prog_open(&f, path, 0)) {
			CU_ASSERT_EQUAL_FATAL(target_process_open(p.pid, &process, &e), 0);
			CU_ASSERT_EQUAL(elf_load_bias(f.elf, process, &bias, &e), 0);
			CU_ASSERT_EQUAL(bias != 0, !!strstr(*m, "pie"));
			/* the code of the file is where the bias says */
			CU_ASSERT_TRUE(elf_symbol(f.elf, "runtime.gopark", &sym));
			CU_ASSERT_EQUAL(elf_read(f.elf, sym.vaddr, a, sizeof(a)), 0);
			CU_ASSERT_EQUAL(target_process_read(process, sym.vaddr + bias, b, 16), 0);
			CU_ASSERT_FALSE(memcmp(a, b, sizeof(a)));
			target_process_close(process);
			prog_close(&f);
		}
		prog_stop(&p);
	}
}

static CU_TestInfo tests[] = {
	{"refuses other machines by name", refuses_other_machines},
	{"reads symbols, sections and the image", reads_image},
	{"finds where the program is loaded", finds_load_bias},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("target/elf", tests);
