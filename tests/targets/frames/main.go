// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

// Goroutines that block in many ways below many kinds of frames, and what the runtime itself
// says of their stacks.
//
// Usage: frames. It prints "ready PID" when all are blocked; after a line on standard input it
// wakes each of them once, waits until all are blocked again and prints their stacks as JSON.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"targets/internal/harness"
)

// capture is what runtime.Callers said in a goroutine that was about to block.
type capture struct {
	goid int
	pcs  []uintptr
	next *capture
}

// A list without a lock: nothing may block but what is to be seen blocked.
var captures atomic.Pointer[capture]

// at stands on the line of a call that blocks: what is above it is above that call, too.
//
//go:noinline
func at[T any](v T) T {
	pcs := make([]uintptr, 1000)
	c := &capture{goid: goid(), pcs: pcs[:runtime.Callers(2, pcs)]}
	for {
		c.next = captures.Load()
		if captures.CompareAndSwap(c.next, c) {
			return v
		}
	}
}

func goid() int {
	var buf [64]byte
	words := strings.Fields(string(buf[:runtime.Stack(buf[:], false)]))
	id, err := strconv.Atoi(words[1])
	harness.Check(err)
	return id
}

// started is how many goroutines there are to be; poke wakes one of them once.
var (
	started int
	pokes   []func()
)

// rounds is how often goroutines were about to block.
func rounds() map[int]int {
	seen := map[int]int{}
	for c := captures.Load(); c != nil; c = c.next {
		seen[c.goid]++
	}
	return seen
}

// untilBlocked waits until all are blocked, once more than before.
func untilBlocked(before map[int]int) {
	harness.Until("all goroutines to block", func() bool {
		seen := rounds()
		if len(seen) != started {
			return false
		}
		now := states()
		for id, n := range seen {
			if n <= before[id] || now[id] == "" || now[id] == "running" || now[id] == "runnable" {
				return false
			}
		}
		return true
	})
}

// states are those of a stack dump, by goroutine.
func states() map[int]string {
	buf := make([]byte, 1<<20)
	for {
		n := runtime.Stack(buf, true)
		if n < len(buf) {
			buf = buf[:n]
			break
		}
		buf = make([]byte, 2*len(buf))
	}
	found := map[int]string{}
	for _, g := range bytes.Split(buf, []byte("\n\n")) {
		head, _, _ := strings.Cut(string(g), "\n")
		head, state, ok := strings.Cut(head, " [")
		if !ok {
			continue
		}
		id, err := strconv.Atoi(strings.TrimPrefix(head, "goroutine "))
		harness.Check(err)
		found[id] = state[:strings.IndexAny(state, ",]")]
	}
	return found
}

func expand(pcs []uintptr) (names []string, inlined int) {
	frames := runtime.CallersFrames(pcs)
	for more := len(pcs) > 0; more; {
		var f runtime.Frame
		f, more = frames.Next()
		if f.Function == "runtime.goexit" {
			break // the end of every stack, which tracers leave out
		}
		names = append(names, fmt.Sprintf("%s(%s:%d)", f.Function, f.File, f.Line))
		if f.Func == nil {
			inlined++
		}
	}
	return names, inlined
}

// stacks adds to what the goroutines said of themselves the runtime's frames in which they are
// blocked, which only a profile has: of at most 32 frames, and not by goroutine.
func stacks() (map[int][]string, int) {
	profile := make([]runtime.StackRecord, 2*runtime.NumGoroutine()+100)
	n, ok := runtime.GoroutineProfile(profile)
	if !ok {
		harness.Fail(fmt.Sprintln("the profile has", n, "goroutines"))
	}
	var blocked [][]string
	for _, r := range profile[:n] {
		names, _ := expand(r.Stack())
		blocked = append(blocked, names)
	}
	found, inlined := map[int][]string{}, 0
	for c := captures.Load(); c != nil; c = c.next {
		own, in := expand(c.pcs)
		whole := prepend(blocked, own)
		if whole == nil {
			harness.Fail(fmt.Sprintln("no goroutine of the profile is blocked in", own))
		}
		if known := found[c.goid]; known != nil && fmt.Sprint(known) != fmt.Sprint(whole) {
			harness.Fail(fmt.Sprintln("goroutine", c.goid, "blocked in two places:", known, whole))
		} else if known == nil {
			found[c.goid] = whole
			inlined += in
		}
	}
	return found, inlined
}

// prepend finds the stack that consists of frames of the runtime, or of packages below it, and
// then those of own.
func prepend(blocked [][]string, own []string) []string {
	for _, b := range blocked {
		for i := range b {
			if b[i] != own[0] {
				continue
			}
			tail := own
			if len(tail) > len(b)-i && len(b) >= 32 {
				tail = tail[:len(b)-i]
			}
			if fmt.Sprint(b[i:]) == fmt.Sprint(tail) {
				return append(b[:i:i], own...)
			}
			break
		}
	}
	return nil
}

func main() {
	debug.SetGCPercent(-1) // a collection would preempt them elsewhere
	in := bufio.NewReader(os.Stdin)
	begin()
	untilBlocked(nil)
	awaitReads()
	fmt.Println("ready", os.Getpid())
	await(in)
	before := rounds()
	for _, poke := range pokes {
		poke()
	}
	untilBlocked(before)
	awaitReads()
	found, inlined := stacks()
	line, err := json.Marshal(map[string]any{
		"version": runtime.Version(), "stacks": found, "inlined": inlined})
	harness.Check(err)
	fmt.Println(string(line))
	await(in)
}

func await(in *bufio.Reader) {
	if _, err := in.ReadString('\n'); err != nil {
		harness.Fail("standard input was closed")
	}
}

// reading are the files somebody is to read from in a system call.
var reading []int

func awaitReads() {
	for _, fd := range reading {
		harness.UntilInSyscall(syscall.SYS_READ, uintptr(fd))
	}
}
