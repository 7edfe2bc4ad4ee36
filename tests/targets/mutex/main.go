// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

// Goroutines that block on what package sync has. Each takes its lock once: a second attempt
// could meet the next owner and block or not.
package main

import (
	"sync"

	"targets/internal/harness"
)

const (
	workers = 8
	rounds  = 20
)

// free stands in for the lock of a condition variable, so that nobody blocks on it
type free struct{}

func (free) Lock()   {}
func (free) Unlock() {}

var (
	mu    sync.Mutex
	rw    sync.RWMutex
	cond  = sync.NewCond(free{})
	group sync.WaitGroup
)

func locker() {
	mu.Lock()
	mu.Unlock()
}

func rwReader() {
	rw.RLock()
	rw.RUnlock()
}

func rwWriter() {
	rw.Lock()
	rw.Unlock()
}

func condWaiter() {
	cond.Wait()
}

func groupWaiter() {
	group.Wait()
}

func main() {
	harness.Run(func() harness.Result {
		for r := 0; r < rounds; r++ {
			mu.Lock()
			for i := 0; i < workers; i++ {
				go locker()
			}
			harness.UntilParked(workers, "main.locker", "sync.Mutex.Lock", "semacquire")
			mu.Unlock()

			rw.Lock()
			for i := 0; i < workers; i++ {
				go rwReader()
			}
			harness.UntilParked(workers, "main.rwReader", "sync.RWMutex.RLock", "semacquire")
			rw.Unlock()

			// one at a time: a second would wait for the first, not for the reader
			rw.RLock()
			go rwWriter()
			harness.UntilParked(1, "main.rwWriter", "sync.RWMutex.Lock", "semacquire")
			rw.RUnlock()

			for i := 0; i < workers; i++ {
				go condWaiter()
			}
			harness.UntilParked(workers, "main.condWaiter", "sync.Cond.Wait")
			cond.Broadcast()

			group.Add(1)
			for i := 0; i < workers; i++ {
				go groupWaiter()
			}
			harness.UntilParked(workers, "main.groupWaiter", "sync.WaitGroup.Wait", "semacquire")
			group.Done()

			harness.UntilGone("main.locker", "main.rwReader", "main.rwWriter", "main.condWaiter",
				"main.groupWaiter")
		}

		const n = workers * rounds
		all := harness.Count{Create: n, Block: n, Unblock: n, Exit: n}
		return harness.Result{"groups": harness.Groups{
			"main.locker":      all,
			"main.rwReader":    all,
			"main.rwWriter":    harness.Count{Create: rounds, Block: rounds, Unblock: rounds, Exit: rounds},
			"main.condWaiter":  all,
			"main.groupWaiter": all,
		}}
	})
}
