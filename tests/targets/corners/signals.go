// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"targets/internal/harness"
)

const urgent = 200

var (
	signals    = make(chan os.Signal, 1)
	fromPoller *os.File
	woken      atomic.Int32
)

func prepareSignals() {
	signal.Notify(signals, syscall.SIGUSR1)
	harness.Lasting = 2 // with the one that delivers signals
}

func signalWaiter() {
	for i := 0; i < rounds; i++ {
		<-signals
		woken.Add(1)
	}
}

func poke(s syscall.Signal) {
	harness.Check(syscall.Kill(os.Getpid(), s))
}

// urger sends what the runtime asks goroutines with to stop.
func urger() {
	for i := 0; i < urgent; i++ {
		poke(syscall.SIGURG)
	}
}

// deadliner is woken by the network poller because its time is over.
func deadliner() {
	var b [1]byte
	for i := 0; i < rounds; i++ {
		if _, err := fromPoller.Read(b[:]); !os.IsTimeout(err) {
			harness.Fail("the time to read was not over")
		}
		harness.Check(fromPoller.SetReadDeadline(time.Time{}))
		woken.Add(1)
	}
}

func untilWoken(n int) {
	harness.Until("a wake-up", func() bool { return int(woken.Load()) == n })
}

// signalled lets goroutines be woken by signals and by the clock.
func signalled(e *expected) {
	start(1, signalWaiter)
	start(1, urger)
	for i := 0; i < rounds; i++ {
		harness.UntilParked(1, "main.signalWaiter", "chan receive")
		poke(syscall.SIGUSR1)
		untilWoken(i + 1)
	}
	harness.UntilGone("main.signalWaiter", "main.urger")
	e.groups["main.signalWaiter"] = harness.Count{Create: 1, Block: rounds, Unblock: rounds,
		Exit: 1}
	e.groups["main.urger"] = harness.Counts{"create": 1, "block": 0, "exit": 1}
	e.calls["main.urger"] = map[string]int{"kill": urgent}

	r, w, err := os.Pipe()
	harness.Check(err)
	fromPoller = r
	woken.Store(0)
	start(1, deadliner)
	for i := 0; i < rounds; i++ {
		harness.UntilParked(1, "main.deadliner", "IO wait")
		harness.Check(r.SetReadDeadline(time.Now().Add(time.Millisecond)))
		untilWoken(i + 1)
	}
	harness.UntilGone("main.deadliner")
	harness.Check(r.Close())
	harness.Check(w.Close())
	e.groups["main.deadliner"] = harness.Count{Create: 1, Block: rounds, Unblock: rounds, Exit: 1}
}

func init() { add("signalled", signalled) }
