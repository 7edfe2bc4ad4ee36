// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

/*
#include <unistd.h>

void call_back(int which);
*/
import "C"

import (
	"syscall"
	"unsafe"

	"targets/internal/harness"
)

func init() {
	ways = append(ways,
		func() waiter { return newCReader() },
		func() waiter { return newCalledBack() })
}

// cReader keeps a thread in a system call that C makes.
type cReader struct{ *syscallReader }

func newCReader() *cReader { return &cReader{newSyscallReader()} }

func (w *cReader) wait() {
	buf := make([]byte, 1)
	n := C.read(C.int(at(w.r)), unsafe.Pointer(&buf[0]), 1)
	if n != 1 {
		harness.Fail("read in C failed")
	}
}

func (w *cReader) poke() {
	_, err := syscall.Write(w.w, []byte{1})
	harness.Check(err)
}

// calledBack blocks in Go that C called.
type calledBack struct{ which C.int }

var calledBacks []chan int

func newCalledBack() *calledBack {
	calledBacks = append(calledBacks, make(chan int))
	return &calledBack{C.int(len(calledBacks) - 1)}
}

//export fromC
func fromC(which C.int) { <-at(calledBacks[which]) }

func (w *calledBack) wait() { C.call_back(w.which) }
func (w *calledBack) poke() { calledBacks[w.which] <- 1 }
