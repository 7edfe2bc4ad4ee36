// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

// A program the unit tests of user/target read.
//
//	prog frames    prints its own stacks, as runtime.Callers and runtime.CallersFrames see them
//	prog park N    parks N goroutines of every kind, says "ready" and waits for its input to end
//	prog churn     keeps goroutines busy until its input ends
package main

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

func main() {
	cgo()
	mode := "frames"
	if len(os.Args) > 1 {
		mode = os.Args[1]
	}
	switch mode {
	case "frames":
		frames()
	case "park":
		n, err := strconv.Atoi(os.Args[2])
		if err != nil {
			panic(err)
		}
		park(n)
	case "churn":
		churn()
	default:
		fmt.Fprintln(os.Stderr, "usage: prog frames | park N | churn")
		os.Exit(2)
	}
}

// --- frames

// base prints where a function was loaded: "entry HEX main.base".
func base() {
	pc, _, _, _ := runtime.Caller(0)
	f := runtime.FuncForPC(pc)
	fmt.Printf("entry %x %s\n", f.Entry(), f.Name())
}

// dump prints "stack", then "pc HEX" for every return address, and for the whole stack one
// "frame HEX LINE FUNC FILE" per logical frame.
func dump() {
	pcs := make([]uintptr, 100)
	pcs = pcs[:runtime.Callers(2, pcs)]
	fmt.Println("stack")
	for _, pc := range pcs {
		fmt.Printf("pc %x\n", pc)
	}
	it := runtime.CallersFrames(pcs)
	for {
		f, more := it.Next()
		fmt.Printf("frame %x %d %s %s\n", f.PC, f.Line, f.Function, f.File)
		if !more {
			break
		}
	}
}

func inner() { dump() }

func middle() {
	inner()
}

func outer(n int) int {
	middle()
	return n + 1
}

type shape interface{ area() int }
type square struct{ side int }
type named struct{ shape } // its area is a wrapper

func (s square) area() int {
	outer(s.side)
	return s.side * s.side
}

func generic[K comparable, V any](m map[K]V, k K) V {
	dump()
	return m[k]
}

type list[T any] struct{ v []T }

//go:noinline
func (l *list[T]) each(f func(T)) {
	for _, v := range l.v {
		f(v)
	}
}

//go:noinline
func call(s shape) int { return s.area() }

func frames() {
	base()
	outer(1)
	func() {
		defer dump()
		outer(2)
	}()
	call(square{3})
	call(&square{4})
	call(named{&square{5}})
	call(&named{square{6}})
	generic(map[string][]int{}, "x")
	generic(map[int]struct{ a, b int }{}, 1)
	l := &list[map[string]int]{v: []map[string]int{nil}}
	l.each(func(map[string]int) { outer(7) })
	done := make(chan struct{})
	go func(n int) {
		defer close(done)
		outer(n)
	}(8)
	<-done
	func() {
		defer func() {
			dump()
			_ = recover()
		}()
		var p *square
		call(p)
	}()
	f := square{9}.area
	f()
}

// --- park

type lot struct {
	recv, send, never chan int
	mu                sync.Mutex
	rw                sync.RWMutex
	cond              *sync.Cond
	wg                sync.WaitGroup
}

func (l *lot) parkRecv()  { <-l.recv }
func (l *lot) parkSend()  { l.send <- 1 }
func (l *lot) parkNil()   { var c chan int; <-c }
func (l *lot) parkMutex() { l.mu.Lock() }
func (l *lot) parkRLock() { l.rw.RLock() }
func (l *lot) parkCond()  { l.cond.L.Lock(); l.cond.Wait() }
func (l *lot) parkGroup() { l.wg.Wait() }
func (l *lot) parkSleep() { time.Sleep(time.Hour) }
func (l *lot) parkSelect() {
	select {
	case <-l.recv:
	case <-l.never:
	}
}

//go:noinline
func deep(n int, f func()) int {
	if n == 0 {
		f()
		return 0
	}
	return deep(n-1, f) + n
}

func (l *lot) parkDeep() { deep(40, l.parkRecv) }

func (l *lot) parkVeryDeep() { deep(400, l.parkRecv) }

func (l *lot) parkSyscall(fd int) {
	var b [1]byte
	syscall.Read(fd, b[:])
}

func park(n int) {
	l := &lot{recv: make(chan int), send: make(chan int), never: make(chan int)}
	l.cond = sync.NewCond(&sync.Mutex{})
	l.mu.Lock()
	l.rw.Lock()
	l.wg.Add(1)
	for i := 0; i < n; i++ {
		for _, f := range []func(){l.parkRecv, l.parkSend, l.parkNil, l.parkMutex, l.parkRLock,
			l.parkCond, l.parkGroup, l.parkSleep, l.parkSelect, l.parkDeep} {
			go f()
		}
	}
	go l.parkVeryDeep()
	var p [2]int
	if err := syscall.Pipe(p[:]); err != nil {
		panic(err)
	}
	go l.parkSyscall(p[0])
	parkMore()
	for i := 0; i < 20; i++ {
		time.Sleep(5 * time.Millisecond)
		runtime.Gosched()
	}
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
}

// --- churn

func churn() {
	a, b := make(chan int), make(chan int)
	for i := 0; i < 4; i++ {
		go func() {
			for v := range a {
				b <- v + 1
			}
		}()
		go func() {
			for {
				a <- 1
				<-b
			}
		}()
		go func() {
			for {
				var wg sync.WaitGroup
				for j := 0; j < 10; j++ {
					wg.Add(1)
					go func() {
						deep(j*5, func() { runtime.Gosched() })
						wg.Done()
					}()
				}
				wg.Wait()
				time.Sleep(time.Microsecond)
			}
		}()
	}
	churnMore()
	churnAnnotations()
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
}
