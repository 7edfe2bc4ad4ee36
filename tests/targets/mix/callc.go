// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

//go:build cgo && !plugin && !host && !profile

package main

/*
#include <unistd.h>

void call_back(void);
*/
import "C"

import (
	"time"

	"targets/internal/harness"
)

const csleeps = 5

func csleeper() {
	for i := 0; i < csleeps; i++ {
		C.usleep(1000)
	}
}

//export fromC
func fromC() {
	time.Sleep(time.Millisecond)
}

func caller() {
	for i := 0; i < csleeps; i++ {
		C.call_back()
	}
}

// callC lets goroutines sleep in C, and in Go that C calls
func callC(groups harness.Groups, calls harness.Syscalls) {
	fn := start(workers, csleeper)
	groups[fn] = harness.Count{Create: workers, Exit: workers}
	calls[fn] = map[string]int{"clock_nanosleep": workers * csleeps}
	harness.UntilGone(fn)

	const n = workers * csleeps
	fn = start(workers, caller)
	groups[fn] = harness.Count{Create: workers, Block: n, Unblock: n, Exit: workers}
	harness.UntilGone(fn)
}
