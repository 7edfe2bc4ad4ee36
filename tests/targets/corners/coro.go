// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

//go:build go1.23

package main

import (
	"iter"
	"runtime"

	"targets/internal/harness"
)

const values = 5

func endless(yield func(int) bool) {
	for yield(1) {
	}
}

func panics(yield func(int) bool) {
	for i := 0; i < values; i++ {
		yield(i)
	}
	panic("no more values")
}

func goexits(yield func(int) bool) {
	for i := 0; i < values; i++ {
		yield(i)
	}
	runtime.Goexit()
}

func pull(seq iter.Seq[int], n int) (stop func()) {
	next, stop := iter.Pull(seq)
	for i := 0; i < n; i++ {
		if _, ok := next(); !ok {
			harness.Fail("an iterator ended")
		}
	}
	return stop
}

// stopper ends a coroutine that would go on.
func stopper() {
	pull(endless, values)()
}

// skipper ends one that has not begun.
func skipper() {
	pull(endless, 0)()
}

// catcher gets the panic of a coroutine.
func catcher() {
	defer func() {
		if recover() == nil {
			harness.Fail("there was no panic")
		}
	}()
	pull(panics, values+1)
}

// follower ends because its coroutine does.
func follower() {
	pull(goexits, values+1)
	harness.Fail("runtime.Goexit of a coroutine did not end its caller")
}

// lockedStopper and its coroutine share a thread.
func lockedStopper() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pull(endless, values)()
}

// coroutines lets them end in all ways there are.
func coroutines(e *expected) {
	var created, in, out int
	for _, c := range []struct {
		name   string
		fn     func()
		values int
	}{
		{"main.stopper", stopper, values},
		{"main.skipper", skipper, 0},
		{"main.catcher", catcher, values},
		{"main.follower", follower, values},
		{"main.lockedStopper", lockedStopper, values},
	} {
		start(workers, c.fn)
		harness.UntilGone(c.name)
		// into the coroutine for each value and for its end
		n := workers * (c.values + 1)
		e.groups[c.name] = harness.Count{Create: workers, Block: n, Unblock: n, Exit: workers}
		created += workers
		in += n
		out += workers * c.values
	}
	e.groups["runtime.corostart"] = harness.Count{Create: created, Block: out, Unblock: in,
		Exit: created}
}

func init() { add("coroutines", coroutines) }
