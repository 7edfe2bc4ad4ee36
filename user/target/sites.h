/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Where to probe: instructions the kernel emulates (call rel32, push, jumps), proven instruction
 * boundaries, at which the registers hold what is wanted.
 *
 * At every `call runtime.casgstatus` site: AX = gp, EBX = old status, ECX = new status. Where the
 * compiler inlined casgstatus, enum site_place says what is where instead.
 */
#ifndef GSCOPE_TARGET_SITES_H
#define GSCOPE_TARGET_SITES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "user/base/error.h"
#include "user/target/buildinfo.h"
#include "user/target/elf.h"
#include "user/target/pclntab.h"

enum site_kind {
	SITE_START = 1, /* AX gp, EBX old, ECX new */
	SITE_PARK, /* AX gp, EBX old, ECX new */
	SITE_PARK_REFUSED, /* AX gp, EBX old, ECX new */
	SITE_READY, /* AX gp, EBX old, ECX new; the waker is m.curg, maybe none */
	SITE_YIELD, /* AX gp, EBX old, ECX new */
	SITE_YIELD_PREEMPTED, /* AX gp, EBX old, ECX new */
	SITE_PREEMPT_PARK, /* call casGToPreemptScan: AX gp; running -> preempted */
	SITE_EXIT, /* AX gp, EBX old, ECX new */
	SITE_SYSBLOCK, /* AX gp, EBX old, ECX new */
	SITE_SYSEXIT_NOP, /* AX gp, EBX old, ECX new */
	/*
	 * AX p, the new one, still unwired: m.p is 0; gp is m.curg. <= 1.25: call acquirep in
	 * exitsyscallfast_pidle, gp still in syscall; >= 1.26: call acquirepNoTrace in exitsyscall,
	 * gp already running. It can be the P it had before.
	 */
	SITE_SYSEXIT_NEWP,
	SITE_CREATE_CAS, /* AX newg, EBX old, ECX new: waiting for a coroutine; goid is valid */
	SITE_CREATE_RUNQPUT, /* BX newg, goid is valid; the creator is m.curg */
	/*
	 * Go 1.23 only: AX newg, EBX old, ECX new. A creation if ECX is 4 (waiting: a coroutine),
	 * and its goid is that of the g's last life; any other hit is also one of
	 * SITE_CREATE_RUNQPUT and to be ignored here.
	 */
	SITE_CREATE_CORO,
	SITE_SWITCH, /* AX gp stops; g.coroarg -> coro.gp runs; g.coroexit: gp exits */
	SITE_NEEDM, /* AX gp, EBX old, ECX new */
	SITE_DROPM, /* AX gp, EBX old, ECX new */
	SITE_READY_WORKER, /* as SITE_READY, of a GC worker: p.gcMarkWorkerMode says what for */
	/* cgocall, cgocallbackg: `call entersyscall`, reentersyscall; R14 gp, on its own stack */
	SITE_CGO_ENTER,
	SITE_CGO_EXIT, /* the same, `call exitsyscall` */
	/*
	 * For stubs only, and then instead of SITE_CGO_ENTER in cgocall: entersyscall's `call
	 * reentersyscall`. AX PC of who called that; R14 gp, on its own stack, BP entersyscall's frame.
	 */
	SITE_SYSCALL_ENTER,
	SITE_SYSCALL_EXIT, /* for stubs only: as SITE_CGO_EXIT, in package syscall */
	/*
	 * What the runtime does besides: R14 is gp or a g0. At SITE_REGISTER `reg` has the argument
	 * struct ev_runtime asks for; at SITE_AT_CALL there is none, or it is m.p.
	 */
	SITE_STW_BEGIN, /* reason: u8; none in Go <= 1.20 */
	SITE_STW_END,
	SITE_GC_BEGIN,
	SITE_GC_END,
	SITE_ASSIST_BEGIN,
	SITE_ASSIST_END,
	SITE_SWEEP_BEGIN, /* level full only, as the next two */
	SITE_SWEEP_SPAN, /* `reg` = *mspan, about to be swept */
	SITE_SWEEP_END,
	SITE_PROC_START, /* p, or it is in m.p already */
	SITE_PROC_STOP, /* p, or it is still in m.p */
	SITE_PROC_STEAL, /* p */
	SITE_PROCS, /* their number: i32 */
	/*
	 * Package runtime/trace and pprof are called: arguments in their registers, the return
	 * address at SP, R14 = gp. Go <= 1.20: passed twice where the stack has to grow, the first
	 * time with CF or ZF set.
	 */
	SITE_TASK_BEGIN, /* AX task, BX parent, CX type, DI its length */
	SITE_TASK_END, /* AX task */
	SITE_REGION, /* AX task, BX 0 begin 1 end, CX type, DI its length */
	SITE_LOG, /* AX task, BX category, CX its length, DI message, SI its length */
	SITE_START_REGION, /* AX, BX context, CX type, DI its length */
	SITE_LABELS, /* AX labels, or nil */
	SITE_KINDS
};

enum site_place {
	SITE_AT_CALL, /* a call, the entry of a function, a branch: see enum site_kind */
	/*
	 * The branch behind an inlined casgstatus: `reg` = gp. If ZF is clear the status has just
	 * changed from old_status to new_status, or whatever it is now if that is unknown; if ZF
	 * is set it has not, and is going to be tried again.
	 */
	SITE_SWAP_BRANCH,
	/*
	 * The same right behind the compare-and-swap of an inlined casgstatus, before its outcome
	 * went from ZF into a register and back: here ZF is set if the status has changed.
	 */
	SITE_SWAP_RESULT,
	SITE_REGISTER, /* `reg` has what the kind says is in another register */
};

#define SITE_STATUS_UNKNOWN 15

struct site {
	uint64_t vaddr;
	uint64_t pc; /* vaddr + load bias: the runtime address */
	uint64_t file_off; /* what uprobes are attached to */
	uint16_t module; /* number of the file it is in, among the target's modules */
	enum site_kind kind;
	enum site_place place;
	const char *func; /* whose code it is, inlined or not; lives as long as the pclntab */
	bool must_hit; /* a busy program passes here */
	/*
	 * SITE_READY: ready()'s traceskip, an i64, is at SP + skip_slot when the site is reached;
	 * -1: not known, so at all other sites and in Go 1.21, which does not keep it.
	 */
	int skip_slot;
	uint8_t reg; /* enum flow_reg; not at SITE_AT_CALL, as those that follow */
	uint8_t old_status, new_status; /* or SITE_STATUS_UNKNOWN */
};

/* What the user has to be told before the tracing starts. */
struct site_warning {
	char text[256];
};

struct sites {
	struct site *v;
	size_t n;
	struct site_warning *warnings;
	size_t nwarnings;
};

/*
 * Plan the probes of a binary. A site that cannot be used becomes a warning with its consequence;
 * without execute, ready or park_m there is nothing to trace: -ENOTSUP with EXIT_TARGET.
 * Free with sites_free().
 */
int sites_plan(struct sites *out, struct elf_file *f, const struct buildinfo *b,
	       const struct pclntab *pcln, uint64_t bias, struct error *e);
void sites_free(struct sites *s);

/* Take out the sites that only level "full" asks for, or a kind. */
void sites_leave_full(struct sites *s);
void sites_leave(struct sites *s, enum site_kind kind);

/* Whether only a stub can take sites of this kind: as probes they would cost more than they tell. */
static inline bool site_is_for_stubs(enum site_kind kind)
{
	return kind == SITE_SYSCALL_ENTER || kind == SITE_SYSCALL_EXIT;
}

/* "start", "park", ... */
const char *site_kind_name(enum site_kind kind);

#endif
