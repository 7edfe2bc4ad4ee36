// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

// What goroutines rarely do, one situation after the other. Without arguments all of them:
//
//	corners [SITUATION...]
package main

import (
	"os"
	"runtime"
	"strings"

	"targets/internal/harness"
)

const (
	workers = 4
	rounds  = 10
)

// what has to be in the trace
type expected struct {
	groups  harness.Groups
	calls   harness.Syscalls
	stops   harness.Groups // of the world, by reason
	threads int            // that end
}

// stopped says how often goroutines of a function stopped the world, and why; before Go 1.21 nobody
// writes down why
func (e *expected) stopped(fn string, why harness.Counts) {
	if strings.HasPrefix(runtime.Version(), "go1.19") {
		n := 0
		for _, m := range why {
			n += m
		}
		why = harness.Counts{"": n}
	}
	e.stops[fn] = why
}

// situations by name; each leaves no goroutine behind
var situations []situation

type situation struct {
	name string
	run  func(*expected)
}

func add(name string, run func(*expected)) {
	situations = append(situations, situation{name, run})
}

var leave = make(chan bool)

func wanted(name string) bool {
	for _, arg := range os.Args[1:] {
		if arg == name {
			return true
		}
	}
	return len(os.Args) == 1
}

func start(n int, fn func()) {
	for i := 0; i < n; i++ {
		go fn()
	}
}

// work is what happens while the program is traced. It begins with the end of the goroutine of
// main, without which the process lives on.
func work() harness.Result {
	e := &expected{groups: harness.Groups{}, calls: harness.Syscalls{},
		stops: harness.Groups{}}
	leave <- true
	harness.UntilGone("main.main")
	e.groups["runtime.main"] = harness.Count{Block: 0, Unblock: 1, Exit: 1}
	for _, s := range situations {
		if wanted(s.name) {
			s.run(e)
		}
	}
	return harness.Result{"groups": e.groups, "syscalls": e.calls, "stops": e.stops,
		"threads": harness.Counts{"exit": e.threads}}
}

func run() {
	harness.Run(work)
	os.Exit(0)
}

func main() {
	prepareSignals()
	go run()
	<-leave
	runtime.Goexit()
}
