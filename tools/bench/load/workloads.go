// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// serveHTTP: an operation is a small request, answered at once
func serveHTTP(args []string) (*meter, string) {
	m := newMeter(1)
	hello := []byte("hello\n")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fail(err)
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.ops[0].n.Add(1)
		w.Write(hello)
	})
	server := http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { fail(server.Serve(listener)) }()
	return m, listener.Addr().String()
}

// pingPong: an operation is a round trip between two goroutines, over two channels; as many
// pairs as there are CPUs
func pingPong(args []string) (*meter, string) {
	const timed = 16 // one of so many, as reading the clock is no operation
	m := newMeter(runtime.GOMAXPROCS(0))
	for i := range m.ops {
		ops := &m.ops[i].n
		to, fro := make(chan int), make(chan int)
		go func() {
			for n := range to {
				fro <- n + 1
			}
		}()
		go func() {
			for n := 0; ; n++ {
				if n%timed == 0 {
					begin := time.Now()
					to <- n
					<-fro
					m.latencies.add(uint64(time.Since(begin)))
				} else {
					to <- n
					<-fro
				}
				ops.Add(1)
			}
		}()
	}
	return m, ""
}

var sink uint64

// work takes some hundred nanoseconds and can be kept from nobody
func work(x uint64) uint64 {
	for i := 0; i < 100; i++ {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
	}
	return x
}

// contend: an operation is a lock that four goroutines for each CPU want, and its unlock; others run
// while it is held, or hardly anybody would ever have to wait
func contend(args []string) (*meter, string) {
	m := newMeter(4 * runtime.GOMAXPROCS(0))
	var mu sync.Mutex
	for i := range m.ops {
		ops := &m.ops[i].n
		go func() {
			for x := uint64(1); ; {
				mu.Lock()
				sink = work(sink + 1)
				runtime.Gosched()
				mu.Unlock()
				x = work(x)
				ops.Add(1)
			}
		}()
	}
	return m, ""
}

// readFiles: an operation is a system call, pread of 64 bytes
func readFiles(args []string) (*meter, string) {
	m := newMeter(runtime.GOMAXPROCS(0))
	for i := range m.ops {
		ops := &m.ops[i].n
		file, err := os.Open("/proc/self/exe")
		if err != nil {
			fail(err)
		}
		go func() {
			defer runtime.KeepAlive(file)
			fd := int(file.Fd())
			for buf := make([]byte, 64); ; {
				if _, err := syscall.Pread(fd, buf, 0); err != nil {
					fail(err)
				}
				ops.Add(1)
			}
		}()
	}
	return m, ""
}

type tree struct {
	left, right *tree
}

func grow(depth int) *tree {
	if depth == 0 {
		return &tree{}
	}
	return &tree{grow(depth - 1), grow(depth - 1)}
}

// allocate: an operation is a tree of 1,023 objects that soon is garbage; the heap is small, so
// the collector hardly rests
func allocate(args []string) (*meter, string) {
	m := newMeter(2 * runtime.GOMAXPROCS(0))
	for i := range m.ops {
		ops := &m.ops[i].n
		go func() {
			trees := make([]*tree, 32)
			for n := 0; ; n++ {
				trees[n%len(trees)] = grow(9)
				ops.Add(1)
			}
		}()
	}
	return m, ""
}

// passAround: 50,000 goroutines in a circle, in which 50 numbers are handed on; an operation is
// one hand to the next
func passAround(args []string) (*meter, string) {
	const goroutines, numbers = 50000, 50
	m := newMeter(goroutines / 100)
	first := make(chan int, 1)
	in := first
	for i := 0; i < goroutines; i++ {
		out := make(chan int, 1)
		if i == goroutines-1 {
			out = first
		}
		ops := &m.ops[i/100].n
		go func(in, out chan int) {
			for n := range in {
				ops.Add(1)
				out <- n
			}
		}(in, out)
		if i%(goroutines/numbers) == 0 {
			in <- i
		}
		in = out
	}
	return m, ""
}

// pairs PAIRS IDLE LOCKED: pairs of goroutines as above, if there are any, and goroutines that wait
// forever, some of them on threads of their own
func pairs(args []string) (*meter, string) {
	var forever, started sync.WaitGroup
	n, idle, locked := number(args[0]), number(args[1]), number(args[2])
	forever.Add(1)
	started.Add(idle + locked)
	for i := 0; i < idle+locked; i++ {
		lock := i >= idle
		go func() {
			if lock {
				runtime.LockOSThread()
			}
			started.Done()
			forever.Wait()
		}()
	}
	started.Wait()
	if n > 0 {
		return pingPong(nil)
	}
	return newMeter(0), ""
}

// entered has a frame, and begins as nearly all Go functions do: by comparing the stack pointer
//
//go:noinline
func entered(x uint64) uint64 {
	var frame [64]uint64
	frame[x%64] = x
	runtime.KeepAlive(&frame)
	return frame[(x+1)%64]
}

// callEntry: an operation is a call of main.entered, to put a probe on, on one thread
func callEntry(args []string) (*meter, string) {
	m := newMeter(1)
	go func() {
		runtime.LockOSThread()
		for {
			for i := uint64(0); i < 100; i++ {
				sink += entered(i)
			}
			m.ops[0].n.Add(100)
		}
	}()
	return m, ""
}
