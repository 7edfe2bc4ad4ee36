// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What is probed are calls: `call rel32` is emulated by the kernel (arch/x86/kernel/uprobes.c),
 * and the function a call of casgstatus is in says why the status changes: runtime/proc.go of Go
 * 1.19 to 1.27.
 *
 * Not probed, because cheaper sources tell: entering and leaving a syscall with the P kept
 * (tracepoints), and stack growth, during which a goroutine keeps running. Not seen: in Go <= 1.25
 * a thread that comes back from a syscall to find its old P in the *next* syscall of somebody
 * else and takes it back (exitsyscallfast_reacquired, the path on which syscalltick differs): it
 * shares its only branch with the fast path. The P in m.oldp at the syscall's exit tells.
 */
#include "user/target/sites.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/target/code.h"

#define CALL_SIZE 5
#define CALL_OPCODE 0xe8
#define TEXT_WINDOW (1U << 20) /* read at once */

/* An immediate that was not seen being loaded. */
#define UNKNOWN (-1)
/* In a rule: anything. */
#define ANY (-2)

/* Functions whose calls are looked for. */
enum callee { CAS, PREEMPT_SCAN, ACQUIREP, ACQUIREP_NO_TRACE, RUNQPUT, CALLEES };

static const char *const callee_names[CALLEES] = {
	[CAS] = "runtime.casgstatus",    [PREEMPT_SCAN] = "runtime.casGToPreemptScan",
	[ACQUIREP] = "runtime.acquirep", [ACQUIREP_NO_TRACE] = "runtime.acquirepNoTrace",
	[RUNQPUT] = "runtime.runqput",
};

/* When a rule applies. */
#define MUST 1U /* there is nothing to trace without it */
#define CGO 2U /* only in programs with C code */
#define CORO 4U /* only in programs with coroutines (iter.Pull) */

struct rule {
	const char *func; /* enclosing function; a trailing * stands for anything */
	enum callee callee;
	int old_status, new_status; /* as loaded before a call of casgstatus, or ANY, UNKNOWN */
	enum site_kind kind;
	unsigned int min, max; /* Go 1.min to 1.max */
	unsigned int flags;
	const char *without; /* what is missing without the site */
};

#define NEWEST 0xffffffffU /* a release gscope does not know is taken for the newest it knows */
#define ALWAYS 0, NEWEST

/* The status numbers are those of runtime/runtime2.go; 11 is _Gdeadextra, since 1.26. */
static const struct rule rules[] = {
	{"runtime.execute", CAS, 1, 2, SITE_START, ALWAYS, MUST, "goroutine starts"},
	{"runtime.park_m", CAS, 2, 4, SITE_PARK, ALWAYS, MUST, "blocking"},
	{"runtime.park_m", CAS, 4, 1, SITE_PARK_REFUSED, ALWAYS, 0,
	 "blocking that is called off at once will not be seen"},
	{"runtime.ready", CAS, 4, 1, SITE_READY, ALWAYS, MUST, "unblocking"},
	{"runtime.injectglist", CAS, 4, 1, SITE_READY, ALWAYS, 0,
	 "some wake-ups by the network poller will not be seen"},
	{"runtime.findRunnable", CAS, 4, 1, SITE_READY, ALWAYS, 0,
	 "some wake-ups by the network poller will not be seen"},
	{"runtime.(*gcControllerState).findRunnableGCWorker", CAS, 4, 1, SITE_READY, ALWAYS, 0,
	 "wake-ups of GC workers will not be seen"},
	{"runtime.goschedImpl", CAS, 2, 1, SITE_YIELD, ALWAYS, 0,
	 "runtime.Gosched and preemption will not be seen"},
	{"runtime.goyield_m", CAS, 2, 1, SITE_YIELD_PREEMPTED, ALWAYS, 0,
	 "yields inside sync primitives will not be seen"},
	{"runtime.preemptPark", PREEMPT_SCAN, ANY, ANY, SITE_PREEMPT_PARK, ALWAYS, 0,
	 "goroutines the GC stops will not be seen stopping"},
	{"runtime.goexit0", CAS, 2, 6, SITE_EXIT, 0, 21, 0, "goroutine exits will not be seen"},
	{"runtime.gdestroy", CAS, 2, 6, SITE_EXIT, 22, NEWEST, 0,
	 "goroutine exits will not be seen"},
	{"runtime.entersyscallblock", CAS, 2, 3, SITE_SYSBLOCK, ALWAYS, 0,
	 "blocking waits of the runtime itself will look like running"},
	{"runtime.exitsyscall0", CAS, 3, 1, SITE_SYSEXIT_NOP, 0, 25, 0,
	 "waiting for a P after a syscall will not be seen"},
	{"runtime.exitsyscallNoP", CAS, 2, 1, SITE_SYSEXIT_NOP, 26, NEWEST, 0,
	 "waiting for a P after a syscall will not be seen"},
	{"runtime.exitsyscallfast_pidle", ACQUIREP, ANY, ANY, SITE_SYSEXIT_NEWP, 0, 25, 0,
	 "changing the P in a syscall will not be seen at once"},
	{"runtime.exitsyscall.func*", ACQUIREP_NO_TRACE, ANY, ANY, SITE_SYSEXIT_NEWP, 26, NEWEST, 0,
	 "changing the P in a syscall will not be seen at once"},
	{"runtime.newproc1", CAS, 6, UNKNOWN, SITE_CREATE_CAS, 24, NEWEST, 0,
	 "goroutine creation will not be seen"},
	{"runtime.newproc.func1", RUNQPUT, ANY, ANY, SITE_CREATE_RUNQPUT, 0, 23, 0,
	 "goroutine creation will not be seen"},
	{"runtime.newproc1", CAS, 6, UNKNOWN, SITE_CREATE_CORO, 23, 23, CORO,
	 "creation of coroutines will not be seen"},
	{"runtime.needm", CAS, 6, 3, SITE_NEEDM, 0, 25, CGO,
	 "C threads entering Go will not be seen"},
	{"runtime.needm", CAS, 11, 3, SITE_NEEDM, 26, NEWEST, CGO,
	 "C threads entering Go will not be seen"},
	{"runtime.dropm", CAS, 3, 6, SITE_DROPM, 0, 25, CGO,
	 "C threads leaving Go will not be seen"},
	{"runtime.dropm", CAS, 3, 11, SITE_DROPM, 26, NEWEST, CGO,
	 "C threads leaving Go will not be seen"},
};

#define NRULES (sizeof(rules) / sizeof(rules[0]))

/* Calls of casgstatus that need no probe, by the function they are in. */
static const char *const harmless[] = {
	/* the status says waiting, but the goroutine runs on, on the system stack */
	"runtime.gcMarkTermination*",
	"runtime.gcMarkDone*",
	"runtime.gcBgMarkWorker*",
	"runtime.markroot*",
	"runtime.gcAssistAlloc*",
	"runtime.stopTheWorld*",
	"runtime.casGToWaiting*",
	"runtime.forEachP*",
	"runtime.traceAdvance*",
	/* stack growth: it runs on */
	"runtime.newstack",
	"runtime.copystack",
	/* tracepoints see the syscall; from 1.26 on these are rare fall-backs */
	"runtime.reentersyscall",
	"runtime.entersyscall",
	"runtime.exitsyscall",
	/* a dead goroutine is made ready for later use */
	"runtime.newproc1",
	"runtime.oneNewExtraM",
	/* SITE_SWITCH sees them before */
	"runtime.coroswitch_m",
	/* a C thread's own goroutine, in a program without C */
	"runtime.needm",
	"runtime.dropm",
	/* waiting before and after: still blocked for ever */
	"runtime.findGoroutineLeaks",
	/* only when a debugger calls a function, or somebody asks for a heap dump */
	"runtime.debugCallWrap*",
	"runtime.writeheapdump_m",
};

struct plan {
	struct sites *out;
	struct elf_file *f;
	const struct buildinfo *b;
	const struct pclntab *pcln;
	uint64_t bias;
	struct code *code;
	uint64_t callee[CALLEES]; /* vaddr; 0: not in this binary */
	bool cgo, coro;
	size_t hits[NRULES];
	uint64_t decoded; /* end of the last function decoded */
	bool failed; /* out of memory */
};

static bool matches(const char *pattern, const char *name)
{
	size_t len = strlen(pattern);

	if (pattern[len - 1] == '*')
		return !strncmp(name, pattern, len - 1);
	return !strcmp(name, pattern);
}

__attribute__((format(printf, 2, 3))) static void warn(struct plan *p, const char *fmt, ...)
{
	struct sites *s = p->out;
	struct site_warning *v = realloc(s->warnings, (s->nwarnings + 1) * sizeof(*v));
	va_list ap;

	if (!v) {
		p->failed = true;
		return;
	}
	s->warnings = v;
	va_start(ap, fmt);
	vsnprintf(v[s->nwarnings++].text, sizeof(v->text), fmt, ap);
	va_end(ap);
}

static bool applies(const struct plan *p, const struct rule *r)
{
	return p->b->go_minor >= r->min && p->b->go_minor <= r->max &&
	       (!(r->flags & CGO) || p->cgo) && (!(r->flags & CORO) || p->coro);
}

static void add_site(struct plan *p, const struct pcln_func *func, uint64_t vaddr,
		     enum site_kind kind, bool must, int skip_slot)
{
	struct sites *s = p->out;
	struct site *v;
	uint64_t off;

	if (!elf_file_offset(p->f, vaddr, &off))
		return;
	v = realloc(s->v, (s->n + 1) * sizeof(*v));
	if (!v) {
		p->failed = true;
		return;
	}
	s->v = v;
	v[s->n++] = (struct site){
		.vaddr = vaddr,
		.pc = vaddr + p->bias,
		.file_off = off,
		.kind = kind,
		.func = func->name,
		.must_hit = must,
		.skip_slot = skip_slot,
	};
}

/* What the linear decoding of a function knows at one instruction. */
struct state {
	int ebx, ecx; /* status numbers loaded, or UNKNOWN */
	bool rbx_argument; /* RBX still holds what the caller passed */
	int rbx_slot; /* distance from SP to where RBX was saved, -1: not saved */
};

static void follow_constant(struct code *c, const cs_insn *insn, x86_reg reg, x86_reg low, int *v)
{
	const cs_x86 *x = &insn->detail->x86;

	if (!code_writes(c, insn, reg))
		return;
	*v = UNKNOWN;
	if (x->op_count != 2 || x->operands[0].type != X86_OP_REG ||
	    (x->operands[0].reg != low && x->operands[0].reg != reg))
		return;
	if (insn->id == X86_INS_MOV && x->operands[1].type == X86_OP_IMM &&
	    x->operands[1].imm >= 0 && x->operands[1].imm < 0x1000)
		*v = x->operands[1].imm;
	else if (insn->id == X86_INS_XOR && x->operands[1].type == X86_OP_REG &&
		 x->operands[1].reg == x->operands[0].reg)
		*v = 0;
}

static void follow(struct code *c, const cs_insn *insn, struct state *st)
{
	const cs_x86 *x = &insn->detail->x86;

	follow_constant(c, insn, X86_REG_RBX, X86_REG_EBX, &st->ebx);
	follow_constant(c, insn, X86_REG_RCX, X86_REG_ECX, &st->ecx);
	if (insn->id == X86_INS_MOV && st->rbx_argument && x->operands[0].type == X86_OP_MEM &&
	    x->operands[0].mem.base == X86_REG_RSP && x->operands[0].mem.index == X86_REG_INVALID &&
	    x->operands[1].type == X86_OP_REG && x->operands[1].reg == X86_REG_RBX)
		st->rbx_slot = x->operands[0].mem.disp;
	else if (insn->id != X86_INS_CALL && code_writes(c, insn, X86_REG_RSP))
		st->rbx_slot = -1;
	if (code_writes(c, insn, X86_REG_RBX))
		st->rbx_argument = false;
}

/* Which function is called: CALLEES if none of those looked for. */
static enum callee callee_at(const struct plan *p, uint64_t to)
{
	enum callee c;

	for (c = 0; c < CALLEES; c++) {
		if (p->callee[c] && p->callee[c] == to)
			break;
	}
	return c;
}

static bool status_matches(int rule, int seen, bool exactly)
{
	return rule == ANY || rule == seen || (!exactly && seen == UNKNOWN);
}

/*
 * The rule for a call: the one whose status numbers were seen being loaded, else the only one that
 * they do not contradict (the compiler may take a number from another register). NRULES: none.
 */
static size_t find_rule(const struct plan *p, const char *func, enum callee callee,
			const struct state *st, bool exactly)
{
	size_t found = NRULES;

	for (size_t i = 0; i < NRULES; i++) {
		const struct rule *r = &rules[i];

		if (r->callee != callee || !applies(p, r) || !matches(r->func, func) ||
		    !status_matches(r->old_status, st->ebx, exactly) ||
		    !status_matches(r->new_status, st->ecx, exactly))
			continue;
		if (found != NRULES)
			return NRULES;
		found = i;
	}
	return found;
}

static bool is_harmless(const char *func)
{
	for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++) {
		if (matches(harmless[i], func))
			return true;
	}
	return strstr(func, ".forEachP."); /* its closures, inlined elsewhere */
}

static void plan_call(struct plan *p, const struct pcln_func *func, uint64_t vaddr,
		      enum callee callee, const struct state *st)
{
	size_t i = find_rule(p, func->name, callee, st, true);

	if (i == NRULES)
		i = find_rule(p, func->name, callee, st, false);
	if (i != NRULES) {
		const struct rule *r = &rules[i];

		add_site(p, func, vaddr, r->kind, r->flags & MUST,
			 !strcmp(r->func, "runtime.ready") ? st->rbx_slot : -1);
		p->hits[i]++;
	} else if (callee == CAS && !is_harmless(func->name)) {
		warn(p,
		     "%.100s changes a goroutine's status (%d to %d) in a way gscope does not "
		     "know: these changes will not be seen",
		     func->name, st->ebx, st->ecx);
	}
}

/* Decode one function that seems to hold a wanted call, and plan those that are really there. */
static void plan_func(struct plan *p, const struct pcln_func *func)
{
	struct state st = {.ebx = UNKNOWN, .ecx = UNKNOWN, .rbx_argument = true, .rbx_slot = -1};
	const cs_insn *insn;

	if (!code_begin(p->code, p->f, p->bias, func)) {
		warn(p, "%.100s cannot be read from %.80s: nothing in it is probed", func->name,
		     elf_file_name(p->f));
		return;
	}
	while ((insn = code_next(p->code))) {
		enum callee callee;
		uint64_t to;

		if (code_is_call(insn, &to)) {
			callee = callee_at(p, to);
			if (callee != CALLEES)
				plan_call(p, func, insn->address, callee, &st);
		}
		follow(p->code, insn, &st);
	}
	if (!code_complete(p->code))
		warn(p, "%.100s cannot be decoded to its end: what follows is not probed",
		     func->name);
}

/*
 * Find candidates by their bytes in the text of the whole program (the compiler may inline
 * functions of the runtime into other packages), then decode the functions they are in.
 */
static void scan_text(struct plan *p, const struct elf_bytes *text)
{
	for (size_t at = 0; at + CALL_SIZE <= text->size; at++) {
		const uint8_t *s = memchr(text->data + at, CALL_OPCODE, text->size - at);
		struct pcln_func func;
		int32_t rel;

		if (!s || s + CALL_SIZE > text->data + text->size)
			break;
		at = s - text->data;
		memcpy(&rel, s + 1, sizeof(rel));
		if (text->vaddr + at < p->decoded ||
		    callee_at(p, text->vaddr + at + CALL_SIZE + rel) == CALLEES ||
		    !pclntab_func(p->pcln, text->vaddr + at + p->bias, &func))
			continue;
		plan_func(p, &func);
		p->decoded = func.end - p->bias;
	}
}

/* All of the module's code: false if it cannot be read. */
static bool scan_module(struct plan *p)
{
	uint8_t *window = malloc(TEXT_WINDOW);
	bool ok = window;
	uint64_t lo, hi;

	pclntab_text(p->pcln, &lo, &hi);
	/* overlapping, so that no call is cut */
	for (; ok && lo < hi; lo += TEXT_WINDOW - CALL_SIZE + 1) {
		size_t size = hi - lo < TEXT_WINDOW ? hi - lo : TEXT_WINDOW;
		struct elf_bytes text = {window, size, lo - p->bias};

		ok = !elf_read(p->f, text.vaddr, window, size);
		if (ok)
			scan_text(p, &text);
	}
	free(window);
	return ok;
}

/* coroswitch_m: the `push %rbp` behind its stack check, at which AX still holds gp. */
static void plan_switch(struct plan *p)
{
	const cs_insn *insn;
	struct pcln_func func;

	if (!p->coro || !pclntab_find(p->pcln, "runtime.coroswitch_m", &func) ||
	    !code_begin(p->code, p->f, p->bias, &func))
		return;
	while ((insn = code_next(p->code)) && !code_writes(p->code, insn, X86_REG_RAX)) {
		if (insn->id == X86_INS_PUSH && insn->size == 1 &&
		    insn->detail->x86.operands[0].reg == X86_REG_RBP) {
			add_site(p, &func, insn->address, SITE_SWITCH, false, -1);
			return;
		}
	}
	warn(p, "runtime.coroswitch_m has no instruction to probe: switches between coroutines "
		"(iter.Pull) will not be seen");
}

static int refuse(const struct plan *p, const struct rule *r, struct error *e)
{
	const char *file = elf_file_name(p->f);
	char profile[128];

	if (buildinfo_setting(p->b, "-pgo", profile, sizeof(profile)))
		return error_set(e, EXIT_TARGET, -ENOTSUP,
				 "%s is a PGO build (-pgo=%s), in which the compiler inlined "
				 "runtime.casgstatus into %s: %s cannot be seen; rebuild it with "
				 "-pgo=off",
				 file, profile, r->func, r->without);
	return error_set(e, EXIT_TARGET, -ENOTSUP,
			 "%s: %s does not call runtime.casgstatus (was it built with a PGO "
			 "profile?): %s cannot be seen; rebuild it with -pgo=off",
			 file, r->func, r->without);
}

/* Name what is missing. */
static int check_rules(struct plan *p, struct error *e)
{
	for (size_t i = 0; i < NRULES; i++) {
		const struct rule *r = &rules[i];

		if (p->hits[i] || !applies(p, r))
			continue;
		if (r->flags & MUST)
			return refuse(p, r, e);
		warn(p, "%.*s has no place to probe: %s", (int)strcspn(r->func, "*"), r->func,
		     r->without);
	}
	return 0;
}

static int compare_sites(const void *a, const void *b)
{
	const struct site *x = a, *y = b;

	return (x->vaddr > y->vaddr) - (x->vaddr < y->vaddr);
}

static int make_plan(struct plan *p, struct error *e)
{
	struct pcln_func func;
	struct elf_symbol sym;
	int err;

	for (int c = 0; c < CALLEES; c++) {
		if (pclntab_find(p->pcln, callee_names[c], &func))
			p->callee[c] = func.entry - p->bias;
	}
	p->cgo = elf_symbol(p->f, "x_cgo_init", &sym);
	p->coro = p->b->go_minor >= 23 && pclntab_find(p->pcln, "runtime.coroswitch_m", &func);
	if (!scan_module(p))
		return error_set(e, EXIT_TARGET, -EPROTO, "%s: its code cannot be read",
				 elf_file_name(p->f));
	plan_switch(p);
	err = check_rules(p, e);
	if (p->failed)
		err = error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	if (p->out->n)
		qsort(p->out->v, p->out->n, sizeof(*p->out->v), compare_sites);
	return err;
}

int sites_plan(struct sites *out, struct elf_file *f, const struct buildinfo *b,
	       const struct pclntab *pcln, uint64_t bias, struct error *e)
{
	struct plan p = {.out = out, .f = f, .b = b, .pcln = pcln, .bias = bias};
	int err;

	memset(out, 0, sizeof(*out));
	err = code_open(&p.code, e);
	if (err)
		return err;
	err = make_plan(&p, e);
	code_close(p.code);
	if (err)
		sites_free(out);
	return err;
}

void sites_free(struct sites *s)
{
	free(s->v);
	free(s->warnings);
	memset(s, 0, sizeof(*s));
}

const char *site_kind_name(enum site_kind kind)
{
	static const char *const names[SITE_KINDS] = {
		[SITE_START] = "start",
		[SITE_PARK] = "park",
		[SITE_PARK_REFUSED] = "park-refused",
		[SITE_READY] = "ready",
		[SITE_YIELD] = "yield",
		[SITE_YIELD_PREEMPTED] = "yield-preempted",
		[SITE_PREEMPT_PARK] = "preempt-park",
		[SITE_EXIT] = "exit",
		[SITE_SYSBLOCK] = "syscall-block",
		[SITE_SYSEXIT_NOP] = "syscall-exit-no-p",
		[SITE_SYSEXIT_NEWP] = "syscall-exit-new-p",
		[SITE_CREATE_CAS] = "create",
		[SITE_CREATE_RUNQPUT] = "create-runqput",
		[SITE_CREATE_CORO] = "create-coroutine",
		[SITE_SWITCH] = "switch",
		[SITE_NEEDM] = "needm",
		[SITE_DROPM] = "dropm",
	};

	return (unsigned int)kind < SITE_KINDS && names[kind] ? names[kind] : "unknown";
}
