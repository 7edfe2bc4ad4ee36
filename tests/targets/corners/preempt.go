// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"os"
	"runtime"
	"strings"
	"sync/atomic"

	"targets/internal/harness"
)

const collections = 150

var (
	looping, loopsEnd atomic.Bool
	// Variables are marked before stacks are: so long that after the stop which begins a collection
	// the loop runs again when its stack's turn comes.
	ballast [2 << 20]*int
)

// tightLoop never calls anything: a signal stops it.
func tightLoop() {
	looping.Store(true)
	for !loopsEnd.Load() {
	}
}

// calledLoop can be stopped by the stack check of what it calls, and is, where there is no signal.
func calledLoop() {
	looping.Store(true)
	for !loopsEnd.Load() {
		called(10)
	}
}

//go:noinline
func called(depth int) int {
	if depth == 0 {
		return 0
	}
	return called(depth-1) + 1
}

// preempted lets a goroutine that never stops by itself be stopped: by the end of its time slice,
// when the world stops, and to have its stack scanned.
func preempted(e *expected) {
	before := runtime.GOMAXPROCS(2)
	loops := map[string]func(){"main.calledLoop": calledLoop}
	if !strings.Contains(os.Getenv("GODEBUG"), "asyncpreemptoff=1") {
		loops["main.tightLoop"] = tightLoop
	}
	runtime.SetCPUProfileRate(1000) // a SIGPROF every ms of CPU time
	for name, loop := range loops {
		looping.Store(false)
		loopsEnd.Store(false)
		go loop()
		harness.Until(name, looping.Load)
		for i := 0; i < collections; i++ {
			runtime.GC()
		}
		loopsEnd.Store(true)
		harness.UntilGone(name)
		e.groups[name] = harness.Counts{"create": 1, "exit": 1, "preempt_min": 1,
			"suspend_min": 1, "block_otherwise": 0}
	}
	runtime.KeepAlive(&ballast)
	runtime.SetCPUProfileRate(0)
	runtime.GOMAXPROCS(before)
}

func init() { add("preempted", preempted) }
