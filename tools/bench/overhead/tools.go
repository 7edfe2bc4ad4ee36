// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
)

// tools is where programs and files are
type tools struct {
	gscope, load, captured string
	traceTool              string // of Go
	tmp                    string
	off                    []string // options of gscope for all variants
}

// perf is its command line. Where nobody has mounted what it reads the tracepoints from, it gets a
// mount of its own: the machine's stay as they are.
func (tools) perf(args ...string) []string {
	if _, err := os.Stat("/sys/kernel/tracing/events"); err == nil {
		return append([]string{"perf"}, args...)
	}
	return append([]string{"unshare", "-m", "sh", "-c",
		"mount -t tracefs tracefs /sys/kernel/tracing && exec perf \"$@\"", "sh"}, args...)
}

// capture is what tools/bench/captured says is in one
type capture struct {
	Events uint64            `json:"events"`
	Within uint64            `json:"within"`
	Lost   uint64            `json:"lost"`
	Types  map[string]uint64 `json:"types"`
}

func readCapture(captured, file string, from, to uint64) (c capture, err error) {
	cmd := exec.Command(captured, file, fmt.Sprint(from), fmt.Sprint(to))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return c, fmt.Errorf("%v: %s", err, strings.TrimSpace(stderr.String()))
	}
	return c, json.Unmarshal(out, &c)
}

// said is what a running program has said so far
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// options is what a command's --help offers, paragraph by paragraph
type options map[string]string

// optionsOf parses the help argp prints: an option begins at the margin of options, with its
// dashes, and its text goes on until the next one
func optionsOf(help string) options {
	o := options{}
	name := ""
	for _, line := range strings.Split(help, "\n") {
		text := strings.TrimSpace(line)
		if text == "" || line == text {
			name = ""
			continue
		}
		if strings.HasPrefix(text, "-") {
			name = ""
			for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' }) {
				if strings.HasPrefix(word, "--") {
					name, _, _ = strings.Cut(strings.TrimRight(word, "[]"), "=")
					name, _, _ = strings.Cut(name, "[")
					break
				}
			}
		}
		if name != "" {
			o[name] += text + " "
		}
	}
	return o
}

// lacks says what is missing of args, which are pairs of an option and its value, or options
// alone: "" if all are offered. A value has to be a word of the option's text.
func (o options) lacks(args []string) string {
	for i := 0; i < len(args); i++ {
		text, ok := o[args[i]]
		if !ok {
			return "this gscope has no option " + args[i]
		}
		if i+1 == len(args) || strings.HasPrefix(args[i+1], "--") {
			continue
		}
		i++
		words := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" ,;:()|", r) })
		found := false
		for _, word := range words {
			found = found || word == args[i]
		}
		if !found {
			return fmt.Sprintf("this gscope has no %s %s", args[i-1], args[i])
		}
	}
	return ""
}

// offs are options that keep gscope from doing less than is measured, as far as it has them
func (o options) offs() (args []string) {
	for _, pair := range [][]string{{"--max-overhead", "off"}} {
		if o.lacks(pair) == "" {
			args = append(args, pair...)
		}
	}
	return args
}

func gscopeOptions(path string) (options, error) {
	help, err := exec.Command(path, "record", "--help").Output()
	if err != nil {
		return nil, fmt.Errorf("%s record --help: %v", path, err)
	}
	return optionsOf(string(help)), nil
}
