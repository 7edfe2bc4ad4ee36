// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/target/nogo.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "user/target/buildinfo.h"
#include "user/target/pclntab.h"

/* Programs that run others, by the beginning of their names. */
static const struct {
	const char *name;
	const char *runs;
} interpreters[] = {
	{"python", "Python programs"}, {"perl", "Perl programs"}, {"ruby", "Ruby programs"},
	{"node", "JavaScript"},        {"java", "Java programs"}, {"php", "PHP programs"},
	{"bash", "shell scripts"},     {"dash", "shell scripts"}, {"sh", "shell scripts"},
	{"zsh", "shell scripts"},      {"lua", "Lua programs"},   {"mono", ".NET programs"},
	{"dotnet", ".NET programs"},
};

static bool section_says(struct elf_file *f, const char *name, const char *text)
{
	struct elf_bytes section;

	return elf_section(f, name, &section) && section.size &&
	       memmem(section.data, section.size, text, strlen(text));
}

/* What runs is packed, and its code is in no file: "UPX!" is in the header of its loader. */
static bool is_packed(const struct elf_file *f)
{
	char head[1024];
	struct elf_load part;

	return elf_load_at(f, 0, &part) && !elf_read(f, part.vaddr, head, sizeof(head)) &&
	       memmem(head, sizeof(head), "UPX!", 4);
}

static bool has_table(struct elf_file *f)
{
	struct pclntab *t;

	if (pclntab_open(&t, f, GO_MINOR_MAX, 0, NULL))
		return false;
	pclntab_close(t);
	return true;
}

/* What runs other programs: NULL if it does not. */
static const char *interprets(const char *file)
{
	const char *slash = strrchr(file, '/'), *base = slash ? slash + 1 : file;

	for (size_t i = 0; i < sizeof(interpreters) / sizeof(interpreters[0]); i++) {
		size_t len = strlen(interpreters[i].name);

		/* "python3.11", but not "shutdown" */
		if (!strncmp(base, interpreters[i].name, len) &&
		    !strchr("abcdefghijklmnopqrstuvwxyz-_", base[len] ? base[len] : '0'))
			return interpreters[i].runs;
	}
	return NULL;
}

static const char *language(struct elf_file *f)
{
	if (section_says(f, ".comment", "rustc"))
		return "Rust";
	if (elf_needs(f, "libstdc++") || elf_needs(f, "libc++"))
		return "C++";
	return "C or C++";
}

int nogo_refuse(struct elf_file *f, struct error *e)
{
	const char *name = elf_file_name(f), *runs = interprets(name);
	char loader[256], more[300] = "";
	struct elf_bytes section;

	if (is_packed(f))
		return error_set(e, EXIT_TARGET, -ENOEXEC,
				 "%s is packed with UPX, and what runs is in no file that could be "
				 "probed; unpack it with `upx -d` and start it anew",
				 name);
	if (elf_needs(f, "libgo.so") || elf_section(f, ".go_export", &section))
		return error_set(e, EXIT_TARGET, -ENOEXEC,
				 "%s is not a program of the Go toolchain but of gccgo, which has "
				 "another runtime; rebuild it with `go build -compiler gc`",
				 name);
	if (elf_section(f, ".note.go.buildid", &section) || has_table(f))
		return error_set(
			e, EXIT_TARGET, -ENOEXEC,
			"%s is a Go program without build information: of a Go older than "
			"1.13, or it was taken out; gscope cannot tell its release: rebuild "
			"it",
			name);
	if (runs)
		snprintf(more, sizeof(more), "; it runs %s", runs);
	if (elf_interpreter(f, loader, sizeof(loader)))
		return error_set(e, EXIT_TARGET, -ENOEXEC,
				 "%s is not a Go program (%s, dynamically linked by %.60s%s), and "
				 "no library it has loaded is Go's",
				 name, language(f), loader, more);
	return error_set(e, EXIT_TARGET, -ENOEXEC,
			 "%s is not a Go program (%s, statically linked%s)", name, language(f),
			 more);
}
