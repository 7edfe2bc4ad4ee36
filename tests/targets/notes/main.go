// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

// Annotations for a trace that nobody writes: tasks, regions, messages, and labels of profiles.
package main

import (
	"context"
	"runtime/pprof"
	"runtime/trace"
	"strings"

	"targets/internal/harness"
)

// A megabyte that nobody reads: what is in the middle of it is in no page the process has mapped.
const (
	line  = "a text that nobody has read so far; it has 64 bytes in all, yes."
	kilo  = line + line + line + line + line + line + line + line + line + line + line + line + line + line + line + line
	kilos = kilo + kilo + kilo + kilo + kilo + kilo + kilo + kilo + kilo + kilo + kilo + kilo + kilo + kilo + kilo + kilo
	cold  = kilos + kilos + kilos + kilos + kilos + kilos + kilos + kilos + kilos + kilos + kilos + kilos + kilos + kilos + kilos + kilos
)

var unread = cold

func nothing() {}

func annotator() {
	bg := context.Background()
	trace.Log(bg, "no task", "at all")
	ctx, request := trace.NewTask(bg, "request")
	inner, part := trace.NewTask(ctx, "part\x00of \"it\"")
	trace.Log(inner, "", "")
	trace.Log(inner, "Kategorie", "Straße, 日本語, 🙂")
	trace.WithRegion(inner, "outer", func() {
		trace.WithRegion(ctx, "", nothing)
		trace.StartRegion(inner, "until some end").End()
	})
	part.End()
	request.End()

	half := len(unread) / 2
	_, task := trace.NewTask(bg, unread[half:half+len(line)])
	task.End()
	long := strings.Repeat("0123456789", 300)
	trace.Log(bg, long[:1024], long)
	trace.WithRegion(bg, long[:1025], nothing)

	pprof.Do(bg, pprof.Labels("user", "42", "path", "/\x00"), func(ctx context.Context) {
		pprof.Do(ctx, pprof.Labels("worker", ""), func(context.Context) {})
	})
	pprof.Do(bg, pprof.Labels("long", long, "short", "s"), func(context.Context) {})
	var many []string
	for _, key := range strings.Split("abcdefghij", "") {
		many = append(many, key, strings.ToUpper(key))
	}
	pprof.Do(bg, pprof.Labels(many[:16]...), func(context.Context) {})
	pprof.Do(bg, pprof.Labels(many...), func(context.Context) {})
}

// Annotations of more goroutines than there are threads.
const (
	annotators = 20
	rounds     = 50
)

func busy() {
	for i := 0; i < rounds; i++ {
		ctx, task := trace.NewTask(context.Background(), "busy")
		trace.WithRegion(ctx, "region", func() { trace.Log(ctx, "c", "m") })
		task.End()
	}
}

func main() {
	harness.Run(func() harness.Result {
		go annotator()
		harness.UntilGone("main.annotator")
		for i := 0; i < annotators; i++ {
			go busy()
		}
		harness.UntilGone("main.busy")
		return harness.Result{
			"groups": harness.Groups{
				"main.annotator": harness.Lives{Create: 1, Exit: 1},
				"main.busy":      harness.Lives{Create: annotators, Exit: annotators},
			},
			"notes": harness.Counts{"busy": annotators * rounds},
		}
	})
}
