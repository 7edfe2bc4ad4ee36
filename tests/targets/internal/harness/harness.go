// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

// Package harness is what the programs traced by the end-to-end tests share.
//
// A program prints "ready PID", waits for a line on standard input, does its work once, prints
// as one line of JSON what a tracer has to find, waits for a second line and exits. The numbers
// hold for any GOMAXPROCS and any interleaving: whoever is to block is seen to be blocked before
// anything wakes it.
package harness

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

// Count says how often the goroutines started with one function did what.
type Count struct {
	Create  int `json:"create"`
	Block   int `json:"block"`
	Unblock int `json:"unblock"`
	Exit    int `json:"exit"`
}

// Lives is a Count where nobody can know how often the goroutines block.
type Lives struct {
	Create int `json:"create"`
	Exit   int `json:"exit"`
}

// Groups are Count or Lives by the name of the start function, as the runtime spells it.
type Groups map[string]any

// Syscalls are the numbers of system calls by start function and name of the call. Calls with
// other names are the runtime's own affair.
type Syscalls map[string]map[string]int

// Result is what a program prints.
type Result map[string]any

const patience = 10 * time.Minute

// Run does the work between the two lines of input. The garbage collector, which stops and
// blocks whom it likes, is off; words are printed after "ready PID".
func Run(work func() Result, words ...string) {
	debug.SetGCPercent(-1)
	in := bufio.NewReader(os.Stdin)
	fmt.Println(strings.Join(append([]string{"ready", strconv.Itoa(os.Getpid())}, words...), " "))
	await(in)
	result := work()
	Until("all goroutines to be gone", func() bool { return runtime.NumGoroutine() == 1 })
	line, err := json.Marshal(result)
	if err != nil {
		Fail(err)
	}
	fmt.Println(string(line))
	await(in)
}

func await(in *bufio.Reader) {
	if _, err := in.ReadString('\n'); err != nil {
		Fail("standard input was closed")
	}
}

// Fail ends the program.
func Fail(why ...any) {
	fmt.Fprintln(os.Stderr, why...)
	os.Exit(1)
}

// Check fails on an error.
func Check(err error) {
	if err != nil {
		Fail(err)
	}
}

// Until waits for a condition.
func Until(what string, condition func() bool) {
	for end := time.Now().Add(patience); !condition(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(end) {
			Fail("waited in vain for", what, "\n"+stacks())
		}
	}
}

// UntilParked waits until n goroutines started with fn wait in one of the states, which are
// those of a stack dump.
func UntilParked(n int, fn string, states ...string) {
	Until(fmt.Sprint(n, " of ", fn, " in ", states), func() bool { return parked(fn, states) == n })
}

// UntilGone waits until no goroutine started with one of the functions is left.
func UntilGone(fns ...string) {
	Until(fmt.Sprint(fns, " to be gone"), func() bool {
		dump := "\n" + stacks()
		for _, fn := range fns {
			if strings.Contains(dump, "\n"+fn+"(") {
				return false
			}
		}
		return true
	})
}

func parked(fn string, states []string) (n int) {
	for _, g := range strings.Split(stacks(), "\n\n") {
		head, frames, _ := strings.Cut(g, "\n")
		_, state, _ := strings.Cut(head, "[")
		state = state[:strings.IndexAny(state+"]", ",]")]
		if !strings.Contains("\n"+frames, "\n"+fn+"(") {
			continue
		}
		for _, s := range states {
			if s == state {
				n++
			}
		}
	}
	return n
}

func stacks() string {
	for buf := make([]byte, 1<<20); ; buf = make([]byte, 2*len(buf)) {
		if n := runtime.Stack(buf, true); n < len(buf) {
			return string(buf[:n])
		}
	}
}

// UntilInSyscall waits until a thread of this process sleeps in a system call of this number
// with this first argument.
func UntilInSyscall(number, first uintptr) {
	want := fmt.Sprintf("%d 0x%x ", number, first)
	Until("system call "+want, func() bool {
		files, _ := filepath.Glob("/proc/self/task/*/syscall")
		for _, file := range files {
			if text, err := os.ReadFile(file); err == nil && strings.HasPrefix(string(text), want) {
				return true
			}
		}
		return false
	})
}
