// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

//go:build go1.27

package main

import (
	"io"
	"runtime/pprof"

	"targets/internal/harness"
)

// leaked waits for what nobody else knows.
func leaked() {
	<-make(chan int)
}

func leaks(e *expected) func() {
	wait(e, workers, leaked, "main.leaked", "chan receive", "chan receive")
	profile := pprof.Lookup("goroutineleak")
	harness.Check(profile.WriteTo(io.Discard, 0))
	harness.UntilParked(workers, "main.leaked", "chan receive (leaked)")
	lasting += workers

	return func() {
		harness.Check(profile.WriteTo(io.Discard, 0))
		e.groups["main.leaked"] = harness.Count{}
	}
}

func init() { situations = append(situations, leaks) }
