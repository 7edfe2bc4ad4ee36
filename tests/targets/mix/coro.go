// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

//go:build go1.23

package main

import (
	"iter"

	"targets/internal/harness"
)

const (
	pullers = 2
	pulls   = 5
	values  = 10
)

func puller() {
	for i := 0; i < pulls; i++ {
		next, stop := iter.Pull(func(yield func(int) bool) {
			for i := 0; i < values && yield(i); i++ {
			}
		})
		for ok := true; ok; {
			_, ok = next()
		}
		stop()
	}
}

// coroutines counts like the program coro
func coroutines(groups harness.Groups) {
	fn := start(pullers, puller)
	const coros = pullers * pulls
	const in, out = coros * (values + 1), coros * values
	groups[fn] = harness.Count{Create: pullers, Block: in, Unblock: in, Exit: pullers}
	groups["runtime.corostart"] = harness.Count{Create: coros, Block: out, Unblock: in, Exit: coros}
	harness.UntilGone(fn)
}
