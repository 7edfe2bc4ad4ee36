// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

/*
#cgo CFLAGS: -fno-omit-frame-pointer
#include <unistd.h>

void call_back(int which);
long read_one(int fd, char *buf);
*/
import "C"

import (
	"unsafe"

	"targets/internal/harness"
)

func init() {
	ways = append(ways,
		func() waiter { return newCReader() },
		func() waiter { return newDeepReader() },
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

// deepReader does so in functions of its own that keep frame pointers.
type deepReader struct{ *syscallReader }

func newDeepReader() *deepReader { return &deepReader{newSyscallReader()} }

func (w *deepReader) wait() {
	buf := make([]byte, 1)
	if C.read_one(C.int(at(w.r)), (*C.char)(unsafe.Pointer(&buf[0]))) != 1 {
		harness.Fail("read in C failed")
	}
}

// calledBack blocks in Go that C called.
type calledBack struct{ which C.int }

// The first ones are in use while others are made: it must not move.
var (
	calledBacks [100]chan int
	nCalledBack C.int
)

func newCalledBack() *calledBack {
	w := &calledBack{nCalledBack}
	calledBacks[w.which] = make(chan int)
	nCalledBack++
	return w
}

//export fromC
func fromC(which C.int) { <-at(calledBacks[which]) }

func (w *calledBack) wait() { C.call_back(w.which) }
func (w *calledBack) poke() { calledBacks[w.which] <- 1 }
