// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

//go:build cgo

package main

/*
#cgo LDFLAGS: -pthread
void read_byte(int fd);
void call_in_thread(int fd, int calls);
*/
import "C"

import (
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"

	"targets/internal/harness"
)

var (
	cPipe   [2]int
	entered atomic.Int32
	toC     = make(chan int)
)

func cReader() {
	C.read_byte(C.int(cPipe[0]))
}

//export pass
func pass() { entered.Add(1) }

//export stay
func stay() {
	entered.Add(1)
	<-toC
}

// inC lets goroutines sleep in C, and threads of C sleep in Go, or in C after they were in Go.
func inC(e *expected) func() {
	harness.Check(syscall.Pipe2(cPipe[:], syscall.O_CLOEXEC))
	for i := 0; i < workers; i++ {
		go cReader()
		C.call_in_thread(C.int(cPipe[0]), 0)
		C.call_in_thread(C.int(cPipe[0]), 1)
	}
	harness.Until("the threads of C", func() bool { return int(entered.Load()) == 2*workers })
	harness.UntilParked(workers, "main.cReader", "syscall")
	e.are(workers, "main.cReader", "Syscall")
	e.are(workers, "(C)", "Waiting (chan receive)")
	staying := 0
	if !strings.HasPrefix(runtime.Version(), "go1.19") {
		staying = workers // since Go 1.21 the thread stays bound until it ends
		e.are(staying, "(C)", "Syscall")
	}

	return func() {
		for i := 0; i < workers; i++ {
			toC <- 1
		}
		n, err := syscall.Write(cPipe[1], make([]byte, 2*workers))
		harness.CheckN("write", n, 2*workers, err)
		e.released(workers, "main.cReader", 0)
		e.groups["(C)"] = harness.Count{Unblock: workers, Exit: workers + staying}
	}
}

func init() { situations = append(situations, inC) }
