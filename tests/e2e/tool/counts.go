// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"sort"
	"strconv"
	"strings"
)

// result is the line of JSON that a target prints. What a group does not name is not counted.
type result struct {
	Groups   map[string]map[string]int `json:"groups"`
	Syscalls map[string]map[string]int `json:"syscalls"`
	Stops    map[string]map[string]int `json:"stops"`
	Threads  map[string]int            `json:"threads"`
}

func readResult(path string) (r result, err error) {
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err == nil && len(r.Groups) == 0 {
		err = errors.New(path + " has no groups")
	}
	return r, err
}

// transition is one of a goroutine. Stack is that of the goroutine itself, innermost first.
type transition struct {
	gid              uint64
	from, to, reason string
	stack            []string
	frames           []string // the same with places: FUNCTION(FILE:LINE)
}

var transitionLine = regexp.MustCompile(
	`^M=.* StateTransition Time=\d+ GoID=(\d+) (\w+)->(\w+) Reason="(.*)"$`)

// eachTransition reads what `go tool trace -d=parsed` prints.
func eachTransition(in io.Reader, do func(transition)) error {
	var t *transition
	inStack := false
	flush := func() {
		if t != nil {
			do(*t)
		}
		t = nil
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "M="):
			flush()
			inStack = false
			if m := transitionLine.FindStringSubmatch(line); m != nil {
				gid, err := strconv.ParseUint(m[1], 10, 64)
				if err != nil {
					return err
				}
				t = &transition{gid: gid, from: m[2], to: m[3], reason: m[4]}
			}
		case line == "TransitionStack=":
			inStack = true
		case line == "" || line == "Stack=":
			inStack = false
		case inStack && t != nil && !strings.HasPrefix(line, "\t\t"):
			name, _, _ := strings.Cut(strings.TrimSpace(line), " @ ")
			t.stack = append(t.stack, name)
		case inStack && t != nil && len(t.stack) > 0:
			place := strings.TrimPrefix(line, "\t\t")
			t.frames = append(t.frames, t.stack[len(t.stack)-1]+"("+place+")")
		}
	}
	flush()
	return lines.Err()
}

// starts tells the start function of each goroutine: the outermost frame of the stack it is
// created with. The trace does not have it of goroutines that were there before.
type starts map[uint64]string

func (s starts) see(t transition) string {
	if t.from == "NotExist" && len(t.stack) > 0 {
		s[t.gid] = t.stack[len(t.stack)-1]
	}
	// the goroutine of a thread that C started has no function
	if t.from == "NotExist" && t.to == "Syscall" {
		s[t.gid] = "(C)"
	}
	return s[t.gid]
}

var (
	initLine  = regexp.MustCompile(` G(\d+) init (.*)`)
	startName = regexp.MustCompile(`\bstart=(\S+)`)
)

// readStarts takes the goroutines that were there before from a dump.
func readStarts(dump string) (starts, error) {
	file, err := os.Open(dump)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	s := starts{}
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if m := initLine.FindStringSubmatch(lines.Text()); m != nil {
			gid, err := strconv.ParseUint(m[1], 10, 64)
			if err != nil {
				return nil, err
			}
			s[gid] = "(C)"
			if name := startName.FindStringSubmatch(m[2]); name != nil {
				s[gid] = name[1]
			}
		}
	}
	if len(s) == 0 {
		return nil, errors.New(dump + " has no goroutines")
	}
	return s, lines.Err()
}

// threadsEnded counts them in a dump.
func threadsEnded(dump string) (int, error) {
	text, err := os.ReadFile(dump)
	return bytes.Count(text, []byte(" thread-dead ")), err
}

// countStops counts in a dump who stops the world, and why: the ranges' begins or ends.
func countStops(dump, when string, start starts) (map[string]map[string]int, error) {
	text, err := os.ReadFile(dump)
	line := regexp.MustCompile(` G(\d+) stw-` + when + `(?: "(.*?)")?(?: |\n)`)
	got := map[string]map[string]int{}
	for _, m := range line.FindAllStringSubmatch(string(text), -1) {
		gid, err := strconv.ParseUint(m[1], 10, 64)
		if err != nil {
			return nil, err
		}
		fn := start[gid]
		if got[fn] == nil {
			got[fn] = map[string]int{}
		}
		got[fn][m[2]]++
	}
	return got, err
}

// What the goroutines of a start function wait for, as Go's own tracer names it. The package is
// not named, which is another one in a plugin; without an entry it is not checked.
var reasons = map[string]string{
	"receiver":       "chan receive",
	"sender":         "chan send",
	"bufferedSender": "chan send",
	"selector":       "select",
	"selectSender":   "select",
	"closeWaiter":    "chan receive",
	"locker":         "sync",
	"rwReader":       "sync",
	"rwWriter":       "sync",
	"condWaiter":     "sync.(*Cond).Wait",
	"groupWaiter":    "sync",
	"sleeper":        "sleep",
	"timerWaiter":    "chan receive",
	"tickerWaiter":   "chan receive",
	"lockedReceiver": "chan receive",
	"lockedExiter":   "chan receive",
	"goexiter":       "chan receive",
	"panicker":       "chan receive",
	"repanicker":     "chan receive",
	"signalWaiter":   "chan receive",
	"deadliner":      "network",
}

func counts(args []string) error {
	if err := wantArgs(args, 2); err != nil {
		return err
	}
	want, err := readResult(args[0])
	if err != nil {
		return err
	}
	start, err := readStarts(args[1])
	if err != nil {
		return err
	}
	ended, err := threadsEnded(args[1])
	if err != nil {
		return err
	}
	var wrong []string
	complain := func(format string, a ...any) {
		if len(wrong) < 5 {
			wrong = append(wrong, fmt.Sprintf(format, a...))
		}
	}
	got := map[string]map[string]int{}
	err = eachTransition(os.Stdin, func(t transition) {
		fn := start.see(t)
		if want.Groups[fn] == nil {
			return
		}
		if got[fn] == nil {
			got[fn] = map[string]int{}
		}
		if t.from == "NotExist" {
			got[fn]["create"]++
		}
		if t.to == "NotExist" {
			got[fn]["exit"]++
		}
		// each generation of a trace says again who waits
		if t.from == "Waiting" && t.to != "Waiting" {
			got[fn]["unblock"]++
		}
		if t.from == "Running" && t.to == "Runnable" {
			switch t.reason {
			case "runtime.Gosched":
				got[fn]["yield"]++
			case "preempted":
				got[fn]["preempt"]++
			}
		}
		if t.from == "Running" && t.to == "Waiting" {
			got[fn]["block"]++
			if t.reason == "preempted" {
				got[fn]["suspend"]++
			} else {
				got[fn]["block_otherwise"]++
			}
			if r := reasons[fn[strings.LastIndex(fn, ".")+1:]]; r != "" && t.reason != r {
				complain("goroutine %d of %s blocks for %q, not for %q", t.gid, fn, t.reason, r)
			}
			// A switch to a coroutine has neither a reason nor a stack. One that is stopped in a
			// function without a frame lacks who called that.
			if t.reason != "" && t.reason != "preempted" && !ends(t.stack, fn) {
				complain("goroutine %d of %s blocks without it on its stack %q", t.gid, fn, t.stack)
			}
		}
	})
	if err != nil {
		return err
	}
	compare(want.Groups, got, complain)
	for _, when := range []string{"begin", "end"} {
		stops, err := countStops(args[1], when, start)
		if err != nil {
			return err
		}
		compare(want.Stops, stops, func(format string, a ...any) {
			complain("stops of the world, "+when+": "+format, a...)
		})
	}
	if w, ok := want.Threads["exit"]; ok && w != ended {
		complain("%d threads ended, in the dump %d", w, ended)
	}
	return report(wrong)
}

// numbers prints how many numbers a program gave to compare.
func numbers(args []string) error {
	if err := wantArgs(args, 1); err != nil {
		return err
	}
	r, err := readResult(args[0])
	n := 0
	for _, counters := range []map[string]map[string]int{r.Groups, r.Syscalls} {
		for _, counter := range counters {
			n += len(counter)
		}
	}
	fmt.Println(n)
	return err
}

// ends says whether the stack of a goroutine that started with fn is whole. Before Go 1.21 there are
// no frame pointers to follow below a call from C.
func ends(stack []string, fn string) bool {
	if len(stack) == 0 {
		return false
	}
	outermost := stack[len(stack)-1]
	return outermost == fn || outermost == "runtime.cgocallback"
}

func compare(want, got map[string]map[string]int, complain func(string, ...any)) {
	for _, fn := range sorted(want) {
		for _, what := range sorted(want[fn]) {
			counted, least := strings.CutSuffix(what, "_min")
			w, g := want[fn][what], got[fn][counted]
			if g < w || g > w && !least {
				complain("%s %s: the program counted %d, the trace has %d", fn, what, w, g)
			}
		}
	}
}

func sorted[V any](m map[string]V) (keys []string) {
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

func report(wrong []string) error {
	if len(wrong) == 0 {
		return nil
	}
	return errors.New(strings.Join(wrong, "\n  "))
}

// waiting prints how many goroutines of a start function wait at the beginning.
func waiting(args []string) error {
	if err := wantArgs(args, 2); err != nil {
		return err
	}
	start, err := readStarts(args[1])
	if err != nil {
		return err
	}
	n := 0
	err = eachTransition(os.Stdin, func(t transition) {
		if start.see(t) == args[0] && t.from == "Undetermined" && t.to == "Waiting" {
			n++
		}
	})
	fmt.Println(n)
	return err
}
