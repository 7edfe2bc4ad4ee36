// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"targets/internal/harness"
)

// waiter is a way to block: wait does it once, poke ends that.
type waiter interface {
	wait()
	poke()
}

var ways = []func() waiter{
	func() waiter { return &receiver{make(chan int)} },
	func() waiter { return &ranger{make(chan int)} },
	func() waiter { return &sender{make(chan string)} },
	func() waiter { return &selector{make(chan int), make(chan string)} },
	func() waiter { return newLocker() },
	func() waiter { return newReadLocker() },
	func() waiter { return newWriteLocker() },
	func() waiter { return &conditional{cond: sync.NewCond(&sync.Mutex{})} },
	func() waiter { return newGrouped() },
	func() waiter { return &sleeper{} },
	func() waiter { return newNetReader() },
	func() waiter { return newPipeReader() },
	func() waiter { return newSyscallReader() },
}

type receiver struct{ c chan int }

func (w *receiver) wait() { <-at(w.c) }
func (w *receiver) poke() { w.c <- 1 }

type ranger struct{ c chan int }

func (w *ranger) wait() {
	for range at(w.c) {
		break
	}
}
func (w *ranger) poke() { w.c <- 1 }

type sender struct{ c chan string }

func (w *sender) wait() { at(w.c) <- "" }
func (w *sender) poke() { <-w.c }

type selector struct {
	c chan int
	d chan string
}

// A select blocks on its first line.
func (w *selector) wait() {
//line select.go:100
	select {
//line select.go:100
	case <-at(w.c):
	case w.d <- "":
	}
}

//line ways.go:70
func (w *selector) poke() { w.c <- 1 }

type locker struct{ mu sync.Mutex }

func newLocker() *locker {
	w := &locker{}
	w.mu.Lock()
	return w
}
func (w *locker) wait() { at(&w.mu).Lock() }
func (w *locker) poke() { w.mu.Unlock() }

type readLocker struct{ mu sync.RWMutex }

func newReadLocker() *readLocker {
	w := &readLocker{}
	w.mu.Lock()
	return w
}

func (w *readLocker) wait() {
	at(&w.mu).RLock()
	w.mu.RUnlock()
	w.mu.Lock()
}
func (w *readLocker) poke() { w.mu.Unlock() }

type writeLocker struct{ mu sync.RWMutex }

func newWriteLocker() *writeLocker {
	w := &writeLocker{}
	w.mu.RLock()
	return w
}

func (w *writeLocker) wait() {
	at(&w.mu).Lock()
	w.mu.Unlock()
	w.mu.RLock()
}
func (w *writeLocker) poke() { w.mu.RUnlock() }

type conditional struct{ cond *sync.Cond }

func (w *conditional) wait() {
	w.cond.L.Lock()
	at(w.cond).Wait()
	w.cond.L.Unlock()
}
func (w *conditional) poke() { w.cond.Signal() }

type grouped struct{ group sync.WaitGroup }

func newGrouped() *grouped {
	w := &grouped{}
	w.group.Add(1)
	return w
}

func (w *grouped) wait() {
	at(&w.group).Wait()
	w.group.Add(1)
}
func (w *grouped) poke() { w.group.Done() }

type sleeper struct{}

func (w *sleeper) wait() { time.Sleep(at(500 * time.Millisecond)) }
func (w *sleeper) poke() {}

type netReader struct{ here, there net.Conn }

func newNetReader() *netReader {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	harness.Check(err)
	defer l.Close()
	w := &netReader{}
	w.there, err = net.Dial("tcp", l.Addr().String())
	harness.Check(err)
	w.here, err = l.Accept()
	harness.Check(err)
	return w
}

func (w *netReader) wait() {
	var buf [1]byte
	_, err := at(w.here).Read(buf[:])
	harness.Check(err)
}

func (w *netReader) poke() {
	_, err := w.there.Write([]byte{1})
	harness.Check(err)
}

type pipeReader struct{ r, w *os.File }

func newPipeReader() *pipeReader {
	r, w, err := os.Pipe()
	harness.Check(err)
	return &pipeReader{r, w}
}

func (w *pipeReader) wait() {
	var buf [1]byte
	_, err := at(w.r).Read(buf[:])
	harness.Check(err)
}

func (w *pipeReader) poke() {
	_, err := w.w.Write([]byte{1})
	harness.Check(err)
}

// syscallReader keeps a thread in a system call.
type syscallReader struct{ r, w int }

func newSyscallReader() *syscallReader {
	var fds [2]int
	harness.Check(syscall.Pipe2(fds[:], syscall.O_CLOEXEC))
	reading = append(reading, fds[0])
	return &syscallReader{fds[0], fds[1]}
}

func (w *syscallReader) wait() {
	var buf [1]byte
	_, err := syscall.Read(at(w.r), buf[:])
	harness.Check(err)
}

func (w *syscallReader) poke() {
	_, err := syscall.Write(w.w, []byte{1})
	harness.Check(err)
}
