// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

//go:build cgo

package main

/*
#include <unistd.h>

int twice(int n);
*/
import "C"

import "time"

//export increment
func increment(n C.int) C.int {
	time.Sleep(10 * time.Microsecond)
	return n + 1
}

// callC: C, which sleeps, and Go that C calls.
func callC(i int) {
	C.usleep(50)
	if n := int(C.twice(C.int(i))); n != 2*i+2 {
		wrong("callC", n, 2*i+2)
	}
}

func init() {
	jobs = append(jobs, &job{name: "callC", round: callC})
}
