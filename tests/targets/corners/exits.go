// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"os"
	"runtime"
	"sync/atomic"
	"syscall"

	"targets/internal/harness"
)

var (
	toEnd = make(chan int)
	taken atomic.Int64
)

// lockedExiter takes its thread with it, but for the first one, which only never runs Go again
// (runtime/proc.go, mexit).
func lockedExiter() {
	runtime.LockOSThread()
	if syscall.Gettid() != os.Getpid() {
		taken.Add(1)
	}
	<-toEnd
}

// goexiter blocks in what it deferred.
func goexiter() {
	defer func() { <-toEnd }()
	runtime.Goexit()
}

// panicker blocks between a panic and its end.
func panicker() {
	defer func() {
		if recover() == nil {
			harness.Fail("there was no panic")
		}
		<-toEnd
	}()
	deep(50)
}

// deep lets the stack grow and ends in a panic.
func deep(n int) int {
	var frame [1000]byte
	if n == 0 {
		panic("deep enough")
	}
	return deep(n-1) + len(frame)
}

// repanicker panics while it panics, and goes on.
func repanicker() {
	func() {
		defer func() { _ = recover() }()
		defer func() { panic("again") }()
		panic("once")
	}()
	<-toEnd
}

// ends lets goroutines end in all ways there are.
func ends(e *expected) {
	for name, fn := range map[string]func(){
		"main.lockedExiter": lockedExiter,
		"main.goexiter":     goexiter,
		"main.panicker":     panicker,
		"main.repanicker":   repanicker,
	} {
		start(workers, fn)
		harness.UntilParked(workers, name, "chan receive")
		for i := 0; i < workers; i++ {
			toEnd <- 1
		}
		harness.UntilGone(name)
		e.groups[name] = harness.Count{Create: workers, Block: workers, Unblock: workers,
			Exit: workers}
	}
	e.threads += int(taken.Load())
}

func init() { add("ends", ends) }
