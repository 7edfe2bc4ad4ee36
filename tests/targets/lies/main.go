// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

// A program whose runtime says of itself what is not true: of goroutines and threads there are more than
// can be, none where the list says, the same one over and over, or a list that leads back into itself.
// Usage: lies KIND [NUMBER]. Its collector is off, as that would believe it. On "go" it tells the truth again.
package main

import (
	"os"
	"runtime/debug"
	"strconv"
	"syscall"
	"unsafe"

	"targets/internal/harness"
)

//go:linkname allglen runtime.allglen
var allglen uintptr

//go:linkname allgptr runtime.allgptr
var allgptr **byte

//go:linkname allm runtime.allm
var allm *byte

// pages are n bytes that only system calls know of; touched ones are in memory.
func pages(n int, touched bool) []byte {
	flags := syscall.MAP_PRIVATE | syscall.MAP_ANON
	if touched {
		flags |= syscall.MAP_POPULATE
	}
	b, err := syscall.Mmap(-1, 0, n, syscall.PROT_READ|syscall.PROT_WRITE, flags)
	harness.Check(err)
	return b
}

// same is a list of the first goroutine n times, in a program that has the memory for as many.
func same(n int) **byte {
	first := *(*uintptr)(unsafe.Pointer(allgptr))
	list := unsafe.Slice((*uintptr)(unsafe.Pointer(&pages(8*n, true)[0])), n)
	for i := range list {
		list[i] = first
	}
	pages(300*n, true)
	return (**byte)(unsafe.Pointer(&list[0]))
}

// round is an M in which every word is its own address: whatever field leads on leads back to it.
func round() *byte {
	b := pages(1<<16, true)
	words := unsafe.Slice((*uintptr)(unsafe.Pointer(&b[0])), len(b)/8)
	for i := range words {
		words[i] = uintptr(unsafe.Pointer(&b[0]))
	}
	return &b[0]
}

func main() {
	n := 0
	if len(os.Args) > 2 {
		var err error
		n, err = strconv.Atoi(os.Args[2])
		harness.Check(err)
	}
	debug.SetGCPercent(-1)
	glen, gptr, m := allglen, allgptr, allm
	switch os.Args[1] {
	case "many": // of which only the first and the last are there
		list := unsafe.Slice((**byte)(unsafe.Pointer(&pages(8*n, false)[0])), n)
		list[0], list[n-1] = *allgptr, *allgptr
		allgptr = &list[0]
		allglen = uintptr(n)
	case "nowhere":
		*(*uintptr)(unsafe.Pointer(&allgptr)) = 4096
	case "same":
		allgptr = same(n)
		allglen = uintptr(n)
	case "round":
		allm = round()
	default:
		harness.Fail("there is no lie " + os.Args[1])
	}
	harness.Run(func() harness.Result {
		allglen, allgptr, allm = glen, gptr, m
		return harness.Result{}
	})
}
