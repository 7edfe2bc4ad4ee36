// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// mostFrames is how many a stack in a capture can have: EVENT_MAX_FRAMES of bpf/event.h.
const mostFrames = 128

// What a line of gscope dump --events --verbose begins with when the stack at its end is that of
// the goroutine it names: a snapshot, a goroutine that parks, one that makes a system call of its own
// (all of which read); with others the runtime enters and leaves those, at other places.
var ownStack = regexp.MustCompile(
	`^> \S+ T\d+ (snap_g|go park|sys_enter read) G(\d+)\S* (.*?)(?: stack=(.*))?$`)

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

// comparison is what comes out of comparing.
type comparison struct {
	wanted
	compared   int // frames
	mismatches []string
	inC        map[string]int            // system calls by the functions of C that made them
	found      map[string]map[string]int // stacks by kind and goroutine
}

// frames compares every stack of a goroutine of the program frames with what the runtime said.
func frames(args []string) error {
	if err := wantArgs(args, 2); err != nil {
		return err
	}
	c := comparison{
		inC: map[string]int{},
		found: map[string]map[string]int{
			"snap_g": {}, "event": {}, "transition": {},
		},
	}
	text, err := os.ReadFile(args[0])
	if err == nil {
		err = json.Unmarshal(text, &c.wanted)
	}
	if err == nil {
		err = c.readDump(args[1])
	}
	if err == nil {
		err = eachTransition(os.Stdin, c.transition)
	}
	if err != nil {
		return err
	}
	if c.Inlined == 0 || len(c.Stacks) < 100 {
		return errors.New("the program did not do what it is for")
	}
	c.missing()
	fmt.Printf("%d goroutines, %d frames, %d mismatches\n", len(c.Stacks), c.compared, len(c.mismatches))
	for _, names := range sorted(c.inC) {
		fmt.Printf("%d system calls in %s\n", c.inC[names], names)
	}
	if len(c.mismatches) > 5 {
		c.mismatches = append(c.mismatches[:5], "...")
	}
	return report(c.mismatches)
}

func (c *comparison) complain(format string, a ...any) {
	c.mismatches = append(c.mismatches, fmt.Sprintf(format, a...))
}

func (c *comparison) readDump(path string) error {
	dump, err := os.Open(path)
	if err != nil {
		return err
	}
	defer dump.Close()
	lines := bufio.NewScanner(dump)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		m := ownStack.FindStringSubmatch(lines.Text())
		if m != nil && c.Stacks[m[2]] != nil {
			c.record(m[1], m[2], m[3], split(m[4]))
		}
	}
	return lines.Err()
}

func (c *comparison) record(what, goid, state string, stack []string) {
	call := strings.HasPrefix(what, "sys_enter")
	if len(stack) == 0 && mayLackStack(what, state) {
		return
	}
	if own := ofC(stack); call && len(own) > 0 {
		c.inC[functions(own)]++
	}
	n, wrong := difference(c.expected(goid, stack), stack, call)
	c.compared += n
	if wrong != "" {
		c.complain("G%s %s: %s", goid, what, wrong)
	}
	if what != "snap_g" {
		what = "event"
	}
	c.found[what][goid]++
}

// transition compares a stack of the Go trace, which lacks what the runtime's own tracer hides:
// frames at the beginning.
func (c *comparison) transition(t transition) {
	goid := strconv.FormatUint(t.gid, 10)
	if c.Stacks[goid] == nil || t.to != "Waiting" || t.from != "Running" {
		return
	}
	want := c.expected(goid, t.frames)
	for skip := 0; skip < len(want); skip++ {
		if skip+len(t.frames) < min(len(want), mostFrames) {
			continue
		}
		if n, wrong := difference(want[skip:min(len(want), skip+len(t.frames))], t.frames, false); wrong == "" && n > 0 {
			c.compared += n
			c.found["transition"][goid]++
			return
		}
	}
	c.complain("G%s in the Go trace: %q", goid, t.frames)
}

// missing complains of goroutines of which there is no stack.
func (c *comparison) missing() {
	for goid, stack := range c.Stacks {
		// what sleeps wakes up by itself, perhaps when it was looked at
		sleeps := strings.HasPrefix(stack[1], "time.Sleep(")
		parks := strings.HasPrefix(stack[0], "runtime.gopark(")
		for what, n := range c.found {
			if n[goid] == 0 && !(sleeps && what == "snap_g") && (parks || what != "transition") {
				c.complain("no %s with a stack of G%s", what, goid)
			}
		}
	}
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
