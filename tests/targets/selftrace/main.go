// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

// A program that traces itself with runtime/trace while somebody else traces it, too:
//
//	selftrace WORKLOAD FILE [MILLISECONDS]
//
// The load is moderate, so that neither of the two loses anything, and goes on for a while.
package main

import (
	"os"
	"runtime"
	"runtime/trace"
	"strconv"
	"sync"
	"time"

	"targets/internal/harness"
)

// workloads by name; those that not every release or build has add themselves.
var workloads = map[string]func(){
	"chan":     channels,
	"select":   selects,
	"sync":     locks,
	"http":     requests,
	"timer":    timers,
	"gc":       garbage,
	"stw":      stops,
	"syscall":  syscalls,
	"thread":   threads,
	"annotate": annotations,
	"cpu":      loops,
	"many":     many,
}

var end time.Time

// on says whether there is time left.
func on() bool {
	return time.Now().Before(end)
}

var sink uint64

// work uses the CPU for about so many microseconds.
//
//go:noinline
func work(us int) {
	x := uint64(us)
	for i := 0; i < us*600; i++ {
		x = x*6364136223846793005 + 1442695040888963407
	}
	if x == 1 {
		sink++
	}
}

// group runs n of a function and waits for them.
func group(n int, f func(i int)) {
	var all sync.WaitGroup

	all.Add(n)
	for i := 0; i < n; i++ {
		go func(i int) {
			defer all.Done()
			f(i)
		}(i)
	}
	all.Wait()
}

func main() {
	if len(os.Args) < 3 || workloads[os.Args[1]] == nil {
		harness.Fail("usage: selftrace WORKLOAD FILE [MILLISECONDS]; has it this workload?")
	}
	ms := 2500
	if len(os.Args) > 3 {
		n, err := strconv.Atoi(os.Args[3])
		harness.Check(err)
		ms = n
	}
	file, err := os.Create(os.Args[2])
	harness.Check(err)
	runtime.GOMAXPROCS(2)
	harness.Serve(func() harness.Result {
		harness.Check(trace.Start(file))
		end = time.Now().Add(time.Duration(ms) * time.Millisecond)
		workloads[os.Args[1]]()
		trace.Stop()
		harness.Check(file.Close())
		return harness.Result{}
	})
}
