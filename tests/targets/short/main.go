// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

// Thousands of goroutines that live for a moment and never block.
package main

import (
	"sync/atomic"

	"targets/internal/harness"
)

const (
	parents  = 500
	children = 10
)

var done atomic.Int32

func parent() {
	for i := 0; i < children; i++ {
		go child()
	}
}

func child() {
	done.Add(1)
}

func main() {
	harness.Run(func() harness.Result {
		for i := 0; i < parents; i++ {
			go parent()
		}
		harness.Until("the children", func() bool { return done.Load() == parents*children })
		return harness.Result{"groups": harness.Groups{
			"main.parent": harness.Count{Create: parents, Exit: parents},
			"main.child":  harness.Count{Create: parents * children, Exit: parents * children},
		}}
	})
}
