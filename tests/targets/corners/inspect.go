// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"sync/atomic"

	"targets/internal/harness"
)

var inspections atomic.Bool

// inspector stops the world for all that wants to look at it. It runs all the time, though its
// status may say that it waits.
func inspector() {
	null, err := os.OpenFile("/dev/null", os.O_WRONLY, 0)
	harness.Check(err)
	var stack [1 << 12]byte
	var records [100]runtime.StackRecord
	var m runtime.MemStats
	for i := 0; i < rounds; i++ {
		runtime.Stack(stack[:], true)
		runtime.ReadMemStats(&m)
		runtime.GoroutineProfile(records[:])
		debug.WriteHeapDump(null.Fd())
	}
	harness.Check(null.Close())
	inspections.Store(true)
}

func inspected(e *expected) {
	start(1, inspector)
	// it would wait for whoever looks at stacks meanwhile
	harness.Until("the inspections", inspections.Load)
	harness.UntilGone("main.inspector")
	e.groups["main.inspector"] = harness.Counts{"create": 1, "block_otherwise": 0, "exit": 1}
	e.stopped("main.inspector", harness.Counts{
		"all goroutines stack trace": rounds,
		"read mem stats":             rounds,
		"goroutine profile":          rounds,
		"goroutine profile cleanup":  rounds,
		"write heap dump":            rounds,
	})
}

func init() { add("inspected", inspected) }
