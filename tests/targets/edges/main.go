// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

// Goroutines in every state they can be found in, before the tracer comes and after it has gone.
// With the argument "busy" they queue for the one P there is; without, they wait.
package main

import (
	"os"
	"runtime"

	"targets/internal/harness"
)

const workers = 3

// expected is in what states goroutines have to be, by start function, and what they do when the
// work begins.
type expected struct {
	states map[string]harness.Counts
	groups harness.Groups
	calls  harness.Syscalls
}

// situations bring goroutines into a state, and give what ends it
var situations []func(*expected) (end func())

func (e *expected) are(n int, fn, state string) {
	if e.states[fn] == nil {
		e.states[fn] = harness.Counts{}
	}
	e.states[fn][state] += n
}

// released is what goroutines do that are woken, or return, and end
func (e *expected) released(n int, fn string, unblocks int) {
	e.groups[fn] = harness.Count{Unblock: n * unblocks, Exit: n}
}

func main() {
	e := &expected{map[string]harness.Counts{}, harness.Groups{}, harness.Syscalls{}}
	var ends []func()
	// harness.Run has not begun to read
	e.are(1, "runtime.main", "Syscall")
	if len(os.Args) > 1 && os.Args[1] == "busy" {
		ends = append(ends, busy(e))
	} else {
		for _, situation := range situations {
			ends = append(ends, situation(e))
		}
	}
	harness.Lasting = lasting
	harness.Run(func() harness.Result {
		for _, end := range ends {
			end()
		}
		states := harness.Groups{}
		for fn, counts := range e.states {
			states[fn] = counts
		}
		return harness.Result{"groups": e.groups, "syscalls": e.calls, "states": states}
	})
	runtime.KeepAlive(ends)
}

// lasting is how many goroutines stay when the work is done
var lasting = 1
