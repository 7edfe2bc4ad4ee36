// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

//go:build cgo

package main

/*
#cgo LDFLAGS: -pthread
void call_from_threads(int threads, int calls);
*/
import "C"

import (
	"runtime"
	"strings"
	"time"

	"targets/internal/harness"
)

const (
	waves   = 5
	cCalls  = 3
	threads = waves * workers
)

func born() {}

//export fromThread
func fromThread() {
	go born()
	time.Sleep(time.Millisecond)
}

// waver lets C start threads that call Go and end, a few at a time.
func waver() {
	for i := 0; i < waves; i++ {
		C.call_from_threads(workers, cCalls)
	}
}

func cThreads(e *expected) {
	start(1, waver)
	harness.UntilGone("main.waver", "main.born")
	entries := threads
	if strings.HasPrefix(runtime.Version(), "go1.19") {
		entries *= cCalls // since Go 1.21 the thread stays bound until it ends
	}
	e.groups["main.waver"] = harness.Count{Create: 1, Exit: 1}
	e.groups["main.born"] = harness.Count{Create: threads * cCalls, Exit: threads * cCalls}
	// goroutines of threads that Go did not start have no function
	e.groups["(C)"] = harness.Count{Create: entries, Block: threads * cCalls,
		Unblock: threads * cCalls, Exit: entries}
	e.threads += threads
}

func init() { add("C", cThreads) }
