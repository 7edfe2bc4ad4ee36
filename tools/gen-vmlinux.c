/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Print the C declarations of the kernel types a list names; see vmlinux/types.list. */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/btf.h>

#define MAX_WORDS 64

static void fail(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

static void fail(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fputs("gen-vmlinux: ", stderr);
	vfprintf(stderr, fmt, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

static void print(void *ctx, const char *fmt, va_list args)
{
	(void)ctx;
	vprintf(fmt, args);
}

static bool wanted(const char *name, char **words, int n)
{
	if (!n)
		return true;
	for (int i = 0; i < n; i++)
		if (!strcmp(words[i], name))
			return true;
	return false;
}

static void declare(struct btf_dump *dump, __u32 type, const char *name)
{
	LIBBPF_OPTS(btf_dump_emit_type_decl_opts, opts, .field_name = name, .indent_level = 1);
	int err = btf_dump__emit_type_decl(dump, type, &opts);

	if (err)
		fail("cannot declare %s: %s", name, strerror(-err));
}

static void emit_members(const struct btf *btf, struct btf_dump *dump, const struct btf_type *t,
			 char **words, int n)
{
	const struct btf_member *m = btf_members(t);
	int found = 0;

	for (int i = 0; i < btf_vlen(t); i++, m++) {
		const char *name = btf__name_by_offset(btf, m->name_off);

		if (!*name || !wanted(name, words, n))
			continue;
		putchar('\t');
		declare(dump, m->type, name);
		puts(";");
		found++;
	}
	if (n && found != n)
		fail("struct %s has only %d of the %d members listed",
		     btf__name_by_offset(btf, t->name_off), found, n);
}

static void emit_struct(const struct btf *btf, struct btf_dump *dump, const char *name,
			char **words, int n)
{
	int id = btf__find_by_name_kind(btf, name, BTF_KIND_STRUCT);

	if (id < 0)
		fail("no struct %s in this kernel", name);
	printf("struct %s {\n", name);
	emit_members(btf, dump, btf__type_by_id(btf, id), words, n);
	puts("};\n");
}

static const struct btf_type *find_enum(const struct btf *btf, const char *name, const char *first)
{
	for (__u32 id = 1; id < btf__type_cnt(btf); id++) {
		const struct btf_type *t = btf__type_by_id(btf, id);

		if (!btf_is_enum(t) || !btf_vlen(t))
			continue;
		if (strcmp(name, "-") ?
			    !strcmp(btf__name_by_offset(btf, t->name_off), name) :
			    !strcmp(btf__name_by_offset(btf, btf_enum(t)->name_off), first))
			return t;
	}
	return NULL;
}

static void emit_enum(const struct btf *btf, const char *name, char **words, int n)
{
	const struct btf_type *t = find_enum(btf, name, n ? words[0] : "");

	if (!t)
		fail("no enum %s %s in this kernel", name, n ? words[0] : "");
	printf("\nenum %s%s{\n", strcmp(name, "-") ? name : "", strcmp(name, "-") ? " " : "");
	for (int i = 0; i < btf_vlen(t); i++) {
		const struct btf_enum *e = btf_enum(t) + i;
		const char *constant = btf__name_by_offset(btf, e->name_off);

		if (wanted(constant, words, n))
			printf("\t%s = %d,\n", constant, e->val);
	}
	puts("};\n");
}

static void emit_typedef(const struct btf *btf, struct btf_dump *dump, const char *name)
{
	int id = btf__find_by_name_kind(btf, name, BTF_KIND_TYPEDEF);
	const struct btf_type *target;

	if (id < 0)
		fail("no typedef %s in this kernel", name);
	target = btf__type_by_id(btf, btf__type_by_id(btf, id)->type);
	if (btf_is_composite(target) && !target->name_off) {
		puts("typedef struct {");
		emit_members(btf, dump, target, NULL, 0);
		printf("} %s;\n\n", name);
		return;
	}
	printf("typedef ");
	declare(dump, btf__type_by_id(btf, id)->type, name);
	puts(";");
}

int main(int argc, char **argv)
{
	struct btf_dump *dump;
	struct btf *btf;
	char line[4096];
	FILE *list;

	if (argc != 3)
		fail("usage: gen-vmlinux BTF LIST");
	btf = btf__parse(argv[1], NULL);
	if (!btf)
		fail("%s: %s", argv[1], strerror(errno));
	list = fopen(argv[2], "re");
	if (!list)
		fail("%s: %s", argv[2], strerror(errno));
	dump = btf_dump__new(btf, print, NULL, NULL);
	if (!dump)
		fail("btf_dump__new: %s", strerror(errno));

	puts("/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */\n"
	     "/* Made by tools/gen-vmlinux from vmlinux/types.list. Do not edit. */\n"
	     "#ifndef __VMLINUX_H__\n"
	     "#define __VMLINUX_H__\n\n"
	     "#pragma clang attribute push(__attribute__((preserve_access_index)), "
	     "apply_to = record)\n");
	while (fgets(line, sizeof(line), list)) {
		char *words[MAX_WORDS];
		int n = 0;

		for (char *w = strtok(line, " \t\n"); w && n < MAX_WORDS; w = strtok(NULL, " \t\n"))
			words[n++] = w;
		if (!n || words[0][0] == '#')
			continue;
		if (n < 2)
			fail("%s: \"%s\" names no type", argv[2], words[0]);
		if (!strcmp(words[0], "struct"))
			emit_struct(btf, dump, words[1], words + 2, n - 2);
		else if (!strcmp(words[0], "enum"))
			emit_enum(btf, words[1], words + 2, n - 2);
		else if (!strcmp(words[0], "typedef"))
			emit_typedef(btf, dump, words[1]);
		else
			fail("%s: unknown kind of type \"%s\"", argv[2], words[0]);
	}
	puts("#pragma clang attribute pop\n\n#endif");

	btf_dump__free(dump);
	btf__free(btf);
	fclose(list);
	return fflush(stdout) ? 1 : 0;
}
