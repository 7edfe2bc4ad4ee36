// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/target/describe.h"

#include <stdarg.h>
#include <string.h>

#include "user/base/text.h"

__attribute__((format(printf, 3, 4))) static void line(const struct target *t, FILE *out,
						       const char *fmt, ...)
{
	va_list ap;

	fprintf(out, "gscope: pid %d: ", (int)t->process->pid);
	va_start(ap, fmt);
	text_line(out, fmt, ap);
	va_end(ap);
}

static bool has_dwarf(const struct target *t)
{
	return !strcmp(t->layout.rung, "dwarf");
}

static void describe_build(const struct target *t, FILE *out)
{
	const struct buildinfo *b = &t->build;
	char value[128], text[512];
	size_t n = 0;

	/* a build that kept no settings says nothing of these */
	static const struct {
		const char *key, *value, *text;
	} settings[] = {
		{"CGO_ENABLED", "1", ", cgo"},
		{"-race", "true", ", race detector"},
		{"-trimpath", "true", ", trimmed paths"},
	};

	n += (size_t)snprintf(text, sizeof(text), "%s", elf_is_pie(t->elf) ? "PIE or library" : "");
	n += (size_t)snprintf(text + n, sizeof(text) - n, "%s", n ? "" : "fixed address");
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		if (buildinfo_setting(b, settings[i].key, value, sizeof(value)) &&
		    !strcmp(value, settings[i].value))
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s", settings[i].text);
	}
	if (buildinfo_setting(b, "-pgo", value, sizeof(value)))
		n += (size_t)snprintf(text + n, sizeof(text) - n, ", profile %s", value);
	snprintf(text + n, sizeof(text) - n, "%s%s",
		 elf_has_symtab(t->elf) ? "" : ", stripped of symbols",
		 has_dwarf(t) ? "" : ", no DWARF");
	line(t, out, "built with %s, as its build information says%s", b->version,
	     b->known ? "" : "; no release that this gscope knows");
	line(t, out, "build: %s", text);
}

static void describe_table(const struct target *t, FILE *out)
{
	static const char *const sections[] = {".gopclntab", ".data.rel.ro.gopclntab"};
	const char *where = "by its header, no section has its name";
	struct pcln_func func;
	uint64_t vaddr;
	size_t n = 0;

	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		if (elf_section_vaddr(t->elf, sections[i], &vaddr))
			where = sections[i];
	}
	while (pclntab_at(t->pcln, n, &func))
		n++;
	line(t, out, "function table: %zu functions, found %s%s, loaded at %#llx", n,
	     where[0] == '.' ? "in section " : "", where, (unsigned long long)t->bias);
}

static void describe_layout(const struct target *t, FILE *out)
{
	const struct layout *l = &t->layout;
	unsigned int known = layout_known(l);

	if (!strcmp(l->rung, "code"))
		line(t, out, "layout of the runtime: from its code, %u fields", known);
	else
		line(t, out,
		     "layout of the runtime: from %s, %u fields, %u of them confirmed by its code",
		     has_dwarf(t) ? "DWARF" : l->rung, known, l->checked);
	line(t, out, "variables of the runtime: by %s; g is at FS base%+d%s", t->globals.rung,
	     l->tls_g, t->heap.at ? "" : "; the size of the heap cannot be read");
}

static void describe_sites(const struct target *t, FILE *out)
{
	const struct sites *s = &t->sites;
	char text[512];
	size_t n = 0;

	text[0] = 0;
	for (int kind = 0; kind < SITE_KINDS; kind++) {
		size_t count = 0;

		for (size_t i = 0; i < s->n; i++)
			count += s->v[i].kind == (enum site_kind)kind;
		if (count && n < sizeof(text))
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%zu %s", n ? ", " : "",
					      count, site_kind_name((enum site_kind)kind));
	}
	line(t, out, "%zu places to probe: %s", s->n, text);
}

void target_describe(const struct target *t, FILE *out)
{
	line(t, out, "probes go to %s, build id %s", elf_file_name(t->elf),
	     t->build.build_id[0] ? t->build.build_id : "unknown");
	describe_build(t, out);
	describe_table(t, out);
	describe_layout(t, out);
	describe_sites(t, out);
	for (size_t i = 1; i < t->modules->n; i++)
		line(t, out, "more Go code in %s", elf_file_name(t->modules->v[i]->elf));
}
