// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

// A runtime that is nearly always at something of its own, under goroutines that work. Usage:
//
//	storm gc|stw|trace
package main

import (
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/trace"
	"sync/atomic"
	"syscall"
	"time"

	"targets/internal/harness"
)

const (
	workers = 3
	kept    = 200000
)

type node struct {
	next *node
	_    [6]uintptr
}

var (
	over              atomic.Bool
	list              *node // what there is to mark
	ping, pong, never = make(chan int), make(chan int), make(chan int)
)

// collector asks for a collection after the other.
func collector() {
	for !over.Load() {
		runtime.GC()
	}
}

// allocator lets them begin by themselves, and has to assist.
func allocator() {
	var own *node
	for i := 0; !over.Load(); i++ {
		own = &node{next: own}
		if i%1000 == 0 {
			own = nil
		}
	}
}

// stopper stops the world again and again.
func stopper() {
	var m runtime.MemStats
	var stack [1 << 10]byte
	for i := 0; !over.Load(); i++ {
		runtime.ReadMemStats(&m)
		runtime.Stack(stack[:], true)
	}
}

// tracer lets the runtime trace itself, which goes on to look at every goroutine.
func tracer() {
	for !over.Load() {
		harness.Check(trace.Start(io.Discard))
		time.Sleep(5 * time.Millisecond)
		trace.Stop()
	}
}

func pinger() {
	for !over.Load() {
		ping <- 1
		<-pong
	}
	close(ping)
}

func ponger() {
	for range ping {
		pong <- 1
	}
}

func caller() {
	var b [1 << 12]byte
	zero, err := syscall.Open("/dev/zero", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	harness.Check(err)
	for !over.Load() {
		n, err := syscall.Read(zero, b[:])
		harness.CheckN("read", n, len(b), err)
	}
	harness.Check(syscall.Close(zero))
}

func receiver() {
	<-never
}

func lockedReceiver() {
	runtime.LockOSThread()
	<-never
}

func start(n int, fn func()) {
	for i := 0; i < n; i++ {
		go fn()
	}
}

func main() {
	storms := map[string][]func(){
		"gc":    {collector, allocator},
		"stw":   {stopper, stopper},
		"trace": {tracer},
	}
	if len(os.Args) != 2 || storms[os.Args[1]] == nil {
		harness.Fail("usage: storm gc|stw|trace")
	}
	start(workers, receiver)
	start(workers, lockedReceiver)
	harness.UntilParked(workers, "main.receiver", "chan receive")
	harness.UntilParked(workers, "main.lockedReceiver", "chan receive")
	if os.Args[1] == "gc" {
		for i := 0; i < kept; i++ {
			list = &node{next: list}
		}
		debug.SetGCPercent(5)
	} else {
		debug.SetGCPercent(-1)
	}
	start(1, pinger)
	start(1, ponger)
	start(1, caller)
	for _, storm := range storms[os.Args[1]] {
		start(1, storm)
	}
	harness.Serve(func() harness.Result {
		over.Store(true)
		harness.UntilGone("main.pinger", "main.ponger", "main.caller", "main.collector",
			"main.allocator", "main.stopper", "main.tracer")
		close(never)
		harness.UntilGone("main.receiver", "main.lockedReceiver")
		runtime.KeepAlive(list)
		waits := harness.Counts{"Waiting (chan receive)": workers}
		moves := harness.Counts{"Running|Runnable|Waiting (chan receive)|Waiting (chan send)|" +
			"Waiting (preempted)|Waiting (GC mark assist wait for work)": 1}
		return harness.Result{
			"groups": harness.Groups{
				"main.receiver":       harness.Count{Unblock: workers, Exit: workers},
				"main.lockedReceiver": harness.Count{Unblock: workers, Exit: workers},
				"main.pinger":         harness.Lives{Exit: 1},
				"main.ponger":         harness.Lives{Exit: 1},
				"main.caller":         harness.Lives{Exit: 1},
			},
			"states": harness.Groups{
				"runtime.main":        harness.Counts{"Syscall": 1},
				"main.receiver":       waits,
				"main.lockedReceiver": waits,
				"main.pinger":         moves,
				"main.ponger":         moves,
				"main.caller":         harness.Counts{"Running|Runnable|Syscall|Waiting (preempted)": 1},
			},
		}
	})
}
