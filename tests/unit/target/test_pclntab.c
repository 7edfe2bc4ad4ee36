// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/target/progs.h"
#include "tests/unit/unit.h"

#define MAX 128

/* What the program printed about one stack: runtime.Callers and runtime.CallersFrames. */
struct printed {
	uint64_t pcs[MAX];
	size_t npcs;
	struct {
		uint64_t pc;
		unsigned int line;
		char func[256], file[256];
	} frames[MAX];
	size_t nframes;
};

static void function_names(void)
{
	static const struct {
		const char *raw, *nice;
	} cases[] = {
		{"main.main", "main.main"},
		{"main.f[go.shape.int]", "main.f[...]"},
		{"main.(*list[go.shape.map[string]int]).each", "main.(*list[...]).each"},
		{"main.f[a].func1[b]", "main.f[...]"},
		{"a]b[c", "a]b[c"},
		{"", ""},
	};
	char out[64], tiny[8];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		pcln_func_name(cases[i].raw, out, sizeof(out));
		CU_ASSERT_STRING_EQUAL(out, cases[i].nice);
	}
	pcln_func_name("main.f[go.shape.int]", tiny, sizeof(tiny));
	CU_ASSERT_STRING_EQUAL(tiny, "main.f[");
}

/* The load bias, from the "entry" line. */
static bool read_bias(FILE *in, const char *path, uint64_t *bias)
{
	struct pcln_func func;
	struct prog_file f;
	uint64_t entry;
	bool ok;

	if (fscanf(in, "entry %" SCNx64 " main.base\n", &entry) != 1 || !prog_open(&f, path, 0))
		return false;
	ok = pclntab_find(f.pcln, "main.base", &func);
	*bias = entry - func.entry;
	prog_close(&f);
	return ok;
}

/* Next stack: false at the end. The line "stack" has been read. */
static bool read_stack(FILE *in, struct printed *s)
{
	char line[1024];

	memset(s, 0, sizeof(*s));
	while (fgets(line, sizeof(line), in) && strcmp(line, "stack\n")) {
		if (sscanf(line, "pc %" SCNx64, &s->pcs[s->npcs]) == 1)
			s->npcs++;
		else if (sscanf(line, "frame %" SCNx64 " %u %255s %255s", &s->frames[s->nframes].pc,
				&s->frames[s->nframes].line, s->frames[s->nframes].func,
				s->frames[s->nframes].file) == 4)
			s->nframes++;
		else
			CU_FAIL("the program printed something unexpected");
		if (s->npcs == MAX || s->nframes == MAX)
			return false;
	}
	return s->nframes;
}

static bool same_frame(const struct printed *s, size_t i, const struct pcln_frame *f)
{
	bool same = i < s->nframes && s->frames[i].pc == f->pc && s->frames[i].line == f->line &&
		    !strcmp(s->frames[i].func, f->func) && !strcmp(s->frames[i].file, f->file);

	if (!same && i < s->nframes)
		printf("\n    Go: %" PRIx64 " %s %s:%u, gscope: %" PRIx64 " %s %s:%u",
		       s->frames[i].pc, s->frames[i].func, s->frames[i].file, s->frames[i].line,
		       f->pc, f->func, f->file, f->line);
	return same;
}

/*
 * runtime.Callers gives one PC for every logical frame; expanding the i-th must give the i-th
 * frame and those it was inlined into, which are the next ones.
 */
static void compare(struct pclntab *t, const struct printed *s, size_t *inlined, size_t *wrappers)
{
	CU_ASSERT_EQUAL(s->npcs, s->nframes);
	for (size_t i = 0; i < s->npcs; i++) {
		struct pcln_frame frames[MAX];
		int n = pclntab_frames(t, s->pcs[i], frames, MAX);

		int shown = 0;

		CU_ASSERT(n > 0);
		for (int k = 0; k < n; k++) {
			/* Go shows a wrapper only if it is what panicked */
			if (frames[k].wrapper &&
			    (k > 0 || !i || strcmp(s->frames[i - 1].func, "runtime.panicwrap")))
				continue;
			*wrappers += frames[k].wrapper;
			CU_ASSERT_TRUE(same_frame(s, i + shown, &frames[k]));
			shown++;
		}
		*inlined += shown > 1;
	}
}

static void frames_of(const char *path, bool inlining)
{
	size_t inlined = 0, wrappers = 0, stacks = 0;
	struct printed *s = malloc(sizeof(*s));
	struct prog_file f;
	uint64_t bias = 0;
	struct prog p;

	if (prog_start(&p, path, "frames", NULL, false)) {
		if (read_bias(p.out, path, &bias) && prog_open(&f, path, bias)) {
			char line[16];

			CU_ASSERT_PTR_NOT_NULL(fgets(line, sizeof(line), p.out));
			while (read_stack(p.out, s)) {
				compare(f.pcln, s, &inlined, &wrappers);
				stacks++;
			}
			prog_close(&f);
		}
		prog_stop(&p);
	}
	free(s);
	CU_ASSERT_EQUAL(stacks, 13);
	CU_ASSERT(inlining ? inlined > 13 : !inlined);
	CU_ASSERT_EQUAL(wrappers, 1);
	CU_ASSERT_EQUAL(bias != 0, !!strstr(path, "pie"));
}

static void frames_like_go(void)
{
	for (const char *const *r = prog_all_releases; *r; r++) {
		for (const char *const *m = prog_modes; *m; m++) {
			const char *path = prog_path(*r, *m);

			if (path)
				frames_of(path, true);
		}
	}
}

static void finds_functions(void)
{
	for (const char *const *r = prog_all_releases; *r; r++) {
		const char *path = prog_path(*r, "plain");
		struct pcln_func func, same;
		struct pcln_frame frame;
		struct prog_file f;
		struct elf_symbol sym;

		if (!path || !prog_open(&f, path, 0))
			continue;
		CU_ASSERT_TRUE(pclntab_find(f.pcln, "runtime.casgstatus", &func));
		CU_ASSERT_TRUE(elf_symbol(f.elf, "runtime.casgstatus", &sym));
		CU_ASSERT_EQUAL(func.entry, sym.vaddr);
		/* up to the next function, padding included */
		CU_ASSERT(func.end - func.entry >= sym.size);
		CU_ASSERT(func.end - func.entry < sym.size + 64);
		CU_ASSERT_TRUE(pclntab_func(f.pcln, func.end - 1, &same));
		CU_ASSERT_EQUAL(same.entry, func.entry);
		/* newproc has an ABI wrapper of the same name: not that one */
		CU_ASSERT_TRUE(pclntab_find(f.pcln, "runtime.newproc", &func));
		CU_ASSERT_TRUE(elf_symbol(f.elf, "runtime.newproc", &sym));
		CU_ASSERT_EQUAL(func.entry, sym.vaddr);
		CU_ASSERT_FALSE(func.wrapper);
		CU_ASSERT_FALSE(pclntab_find(f.pcln, "runtime.nosuch", &func));
		/* no frame at its first instruction, one after the prologue */
		CU_ASSERT_TRUE(pclntab_find(f.pcln, "runtime.gopark", &func));
		CU_ASSERT_EQUAL(pclntab_pcsp(f.pcln, func.entry), 0);
		CU_ASSERT(pclntab_pcsp(f.pcln, func.entry + 32) >= 8);
		CU_ASSERT_EQUAL(pclntab_pcsp(f.pcln, 0), -1);
		CU_ASSERT_EQUAL(pclntab_frames(f.pcln, 0, &frame, 1), -ENOENT);
		CU_ASSERT_EQUAL(pclntab_frames(f.pcln, ~0ULL, &frame, 1), -ENOENT);
		CU_ASSERT_EQUAL(pclntab_frames(f.pcln, func.entry + 1, &frame, 1), 1);
		CU_ASSERT_STRING_EQUAL(frame.func, "runtime.gopark");
		CU_ASSERT_EQUAL(pclntab_frames(f.pcln, func.entry, &frame, 1), 1);
		CU_ASSERT_STRING_EQUAL(frame.func, "runtime.gopark");
		CU_ASSERT_EQUAL(pclntab_start_pc(f.pcln, func.entry), func.entry);
		prog_close(&f);
	}
}

/*
 * The linker writes a name in other ways into the symbol table: with the type arguments that Go 1.19
 * leaves out of the function table, without the middle dot, with the ABI behind it.
 */
static bool same_name(const char *symbol, const char *func)
{
	char a[512], b[512], *dot;

	pcln_func_name(symbol, a, sizeof(a));
	pcln_func_name(func, b, sizeof(b));
	while ((dot = strstr(b, "\xc2\xb7"))) {
		*dot = '.';
		memmove(dot + 1, dot + 2, strlen(dot + 2) + 1);
	}
	return !strncmp(a, b, strlen(b));
}

/* Every function symbol of a program is a function of the same name in the table of its twin. */
static void same_functions(const struct prog_file *with, const struct pclntab *t)
{
	size_t at = 0, functions = 0, wrong = 0;
	uint64_t lo, hi;
	struct elf_symbol sym;

	pclntab_text(t, &lo, &hi);
	while (elf_symbol_next(with->elf, &at, &sym)) {
		struct pcln_func func;

		/* the linker's own marks have no size: runtime.text */
		if (!sym.func || !sym.size || sym.vaddr < lo || sym.vaddr >= hi)
			continue;
		functions++;
		if (pclntab_func(t, sym.vaddr, &func) && func.entry == sym.vaddr &&
		    same_name(sym.name, func.name))
			continue;
		if (!wrong++)
			printf("\n    %s: %" PRIx64 " %s is %" PRIx64 " %s",
			       elf_file_name(with->elf), sym.vaddr, sym.name, func.entry,
			       func.name);
	}
	CU_ASSERT(functions > 1000);
	CU_ASSERT_EQUAL(wrong, 0);
}

/* Two tables hold the same. */
static void same_tables(const struct pclntab *a, const struct pclntab *b, uint64_t bias)
{
	struct pcln_func x, y;
	size_t n = 0, wrong = 0;

	for (; pclntab_at(a, n, &x); n++) {
		wrong += !pclntab_at(b, n, &y) || x.entry + bias != y.entry ||
			 x.end + bias != y.end || x.wrapper != y.wrapper ||
			 strcmp(x.name, y.name) != 0;
	}
	CU_ASSERT_FALSE(pclntab_at(b, n, &y));
	CU_ASSERT(n > 1000);
	CU_ASSERT_EQUAL(wrong, 0);
}

static void without_symbols(void)
{
	static const char *const how[] = {"", "-strip", "-noshdr"};

	for (const char *const *r = prog_all_releases; *r; r++) {
		for (const char *const *m = prog_modes; *m; m++) {
			const char *path = prog_path(*r, *m);
			struct prog_file with, without;

			if (!path || !prog_open(&with, path, 0))
				continue;
			for (size_t i = 0; i < sizeof(how) / sizeof(how[0]); i++) {
				char mode[32];

				snprintf(mode, sizeof(mode), "%s%s", *m, how[i]);
				path = prog_path(*r, mode);
				if (!path || !prog_open(&without, path, 0))
					continue;
				CU_ASSERT_EQUAL(elf_has_symtab(without.elf), i == 0);
				CU_ASSERT_EQUAL(!elf_file_handle(without.elf), i == 2);
				same_functions(&with, without.pcln);
				same_tables(with.pcln, without.pcln, 0);
				prog_close(&without);
			}
			prog_close(&with);
		}
	}
}

/* Ways to build in which the compiler or the linker does something else. */
static void other_builds(void)
{
	static const char *const modes[] = {"trimpath", "nl", "race", "race-noshdr", "pgo", NULL};

	for (const char *const *r = prog_all_releases; *r; r++) {
		for (const char *const *m = modes; *m; m++) {
			const char *path = prog_worth_it(*r, *m) ? prog_path(*r, *m) : NULL;
			struct prog_file f;

			if (!path || !prog_open(&f, path, 0))
				continue;
			if (elf_has_symtab(f.elf))
				same_functions(&f, f.pcln);
			prog_close(&f);
			/* the last: frames of inlined calls, or of none */
			if (!strcmp(*m, "nl") || !strcmp(*m, "trimpath"))
				frames_of(path, !strcmp(*m, "trimpath"));
		}
	}
}

/* A running program tells where it is by its memory. */
static void from_memory(void)
{
	static const char *const modes[] = {"plain-noshdr", "pie-noshdr", "cgopie-strip",
					    "cgopie-noshdr", NULL};

	for (const char *const *r = prog_all_releases; *r; r++) {
		for (const char *const *m = modes; *m; m++) {
			const char *path = prog_path(*r, *m);
			struct target_process *process;
			struct error e = {0};
			struct pclntab *t;
			struct prog_file f;
			uint64_t bias, next;
			struct prog p;

			if (!path || !prog_start(&p, path, "park", "1", true))
				continue;
			if (prog_open(&f, path, 0)) {
				CU_ASSERT_EQUAL_FATAL(target_process_open(p.pid, &process, &e), 0);
				CU_ASSERT_EQUAL(elf_load_bias(f.elf, process, &bias, &e), 0);
				CU_ASSERT_EQUAL_FATAL(pclntab_open_live(&t, f.elf, process,
									f.build.go_minor, bias, &e),
						      0);
				same_tables(f.pcln, t, bias);
				CU_ASSERT_NOT_EQUAL(pclntab_module(t, &next), 0);
				CU_ASSERT_EQUAL(next, 0);
				pclntab_close(t);
				target_process_close(process);
				prog_close(&f);
			}
			prog_stop(&p);
		}
	}
}

/* How many functions of a program `name` was inlined into. */
static size_t count_inlined(const struct prog_file *f, const char *name, uint64_t budget)
{
	struct pcln_func func;
	size_t n = 0;

	for (size_t i = 0; pclntab_at(f->pcln, i, &func); i++)
		n += pclntab_inlines(f->pcln, i, name, &budget);
	return n;
}

static void tells_what_was_inlined(void)
{
	const char *path = prog_path("1.26", "plain"), *names[8];
	struct pcln_func func;
	struct prog_file f;
	uint64_t pc;
	size_t n;

	if (!path || !prog_open(&f, path, 0))
		return;
	CU_ASSERT_EQUAL(count_inlined(&f, "runtime.casgstatus", 1 << 24), 0);
	CU_ASSERT(count_inlined(&f, "main.inner", 1 << 24) > 0);
	CU_ASSERT_EQUAL(count_inlined(&f, "main.inner", 1000), 0);
	/* main.frames calls main.outer, that main.middle, that main.inner */
	CU_ASSERT_TRUE_FATAL(pclntab_find(f.pcln, "main.frames", &func));
	for (pc = func.entry; pc < func.end && !pclntab_inlined(f.pcln, pc, "main.inner"); pc++)
		;
	n = pclntab_logical(f.pcln, pc, names, 8);
	CU_ASSERT_EQUAL_FATAL(n, 4);
	CU_ASSERT_STRING_EQUAL(names[0], "main.inner");
	CU_ASSERT_STRING_EQUAL(names[1], "main.middle");
	CU_ASSERT_STRING_EQUAL(names[2], "main.outer");
	CU_ASSERT_STRING_EQUAL(names[3], "main.frames");
	CU_ASSERT_EQUAL(pclntab_logical(f.pcln, pc, names, 2), 2);
	CU_ASSERT_EQUAL(pclntab_logical(f.pcln, func.entry, names, 8), 1);
	CU_ASSERT_STRING_EQUAL(names[0], "main.frames");
	CU_ASSERT_EQUAL(pclntab_logical(f.pcln, 0, names, 8), 0);
	prog_close(&f);
}

/* A release that is not known: what its number would tell is found in the table itself. */
static void unknown_release(void)
{
	for (const char *const *r = prog_all_releases; *r; r++) {
		const char *path = prog_path(*r, "pie");
		struct pcln_frame x[MAX], y[MAX];
		size_t inlined = 0, wrong = 0;
		struct error e = {0};
		struct pcln_func func;
		struct pclntab *t;
		struct prog_file f;

		if (!path || !prog_open(&f, path, 0))
			continue;
		CU_ASSERT_EQUAL_FATAL(pclntab_open(&t, f.elf, GO_MINOR_MAX + 1, 0, &e), 0);
		same_tables(f.pcln, t, 0);
		for (size_t i = 0; pclntab_at(f.pcln, i, &func); i++) {
			uint64_t pc = func.entry + (func.end - func.entry) / 2;
			int n = pclntab_frames(f.pcln, pc, x, MAX);

			wrong += n != pclntab_frames(t, pc, y, MAX);
			for (int k = 0; k < n; k++)
				wrong += x[k].pc != y[k].pc || x[k].line != y[k].line;
			inlined += n > 1;
		}
		CU_ASSERT(inlined > 100);
		CU_ASSERT_EQUAL(wrong, 0);
		pclntab_close(t);
		prog_close(&f);
	}
}

static CU_TestInfo tests[] = {
	{"prints names as Go does", function_names},
	{"finds functions, not their wrappers", finds_functions},
	{"tells what was inlined where", tells_what_was_inlined},
	{"expands frames like runtime.CallersFrames", frames_like_go},
	{"needs no symbols and no sections", without_symbols},
	{"reads other builds, too", other_builds},
	{"reads the memory of running programs", from_memory},
	{"reads a release that is not known", unknown_release},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("target/pclntab", tests);
