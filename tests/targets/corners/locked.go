// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"runtime"
	"syscall"

	"targets/internal/harness"
)

const yields = 50

var (
	toLocked = make(chan int)
	fromPipe [2]int
)

// lockedReceiver is handed over to its thread each time it is woken.
func lockedReceiver() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for i := 0; i < rounds; i++ {
		<-toLocked
	}
}

func lockedYielder() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for i := 0; i < yields; i++ {
		runtime.Gosched()
	}
}

func lockedReader() {
	var b [1]byte
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for i := 0; i < rounds; i++ {
		runtime.Gosched() // a new time slice: no signal at the end of one restarts the call
		n, err := syscall.Read(fromPipe[0], b[:])
		harness.CheckN("read", n, 1, err)
	}
}

// locked lets goroutines that are bound to a thread do what others do.
func locked(e *expected) {
	start(workers, lockedReceiver)
	for i := 0; i < rounds; i++ {
		harness.UntilParked(workers, "main.lockedReceiver", "chan receive")
		for w := 0; w < workers; w++ {
			toLocked <- 1
		}
	}
	harness.UntilGone("main.lockedReceiver")
	e.groups["main.lockedReceiver"] = harness.Count{Create: workers, Block: workers * rounds,
		Unblock: workers * rounds, Exit: workers}

	start(workers, lockedYielder)
	harness.UntilGone("main.lockedYielder")
	e.groups["main.lockedYielder"] = harness.Counts{"create": workers, "block": 0,
		"yield": workers * yields, "exit": workers}

	harness.Check(syscall.Pipe2(fromPipe[:], syscall.O_CLOEXEC))
	start(1, lockedReader)
	for i := 0; i < rounds; i++ {
		harness.UntilInSyscall(syscall.SYS_READ, uintptr(fromPipe[0]))
		n, err := syscall.Write(fromPipe[1], []byte{1})
		harness.CheckN("write", n, 1, err)
	}
	harness.UntilGone("main.lockedReader")
	e.groups["main.lockedReader"] = harness.Counts{"create": 1, "block": 0, "yield": rounds,
		"exit": 1}
	e.calls["main.lockedReader"] = map[string]int{"read": rounds}
}

func init() { add("locked", locked) }
