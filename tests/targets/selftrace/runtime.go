// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"context"
	"io"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"runtime/trace"
	"time"
)

type node struct {
	left, right *node
	payload     [48]byte
}

func tree(depth int) *node {
	if depth == 0 {
		return &node{}
	}
	return &node{left: tree(depth - 1), right: tree(depth - 1)}
}

// garbage: allocations that make goroutines assist, finalizers, collections that are asked for.
func garbage() {
	defer debug.SetGCPercent(debug.SetGCPercent(50))
	live := tree(16)
	group(4, func(i int) {
		var keep [8]*node
		for n := 0; on(); n++ {
			keep[n%len(keep)] = tree(9 + i)
			if n%4 == 0 {
				time.Sleep(2 * time.Millisecond)
			}
			if i == 0 && n%64 == 0 {
				runtime.SetFinalizer(&node{}, func(*node) { work(1) })
				runtime.GC()
			}
		}
	})
	runtime.KeepAlive(live)
}

// stops: whatever stops the world.
func stops() {
	var stats runtime.MemStats
	procs := runtime.GOMAXPROCS(0)

	group(3, func(i int) {
		buf := make([]byte, 1<<16)
		for n := 0; on(); n++ {
			if i < 2 {
				work(300)
				time.Sleep(time.Millisecond)
				continue
			}
			switch n % 6 {
			case 0:
				runtime.ReadMemStats(&stats)
			case 1:
				runtime.GC()
			case 2:
				runtime.Stack(buf, true)
			case 3:
				runtime.GOMAXPROCS(procs + 1)
			case 4:
				if pprof.Lookup("goroutine").WriteTo(io.Discard, 0) != nil {
					panic("cannot write a profile to nowhere")
				}
			default:
				runtime.GOMAXPROCS(procs)
			}
			work(200)
			time.Sleep(3 * time.Millisecond)
		}
	})
	runtime.GOMAXPROCS(procs)
}

// annotations: tasks, regions in regions, logs, labels for profiles.
func annotations() {
	group(4, func(i int) {
		for n := 0; on(); n++ {
			ctx, task := trace.NewTask(context.Background(), "order")
			trace.Log(ctx, "number", string(rune('a'+n%26)))
			trace.WithRegion(ctx, "outer", func() {
				work(50)
				region := trace.StartRegion(ctx, "inner")
				trace.Logf(ctx, "state", "%d of %d", n, i)
				time.Sleep(time.Millisecond)
				region.End()
			})
			_, child := trace.NewTask(ctx, "delivery")
			done := make(chan struct{})
			go func() {
				defer close(done)
				defer trace.StartRegion(ctx, "elsewhere").End()
				work(50)
			}()
			<-done
			child.End()
			pprof.Do(ctx, pprof.Labels("kind", "labelled"), func(context.Context) { work(20) })
			task.End()
			time.Sleep(2 * time.Millisecond)
		}
	})
}
