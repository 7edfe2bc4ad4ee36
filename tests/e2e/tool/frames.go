// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// mostFrames is how many a stack in a capture can have: EVENT_MAX_FRAMES of bpf/event.h.
const mostFrames = 128

// What a line of gscope dump --events --verbose begins with when the stack at its end is that of
// the goroutine it names: a snapshot, a goroutine that parks, one that makes a system call.
var ownStack = regexp.MustCompile(
	`^> \S+ T\d+ (snap_g|go park|sys_enter \S+) G(\d+)\S* (.*?)(?: stack=(.*))?$`)

// wanted is the line of JSON that the program frames prints.
type wanted struct {
	Version string              `json:"version"`
	Stacks  map[string][]string `json:"stacks"`
	Inlined int                 `json:"inlined"`
}

// expected is the stack of a goroutine as far as it can be known. Before Go 1.21 the runtime keeps no
// frame pointer below a call from C.
func (w *wanted) expected(goid string, got []string) []string {
	stack := w.Stacks[goid]
	old := strings.HasPrefix(w.Version, "go1.19") || strings.HasPrefix(w.Version, "go1.20")
	if !old || len(got) == 0 || !strings.HasPrefix(got[len(got)-1], "runtime.cgocallback(") {
		return stack
	}
	for i, frame := range stack {
		if strings.HasPrefix(frame, "runtime.cgocallback(") {
			return stack[:i+1]
		}
	}
	return stack
}

// frames compares every stack of a goroutine of the program frames with what the runtime said.
func frames(args []string) error {
	if err := wantArgs(args, 2); err != nil {
		return err
	}
	var want wanted
	text, err := os.ReadFile(args[0])
	if err == nil {
		err = json.Unmarshal(text, &want)
	}
	if err != nil {
		return err
	}
	dump, err := os.Open(args[1])
	if err != nil {
		return err
	}
	defer dump.Close()

	compared, mismatches := 0, []string{}
	inC := map[string]int{}                                       // system calls by the functions of C that made them
	found := map[string]map[string]int{"snap_g": {}, "event": {}} // stacks by goroutine
	lines := bufio.NewScanner(dump)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		m := ownStack.FindStringSubmatch(lines.Text())
		// with futex the runtime enters and leaves other calls, at other places
		if m == nil || want.Stacks[m[2]] == nil || m[1] == "sys_enter futex" {
			continue
		}
		what, goid, stack := m[1], m[2], split(m[4])
		call := strings.HasPrefix(what, "sys_enter")
		if len(stack) == 0 && mayLackStack(what, m[3]) {
			continue
		}
		if c := ofC(stack); call && len(c) > 0 {
			inC[functions(c)]++
		}
		n, wrong := difference(want.expected(goid, stack), stack, call)
		compared += n
		if wrong != "" {
			mismatches = append(mismatches, fmt.Sprintf("G%s %s: %s", goid, what, wrong))
		}
		if what != "snap_g" {
			what = "event"
		}
		found[what][goid]++
	}
	if err := lines.Err(); err != nil {
		return err
	}
	for goid, stack := range want.Stacks {
		// what sleeps wakes up by itself, perhaps when it was looked at
		sleeps := strings.HasPrefix(stack[1], "time.Sleep(")
		for what, n := range found {
			if n[goid] == 0 && !(sleeps && what == "snap_g") {
				mismatches = append(mismatches, "no "+what+" with a stack of G"+goid)
			}
		}
	}
	if want.Inlined == 0 || len(want.Stacks) < 100 {
		return errors.New("the program did not do what it is for")
	}
	fmt.Printf("%d goroutines, %d frames, %d mismatches\n", len(want.Stacks), compared, len(mismatches))
	for _, c := range sorted(inC) {
		fmt.Printf("%d system calls in %s\n", inC[c], c)
	}
	if len(mismatches) > 5 {
		mismatches = append(mismatches[:5], "...")
	}
	return report(mismatches)
}

// mayLackStack tells goroutines that are on their way, and what Go itself takes for no system call.
func mayLackStack(what, state string) bool {
	if what == "snap_g" {
		return strings.HasPrefix(state, "run")
	}
	return strings.HasPrefix(what, "sys_enter") && !strings.Contains(" "+state+" ", " syscall ")
}

// split takes a stack of the dump apart: FUNCTION(FILE:LINE)<FUNCTION...
func split(stack string) []string {
	stack, _, _ = strings.Cut(stack, " tgid=")
	if stack == "" {
		return nil
	}
	parts := strings.Split(stack, ")<")
	for i := range parts[:len(parts)-1] {
		parts[i] += ")"
	}
	return parts
}

// difference says how many frames are equal, and where two stacks begin to differ. On its way to
// where it blocks a goroutine makes other system calls: of those, only the callers are the same.
func difference(want, got []string, call bool) (int, string) {
	whole := got
	if call {
		got = got[len(ofC(got)):]
	}
	if call && len(got) > 0 && got[0] != want[0] {
		own := firstOwn(want)
		want = want[own:]
		got = got[firstOwn(got):]
	}
	if len(whole) == mostFrames {
		want = want[:min(len(want), len(got))]
	}
	for i := range want {
		if i == len(got) {
			return i, fmt.Sprintf("ends before %s: %q", want[i], whole)
		}
		if want[i] != got[i] {
			return i, fmt.Sprintf("%s instead of %s in %q", got[i], want[i], whole)
		}
	}
	if len(got) > len(want) {
		return len(want), fmt.Sprintf("goes on with %s: %q", got[len(want)], whole)
	}
	return len(want), ""
}

// ofC are the frames of C in which a thread makes a system call. They have no lines; those of the
// program have frame pointers, and those lead back to where Go left its stack.
func ofC(stack []string) []string {
	n := 0
	for n < len(stack) && (strings.HasSuffix(stack[n], ":0)") || n > 0 &&
		strings.HasPrefix(stack[n], "runtime.asmcgocall(")) {
		n++
	}
	return stack[:n]
}

// functions are the names alone, of functions that cgo makes without what makes them unique.
func functions(stack []string) string {
	var names []string
	for _, frame := range stack {
		name := frame[:strings.LastIndex(frame, "(")]
		if strings.HasPrefix(name, "_cgo_") {
			name = "_cgo" + name[strings.Index(name, "_Cfunc_"):]
		}
		names = append(names, name)
	}
	return strings.Join(names, "<")
}

// firstOwn is the first frame of the program's own.
func firstOwn(stack []string) int {
	for i, frame := range stack {
		if strings.HasPrefix(frame, "main.") {
			return i
		}
	}
	return len(stack)
}
