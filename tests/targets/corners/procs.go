// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"runtime"
	"sync/atomic"
	"time"

	"targets/internal/harness"
	"targets/internal/proc"
)

const resizes = 20

var (
	resized atomic.Bool
	yielded atomic.Int32
	gosched int // resizer's
)

// yielder keeps a P busy until there are no more changes.
func yielder() {
	for !resized.Load() {
		runtime.Gosched()
		yielded.Add(1)
		for begin := time.Now(); time.Since(begin) < 50*time.Microsecond; {
		}
	}
}

// resizer goes on with the first P when its own is taken away: Go's tracer has it yield. It has
// another one to lose as far as it can tell.
func resizer() {
	for i := 0; i < resizes; i++ {
		runtime.GOMAXPROCS(workers)
		for ok := true; ok; ok = proc.ID() == 0 && gosched < 1000*resizes {
			runtime.Gosched()
			gosched++
		}
		runtime.GOMAXPROCS(1 + i%2)
	}
}

// procs lets Ps come and go under goroutines that use them.
func procs(e *expected) {
	before := runtime.GOMAXPROCS(workers)
	start(2*workers, yielder)
	start(1, resizer)
	harness.UntilGone("main.resizer")
	resized.Store(true)
	harness.UntilGone("main.yielder")
	runtime.GOMAXPROCS(before)
	e.groups["main.yielder"] = harness.Counts{"create": 2 * workers, "block": 0,
		"yield": int(yielded.Load()), "exit": 2 * workers}
	e.groups["main.resizer"] = harness.Counts{"create": 1, "yield_min": gosched + 1, "exit": 1}
	// the first change is none
	e.stopped("main.resizer", harness.Counts{"GOMAXPROCS": 2*resizes - 1})
}

func init() { add("procs", procs) }
