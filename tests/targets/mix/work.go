// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

// A little of everything goroutines do, for the many ways to build a program. What they do on
// channels and by themselves are two parts: a program that loads a plugin has one in each.
package main

import (
	"os"
	"reflect"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"targets/internal/harness"
)

const (
	workers = 4
	rounds  = 10

	reads, fileReads = 5, 100
	naps             = 5
	yields           = 50
	exchanges        = 100
	parents          = 50
	children         = 5
)

var (
	toReceivers      = make(chan int)
	left, right      = make(chan int), make(chan int)
	mutex            sync.Mutex
	fromPipe         [2]int
	program          int
	answers, toAsk   pipe
	sleepCalls, born atomic.Int32
	spinning         atomic.Int32
	stop             atomic.Bool
)

type pipe struct{ r, w *os.File }

// name of a goroutine's start function, which depends on what the package is built into
func name(fn func()) string {
	return runtime.FuncForPC(reflect.ValueOf(fn).Pointer()).Name()
}

func start(n int, fn func()) string {
	for i := 0; i < n; i++ {
		go fn()
	}
	return name(fn)
}

func receiver() {
	for i := 0; i < rounds; i++ {
		<-toReceivers
	}
}

func selector() {
	for i := 0; i < rounds; i++ {
		select {
		case <-left:
		case <-right:
		}
	}
}

func locker() {
	mutex.Lock()
	mutex.Unlock()
}

func sleeper() {
	for i := 0; i < rounds; i++ {
		time.Sleep(time.Millisecond)
	}
}

func goexiter() {
	runtime.Goexit()
}

func parent() {
	for i := 0; i < children; i++ {
		go child()
	}
}

func child() {
	born.Add(1)
}

// each lets the workers wait in every round, then wakes each of them once
func each(fn, state string, wake func(worker int)) {
	for r := 0; r < rounds; r++ {
		harness.UntilParked(workers, fn, state)
		for w := 0; w < workers; w++ {
			wake(w)
		}
	}
}

// waiting is what goroutines do that wait for each other, or live for a moment
func waiting(groups harness.Groups) {
	all := harness.Count{Create: workers, Block: workers * rounds, Unblock: workers * rounds,
		Exit: workers}

	fn := start(workers, receiver)
	groups[fn] = all
	each(fn, "chan receive", func(int) { toReceivers <- 1 })

	fn = start(workers, selector)
	groups[fn] = all
	each(fn, "select", func(worker int) {
		if worker%2 == 0 {
			left <- 1
		} else {
			right <- 1
		}
	})

	mutex.Lock()
	fn = start(workers, locker)
	groups[fn] = harness.Count{Create: workers, Block: workers, Unblock: workers, Exit: workers}
	harness.UntilParked(workers, fn, "sync.Mutex.Lock", "semacquire")
	mutex.Unlock()

	fn = start(workers, sleeper)
	groups[fn] = all
	harness.UntilGone(fn)

	groups[start(workers, goexiter)] = harness.Count{Create: workers, Exit: workers}
	groups[start(parents, parent)] = harness.Count{Create: parents, Exit: parents}
	groups[name(child)] = harness.Count{Create: parents * children, Exit: parents * children}
	harness.Until("the children", func() bool { return born.Load() == parents*children })
}

// fresh gives the caller a new time slice: the signal at the end of one would restart a system
// call that it interrupts, and the kernel would count two
func fresh() {
	runtime.Gosched()
}

func pipeReader() {
	var b [1]byte
	for i := 0; i < reads; i++ {
		fresh()
		n, err := syscall.Read(fromPipe[0], b[:])
		harness.CheckN("read", n, len(b), err)
	}
}

func fileReader() {
	var b [64]byte
	for i := 0; i < fileReads; i++ {
		n, err := syscall.Pread(program, b[:], 0)
		harness.CheckN("pread", n, len(b), err)
	}
}

func napper() {
	for i := 0; i < naps; i++ {
		fresh()
		left := syscall.NsecToTimespec(int64(time.Millisecond))
		for {
			sleepCalls.Add(1)
			if err := syscall.Nanosleep(&left, &left); err != syscall.EINTR {
				harness.Check(err)
				break
			}
		}
	}
}

func yielder() {
	for i := 0; i < yields; i++ {
		runtime.Gosched()
	}
}

// spinner never calls anything. More of them than there are Ps get to run by preemption only.
func spinner() {
	spinning.Add(1)
	for !stop.Load() {
	}
}

// asker and answerer are unblocked by the network poller, or find that they need not wait
func asker() {
	var b [1]byte
	for i := 0; i < exchanges; i++ {
		_, err := toAsk.w.Write(b[:])
		harness.Check(err)
		_, err = answers.r.Read(b[:])
		harness.Check(err)
	}
}

func answerer() {
	var b [1]byte
	for i := 0; i < exchanges; i++ {
		_, err := toAsk.r.Read(b[:])
		harness.Check(err)
		_, err = answers.w.Write(b[:])
		harness.Check(err)
	}
}

// working is what goroutines do with the kernel and the scheduler
func working(groups harness.Groups, calls harness.Syscalls) {
	fn := start(1, pipeReader)
	groups[fn] = harness.Counts{"create": 1, "block": 0, "yield": reads, "exit": 1}
	calls[fn] = map[string]int{"read": reads}
	for i := 0; i < reads; i++ {
		harness.UntilInSyscall(syscall.SYS_READ, uintptr(fromPipe[0]))
		n, err := syscall.Write(fromPipe[1], []byte{1})
		harness.CheckN("write", n, 1, err)
	}

	fn = start(workers, fileReader)
	groups[fn] = harness.Count{Create: workers, Exit: workers}
	calls[fn] = map[string]int{"pread64": workers * fileReads}

	fn = start(workers, napper)
	groups[fn] = harness.Counts{"create": workers, "yield": workers * naps, "exit": workers}
	harness.UntilGone(fn)
	calls[fn] = map[string]int{"nanosleep": int(sleepCalls.Load())}

	groups[start(workers, yielder)] = harness.Counts{"create": workers, "block": 0,
		"yield": workers * yields, "exit": workers}

	ps := runtime.GOMAXPROCS(0)
	groups[start(2*ps, spinner)] = harness.Counts{"create": 2 * ps, "preempt_min": ps,
		"exit": 2 * ps}
	harness.Until("the spinners", func() bool { return int(spinning.Load()) == 2*ps })
	runtime.GC() // suspends those that run
	stop.Store(true)

	groups[start(1, asker)] = harness.Lives{Create: 1, Exit: 1}
	groups[start(1, answerer)] = harness.Lives{Create: 1, Exit: 1}
	harness.UntilGone(name(asker), name(answerer))

	coroutines(groups)
	callC(groups, calls)
	harness.Until("the others", func() bool { return runtime.NumGoroutine() == 1 })
}

// setup opens what working needs
func setup() {
	var err error
	harness.Check(syscall.Pipe2(fromPipe[:], syscall.O_CLOEXEC))
	path, err := os.Executable()
	harness.Check(err)
	program, err = syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	harness.Check(err)
	for _, p := range []*pipe{&answers, &toAsk} {
		p.r, p.w, err = os.Pipe()
		harness.Check(err)
	}
}

// whole is both
func whole() harness.Result {
	groups, calls := harness.Groups{}, harness.Syscalls{}
	waiting(groups)
	working(groups, calls)
	return harness.Result{"groups": groups, "syscalls": calls}
}
