// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

//go:build go1.23

package main

import "iter"

func numbers(yield func(int) bool) {
	for i := 0; yield(i); i++ {
	}
}

// parkMore leaves a coroutine in the middle of numbers.
func parkMore() {
	next, _ := iter.Pull(iter.Seq[int](numbers))
	next()
	hold = next
}

var hold func() (int, bool)

func churnMore() {
	go func() {
		for {
			next, stop := iter.Pull(iter.Seq[int](numbers))
			for i := 0; i < 5; i++ {
				next()
			}
			stop()
		}
	}()
}
