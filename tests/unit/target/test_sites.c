// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <string.h>
#include <unistd.h>

#include "tests/unit/target/plans.h"
#include "tests/unit/target/progs.h"
#include "tests/unit/unit.h"
#include "user/target/code.h"
#include "user/target/flow.h"
#include "user/target/sites.h"

#define BIAS 0x55550000000ULL

/* How many sites of a kind a program of Go 1.minor has. */
static size_t expected(enum site_kind kind, unsigned int minor, bool cgo)
{
	switch (kind) {
	case SITE_READY: /* ready, injectglist, 3 x findRunnable */
		return 5;
	case SITE_READY_WORKER: /* findRunnableGCWorker, 2 x findRunnable */
		return 3;
	case SITE_CREATE_CAS:
		return minor >= 24;
	case SITE_CREATE_RUNQPUT:
		return minor <= 23;
	case SITE_CREATE_CORO:
		return minor == 23;
	case SITE_SWITCH:
		return minor >= 23;
	case SITE_NEEDM:
	case SITE_DROPM:
		return cgo;
	case SITE_CGO_ENTER: /* cgocall, cgocallbackg */
	case SITE_CGO_EXIT:
		return cgo ? 2 : 0;
	case SITE_SYSCALL_EXIT: /* Syscall, Syscall6 */
		return 2;
	case SITE_ASSIST_END: /* 3 x gcAssistAlloc */
		return 3;
	case SITE_PROC_STOP: /* releasep, procresize, entersyscallHandleGCWait */
		return minor >= 26 ? 3 : 2;
	case SITE_PROC_STEAL: /* retake, forEachP, stopTheWorldWithSema, entersyscall_gcwait */
		return minor >= 26 ? 1 : 4;
	case SITE_SWEEP_BEGIN: /* deductSweepCredit, cacheSpan, reclaim */
		return minor >= 22 ? 3 : 0;
	case SITE_SWEEP_END: /* cacheSpan has two */
		return minor >= 22 ? 4 : 0;
	case SITE_SWEEP_SPAN:
		return minor >= 22;
	default:
		return 1;
	}
}

/* Is it an instruction as the site's place has it? */
static bool is_place(const uint8_t *code, const struct site *s, unsigned int minor)
{
	bool condition = (code[0] | 1) == 0x75 || (code[0] == 0x0f && (code[1] | 1) == 0x85);
	bool entry = minor > 20 ? code[0] == 0x55 :
				  code[0] == 0x76 || (code[0] == 0x0f && code[1] == 0x86);

	switch (s->place) {
	case SITE_AT_CALL:
		return s->kind == SITE_SWITCH || s->kind >= SITE_TASK_BEGIN ? entry :
		       s->kind == SITE_STW_BEGIN                            ? entry :
		       s->kind >= SITE_STW_BEGIN                            ? condition :
									      code[0] == 0xe8;
	case SITE_SWAP_BRANCH:
		return condition;
	case SITE_SWAP_RESULT:
		return (code[0] & 0xf0) == 0x40 || code[0] == 0x0f; /* sete %r8b */
	case SITE_REGISTER:
		return code[0] == 0xe8 || code[0] == 0xeb || code[0] == 0xe9 || condition || entry;
	}
	return false;
}

/* Does an instruction begin there, if its function is decoded from the first one on? */
static bool is_boundary(const struct prog_file *f, const struct site *s)
{
	const cs_insn *insn;
	struct pcln_func func;
	struct error e = {0};
	struct code *c;
	bool found = false;

	CU_ASSERT_TRUE_FATAL(pclntab_func(f->pcln, s->pc, &func));
	CU_ASSERT_EQUAL_FATAL(code_open(&c, &e), 0);
	if (code_begin(c, f->elf, BIAS, &func))
		while (!found && (insn = code_next(c)))
			found = insn->address == s->vaddr;
	code_close(c);
	return found;
}

static void check_site(const struct prog_file *f, const struct site *s)
{
	const char *names[16];
	size_t n = pclntab_logical(f->pcln, s->pc, names, 16), i = 0;
	uint8_t code[2] = {0};

	CU_ASSERT_EQUAL(pread(f->fd, code, 2, s->file_off), 2);
	CU_ASSERT_TRUE(is_place(code, s, f->build.go_minor));
	CU_ASSERT_TRUE(is_boundary(f, s));
	CU_ASSERT_EQUAL(s->pc, s->vaddr + BIAS);
	while (i < n && strcmp(names[i], s->func) != 0)
		i++;
	CU_ASSERT(i < n);
	CU_ASSERT_EQUAL(s->must_hit, s->kind == SITE_START || s->kind == SITE_PARK ||
					     !strcmp(s->func, "runtime.ready"));
	/* Go 1.21 uses the argument up before it changes the status, and need not keep it */
	if (!strcmp(s->func, "runtime.ready") && (f->build.go_minor > 21 || s->skip_slot != -1))
		CU_ASSERT(s->skip_slot >= 0x20 && s->skip_slot <= 0x100 && s->skip_slot % 8 == 0)
	else
		CU_ASSERT_EQUAL(s->skip_slot, -1)
}

static void check_plan(const struct prog_file *f, const char *path)
{
	size_t count[SITE_KINDS] = {0};
	struct error e = {0};
	struct sites s;
	int err = sites_plan(&s, f->elf, &f->build, f->pcln, BIAS, &e);

	CU_ASSERT_EQUAL(err, 0);
	if (err) {
		printf("\n    %s: %s", path, e.text);
		return;
	}
	for (size_t i = 0; i < s.n; i++) {
		check_site(f, &s.v[i]);
		CU_ASSERT_TRUE(s.v[i].place == SITE_AT_CALL || s.v[i].place == SITE_REGISTER);
		CU_ASSERT(i == 0 || s.v[i - 1].vaddr < s.v[i].vaddr);
		count[s.v[i].kind]++;
	}
	for (int k = 1; k < SITE_KINDS; k++) {
		size_t want = expected(k, f->build.go_minor, strstr(path, "cgo"));

		CU_ASSERT_EQUAL(count[k], want);
		if (count[k] != want)
			printf("\n    %s: %zu sites of kind %s, not %zu", path, count[k],
			       site_kind_name(k), want);
	}
	CU_ASSERT_EQUAL(s.nwarnings, 0);
	for (size_t i = 0; i < s.nwarnings; i++)
		printf("\n    %s: %s", path, s.warnings[i].text);
	sites_free(&s);
}

static void plans_every_release(void)
{
	for (const char *const *r = prog_all_releases; *r; r++) {
		for (const char *const *m = prog_modes; *m; m++) {
			const char *path = prog_path(*r, *m);
			struct prog_file f;

			if (path && prog_open(&f, path, BIAS)) {
				check_plan(&f, path);
				prog_close(&f);
			}
		}
	}
}

/* Where runtime.ready of one release spills RBX, read off the disassembly by hand. */
static void finds_skip_slot(void)
{
	const char *path = prog_path("1.26", "plain");
	struct error e = {0};
	struct prog_file f;
	struct sites s;

	if (!path || !prog_open(&f, path, 0))
		return;
	CU_ASSERT_EQUAL_FATAL(sites_plan(&s, f.elf, &f.build, f.pcln, 0, &e), 0);
	for (size_t i = 0; i < s.n; i++) {
		if (!strcmp(s.v[i].func, "runtime.ready"))
			CU_ASSERT_EQUAL(s.v[i].skip_slot, 0x68);
	}
	sites_free(&s);
	prog_close(&f);
}

/* What has the argument where the runtime tells its tracer, read off the disassembly by hand. */
static void finds_arguments(void)
{
	static const struct {
		const char *release;
		enum site_kind kind;
		const char *func;
		enum flow_reg reg;
	} known[] = {
		{"1.19", SITE_PROC_STEAL, "runtime.retake", FLOW_CX},
		{"1.19", SITE_PROC_STEAL, "runtime.stopTheWorldWithSema", FLOW_BX},
		{"1.21", SITE_STW_BEGIN, "runtime.stopTheWorldWithSema", FLOW_AX},
		{"1.22", SITE_PROC_STEAL, "runtime.retake", FLOW_DX},
		{"1.22", SITE_PROC_STEAL, "runtime.forEachPInternal", FLOW_SI},
		{"1.25", SITE_PROC_STEAL, "runtime.stopTheWorldWithSema", FLOW_R9},
		{"1.27", SITE_PROC_STEAL, "runtime.syscallingThread.releaseP", FLOW_CX},
		{"1.27", SITE_PROC_STOP, "runtime.entersyscallHandleGCWait", FLOW_CX},
		{"1.27", SITE_PROCS, "runtime.procresize", FLOW_AX},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		const char *path = prog_path(known[i].release, "plain");
		const struct site *v;
		struct error e = {0};
		struct prog_file f;
		struct sites s;

		if (!path || !prog_open(&f, path, 0))
			continue;
		CU_ASSERT_EQUAL_FATAL(sites_plan(&s, f.elf, &f.build, f.pcln, 0, &e), 0);
		v = plan_find(&s, known[i].kind, known[i].func);
		CU_ASSERT_PTR_NOT_NULL_FATAL(v);
		CU_ASSERT_EQUAL(v->place, SITE_REGISTER);
		CU_ASSERT_EQUAL(v->reg, known[i].reg);
		sites_free(&s);
		prog_close(&f);
	}
}

/* As many sites as an ordinary build has, or more, of every kind. */
static void check_more(const struct prog_file *f, const char *path)
{
	bool optimised = !strstr(path, "-nl");
	size_t count[SITE_KINDS] = {0};
	struct error e = {0};
	struct sites s;

	CU_ASSERT_EQUAL_FATAL(sites_plan(&s, f->elf, &f->build, f->pcln, BIAS, &e), 0);
	/* without optimisation some Ps and spans are in no register where they change hands */
	CU_ASSERT(s.nwarnings <= (optimised ? 0 : 2));
	for (size_t i = 0; i < s.nwarnings; i++) {
		CU_ASSERT(strstr(s.warnings[i].text, "P will be seen late") ||
			  strstr(s.warnings[i].text, "system calls will be seen late") ||
			  strstr(s.warnings[i].text, "(--level full)"));
		if (optimised)
			printf("\n    %s: %s", path, s.warnings[i].text);
	}
	for (size_t i = 0; i < s.n; i++) {
		check_site(f, &s.v[i]);
		count[s.v[i].kind]++;
	}
	for (int k = 1; k < SITE_KINDS; k++) {
		size_t want = expected(k, f->build.go_minor, strstr(path, "race"));

		if (!optimised && (k == SITE_PROC_STOP || k == SITE_PROC_STEAL))
			want = 1;
		if (!optimised && k == SITE_SWEEP_SPAN)
			want = 0;
		CU_ASSERT(count[k] >= want);
		if (count[k] < want)
			printf("\n    %s: %zu sites of kind %s, not %zu", path, count[k],
			       site_kind_name(k), want);
	}
	sites_free(&s);
}

/* Without optimisation, or with the race detector, there are a few more calls, and all are known. */
static void plans_other_builds(void)
{
	static const char *const modes[] = {"nl", "race", NULL};

	for (const char *const *r = prog_all_releases; *r; r++) {
		for (const char *const *m = modes; *m; m++) {
			const char *path = prog_worth_it(*r, *m) ? prog_path(*r, *m) : NULL;
			struct prog_file f;

			if (path && prog_open(&f, path, BIAS)) {
				check_more(&f, path);
				prog_close(&f);
			}
		}
	}
}

/* The sites at which what the profile shows to be hot changes states. */
static const struct {
	enum site_kind kind;
	const char *func;
	int old_status, new_status;
} hot[] = {
	{SITE_START, "runtime.execute", 1, 2},
	{SITE_PARK, "runtime.park_m", 2, 4},
	{SITE_READY, "runtime.ready", 4, 1},
};

static void check_inlined(const struct prog_file *f, const char *path)
{
	struct error e = {0};
	struct sites s;

	check_more(f, path);
	CU_ASSERT_EQUAL_FATAL(sites_plan(&s, f->elf, &f->build, f->pcln, BIAS, &e), 0);
	for (size_t i = 0; i < sizeof(hot) / sizeof(hot[0]); i++) {
		const struct site *v = plan_find(&s, hot[i].kind, hot[i].func);

		CU_ASSERT_PTR_NOT_NULL_FATAL(v);
		CU_ASSERT_EQUAL(v->place, SITE_SWAP_BRANCH);
		CU_ASSERT_EQUAL(v->old_status, hot[i].old_status);
		CU_ASSERT_EQUAL(v->new_status, hot[i].new_status);
	}
	sites_free(&s);
}

/* Where a profile had casgstatus inlined every kind has a site nevertheless. */
static void plans_inlined(void)
{
	for (const char *const *r = prog_releases; *r; r++) {
		const char *path = prog_worth_it(*r, "pgo") ? prog_path(*r, "pgo") : NULL;
		struct prog_file f;

		if (path && prog_open(&f, path, BIAS)) {
			check_inlined(&f, path);
			prog_close(&f);
		}
	}
}

static void leaves_out_those_of_level_full(void)
{
	struct site v[SITE_KINDS];
	struct sites s = {.v = v, .n = SITE_KINDS};

	for (size_t i = 0; i < s.n; i++)
		v[i] = (struct site){.kind = (enum site_kind)i, .pc = i};
	sites_leave_full(&s);
	CU_ASSERT_EQUAL(s.n, SITE_KINDS - 3);
	for (size_t i = 0; i < s.n; i++) {
		CU_ASSERT_EQUAL(v[i].pc, v[i].kind);
		CU_ASSERT_NOT_EQUAL(v[i].kind, SITE_SWEEP_BEGIN);
		CU_ASSERT_NOT_EQUAL(v[i].kind, SITE_SWEEP_SPAN);
		CU_ASSERT_NOT_EQUAL(v[i].kind, SITE_SWEEP_END);
	}
	sites_leave_full(&s);
	CU_ASSERT_EQUAL(s.n, SITE_KINDS - 3);
	sites_leave(&s, SITE_SYSCALL_EXIT);
	CU_ASSERT_EQUAL(s.n, SITE_KINDS - 4);
	for (size_t i = 0; i < s.n; i++)
		CU_ASSERT_NOT_EQUAL(v[i].kind, SITE_SYSCALL_EXIT);
}

static CU_TestInfo tests[] = {
	{"leaves out sites of level full", leaves_out_those_of_level_full},
	{"plans all kinds for every release", plans_every_release},
	{"finds what is in which register", finds_arguments},
	{"plans all kinds without optimisation, and with -race", plans_other_builds},
	{"finds where ready keeps its skip count", finds_skip_slot},
	{"plans all kinds where casgstatus was inlined", plans_inlined},
	CU_TEST_INFO_NULL,
};
UNIT_SUITE("target/sites", tests);
