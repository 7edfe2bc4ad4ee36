// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

//go:build go1.23

package main

import (
	"iter"
	"runtime"

	"targets/internal/harness"
)

func endless(yield func(int) bool) {
	for yield(1) {
	}
}

// pull waits between two values of a coroutine, which waits for it.
func pull() {
	next, stop := iter.Pull(endless)
	next()
	<-toRelease
	next()
	stop()
}

func puller() {
	pull()
}

func lockedPuller() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pull()
}

func coroutines(e *expected) func() {
	wait(e, workers, puller, "main.puller", "chan receive", "chan receive")
	wait(e, workers, lockedPuller, "main.lockedPuller", "chan receive", "chan receive")
	e.are(2*workers, "runtime.corostart", "Waiting (coroutine)")

	return func() {
		for i := 0; i < 2*workers; i++ {
			toRelease <- 1
		}
		// once from outside, and after each switch into the coroutine
		for _, fn := range []string{"main.puller", "main.lockedPuller"} {
			e.groups[fn] = harness.Count{Block: 2 * workers, Unblock: 3 * workers, Exit: workers}
		}
		e.groups["runtime.corostart"] = harness.Count{Block: 2 * workers, Unblock: 4 * workers,
			Exit: 2 * workers}
	}
}

func init() { situations = append(situations, coroutines) }
