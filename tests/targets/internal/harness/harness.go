// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

// Package harness is what the programs traced by the end-to-end tests share.
//
// A program prints "ready PID", waits for a line on standard input, does its work once, prints
// as one line of JSON what a tracer has to find, waits for a second line and exits. The numbers
// hold for any GOMAXPROCS and any interleaving: whoever is to block is seen to be blocked before
// anything wakes it.
//
// It imports little: the standard library is compiled anew for many ways to build a program.
package harness

import (
	"bufio"
	"os"
	"runtime"
	"runtime/debug"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Counter is what is known of the goroutines started with one function.
type Counter interface {
	counts() Counts
}

// Count says how often they did what.
type Count struct {
	Create, Block, Unblock, Exit int
}

func (c Count) counts() Counts {
	return Counts{"create": c.Create, "block": c.Block, "unblock": c.Unblock, "exit": c.Exit}
}

// Lives is a Count where nobody can know how often the goroutines block.
type Lives struct {
	Create, Exit int
}

func (l Lives) counts() Counts {
	return Counts{"create": l.Create, "exit": l.Exit}
}

// Counts is for what has no name in Count: yield (runtime.Gosched), preempt (made to yield),
// suspend (made to wait, as while its stack is scanned), block_otherwise. With _min behind it, it
// is at least so many. What it does not name is not counted.
type Counts map[string]int

func (c Counts) counts() Counts {
	return c
}

// Groups are counters by the name of the start function, as the runtime spells it.
type Groups map[string]Counter

// Syscalls are the numbers of system calls by start function and name of the call. Calls with
// other names are the runtime's own affair.
type Syscalls map[string]map[string]int

// Result is what a program prints: Groups, Syscalls or Counts.
type Result map[string]any

// jsonOf is v as JSON; the names in it need no escapes but those of Go.
func jsonOf(v any) string {
	switch v := v.(type) {
	case int:
		return strconv.Itoa(v)
	case Result:
		return object(len(v), func(add func(string, any)) {
			for key, value := range v {
				add(key, value)
			}
		})
	case Groups:
		return object(len(v), func(add func(string, any)) {
			for key, value := range v {
				add(key, value.counts())
			}
		})
	case Syscalls:
		return object(len(v), func(add func(string, any)) {
			for key, value := range v {
				add(key, Counts(value))
			}
		})
	case Counts:
		return object(len(v), func(add func(string, any)) {
			for key, value := range v {
				add(key, value)
			}
		})
	}
	Fail("a result of a type that has no place in it")
	return ""
}

func object(n int, each func(add func(string, any))) string {
	members := make([]string, 0, n)
	each(func(key string, value any) {
		members = append(members, strconv.Quote(key)+":"+jsonOf(value))
	})
	sort.Strings(members)
	return "{" + strings.Join(members, ",") + "}"
}

const patience = 10 * time.Minute

// Lasting is how many goroutines are left when the work is done.
var Lasting = 1

// Run does the work between the two lines of input. The garbage collector, which stops and
// blocks whom it likes, is off; words are printed after "ready PID".
func Run(work func() Result, words ...string) {
	debug.SetGCPercent(-1)
	Serve(func() Result {
		result := work()
		Until("all goroutines to be gone", func() bool { return runtime.NumGoroutine() == Lasting })
		return result
	}, words...)
}

// Serve is Run for a program that has goroutines and garbage left when its work is done.
func Serve(work func() Result, words ...string) {
	in := bufio.NewReader(os.Stdin)
	say(strings.Join(append([]string{"ready", strconv.Itoa(os.Getpid())}, words...), " "))
	await(in)
	say(jsonOf(work()))
	await(in)
}

func say(line string) {
	if _, err := os.Stdout.WriteString(line + "\n"); err != nil {
		Fail(err.Error())
	}
}

func await(in *bufio.Reader) {
	if _, err := in.ReadString('\n'); err != nil {
		Fail("standard input was closed")
	}
}

// Fail ends the program.
func Fail(why string) {
	os.Stderr.WriteString(why + "\n")
	os.Exit(1)
}

// Check fails on an error.
func Check(err error) {
	if err != nil {
		Fail(err.Error())
	}
}

// CheckN fails unless all n bytes went where they were to go.
func CheckN(what string, n, want int, err error) {
	Check(err)
	if n != want {
		Fail(what + ": " + strconv.Itoa(n) + " bytes, not " + strconv.Itoa(want))
	}
}

// Until waits for a condition.
func Until(what string, condition func() bool) {
	for end := time.Now().Add(patience); !condition(); time.Sleep(100 * time.Microsecond) {
		if time.Now().After(end) {
			Fail("waited in vain for " + what + "\n" + stacks())
		}
	}
}

// UntilParked waits until n goroutines started with fn wait in one of the states, which are
// those of a stack dump.
func UntilParked(n int, fn string, states ...string) {
	what := strconv.Itoa(n) + " of " + fn + " in " + strings.Join(states, " or ")
	Until(what, func() bool { return parked(fn, states) == n })
}

// UntilGone waits until no goroutine started with one of the functions is left.
func UntilGone(fns ...string) {
	Until(strings.Join(fns, ", ")+" to be gone", func() bool {
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
	want := strconv.Itoa(int(number)) + " 0x" + strconv.FormatUint(uint64(first), 16) + " "
	Until("system call "+want, func() bool {
		threads, _ := os.ReadDir("/proc/self/task")
		for _, thread := range threads {
			if text, err := os.ReadFile("/proc/self/task/" + thread.Name() + "/syscall"); err == nil && strings.HasPrefix(string(text), want) {
				return true
			}
		}
		return false
	})
}
