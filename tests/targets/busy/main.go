// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

// Goroutines that do nothing but change state, as fast as they can, until the program is told to
// work, which it does not: from then on it is idle.
package main

import (
	"runtime"
	"sync/atomic"

	"targets/internal/harness"
)

const pairs = 2

var over atomic.Bool

func pinger(ping chan<- int, pong <-chan int) {
	for !over.Load() {
		ping <- 1
		<-pong
		runtime.Gosched()
	}
	close(ping)
}

func ponger(ping <-chan int, pong chan<- int) {
	for range ping {
		pong <- 1
	}
}

func main() {
	for i := 0; i < pairs; i++ {
		ping, pong := make(chan int), make(chan int)
		go pinger(ping, pong)
		go ponger(ping, pong)
	}
	harness.Run(func() harness.Result {
		over.Store(true)
		harness.UntilGone("main.pinger", "main.ponger")
		return harness.Result{}
	})
}
