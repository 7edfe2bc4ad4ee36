// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

// Goroutines that wait before the tracer comes, and go when told. Usage: idle [GOROUTINES]
package main

import (
	"os"
	"strconv"

	"targets/internal/harness"
)

var closing = make(chan struct{})

func parked() {
	<-closing
}

func main() {
	n := 1000
	if len(os.Args) > 1 {
		var err error
		n, err = strconv.Atoi(os.Args[1])
		harness.Check(err)
	}
	for i := 0; i < n; i++ {
		go parked()
	}
	harness.UntilParked(n, "main.parked", "chan receive")
	harness.Run(func() harness.Result {
		close(closing)
		return harness.Result{"groups": harness.Groups{
			"main.parked": harness.Count{Unblock: n, Exit: n},
		}}
	})
}
