// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/base/version.h"

#include <capstone/capstone.h>
#include <elf.h>
#include <elfutils/libdwfl.h>
#include <link.h>
#include <seccomp.h>
#include <string.h>
#include <sys/utsname.h>
#include <zlib.h>
#include <zstd.h>

/* of <bpf/libbpf.h>, which cannot be included with capstone 5: both have a bpf_insn */
const char *libbpf_version_string(void);

#ifdef __clang__
#define COMPILER __VERSION__ /* "Clang 14.0.6" */
#else
#define COMPILER "gcc " __VERSION__
#endif
#ifdef __SANITIZE_ADDRESS__
#define SANITIZERS ", with sanitizers"
#else
#define SANITIZERS ""
#endif

#define ALIGN4(n) (((size_t)(n) + 3) & ~(size_t)3)

const char gscope_version[] = GSCOPE_VERSION;

/* Length of the build id among the notes of `size` bytes at `at`, *id: where it is; 0: there is none. */
static size_t find_id(const uint8_t *at, size_t size, const uint8_t **id)
{
	ElfW(Nhdr) note;

	while (size >= sizeof(note)) {
		size_t name, desc;

		memcpy(&note, at, sizeof(note));
		name = ALIGN4(note.n_namesz);
		desc = ALIGN4(note.n_descsz);
		if (size - sizeof(note) < name + desc)
			break;
		*id = at + sizeof(note) + name;
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof("GNU"))
			return note.n_descsz;
		at += sizeof(note) + name + desc;
		size -= sizeof(note) + name + desc;
	}
	return 0;
}

/* The program is the first of what is loaded. */
static int print_id(struct dl_phdr_info *info, size_t size, void *ctx)
{
	const uint8_t *id;
	size_t n = 0;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum && !n; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type == PT_NOTE)
			n = find_id((const uint8_t *)(uintptr_t)(info->dlpi_addr + p->p_vaddr),
				    p->p_memsz, &id);
	}
	fputs("build id ", ctx);
	for (size_t i = 0; i < n; i++)
		fprintf(ctx, "%02x", id[i]);
	fputs(n ? "\n" : "none\n", ctx);
	return 1;
}

void version_print(FILE *out)
{
	const struct scmp_version *seccomp = seccomp_version();
	struct utsname u = {.machine = "?"};
	int major, minor;

	uname(&u);
	cs_version(&major, &minor);
	fprintf(out, "gscope %s, %s\n", gscope_version, u.machine);
	fprintf(out,
		"libbpf %s, elfutils %s, capstone %d.%d, zstd %s, zlib %s, libseccomp %u.%u.%u\n",
		libbpf_version_string(), dwfl_version(NULL), major, minor, ZSTD_versionString(),
		zlibVersion(), seccomp->major, seccomp->minor, seccomp->micro);
	fprintf(out, "compiled by " COMPILER SANITIZERS "; BPF programs " GSCOPE_BPF_FROM "\n");
	dl_iterate_phdr(print_id, out);
}
