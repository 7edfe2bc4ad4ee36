// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"context"
	"runtime/pprof"
	"runtime/trace"
	"time"
)

// annotate tells a tracer everything it can be told, whether or not there is one.
func annotate() {
	ctx, task := trace.NewTask(context.Background(), "task")
	trace.WithRegion(ctx, "region", func() {})
	trace.StartRegion(ctx, "span").End()
	trace.Log(ctx, "category", "message")
	pprof.Do(ctx, pprof.Labels("key", "value"), func(context.Context) {})
	task.End()
}

func churnAnnotations() {
	go func() {
		for {
			annotate()
			time.Sleep(time.Millisecond)
		}
	}()
}
