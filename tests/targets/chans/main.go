// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

// Goroutines that block on channels: every operation of a worker blocks exactly once, because
// its counterpart comes only after all workers have been seen to wait.
package main

import "targets/internal/harness"

const (
	workers = 8
	rounds  = 25
)

var (
	toReceivers   = make(chan int)
	fromSenders   = make(chan int)
	fromBuffered  = make(chan int, 4)
	left, right   = make(chan int), make(chan int)
	closing       = make(chan struct{})
	selectSending = make(chan int)
	never         = make(chan int)
)

func receiver() {
	for i := 0; i < rounds; i++ {
		<-toReceivers
	}
}

func sender() {
	for i := 0; i < rounds; i++ {
		fromSenders <- i
	}
}

func bufferedSender() {
	for i := 0; i < rounds; i++ {
		fromBuffered <- i
	}
}

func selector() {
	for i := 0; i < rounds; i++ {
		select {
		case <-left:
		case <-right:
		}
	}
}

func selectSender() {
	for i := 0; i < rounds; i++ {
		select {
		case selectSending <- i:
		case <-never:
		}
	}
}

func closeWaiter() {
	<-closing
}

// each lets the workers wait in every round, then wakes each of them once
func each(fn, state string, wake func(worker int)) {
	for r := 0; r < rounds; r++ {
		harness.UntilParked(workers, fn, state)
		for w := 0; w < workers; w++ {
			wake(w)
		}
	}
}

func main() {
	harness.Run(func() harness.Result {
		for i := 0; i < workers; i++ {
			go receiver()
		}
		each("main.receiver", "chan receive", func(int) { toReceivers <- 1 })

		for i := 0; i < workers; i++ {
			go sender()
		}
		each("main.sender", "chan send", func(int) { <-fromSenders })

		for i := 0; i < cap(fromBuffered); i++ {
			fromBuffered <- i
		}
		for i := 0; i < workers; i++ {
			go bufferedSender()
		}
		each("main.bufferedSender", "chan send", func(int) { <-fromBuffered })

		for i := 0; i < workers; i++ {
			go selector()
		}
		each("main.selector", "select", func(worker int) {
			if worker%2 == 0 {
				left <- 1
			} else {
				right <- 1
			}
		})

		for i := 0; i < workers; i++ {
			go selectSender()
		}
		each("main.selectSender", "select", func(int) { <-selectSending })

		for i := 0; i < workers; i++ {
			go closeWaiter()
		}
		harness.UntilParked(workers, "main.closeWaiter", "chan receive")
		close(closing)

		all := harness.Count{Create: workers, Block: workers * rounds, Unblock: workers * rounds, Exit: workers}
		return harness.Result{"groups": harness.Groups{
			"main.receiver":       all,
			"main.sender":         all,
			"main.bufferedSender": all,
			"main.selector":       all,
			"main.selectSender":   all,
			"main.closeWaiter":    harness.Count{Create: workers, Block: workers, Unblock: workers, Exit: workers},
		}}
	})
}
