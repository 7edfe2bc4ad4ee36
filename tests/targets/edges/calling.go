// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"runtime"
	"syscall"

	"targets/internal/harness"
)

var pipe [2]int

func readByte() {
	var b [1]byte
	n, err := syscall.Read(pipe[0], b[:])
	harness.CheckN("read", n, 1, err)
}

func reader() {
	readByte()
}

func lockedReader() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	readByte()
}

// calling lets goroutines sleep in a system call for so long that they lose their P.
func calling(e *expected) func() {
	harness.Check(syscall.Pipe2(pipe[:], syscall.O_CLOEXEC))
	for i := 0; i < workers; i++ {
		go reader()
		go lockedReader()
	}
	harness.UntilParked(workers, "main.reader", "syscall")
	harness.UntilParked(workers, "main.lockedReader", "syscall")
	e.are(workers, "main.reader", "Syscall")
	e.are(workers, "main.lockedReader", "Syscall")

	return func() {
		n, err := syscall.Write(pipe[1], make([]byte, 2*workers))
		harness.CheckN("write", n, 2*workers, err)
		e.released(workers, "main.reader", 0)
		e.released(workers, "main.lockedReader", 0)
	}
}

func init() { situations = append(situations, calling) }
