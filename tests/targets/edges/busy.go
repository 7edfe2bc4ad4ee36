// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"runtime"
	"sync/atomic"
	"syscall"

	"targets/internal/harness"
)

var over atomic.Bool

func spinner() {
	for !over.Load() {
	}
}

// caller is mostly in a system call, with its P. The signal that preempts it may end a call early.
func caller() {
	var b [1 << 16]byte
	zero, err := syscall.Open("/dev/zero", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	harness.Check(err)
	for !over.Load() {
		_, err := syscall.Read(zero, b[:])
		harness.Check(err)
	}
	harness.Check(syscall.Close(zero))
}

// busy lets goroutines run that do not stop by themselves, on one P.
func busy(e *expected) func() {
	before := runtime.GOMAXPROCS(1)
	calls := calling(e)
	for i := 0; i < workers; i++ {
		go spinner()
	}
	go caller()
	e.are(workers, "main.spinner", "Running|Runnable")
	e.are(1, "main.caller", "Running|Runnable|Syscall")

	return func() {
		calls()
		over.Store(true)
		harness.UntilGone("main.spinner", "main.caller", "main.reader", "main.lockedReader")
		runtime.GOMAXPROCS(before)
		e.released(workers, "main.spinner", 0)
		e.released(1, "main.caller", 0)
	}
}
