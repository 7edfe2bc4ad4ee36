/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <string.h>

#include "user/replay/internal.h"

/*
 * Statuses of waiting that are not waits: the goroutine runs on on its thread's system stack
 * (isWaitingForSuspendG in runtime/runtime2.go of 1.25, isWaitingForGC before).
 */
bool reason_is_running(const char *reason)
{
	static const char *const running[] = {
		"stopping the world",      "GC mark termination",    "garbage collection",
		"garbage collection scan", "trace goroutine status", "trace proc status",
		"page trace flush",        "GC assist marking",      "GC worker (active)",
		"flushing proc caches",
	};

	for (size_t i = 0; i < sizeof(running) / sizeof(running[0]); i++)
		if (!strcmp(reason, running[i]))
			return true;
	return false;
}

/* From the gopark call sites of the runtimes 1.19-1.27, the same in all of them. */
const char *reason_block(const char *reason)
{
	static const struct {
		const char *reason;
		const char *block;
	} map[] = {
		{"chan receive (nil chan)", "forever"},
		{"chan send (nil chan)", "forever"},
		{"select (no cases)", "forever"},
		{"panicwait", "forever"},
		{"chan receive", "chan receive"},
		{"chan send", "chan send"},
		{"select", "select"},
		{"IO wait", "network"},
		{"sleep", "sleep"},
		{"coroutine", "coroutine"},
		{"semacquire", "sync"},
		{"sync.Mutex.Lock", "sync"},
		{"sync.RWMutex.RLock", "sync"},
		{"sync.RWMutex.Lock", "sync"},
		{"sync.WaitGroup.Wait", "sync"},
		{"sync.Cond.Wait", "sync.(*Cond).Wait"},
		{"GC assist wait", "GC mark assist wait for work"},
		{"GC sweep wait", "GC background sweeper wait"},
		{"GC scavenge wait", "system goroutine wait"},
		{"finalizer wait", "system goroutine wait"},
		{"cleanup wait", "system goroutine wait"},
		{"force gc (idle)", "system goroutine wait"},
		{"GOMAXPROCS updater (idle)", "system goroutine wait"},
		{"GC worker (idle)", "system goroutine wait"},
		{"trace reader (blocked)", "system goroutine wait"},
		{"wait for GC cycle", "wait until GC ends"},
		{"preempted", "preempted"},
		{"debug call", "wait for debug call"},
		{"GC weak to strong wait", "GC weak to strong wait"},
		{"synctest.Run", "synctest"},
		{"synctest.Wait", "synctest"},
		{"chan receive (synctest)", "chan receive"},
		{"chan send (synctest)", "chan send"},
		{"select (synctest)", "select"},
		{"chan receive (durable)", "chan receive"},
		{"chan send (durable)", "chan send"},
		{"select (durable)", "select"},
		{"sync.WaitGroup.Wait (durable)", "sync"},
	};

	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
		if (!strcmp(reason, map[i].reason))
			return map[i].block;
	return "unspecified";
}
