// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * The function that calls casgstatus says why the status changes: runtime/proc.go of Go 1.19 to
 * 1.27.
 *
 * Not probed, because cheaper sources tell: entering and leaving a syscall with the P kept
 * (tracepoints, or stubs), and stack growth, during which a goroutine keeps running. Not seen: in Go <= 1.25
 * a thread that comes back from a syscall to find its old P in the *next* syscall of somebody
 * else and takes it back (exitsyscallfast_reacquired, the path on which syscalltick differs): it
 * shares its only branch with the fast path. The P in m.oldp at the syscall's exit tells.
 */
#include "user/target/sites_rules.h"

#include <string.h>

const char *const site_callee_names[CALLEES] = {
	[CAS] = "runtime.casgstatus",
	[PREEMPT_SCAN] = "runtime.casGToPreemptScan",
	[ACQUIREP] = "runtime.acquirep",
	[ACQUIREP_NO_TRACE] = "runtime.acquirepNoTrace",
	[RUNQPUT] = "runtime.runqput",
	[ENTERSYSCALL] = "runtime.entersyscall",
	[REENTERSYSCALL] = "runtime.reentersyscall",
	[EXITSYSCALL] = "runtime.exitsyscall",
};

/* In a rule, in place of a status number. */
#define ANY (-2)
#define ALIVE (-3) /* runnable, or waiting: newproc1 has it in a variable */

#define MUST RULE_MUST
#define BUSY (RULE_MUST | RULE_BUSY)
#define CGO RULE_CGO
#define CORO RULE_CORO

#define NEWEST 0xffffffffU /* a release gscope does not know is taken for the newest it knows */
#define ALWAYS 0, NEWEST

static const char no_cgo[] = "calls between Go and C will be seen late";
static const char no_syscalls[] = "system calls will be seen by tracepoints only";

/* The status numbers are those of runtime/runtime2.go; 11 is _Gdeadextra, since 1.26. */
static const struct site_rule rules[] = {
	{"runtime.execute", CAS, 1, 2, SITE_START, ALWAYS, BUSY, "goroutine starts"},
	{"runtime.park_m", CAS, 2, 4, SITE_PARK, ALWAYS, BUSY, "blocking"},
	{"runtime.park_m", CAS, 4, 1, SITE_PARK_REFUSED, ALWAYS, 0,
	 "blocking that is called off at once will not be seen"},
	{"runtime.ready", CAS, 4, 1, SITE_READY, ALWAYS, BUSY, "unblocking"},
	{"runtime.injectglist", CAS, 4, 1, SITE_READY, ALWAYS, 0,
	 "some wake-ups by the network poller will not be seen"},
	{"runtime.findRunnable", CAS, 4, 1, SITE_READY, ALWAYS, 0,
	 "some wake-ups by the network poller will not be seen"},
	{"runtime.(*gcControllerState).findRunnableGCWorker", CAS, 4, 1, SITE_READY_WORKER, ALWAYS,
	 0, "wake-ups of GC workers will not be seen"},
	{"runtime.goschedImpl", CAS, 2, 1, SITE_YIELD, ALWAYS, 0,
	 "runtime.Gosched and preemption will not be seen"},
	{"runtime.goyield_m", CAS, 2, 1, SITE_YIELD_PREEMPTED, ALWAYS, 0,
	 "yields inside sync primitives will not be seen"},
	{"runtime.preemptPark", PREEMPT_SCAN, ANY, ANY, SITE_PREEMPT_PARK, ALWAYS, 0,
	 "goroutines the GC stops will not be seen stopping"},
	{"runtime.goexit0", CAS, 2, 6, SITE_EXIT, 0, 21, MUST, "goroutine exits"},
	{"runtime.gdestroy", CAS, 2, 6, SITE_EXIT, 22, NEWEST, MUST, "goroutine exits"},
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
	{"runtime.newproc1", CAS, 6, ALIVE, SITE_CREATE_CAS, 24, NEWEST, 0,
	 "goroutine creation will not be seen"},
	{"runtime.newproc.func1", RUNQPUT, ANY, ANY, SITE_CREATE_RUNQPUT, 0, 23, 0,
	 "goroutine creation will not be seen"},
	{"runtime.newproc1", CAS, 6, ALIVE, SITE_CREATE_CORO, 23, 23, CORO,
	 "creation of coroutines will not be seen"},
	{"runtime.needm", CAS, 6, 3, SITE_NEEDM, 0, 25, CGO,
	 "C threads entering Go will not be seen"},
	{"runtime.needm", CAS, 11, 3, SITE_NEEDM, 26, NEWEST, CGO,
	 "C threads entering Go will not be seen"},
	{"runtime.dropm", CAS, 3, 6, SITE_DROPM, 0, 25, CGO,
	 "C threads leaving Go will not be seen"},
	{"runtime.dropm", CAS, 3, 11, SITE_DROPM, 26, NEWEST, CGO,
	 "C threads leaving Go will not be seen"},
	{"runtime.cgocall", ENTERSYSCALL, ANY, ANY, SITE_CGO_ENTER, ALWAYS, CGO, no_cgo},
	{"runtime.cgocall", EXITSYSCALL, ANY, ANY, SITE_CGO_EXIT, ALWAYS, CGO, no_cgo},
	{"runtime.cgocallbackg", EXITSYSCALL, ANY, ANY, SITE_CGO_EXIT, ALWAYS, CGO, no_cgo},
	{"runtime.cgocallbackg", REENTERSYSCALL, ANY, ANY, SITE_CGO_ENTER, ALWAYS, CGO, no_cgo},
	{"runtime.entersyscall", REENTERSYSCALL, ANY, ANY, SITE_SYSCALL_ENTER, ALWAYS, 0,
	 no_syscalls},
	{"syscall.Syscall", EXITSYSCALL, ANY, ANY, SITE_SYSCALL_EXIT, ALWAYS, 0, no_syscalls},
	{"syscall.Syscall6", EXITSYSCALL, ANY, ANY, SITE_SYSCALL_EXIT, ALWAYS, 0, no_syscalls},
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

const struct site_rule *site_rule(size_t i)
{
	return i < NRULES ? &rules[i] : NULL;
}

size_t site_rule_count(void)
{
	return NRULES;
}

static bool matches(const char *pattern, const char *name)
{
	size_t len = strlen(pattern);

	if (pattern[len - 1] == '*')
		return !strncmp(name, pattern, len - 1);
	return !strcmp(name, pattern);
}

static bool status_matches(int rule, int seen, bool exactly)
{
	if (rule == ANY || rule == seen || (!exactly && seen == STATUS_UNKNOWN))
		return true;
	return rule == ALIVE && (seen == 1 || seen == 4 || seen == STATUS_UNKNOWN);
}

bool site_rule_applies(const struct site_rule *r, unsigned int minor, unsigned int has)
{
	return minor >= r->min && minor <= r->max && (!(r->flags & RULE_CGO) || has & RULE_CGO) &&
	       (!(r->flags & RULE_CORO) || has & RULE_CORO);
}

/* The rules for one function, out of which at most one may be left. */
static const struct site_rule *find(const struct site_call *call, const char *func,
				    unsigned int minor, unsigned int has, bool exactly)
{
	const struct site_rule *found = NULL;

	for (size_t i = 0; i < NRULES; i++) {
		const struct site_rule *r = &rules[i];

		if (r->callee != call->callee || !site_rule_applies(r, minor, has) ||
		    !matches(r->func, func) ||
		    !status_matches(r->old_status, call->old_status, exactly) ||
		    !status_matches(r->new_status, call->new_status, exactly))
			continue;
		if (found)
			return NULL;
		found = r;
	}
	return found;
}

const struct site_rule *site_rule_find(const struct site_call *call, unsigned int minor,
				       unsigned int has, const char **func)
{
	for (int exactly = 1; exactly >= 0; exactly--) {
		for (size_t i = 0; i < call->nnames; i++) {
			const struct site_rule *r = find(call, call->names[i], minor, has, exactly);

			*func = call->names[i];
			if (r)
				return r;
		}
	}
	return NULL;
}

bool site_call_harmless(const struct site_call *call)
{
	if (call->callee != CAS)
		return true;
	for (size_t k = 0; k < call->nnames; k++) {
		for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++) {
			if (matches(harmless[i], call->names[k]))
				return true;
		}
		/* its closures, inlined elsewhere */
		if (strstr(call->names[k], ".forEachP."))
			return true;
	}
	return false;
}
