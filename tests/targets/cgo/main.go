// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

// Goroutines that call C, which sleeps, and C that calls Go, which sleeps.
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

const (
	sleepers, sleeps = 4, 20
	callers, calls   = 4, 10
)

func csleeper() {
	for i := 0; i < sleeps; i++ {
		C.usleep(1000)
	}
}

//export fromC
func fromC() {
	time.Sleep(time.Millisecond)
}

func caller() {
	for i := 0; i < calls; i++ {
		C.call_back()
	}
}

func main() {
	harness.Run(func() harness.Result {
		for i := 0; i < sleepers; i++ {
			go csleeper()
		}
		for i := 0; i < callers; i++ {
			go caller()
		}
		harness.UntilGone("main.csleeper", "main.caller")
		return harness.Result{
			"groups": harness.Groups{
				"main.csleeper": harness.Count{Create: sleepers, Exit: sleepers},
				"main.caller": harness.Count{Create: callers, Block: callers * calls,
					Unblock: callers * calls, Exit: callers},
			},
			"syscalls": harness.Syscalls{
				"main.csleeper": {"clock_nanosleep": sleepers * sleeps},
			},
			"cgo": harness.Counts{
				"calls":     sleepers*sleeps + callers*calls,
				"callbacks": callers * calls,
			},
		}
	})
}
