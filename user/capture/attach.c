// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/attach.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "bpf/control.h"
#include "gscope.skel.h"
#include "user/base/files.h"
#include "user/capture/guardian.h"
#include "user/inline/engine.h"
#include "user/target/flow.h"
#include "user/target/overlay.h"

int links_keep(struct links *l, struct bpf_link *link)
{
	if (l->n == l->room) {
		size_t room = l->room ? 2 * l->room : 16;
		struct bpf_link **v = realloc(l->v, room * sizeof(*v));

		if (!v) {
			bpf_link__destroy(link);
			return -ENOMEM;
		}
		l->v = v;
		l->room = room;
	}
	l->v[l->n++] = link;
	return 0;
}

void links_close(struct links *l)
{
	for (size_t i = 0; i < l->n; i++)
		bpf_link__destroy(l->v[i]);
	free(l->v);
	*l = (struct links){0};
}

static int probe_links_keep(struct probe_links *l, int link)
{
	if (l->n == l->room) {
		size_t room = l->room ? 2 * l->room : 16;
		int *v = realloc(l->v, room * sizeof(*v));

		if (!v) {
			guardian_close(l->guardian, &link, 1);
			return -ENOMEM;
		}
		l->v = v;
		l->room = room;
	}
	l->v[l->n++] = link;
	return 0;
}

/* All but the first `n`. */
static void probe_links_cut(struct probe_links *l, size_t n)
{
	guardian_close(l->guardian, l->v + n, l->n - n);
	l->n = n;
}

void probe_links_close(struct probe_links *l)
{
	if (l->n)
		probe_links_cut(l, 0);
	free(l->v);
	*l = (struct probe_links){.guardian = l->guardian};
}

int attach_tracepoints(struct links *l, const struct programs *p, struct error *e)
{
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, p->skel->obj) {
		struct bpf_link *link;
		int err;

		if (!bpf_program__autoload(prog) || !programs_is_tracepoint(prog))
			continue;
		link = bpf_program__attach(prog);
		err = link ? links_keep(l, link) : -errno;
		if (err)
			return error_set(e, EXIT_FAILED, err, "cannot attach to %s: %s",
					 strchr(bpf_program__section_name(prog), '/') + 1,
					 strerror(-err));
	}
	return 0;
}

/* What becomes of a site: the record it yields, how it is read, and what is missing without it. */
struct site_use {
	uint8_t kind; /* enum go_kind, runtime_kind or user_kind */
	enum probe_reading reading;
	const char *missing;
};

/* clang-format off */
static const struct site_use uses[SITE_KINDS] = {
	[SITE_START] = {GO_START, READ_PLAIN, "starts of goroutines"},
	[SITE_PARK] = {GO_PARK, READ_PARK, "goroutines blocking"},
	[SITE_PARK_REFUSED] = {GO_PARK_REFUSED, READ_PLAIN, "blocking that is called off at once"},
	[SITE_READY] = {GO_READY, READ_READY, "wake-ups of goroutines"},
	[SITE_YIELD] = {GO_YIELD, READ_YIELD, "yields and preemptions"},
	[SITE_YIELD_PREEMPTED] = {GO_YIELD_PREEMPTED, READ_YIELD, "yields in sync primitives"},
	[SITE_PREEMPT_PARK] = {GO_PREEMPT_PARK, READ_PREEMPT_PARK, "stops asked for by the GC"},
	[SITE_EXIT] = {GO_EXIT, READ_PLAIN, "ends of goroutines"},
	[SITE_SYSBLOCK] = {GO_SYSBLOCK, READ_SYSBLOCK, "blocking waits of the runtime itself"},
	[SITE_SYSEXIT_NOP] = {GO_SYSEXIT_NOP, READ_PLAIN, "waits for a P after a system call"},
	[SITE_SYSEXIT_NEWP] = {GO_SYSEXIT_NEWP, READ_SYSEXIT_NEWP, "changes of the P in system calls"},
	[SITE_CREATE_CAS] = {GO_CREATE, READ_CREATE_CAS, "creations of goroutines"},
	[SITE_CREATE_CORO] = {GO_CREATE_BLOCKED, READ_CREATE_CORO, "creations of coroutines"},
	[SITE_CREATE_RUNQPUT] = {GO_CREATE, READ_CREATE_RUNQPUT, "creations of goroutines"},
	[SITE_SWITCH] = {GO_SWITCH, READ_SWITCH, "switches between coroutines"},
	[SITE_NEEDM] = {GO_NEEDM, READ_PLAIN, "C threads entering Go"},
	[SITE_DROPM] = {GO_DROPM, READ_PLAIN, "C threads leaving Go"},
	[SITE_READY_WORKER] = {GO_READY, READ_WORKER, "wake-ups of GC workers"},
	[SITE_CGO_ENTER] = {GO_CGO_ENTER, READ_CGO_ENTER, "calls of C"},
	[SITE_CGO_EXIT] = {GO_CGO_EXIT, READ_CGO_EXIT, "returns from C"},
	[SITE_SYSCALL_ENTER] = {.kind = GO_SYSCALL_ENTER},
	[SITE_SYSCALL_EXIT] = {.kind = GO_SYSCALL_EXIT},
	[SITE_STW_BEGIN] = {RT_STW_BEGIN, READ_RUNTIME, "stops of the world"},
	[SITE_STW_END] = {RT_STW_END, READ_RUNTIME, "ends of stops of the world"},
	[SITE_GC_BEGIN] = {RT_GC_BEGIN, READ_RUNTIME, "GC cycles"},
	[SITE_GC_END] = {RT_GC_END, READ_RUNTIME, "ends of GC cycles"},
	[SITE_ASSIST_BEGIN] = {RT_ASSIST_BEGIN, READ_RUNTIME, "mark assists"},
	[SITE_ASSIST_END] = {RT_ASSIST_END, READ_RUNTIME, "ends of mark assists"},
	[SITE_SWEEP_BEGIN] = {RT_SWEEP_BEGIN, READ_SWEEP_BEGIN, "sweeps"},
	[SITE_SWEEP_SPAN] = {RT_SWEEP_BEGIN, READ_SWEEP_SPAN, "sweeps"},
	[SITE_SWEEP_END] = {RT_SWEEP_END, READ_SWEEP_END, "ends of sweeps"},
	[SITE_PROC_START] = {RT_PROC_START, READ_PROC, "threads getting a P"},
	[SITE_PROC_STOP] = {RT_PROC_STOP, READ_PROC, "threads giving up their P"},
	[SITE_PROC_STEAL] = {RT_PROC_STEAL, READ_PROC, "Ps taken from system calls"},
	[SITE_PROCS] = {RT_PROCS, READ_RUNTIME, "changes of GOMAXPROCS"},
	[SITE_TASK_BEGIN] = {USER_TASK_BEGIN, READ_USER, "user tasks"},
	[SITE_TASK_END] = {USER_TASK_END, READ_USER, "ends of user tasks"},
	[SITE_REGION] = {USER_REGION_BEGIN, READ_USER, "user regions"},
	[SITE_LOG] = {USER_LOG, READ_USER, "user log messages"},
	[SITE_START_REGION] = {USER_START_REGION, READ_USER, "calls of trace.StartRegion"},
	[SITE_LABELS] = {USER_LABELS, READ_USER, "pprof labels"},
};
/* clang-format on */

/* Where struct pt_regs (asm/ptrace.h, x86-64) has the registers, in words, as instructions count. */
static const uint8_t register_words[FLOW_REGS] = {10, 11, 12, 5, 19, 4, 13, 14,
						  9,  8,  7,  6, 3,  2, 1,  0};

static const enum probe_place places[] = {
	[SITE_AT_CALL] = PLACE_CALL,
	[SITE_SWAP_BRANCH] = PLACE_SWAP_BRANCH,
	[SITE_SWAP_RESULT] = PLACE_SWAP_RESULT,
	[SITE_REGISTER] = PLACE_REGISTER,
};

_Static_assert(SITE_STATUS_UNKNOWN == COOKIE_NO_STATUS, "status");

/* How it is read; Go code that C called returns there by a call that has arguments. */
static enum probe_reading reading_of(const struct site *site)
{
	if (site->kind == SITE_CGO_ENTER && !strcmp(site->func, "runtime.cgocallbackg"))
		return READ_CGO_REENTER;
	return uses[site->kind].reading;
}

uint64_t site_cookie(const struct site *site, uint32_t number)
{
	__u64 cookie =
		cookie_make(number, uses[site->kind].kind, reading_of(site), site->skip_slot);

	if (site->place == SITE_AT_CALL)
		return cookie;
	return cookie | cookie_make_place(places[site->place], register_words[site->reg],
					  site->old_status, site->new_status);
}

uint8_t site_go_kind(enum site_kind kind)
{
	return uses[kind].kind;
}

/* The programs of bpf/ that take hits of sites, each of some kinds. */
enum program { PROGRAM_GO, PROGRAM_RUNTIME, PROGRAM_SWEEP, PROGRAM_NOTE, PROGRAM_LABELS, PROGRAMS };

static enum program program_of(const struct site *site)
{
	uint8_t kind = uses[site->kind].kind;

	if (kind == USER_LABELS)
		return PROGRAM_LABELS;
	if (kind >= USER_TASK_BEGIN)
		return PROGRAM_NOTE;
	if (kind == RT_SWEEP_BEGIN || kind == RT_SWEEP_END)
		return PROGRAM_SWEEP;
	return kind >= RT_STW_BEGIN ? PROGRAM_RUNTIME : PROGRAM_GO;
}

static struct bpf_program *loaded_program(const struct programs *p, enum program program)
{
	switch (program) {
	case PROGRAM_RUNTIME:
		return p->skel->progs.runtime_probe;
	case PROGRAM_SWEEP:
		return p->skel->progs.sweep_probe;
	case PROGRAM_NOTE:
		return p->skel->progs.note_probe;
	case PROGRAM_LABELS:
		return p->skel->progs.labels_probe;
	default:
		return p->skel->progs.go_probe;
	}
}

/* Sites of one file in one process that one program takes. */
struct batch {
	struct bpf_program *prog;
	const char *path;
	pid_t pid;
	unsigned long *offsets;
	uint64_t *cookies;
	size_t n;
};

static int attach_some(struct probe_links *l, const struct programs *p, const struct batch *b,
		       size_t first, size_t n)
{
	int type = p->has.multi ? 0 : uprobes_perf_type();
	const struct uprobes u = {
		.prog_fd = bpf_program__fd(b->prog),
		.multi = p->has.multi,
		.perf_type = (uint32_t)type,
		.pid = b->pid,
		.path = b->path,
		.offsets = b->offsets + first,
		.cookies = b->cookies + first,
		.n = n,
	};
	int link = type < 0 ? type : guardian_attach(l->guardian, &u);

	return link < 0 ? link : probe_links_keep(l, link);
}

/* Errors that are no site's. */
static bool is_of_all(int err)
{
	return err == -ENOMEM || err == -EPIPE || err == -ETIMEDOUT || files_lacking(err);
}

/*
 * All at once where the kernel can. If it refuses, one by one: errors[i] is 0 or why it refused
 * that site.
 */
static int attach_batch(struct probe_links *l, const struct programs *p, const struct batch *b,
			int *errors)
{
	int err;

	if (p->has.multi) {
		err = attach_some(l, p, b, 0, b->n);
		if (!err || is_of_all(err))
			return err;
	}
	for (size_t i = 0; i < b->n; i++) {
		errors[i] = attach_some(l, p, b, i, 1);
		if (is_of_all(errors[i]))
			return errors[i];
	}
	return 0;
}

static bool is_vital(enum site_kind kind)
{
	return kind == SITE_START || kind == SITE_PARK || kind == SITE_READY;
}

/* Name what was refused. A vital kind of which no site is left is an error. */
static int report_refused(const struct target *t, const int *errors, FILE *messages,
			  struct error *e)
{
	const struct sites *s = &t->sites;
	size_t good[SITE_KINDS] = {0};

	for (size_t i = 0; i < s->n; i++)
		if (!errors[i])
			good[s->v[i].kind]++;
	for (size_t i = 0; i < s->n; i++) {
		const struct site *site = &s->v[i];

		if (!errors[i])
			continue;
		if (is_vital(site->kind) && !good[site->kind])
			return error_set(e, EXIT_TARGET, errors[i],
					 "pid %d: the kernel refuses a probe in %s: %s",
					 (int)t->process->pid, site->func, strerror(-errors[i]));
		/* it has ended meanwhile, which is noticed elsewhere */
		if (messages && errors[i] != -ESRCH)
			fprintf(messages,
				"gscope: no probe in %s at 0x%llx (%s): some or all %s will not be seen\n",
				site->func, (unsigned long long)site->pc, strerror(-errors[i]),
				uses[site->kind].missing);
	}
	return 0;
}

/* What the kernel puts where a uprobe is. */
#ifdef __x86_64__
#define BREAKPOINT 0xcc
#else
#error "BREAKPOINT: not known for this architecture"
#endif

/* Another engine has it, or has what makes it unnecessary. */
static bool is_left(const struct target *t, const struct inline_engine *but, size_t i)
{
	const struct site *site = &t->sites.v[i];

	if (site_is_for_stubs(site->kind) || (but && inline_has(but, i)))
		return true;
	return but && inline_knows(but, i) && site->kind == SITE_CGO_ENTER &&
	       reading_of(site) == READ_CGO_ENTER && inline_tells_syscalls(but);
}

/*
 * Whether the probes are in the process. The kernel plants them in the pages of a file, and an
 * overlay filesystem has two by one name once it had to copy the one that is running: by then every
 * path leads to the other one.
 */
static int prove(const struct target *t, const struct inline_engine *but, const int *errors,
		 struct error *e)
{
	const struct sites *s = &t->sites;
	bool any = false;

	for (size_t i = 0; i < s->n; i++) {
		uint8_t byte;

		if (errors[i] || is_left(t, but, i))
			continue;
		any = true;
		/* it has ended, which is noticed elsewhere */
		if (target_process_read(t->process, s->v[i].pc, &byte, sizeof(byte)) ||
		    byte == BREAKPOINT)
			return 0;
	}
	if (!any && but)
		return 0;
	return error_set(e, EXIT_TARGET, -ESTALE,
			 "pid %d: the kernel plants probes in another file than the one it runs: "
			 "%.150s was copied since (chmod and chown do that on an overlay "
			 "filesystem); start the program anew to trace its goroutines",
			 (int)t->process->pid, elf_file_name(t->elf));
}

/* Which of a file's sites, and where their errors go. */
struct choice {
	const struct inline_engine *but; /* those it has not */
	size_t module;
	enum program program;
	uint32_t first_site;
	int *errors; /* by site: as attach_batch() sets it */
};

static __u64 full_cookie(const struct target *t, size_t i, const struct choice *c)
{
	const struct site *site = &t->sites.v[i];
	__u64 cookie = site_cookie(site, c->first_site + (uint32_t)i);

	return modules_pcsp(t->modules, site->pc) ? cookie : cookie | COOKIE_FRAMELESS;
}

static int attach_chosen(struct probe_links *l, const struct programs *p, const struct target *t,
			 const char *path, const struct choice *c)
{
	const struct sites *s = &t->sites;
	struct batch b = {
		.prog = loaded_program(p, c->program),
		.path = path,
		.pid = t->process->pid,
		.offsets = calloc(s->n + 1, sizeof(*b.offsets)),
		.cookies = calloc(s->n + 1, sizeof(*b.cookies)),
	};
	size_t *numbers = calloc(s->n + 1, sizeof(*numbers));
	int *refused = calloc(s->n + 1, sizeof(*refused)), err = -ENOMEM;

	if (b.offsets && b.cookies && numbers && refused) {
		for (size_t i = 0; i < s->n; i++) {
			if (s->v[i].module != c->module || program_of(&s->v[i]) != c->program ||
			    is_left(t, c->but, i))
				continue;
			b.offsets[b.n] = s->v[i].file_off;
			b.cookies[b.n] = full_cookie(t, i, c);
			numbers[b.n++] = i;
		}
		/* a program that is missing was named when it was refused */
		if (bpf_program__fd(b.prog) < 0)
			b.n = 0;
		err = b.n ? attach_batch(l, p, &b, refused) : 0;
		for (size_t i = 0; i < b.n; i++)
			c->errors[numbers[i]] = refused[i];
	}
	free(refused);
	free(numbers);
	free(b.offsets);
	free(b.cookies);
	return err;
}

/* The sites of one file, by a path of it. */
static int attach_module(struct probe_links *l, const struct programs *p, const struct target *t,
			 const char *path, struct choice c)
{
	int err = 0;

	for (int i = 0; i < PROGRAMS && !err; i++) {
		c.program = (enum program)i;
		err = attach_chosen(l, p, t, path, &c);
	}
	return err;
}

/*
 * All files; `path` is that of the first, which has the runtime. -ESTALE: it is not the file the
 * process runs.
 */
static int attach_files(struct probe_links *l, const struct programs *p, const struct target *t,
			const struct inline_engine *but, const char *path, uint32_t first_site,
			FILE *messages, struct error *e)
{
	int *errors = calloc(t->sites.n + 1, sizeof(*errors)), err = errors ? 0 : -ENOMEM;

	for (size_t i = 0; i < t->modules->n && !err; i++) {
		const struct choice c = {
			.but = but, .module = i, .first_site = first_site, .errors = errors};
		char plugin[64];

		snprintf(plugin, sizeof(plugin), "/proc/self/fd/%d", t->modules->v[i]->fd);
		err = attach_module(l, p, t, i ? plugin : path, c);
	}
	if (err)
		error_set(e, EXIT_FAILED, err, "cannot attach probes to process %d: %s",
			  (int)t->process->pid, strerror(-err));
	else
		err = report_refused(t, errors, messages, e);
	if (!err)
		err = prove(t, but, errors, e);
	free(errors);
	return err;
}

int attach_probes(struct probe_links *l, const struct programs *p, const struct target *t,
		  const struct inline_engine *but, uint32_t first_site, FILE *messages,
		  struct error *e)
{
	char path[PATH_MAX];
	struct error below;
	size_t before = l->n;
	int err;

	/* whatever the mount namespace, and even if the file was replaced since */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", t->fd);
	err = attach_files(l, p, t, but, path, first_site, messages, e);
	if (err != -ESTALE ||
	    !overlay_lower_file(t->process, elf_file_name(t->elf), t->fd, path, sizeof(path)))
		return err;
	probe_links_cut(l, before);
	/* what it says of that file would only confuse */
	if (!attach_files(l, p, t, but, path, first_site, messages, &below))
		return 0;
	probe_links_cut(l, before);
	return err;
}

int attach_module_late(struct probe_links *l, const struct programs *p, const struct target *t,
		       size_t module, uint32_t first_site, FILE *messages, struct error *e)
{
	int *errors = calloc(t->sites.n + 1, sizeof(*errors)), err = errors ? 0 : -ENOMEM;
	const struct choice c = {.module = module, .first_site = first_site, .errors = errors};
	size_t before = l->n;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", t->modules->v[module]->fd);
	if (!err)
		err = attach_module(l, p, t, path, c);
	if (err) {
		error_set(e, EXIT_FAILED, err, "cannot attach probes: %s", strerror(-err));
		probe_links_cut(l, before);
	} else {
		err = report_refused(t, errors, messages, e);
	}
	free(errors);
	return err;
}

int attach_empty(struct probe_links *l, const struct programs *p, uint64_t file_off)
{
	unsigned long offset = file_off;
	uint64_t cookie = 0;
	struct batch b = {
		.prog = p->skel->progs.probe_empty,
		.path = "/proc/self/exe",
		.pid = getpid(),
		.offsets = &offset,
		.cookies = &cookie,
		.n = 1,
	};

	return p->missing[MISS_COST].why ? -ENOENT : attach_some(l, p, &b, 0, 1);
}
