// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"

	"targets/internal/harness"
)

var (
	toRelease, toLocked, never = make(chan int), make(chan int), make(chan int)
	mutex                      sync.Mutex
	group                      sync.WaitGroup
	pollable                   *os.File
)

func receiver() { <-toRelease }
func selector() {
	select {
	case <-toRelease:
	case <-never:
	}
}
func locker() {
	mutex.Lock()
	mutex.Unlock()
}
func groupWaiter() { group.Wait() }
func sleeper()     { time.Sleep(24 * time.Hour) }
func deadlocked()  { select {} }

func lockedReceiver() {
	runtime.LockOSThread()
	<-toLocked
	runtime.UnlockOSThread()
}

func poller() {
	var b [1]byte
	n, err := pollable.Read(b[:])
	harness.CheckN("read", n, 1, err)
}

// wait starts n goroutines and waits until they wait.
func wait(e *expected, n int, fn func(), name, state, block string) {
	for i := 0; i < n; i++ {
		go fn()
	}
	harness.UntilParked(n, name, state, "semacquire")
	e.are(n, name, "Waiting ("+block+")")
}

func waiting(e *expected) func() {
	r, w, err := os.Pipe()
	harness.Check(err)
	pollable = r
	mutex.Lock()
	group.Add(1)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGUSR1)
	e.are(1, "os/signal.loop", "Syscall")

	wait(e, workers, receiver, "main.receiver", "chan receive", "chan receive")
	wait(e, workers, selector, "main.selector", "select", "select")
	wait(e, workers, lockedReceiver, "main.lockedReceiver", "chan receive", "chan receive")
	wait(e, workers, locker, "main.locker", "sync.Mutex.Lock", "sync")
	wait(e, workers, groupWaiter, "main.groupWaiter", "sync.WaitGroup.Wait", "sync")
	wait(e, workers, sleeper, "main.sleeper", "sleep", "sleep")
	wait(e, workers, deadlocked, "main.deadlocked", "select (no cases)", "forever")
	wait(e, 1, poller, "main.poller", "IO wait", "network")
	lasting += 1 + 2*workers

	return func() {
		for i := 0; i < workers; i++ {
			toRelease <- 1
			toRelease <- 1
			toLocked <- 1
		}
		mutex.Unlock()
		group.Done()
		n, err := w.Write([]byte{1})
		harness.CheckN("write", n, 1, err)
		for _, fn := range []string{"receiver", "selector", "lockedReceiver", "locker", "groupWaiter"} {
			e.released(workers, "main."+fn, 1)
		}
		e.released(1, "main.poller", 1)
		e.groups["main.sleeper"] = harness.Count{}
		e.groups["main.deadlocked"] = harness.Count{}
	}
}

func init() { situations = append(situations, waiting) }
