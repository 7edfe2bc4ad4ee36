// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

//go:build go1.23

// Coroutines, which iter.Pull makes: goroutines that hand over to each other directly.
package main

import (
	"iter"
	"strconv"

	"targets/internal/harness"
)

const (
	pullers = 4
	pulls   = 10
	values  = 50
)

func count(yield func(int) bool) {
	for i := 0; i < values; i++ {
		if !yield(i) {
			return
		}
	}
}

func puller() {
	for i := 0; i < pulls; i++ {
		next, stop := iter.Pull(iter.Seq[int](count))
		for n := 0; ; n++ {
			if _, ok := next(); !ok {
				if n != values {
					harness.Fail("an iterator ended after " + strconv.Itoa(n))
				}
				break
			}
		}
		stop()
	}
}

func main() {
	harness.Run(func() harness.Result {
		for i := 0; i < pullers; i++ {
			go puller()
		}
		harness.UntilGone("main.puller")

		// into a coroutine for each value and once for its end; out again for each value, and
		// out for good, which ends the goroutine
		const coroutines = pullers * pulls
		const in, out = coroutines * (values + 1), coroutines * values
		return harness.Result{
			"groups": harness.Groups{
				"main.puller":       harness.Count{Create: pullers, Block: in, Unblock: in, Exit: pullers},
				"runtime.corostart": harness.Count{Create: coroutines, Block: out, Unblock: in, Exit: coroutines},
			},
			"coro": harness.Counts{"create": coroutines, "switch": in + out, "destroy": coroutines},
		}
	})
}
