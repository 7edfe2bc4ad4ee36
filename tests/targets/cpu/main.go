// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

// Goroutines that keep a CPU busy, each in another way and on a thread of its own, until that has
// taken so much CPU time; then a heap that stays as it is. It prints by start function the ids of the
// goroutines and the CPU time each took in milliseconds, and what the runtime says of the heap.
//
// With a file as its argument it traces itself, with Go's own CPU samples.
package main

import (
	"bytes"
	"crypto/sha256"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"runtime/trace"
	"strconv"
	"sync"
	"syscall"
	"time"

	"targets/internal/harness"
)

const (
	budget = 300 * time.Millisecond
	held   = 32 << 20
)

var (
	sink  uint64
	heap  []byte
	links *link
)

type link struct {
	next *link
	_    [120]byte
}

//go:noinline
func mix(x uint64) uint64 { // a leaf: it has no frame
	x ^= x << 13
	x ^= x >> 7
	return x ^ x<<17
}

func spin(w *worker) {
	w.run(func() {
		x := uint64(1)
		for i := 0; i < 20000; i++ {
			x = mix(x)
		}
		sink += x
	})
}

func fibonacci(n int) int {
	if n < 2 {
		return n
	}
	return fibonacci(n-1) + fibonacci(n-2)
}

func recurse(w *worker) {
	w.run(func() { sink += uint64(fibonacci(18)) })
}

func allocate(w *worker) {
	w.run(func() {
		for i := 0; i < 200; i++ {
			links = &link{next: links}
		}
		links = nil
	})
}

func clock(w *worker) {
	w.run(func() {
		for i := 0; i < 500; i++ {
			sink += uint64(time.Now().Nanosecond())
		}
	})
}

var from, to [64 << 10]byte

func move(w *worker) {
	w.run(func() {
		copy(to[:], from[:])
		sink += uint64(bytes.IndexByte(to[:], 1))
	})
}

func digest(w *worker) {
	w.run(func() {
		sum := sha256.Sum256(from[:4096])
		sink += uint64(sum[0])
	})
}

func call(w *worker) {
	zero, err := syscall.Open("/dev/zero", syscall.O_RDONLY, 0)
	harness.Check(err)
	w.run(func() {
		var buf [4096]byte
		for i := 0; i < 50; i++ {
			n, err := syscall.Read(zero, buf[:])
			harness.CheckN("/dev/zero", n, len(buf), err)
		}
	})
	harness.Check(syscall.Close(zero))
}

//go:noinline
func deep(n int) int {
	var room [256]byte
	if n == 0 {
		return int(room[sink%256])
	}
	return deep(n-1) + int(room[n%256])
}

func grow(w *worker) { // stacks grow, and are given back
	w.run(func() {
		var done sync.WaitGroup
		done.Add(1)
		go func() {
			defer done.Done()
			sink += uint64(deep(100))
		}()
		deep(100)
		done.Wait()
	})
}

// cpu is what the calling thread has used.
func cpu() time.Duration {
	var usage syscall.Rusage
	const thread = 1 // RUSAGE_THREAD
	harness.Check(syscall.Getrusage(thread, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

type worker struct {
	goid int
	cpu  time.Duration
}

var busy sync.WaitGroup

var works = map[string]func(*worker){
	"main.spin": spin, "main.recurse": recurse, "main.allocate": allocate, "main.clock": clock,
	"main.move": move, "main.digest": digest, "main.call": call, "main.grow": grow,
}

func (w *worker) run(work func()) {
	defer busy.Done()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var head [64]byte
	fields := bytes.Fields(head[:runtime.Stack(head[:], false)]) // goroutine N [...
	id, err := strconv.Atoi(string(fields[1]))
	harness.Check(err)
	w.goid = id
	for begin := cpu(); w.cpu < budget; w.cpu = cpu() - begin {
		work()
	}
}

func work() harness.Result {
	workers := map[string]*worker{}
	goids, times := harness.Counts{}, harness.Counts{}

	debug.SetGCPercent(50)
	heap = make([]byte, held)
	for name, work := range works {
		workers[name] = &worker{}
		busy.Add(1)
		go work(workers[name])
	}
	busy.Wait()
	for name, w := range workers {
		goids[name] = w.goid
		times[name] = int(w.cpu / time.Millisecond)
	}
	runtime.GC()
	runtime.GC() // nothing is left to be swept
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return harness.Result{
		"goids":  goids,
		"cpu_ms": times,
		"heap":   harness.Counts{"alloc": int(m.HeapAlloc), "goal": int(m.NextGC), "cycles": int(m.NumGC)},
	}
}

func traced(name string) func() harness.Result {
	return func() harness.Result {
		out, err := os.Create(name)
		harness.Check(err)
		profile, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
		harness.Check(err)
		harness.Check(trace.Start(out))
		harness.Check(pprof.StartCPUProfile(profile))
		result := work()
		pprof.StopCPUProfile()
		trace.Stop()
		harness.Check(out.Close())
		return result
	}
}

func main() {
	if len(os.Args) > 1 {
		harness.Run(traced(os.Args[1]))
		return
	}
	harness.Run(work)
}
