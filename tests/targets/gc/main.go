// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

// Garbage: collections asked for and collections that come by themselves, under goroutines that
// allocate. How often those block is the collector's choice.
package main

import (
	"runtime"
	"runtime/debug"
	"sync/atomic"

	"targets/internal/harness"
)

const (
	waves       = 5
	allocators  = 10
	allocations = 2000
)

type node struct {
	next *node
	_    [1000]byte
}

var (
	kept [allocators]*node
	next atomic.Int32
)

func allocator() {
	list := &kept[next.Add(1)-1]
	for i := 0; i < allocations; i++ {
		*list = &node{next: *list}
		if i%100 == 99 {
			*list = nil
		}
	}
}

func cycles() int {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.NumGC)
}

func main() {
	harness.Run(func() harness.Result {
		before := cycles()
		debug.SetGCPercent(20)
		for w := 0; w < waves; w++ {
			next.Store(0)
			for i := 0; i < allocators; i++ {
				go allocator()
			}
			harness.UntilGone("main.allocator")
			runtime.GC()
		}
		debug.SetGCPercent(-1)
		runtime.GC() // ends a collection that is under way

		return harness.Result{
			"groups": harness.Groups{
				"main.allocator": harness.Lives{Create: waves * allocators, Exit: waves * allocators},
			},
			"gc": harness.Counts{"cycles": cycles() - before, "forced": waves + 1},
		}
	})
}
