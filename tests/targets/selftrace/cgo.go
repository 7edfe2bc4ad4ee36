// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

//go:build cgo

package main

/*
#include <unistd.h>

void on_this_thread(int depth);
void on_new_thread(int calls);
*/
import "C"

import (
	"time"

	"targets/internal/harness"
)

func init() {
	workloads["cgo"] = calls
}

//export fromC
func fromC(depth C.int) {
	work(20)
	if depth > 0 {
		C.on_this_thread(depth - 1)
		return
	}
	time.Sleep(200 * time.Microsecond)
}

// calls: into C for short and for long, back from C, from threads that C made.
func calls() {
	group(6, func(i int) {
		for on() {
			switch i {
			case 0, 1:
				C.usleep(300)
			case 2, 3:
				C.on_this_thread(C.int(i - 2))
			case 4:
				C.on_new_thread(5)
			default:
				for n := 0; n < 10; n++ {
					if C.getpid() < 1 {
						harness.Fail("no process")
					}
				}
			}
			work(20)
			time.Sleep(time.Millisecond)
		}
	})
}
