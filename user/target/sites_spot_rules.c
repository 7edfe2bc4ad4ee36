// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Where the runtime emits its own events: src/runtime of Go 1.19 to 1.27, proc.go (Ps, the world),
 * mgc.go, mgcmark.go, mgcsweep.go, mcentral.go, mheap.go (the GC), runtime/trace/annotation.go and
 * runtime/pprof/runtime.go. Go 1.22 brought the tracer of today (traceruntime.go), before there
 * was another one (trace.go).
 *
 * Functions of package runtime/trace have no body there but are linked from the runtime, so they
 * cannot be inlined. Ps that a thread takes over on its way out of a system call are
 * SITE_SYSEXIT_NEWP.
 *
 * Not seen: sweeping in Go <= 1.21, which knows whether a sweep has ended only while it is traced;
 * pages that reclaimChunk looks at and does not free, which the tracer counts as swept.
 */
#include "user/target/flow.h"
#include "user/target/sites_spots.h"

#define NEWEST 0xffffffffU
#define ALWAYS 0, NEWEST
#define OLD 0, 21
#define NEW 22, NEWEST

#define NONE NO_REGISTER
#define OTHERWISE SPOT_OTHERWISE
#define ARG SPOT_NEEDS_ARG
#define LINKED SPOT_IF_LINKED

#define L "runtime.traceLocker."

static const char no_start[] = "which thread gets a P will be seen late";
static const char no_stop[] = "which thread gives up its P will be seen late";
static const char no_steal[] = "Ps taken from threads in system calls will be seen late";
static const char no_procs[] = "changes of GOMAXPROCS will not be seen";
static const char no_stw[] = "stops of the world will not be seen";
static const char no_cycle[] = "GC cycles will not be seen";
static const char no_assist[] = "goroutines helping the GC will not be seen";

static const char no_sweep[] = "sweeping will not be seen (--level full)";
static const char no_user[] = "tasks, regions and messages of the program will not all be seen";
static const char no_labels[] = "pprof labels will not be seen";

/* clang-format off */
const struct spot_rule spot_rules[] = {
	{SITE_SWITCH, SPOT_ENTRY, "runtime.coroswitch_m", NULL, NONE, 23, NEWEST,
	 RULE_CORO, "switches between coroutines (iter.Pull) will not be seen"},

	{SITE_PROC_START, SPOT_GUARD, "runtime.acquirep", L "ProcStart", NONE, NEW, 0, no_start},
	{SITE_PROC_START, SPOT_GUARD, "runtime.acquirep", "runtime.traceProcStart", NONE, OLD, 0, no_start},
	{SITE_PROC_START, SPOT_ENTRY, "runtime.acquirep", NULL, FLOW_AX, ALWAYS, OTHERWISE, NULL},
	{SITE_PROC_STOP, SPOT_GUARD, "runtime.releasep", L "ProcStop", NONE, NEW, 0, no_stop},
	{SITE_PROC_STOP, SPOT_GUARD, "runtime.releasep", "runtime.traceProcStop", NONE, OLD, 0, no_stop},
	{SITE_PROC_STOP, SPOT_ENTRY, "runtime.releasep", NULL, NONE, ALWAYS, OTHERWISE, NULL},
	{SITE_PROC_STOP, SPOT_GUARD, "runtime.procresize", L "ProcStop", NONE, NEW, 0, no_stop},
	{SITE_PROC_STOP, SPOT_GUARD, "runtime.procresize", "runtime.traceProcStop", NONE, OLD, 0, no_stop},
	{SITE_PROC_STOP, SPOT_GUARD, "runtime.entersyscallHandleGCWait", L "ProcStop", FLOW_CX, 26, NEWEST, ARG, no_stop},
	{SITE_PROC_STEAL, SPOT_GUARD, "runtime.syscallingThread.releaseP", L "ProcSteal", FLOW_CX, 26, NEWEST, ARG, no_steal},
	{SITE_PROC_STEAL, SPOT_ENTRY, "runtime.syscallingThread.releaseP", NULL, FLOW_CX, 26, NEWEST, OTHERWISE, NULL},
	{SITE_PROC_STEAL, SPOT_GUARD, "runtime.retake", L "ProcSteal", FLOW_CX, 22, 25, ARG, no_steal},
	{SITE_PROC_STEAL, SPOT_GUARD, "runtime.retake", "runtime.traceGoSysBlock", FLOW_AX, OLD, ARG, no_steal},
	{SITE_PROC_STEAL, SPOT_CALL, "runtime.retake", "runtime.handoffp", FLOW_AX, 0, 25, OTHERWISE, NULL},
	{SITE_PROC_STEAL, SPOT_GUARD, "runtime.forEachPInternal", L "ProcSteal", FLOW_CX, 22, 25, ARG, no_steal},
	{SITE_PROC_STEAL, SPOT_CALL, "runtime.forEachPInternal", "runtime.handoffp", FLOW_AX, 22, 25, OTHERWISE, NULL},
	{SITE_PROC_STEAL, SPOT_GUARD, "runtime.forEachP", "runtime.traceGoSysBlock", FLOW_AX, OLD, ARG, no_steal},
	{SITE_PROC_STEAL, SPOT_CALL, "runtime.forEachP", "runtime.handoffp", FLOW_AX, OLD, OTHERWISE, NULL},
	{SITE_PROC_STEAL, SPOT_GUARD, "runtime.stopTheWorldWithSema", L "ProcSteal", FLOW_CX, 22, 25, ARG, no_steal},
	{SITE_PROC_STEAL, SPOT_GUARD, "runtime.stopTheWorldWithSema", "runtime.traceGoSysBlock", FLOW_AX, OLD, ARG, no_steal},
	{SITE_PROC_STEAL, SPOT_GUARD, "runtime.entersyscall_gcwait", L "ProcSteal", FLOW_CX, 22, 25, ARG, no_steal},
	{SITE_PROC_STEAL, SPOT_GUARD, "runtime.entersyscall_gcwait", "runtime.traceGoSysBlock", FLOW_AX, OLD, ARG, no_steal},
	{SITE_PROCS, SPOT_GUARD, "runtime.procresize", L "Gomaxprocs", FLOW_CX, NEW, ARG, no_procs},
	{SITE_PROCS, SPOT_GUARD, "runtime.procresize", "runtime.traceGomaxprocs", FLOW_AX, OLD, ARG, no_procs},
	{SITE_PROCS, SPOT_ENTRY, "runtime.procresize", NULL, FLOW_AX, ALWAYS, OTHERWISE, NULL},

	{SITE_STW_BEGIN, SPOT_GUARD, "runtime.stopTheWorldWithSema", L "STWStart", FLOW_CX, NEW, ARG, no_stw},
	{SITE_STW_BEGIN, SPOT_GUARD, "runtime.stopTheWorldWithSema", "runtime.traceSTWStart", FLOW_AX, 21, 21, ARG, no_stw},
	{SITE_STW_BEGIN, SPOT_ENTRY, "runtime.stopTheWorldWithSema", NULL, FLOW_AX, 21, NEWEST, OTHERWISE, NULL},
	{SITE_STW_BEGIN, SPOT_ENTRY, "runtime.stopTheWorldWithSema", NULL, NONE, 0, 20, 0, no_stw},
	{SITE_STW_END, SPOT_GUARD, "runtime.startTheWorldWithSema", L "STWDone", NONE, NEW, 0, no_stw},
	{SITE_STW_END, SPOT_GUARD, "runtime.startTheWorldWithSema", "runtime.traceSTWDone", NONE, 21, 21, 0, no_stw},
	{SITE_STW_END, SPOT_GUARD, "runtime.startTheWorldWithSema", "runtime.traceGCSTWDone", NONE, 0, 20, 0, no_stw},
	{SITE_STW_END, SPOT_CALL, "runtime.startTheWorldWithSema", "runtime.wakep", NONE, ALWAYS, OTHERWISE, NULL},

	{SITE_GC_BEGIN, SPOT_GUARD, "runtime.gcStart", L "GCStart", NONE, NEW, 0, no_cycle},
	{SITE_GC_BEGIN, SPOT_GUARD, "runtime.gcStart", "runtime.traceGCStart", NONE, OLD, 0, no_cycle},
	{SITE_GC_BEGIN, SPOT_CALL, "runtime.gcStart", "runtime.gcBgMarkStartWorkers", NONE, ALWAYS, OTHERWISE, NULL},
	{SITE_GC_END, SPOT_GUARD, "runtime.gcMarkTermination", L "GCDone", NONE, NEW, 0, no_cycle},
	{SITE_GC_END, SPOT_GUARD, "runtime.gcMarkTermination", "runtime.traceGCDone", NONE, OLD, 0, no_cycle},
	{SITE_ASSIST_BEGIN, SPOT_GUARD, "runtime.gcAssistAlloc", L "GCMarkAssistStart", NONE, NEW, 0, no_assist},
	{SITE_ASSIST_BEGIN, SPOT_GUARD, "runtime.gcAssistAlloc", "runtime.traceGCMarkAssistStart", NONE, OLD, SPOT_AND, no_assist},
	{SITE_ASSIST_END, SPOT_GUARD, "runtime.gcAssistAlloc", L "GCMarkAssistDone", NONE, NEW, 0, no_assist},
	{SITE_ASSIST_END, SPOT_GUARD, "runtime.gcAssistAlloc", "runtime.traceGCMarkAssistDone", NONE, OLD, 0, no_assist},

	{SITE_SWEEP_BEGIN, SPOT_GUARD, "runtime.deductSweepCredit", L "GCSweepStart", NONE, NEW, 0, no_sweep},
	{SITE_SWEEP_BEGIN, SPOT_GUARD, "runtime.(*mcentral).cacheSpan", L "GCSweepStart", NONE, NEW, 0, no_sweep},
	{SITE_SWEEP_BEGIN, SPOT_GUARD, "runtime.(*mheap).reclaim", L "GCSweepStart", NONE, NEW, 0, no_sweep},
	{SITE_SWEEP_SPAN, SPOT_GUARD, "runtime.(*sweepLocked).sweep", L "GCSweepSpan", FLOW_CX, NEW, ARG | SPOT_BASE, no_sweep},
	{SITE_SWEEP_END, SPOT_GUARD, "runtime.deductSweepCredit", L "GCSweepDone", NONE, NEW, 0, no_sweep},
	{SITE_SWEEP_END, SPOT_GUARD, "runtime.(*mcentral).cacheSpan", L "GCSweepDone", NONE, NEW, 0, no_sweep},
	{SITE_SWEEP_END, SPOT_GUARD, "runtime.(*mheap).reclaim", L "GCSweepDone", NONE, NEW, 0, no_sweep},

	{SITE_TASK_BEGIN, SPOT_ENTRY, "runtime/trace.userTaskCreate", NULL, NONE, ALWAYS, LINKED, no_user},
	{SITE_TASK_END, SPOT_ENTRY, "runtime/trace.userTaskEnd", NULL, NONE, ALWAYS, LINKED, no_user},
	{SITE_REGION, SPOT_ENTRY, "runtime/trace.userRegion", NULL, NONE, ALWAYS, LINKED, no_user},
	{SITE_LOG, SPOT_ENTRY, "runtime/trace.userLog", NULL, NONE, ALWAYS, LINKED, no_user},
	{SITE_START_REGION, SPOT_ENTRY, "runtime/trace.StartRegion", NULL, NONE, ALWAYS, LINKED, no_user},
	{SITE_LABELS, SPOT_ENTRY, "runtime/pprof.runtime_setProfLabel", NULL, NONE, ALWAYS, LINKED, no_labels},
};
/* clang-format on */

const size_t spot_nrules = sizeof(spot_rules) / sizeof(spot_rules[0]);

_Static_assert(sizeof(spot_rules) / sizeof(spot_rules[0]) <= 64, "struct holder has a bit each");
