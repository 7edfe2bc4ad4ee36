// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

//go:build go1.23

package main

import (
	"iter"
	"time"
)

func init() {
	workloads["pull"] = pulls
}

// pulls: iterators as coroutines; some are left before their end.
func pulls() {
	count := func(yield func(int) bool) {
		for i := 0; i < 40 && yield(i); i++ {
			work(10)
		}
	}
	group(4, func(i int) {
		for n := 0; on(); n++ {
			next, stop := iter.Pull(iter.Seq[int](count))
			for k := 0; k < 30+5*i; k++ {
				if _, ok := next(); !ok {
					break
				}
				work(10)
			}
			stop()
			time.Sleep(8 * time.Millisecond)
		}
	})
}
