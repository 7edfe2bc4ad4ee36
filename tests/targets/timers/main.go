// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

// Goroutines that wait for time to pass. Timers and tickers run only once their goroutine waits.
package main

import (
	"sync/atomic"
	"time"

	"targets/internal/harness"
)

const (
	workers = 20
	sleeps  = 20
)

var (
	timers                [workers]*time.Timer
	tickers               [workers]*time.Ticker
	nextTimer, nextTicker atomic.Int32
	called                atomic.Int32
)

func sleeper() {
	for i := 0; i < sleeps; i++ {
		time.Sleep(time.Millisecond)
	}
}

func timerWaiter() {
	<-timers[nextTimer.Add(1)-1].C
}

func tickerWaiter() {
	t := tickers[nextTicker.Add(1)-1]
	<-t.C
	t.Stop()
}

func afterFunc() {
	called.Add(1)
}

func main() {
	for i := range timers {
		timers[i] = time.NewTimer(time.Hour)
		tickers[i] = time.NewTicker(time.Hour)
	}
	harness.Run(func() harness.Result {
		for i := 0; i < workers; i++ {
			go sleeper()
			go timerWaiter()
			go tickerWaiter()
			time.AfterFunc(time.Millisecond, afterFunc)
		}
		harness.UntilParked(workers, "main.timerWaiter", "chan receive")
		harness.UntilParked(workers, "main.tickerWaiter", "chan receive")
		for i := range timers {
			timers[i].Reset(time.Millisecond)
			tickers[i].Reset(time.Millisecond)
		}
		harness.Until("the functions of timers", func() bool { return called.Load() == workers })

		once := harness.Count{Create: workers, Block: workers, Unblock: workers, Exit: workers}
		return harness.Result{"groups": harness.Groups{
			"main.sleeper": harness.Count{Create: workers, Block: workers * sleeps,
				Unblock: workers * sleeps, Exit: workers},
			"main.timerWaiter":  once,
			"main.tickerWaiter": once,
			"main.afterFunc":    harness.Count{Create: workers, Exit: workers},
		}}
	})
}
