// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

//go:build go1.23

package main

import "iter"

// pull: two goroutines that switch to each other.
func pull(i int) {
	next, stop := iter.Pull(func(yield func(int) bool) {
		for k := 0; k < 50 && yield(i+k); k++ {
		}
	})
	defer stop()
	for k := 0; k < 50; k++ {
		if n, ok := next(); !ok || n != i+k {
			wrong("pull", n, i+k)
		}
	}
	if n, ok := next(); ok {
		wrong("pull, over", n, "nothing")
	}
}

func init() {
	jobs = append(jobs, &job{name: "pull", round: pull})
}
