// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// The reason is not in the trace: its format has none for goroutines that were there before.
var initState = regexp.MustCompile(` G(\d+) init waiting "[^"]*" \((.*?)\)`)

// initReasons takes from a dump what goroutines wait for at the beginning.
func initReasons(dump string) (map[uint64]string, error) {
	text, err := os.ReadFile(dump)
	if err != nil {
		return nil, err
	}
	reasons := map[uint64]string{}
	lines := bufio.NewScanner(strings.NewReader(string(text)))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if m := initState.FindStringSubmatch(lines.Text()); m != nil {
			gid, err := strconv.ParseUint(m[1], 10, 64)
			if err != nil {
				return nil, err
			}
			reasons[gid] = m[2]
		}
	}
	return reasons, lines.Err()
}

// states compares in what states goroutines are at the beginning and at the end of a trace with
// those the program gives. One of several states is "Running|Runnable".
func states(args []string) error {
	if err := wantArgs(args, 2); err != nil {
		return err
	}
	text, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	var want struct {
		States map[string]map[string]int `json:"states"`
	}
	if err := json.Unmarshal(text, &want); err != nil {
		return err
	}
	if len(want.States) == 0 {
		return fmt.Errorf("%s has no states", args[0])
	}
	start, err := readStarts(args[1])
	if err != nil {
		return err
	}
	reason, err := initReasons(args[1])
	if err != nil {
		return err
	}
	first, last := map[uint64]string{}, map[uint64]string{}
	err = eachTransition(os.Stdin, func(t transition) {
		start.see(t)
		// each generation of a trace says again who waits
		if t.from == t.to {
			return
		}
		state := t.to
		if state == "Waiting" && t.from == "Undetermined" {
			state += " (" + reason[t.gid] + ")"
		} else if state == "Waiting" {
			state += " (" + t.reason + ")"
		}
		if t.from == "Undetermined" {
			first[t.gid] = state
		}
		last[t.gid] = state
	})
	if err != nil {
		return err
	}
	var wrong []string
	for _, fn := range sorted(want.States) {
		for _, when := range []struct {
			what string
			is   map[uint64]string
		}{{"at the beginning", first}, {"at the end", last}} {
			for _, state := range sorted(want.States[fn]) {
				n := 0
				for gid, is := range when.is {
					if start[gid] == fn && strings.Contains("|"+state+"|", "|"+is+"|") {
						n++
					}
				}
				if w := want.States[fn][state]; n != w {
					wrong = append(wrong, fmt.Sprintf("%s %s: %d are %s, not %d", fn, when.what, n,
						state, w))
				}
			}
		}
	}
	return report(wrong)
}
