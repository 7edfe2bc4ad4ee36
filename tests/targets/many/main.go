// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

// More goroutines than anything else here has, which only wait. Usage: many GOROUTINES
package main

import (
	"os"
	"runtime"
	"strconv"
	"sync/atomic"

	"targets/internal/harness"
)

var (
	closing = make(chan struct{})
	there   int64
)

func parked() {
	atomic.AddInt64(&there, 1)
	<-closing
}

func main() {
	n, err := strconv.Atoi(os.Args[1])
	harness.Check(err)
	for i := 0; i < n; i++ {
		go parked()
	}
	harness.Until("all to be there", func() bool { return atomic.LoadInt64(&there) == int64(n) })
	runtime.GC() // all have parked by then, and none of it falls into the trace
	harness.Run(func() harness.Result {
		close(closing)
		return harness.Result{}
	})
}
