// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * What is probed are calls: `call rel32` is emulated by the kernel (arch/x86/kernel/uprobes.c),
 * and the function a call of casgstatus is in says why the status changes.
 */
#include "user/target/sites.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/target/sites_plan.h"
#include "user/target/sites_values.h"

#define CALL_SIZE 5
#define CALL_OPCODE 0xe8
#define TEXT_WINDOW (1U << 20) /* read at once */

/* A real binary has a few dozen sites and hardly a warning. */
#define MAX_SITES 1024
#define MAX_WARNINGS 64

void plan_warn(struct plan *p, const char *fmt, ...)
{
	struct sites *s = p->out;
	struct site_warning *v;
	va_list ap;

	if (s->nwarnings == MAX_WARNINGS)
		return;
	v = realloc(s->warnings, (s->nwarnings + 1) * sizeof(*v));
	if (!v) {
		p->failed = true;
		return;
	}
	s->warnings = v;
	va_start(ap, fmt);
	vsnprintf(v[s->nwarnings++].text, sizeof(v->text), fmt, ap);
	va_end(ap);
}

void plan_add(struct plan *p, const struct site *site)
{
	struct sites *s = p->out;
	struct site *v;
	uint64_t off;

	if (s->n == MAX_SITES || !elf_file_offset(p->f, site->vaddr, &off))
		return;
	/* functions overlap in a damaged table only */
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].vaddr == site->vaddr)
			return;
	v = realloc(s->v, (s->n + 1) * sizeof(*v));
	if (!v) {
		p->failed = true;
		return;
	}
	s->v = v;
	v[s->n] = *site;
	v[s->n].pc = site->vaddr + p->bias;
	v[s->n++].file_off = off;
}

const struct site_rule *plan_rule(struct plan *p, const struct site_call *call, const char **func)
{
	const struct site_rule *r = site_rule_find(call, p->b->go_minor, p->has, func);

	if (r)
		p->hits[r - site_rule(0)]++;
	else if (!site_call_harmless(call))
		plan_warn(p,
			  "%.100s changes a goroutine's status (%d to %d) in a way gscope does not "
			  "know: these changes will not be seen",
			  call->names[0], call->old_status, call->new_status);
	return r;
}

bool plan_decode(struct plan *p, const struct pcln_func *func)
{
	if (func->end - func->entry <= p->budget && code_begin(p->code, p->f, p->bias, func)) {
		p->budget -= func->end - func->entry;
		return true;
	}
	plan_warn(p, "%.100s cannot be read from %.80s: nothing in it is probed", func->name,
		  elf_file_name(p->f));
	return false;
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

static void plan_call(struct plan *p, const struct pcln_func *func, uint64_t vaddr,
		      enum callee callee, const struct values *v)
{
	const char *names[PLAN_MAX_DEPTH];
	struct site_call call = {
		.names = names,
		.nnames = pclntab_logical(p->pcln, vaddr + p->bias, names, PLAN_MAX_DEPTH),
		.callee = callee,
		.old_status = v->constant[FLOW_BX],
		.new_status = v->constant[FLOW_CX],
	};
	struct site site = {.vaddr = vaddr, .place = SITE_AT_CALL, .skip_slot = -1};
	const struct site_rule *r;

	if (!call.nnames)
		return;
	r = plan_rule(p, &call, &site.func);
	if (!r)
		return;
	site.kind = r->kind;
	site.must_hit = r->flags & RULE_BUSY;
	if (!strcmp(site.func, "runtime.ready") && !strcmp(site.func, func->name))
		site.skip_slot = v->rbx_slot;
	plan_add(p, &site);
}

/* Decode one function that seems to hold a wanted call, and plan those that are really there. */
static void plan_func(struct plan *p, const struct pcln_func *func)
{
	const cs_insn *insn;
	struct values v;

	if (!plan_decode(p, func))
		return;
	values_begin(&v);
	while ((insn = code_next(p->code))) {
		enum callee callee;
		uint64_t to;

		if (code_is_call(insn, &to)) {
			callee = callee_at(p, to);
			if (callee != CALLEES)
				plan_call(p, func, insn->address, callee, &v);
		}
		values_follow(&v, p->code, insn);
	}
	if (!code_complete(p->code))
		plan_warn(p, "%.100s cannot be decoded to its end: what follows is not probed",
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

static int refuse(const struct plan *p, const struct site_rule *r, struct error *e)
{
	return error_set(e, EXIT_TARGET, -ENOTSUP,
			 "%s (%.40s): %s changes no status as in any Go release gscope knows: %s "
			 "cannot be seen; please report it with the output of `go version -m`",
			 elf_file_name(p->f), p->b->version, r->func, r->without);
}

/* Name what is missing. */
static int check_rules(struct plan *p, struct error *e)
{
	const struct site_rule *r;

	for (size_t i = 0; (r = site_rule(i)); i++) {
		/* without stubs' own sites there are tracepoints */
		if (p->hits[i] || site_is_for_stubs(r->kind) ||
		    !site_rule_applies(r, p->b->go_minor, p->has))
			continue;
		if (r->callee == RUNQPUT) {
			plan_created(p);
			if (p->hits[i])
				continue;
		}
		if (r->flags & RULE_MUST)
			return refuse(p, r, e);
		plan_warn(p, "%.*s has no place to probe: %s", (int)strcspn(r->func, "*"), r->func,
			  r->without);
	}
	return 0;
}

/* Of several copies of a function nobody knows which ones a busy program passes. */
static void check_must_hit(struct sites *s)
{
	size_t n[SITE_KINDS] = {0};

	for (size_t i = 0; i < s->n; i++)
		n[s->v[i].kind] += s->v[i].must_hit;
	for (size_t i = 0; i < s->n; i++)
		if (n[s->v[i].kind] > 1)
			s->v[i].must_hit = false;
}

static int compare_sites(const void *a, const void *b)
{
	const struct site *x = a, *y = b;

	return (x->vaddr > y->vaddr) - (x->vaddr < y->vaddr);
}

static int make_plan(struct plan *p, struct error *e)
{
	struct pcln_func func;
	uint64_t lo, hi;
	int err;

	for (int c = 0; c < CALLEES; c++) {
		if (pclntab_find(p->pcln, site_callee_names[c], &func))
			p->callee[c] = func.entry - p->bias;
	}
	/* how C calls Go: runtime/cgo/asm_amd64.s */
	if (pclntab_find(p->pcln, "crosscall2", &func))
		p->has |= RULE_CGO;
	if (p->b->go_minor >= 23 && pclntab_find(p->pcln, "runtime.coroswitch_m", &func))
		p->has |= RULE_CORO;
	pclntab_text(p->pcln, &lo, &hi);
	p->budget = 4 * (hi - lo);
	p->effort = 64 * (hi - lo);
	if (!scan_module(p))
		return error_set(e, EXIT_TARGET, -EPROTO, "%s: its code cannot be read",
				 elf_file_name(p->f));
	plan_inlined(p);
	plan_spots(p);
	plan_workers(p);
	err = check_rules(p, e);
	check_must_hit(p->out);
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
	p.hits = calloc(site_rule_count(), sizeof(*p.hits));
	if (!p.hits)
		return error_set(e, EXIT_FAILED, -ENOMEM, "out of memory");
	err = code_open(&p.code, e);
	if (!err)
		err = make_plan(&p, e);
	code_close(p.code);
	free(p.hits);
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

static void leave(struct sites *s, enum site_kind first, enum site_kind last)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].kind < first || s->v[i].kind > last)
			s->v[n++] = s->v[i];
	s->n = n;
}

void sites_leave_full(struct sites *s)
{
	leave(s, SITE_SWEEP_BEGIN, SITE_SWEEP_END);
}

void sites_leave(struct sites *s, enum site_kind kind)
{
	leave(s, kind, kind);
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
		[SITE_READY_WORKER] = "ready-worker",
		[SITE_CGO_ENTER] = "cgo-enter",
		[SITE_CGO_EXIT] = "cgo-exit",
		[SITE_SYSCALL_ENTER] = "syscall-enter",
		[SITE_SYSCALL_EXIT] = "syscall-exit",
		[SITE_STW_BEGIN] = "stw-begin",
		[SITE_STW_END] = "stw-end",
		[SITE_GC_BEGIN] = "gc-begin",
		[SITE_GC_END] = "gc-end",
		[SITE_ASSIST_BEGIN] = "assist-begin",
		[SITE_ASSIST_END] = "assist-end",
		[SITE_SWEEP_BEGIN] = "sweep-begin",
		[SITE_SWEEP_SPAN] = "sweep-span",
		[SITE_SWEEP_END] = "sweep-end",
		[SITE_PROC_START] = "proc-start",
		[SITE_PROC_STOP] = "proc-stop",
		[SITE_PROC_STEAL] = "proc-steal",
		[SITE_PROCS] = "procs",
		[SITE_TASK_BEGIN] = "task-begin",
		[SITE_TASK_END] = "task-end",
		[SITE_REGION] = "region",
		[SITE_LOG] = "log",
		[SITE_START_REGION] = "start-region",
		[SITE_LABELS] = "labels",
	};

	return (unsigned int)kind < SITE_KINDS && names[kind] ? names[kind] : "unknown";
}
