// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

// A program that hands over between goroutines, and, as soon as gscope shares memory with it, writes
// there what is no stub's. The argument says what:
//
//	garbage   anything, anywhere, the header included
//	header    the header alone
//	records   sites, sizes and threads of records
//	times     of records: before all time, and far in the future
//	heads     where rings are written to
//	tails     where they are read
//	counters  of losses and waits
//	busy      a record that is under way, and never comes
//	flood     the same records again and again
//
// It prints "ready PID", then "found" once it writes, and ends when its input does.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"
)

// As user/inline/shared.h has them.
const (
	headerBytes = 64 << 10
	ringBytes   = 128 + 8*1024
	recordMax   = 96 + 8*128
	recordHead  = 96
)

type memory struct {
	base, size uintptr
	stride     uintptr
	room       uint64
}

func (m *memory) word(at uintptr) *uint64 {
	//lint:ignore SA4000 it is no memory of Go's
	return (*uint64)(*(*unsafe.Pointer)(unsafe.Pointer(&[]uintptr{m.base + at&^7}[0])))
}

func (m *memory) rings() uintptr {
	return (m.size - headerBytes) / m.stride
}

func (m *memory) head(i uintptr) *uint64  { return m.word(headerBytes + i*m.stride) }
func (m *memory) busy(i uintptr) *uint64  { return m.word(headerBytes + i*m.stride + 8) }
func (m *memory) lost(i uintptr) *uint64  { return m.word(headerBytes + i*m.stride + 16) }
func (m *memory) waits(i uintptr) *uint64 { return m.word(headerBytes + i*m.stride + 24) }
func (m *memory) tail(i uintptr) *uint64  { return m.word(headerBytes + i*m.stride + 64) }

// find looks for the mapping, and for how it is divided.
func find() *memory {
	f, err := os.Open("/proc/self/maps")
	if err != nil {
		return nil
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		var from, to uintptr
		if !strings.Contains(s.Text(), "gscope-inline") {
			continue
		}
		if n, _ := fmt.Sscanf(s.Text(), "%x-%x rw-s", &from, &to); n != 2 {
			continue
		}
		m := &memory{base: from, size: to - from}
		for room := uint64(4096); room <= 512<<20; room *= 2 {
			m.room = room
			m.stride = (ringBytes + uintptr(room) + recordMax + 4095) &^ 4095
			if m.size > headerBytes && (m.size-headerBytes)%m.stride == 0 {
				return m
			}
		}
	}
	return nil
}

var seed = uint64(88172645463325252)

func random() uint64 {
	seed ^= seed << 13
	seed ^= seed >> 7
	seed ^= seed << 17
	return seed
}

// recent is a word of a record that is not read yet, or was not long ago.
func (m *memory) recent(i uintptr, off uintptr) *uint64 {
	head := *m.head(i)
	back := random() % 8 * recordHead
	at := (head - back) % m.room
	return m.word(headerBytes + i*m.stride + ringBytes + uintptr(at) + off)
}

func (m *memory) write(mode string) {
	i := uintptr(random()) % m.rings()
	switch mode {
	case "garbage":
		for k := 0; k < 64; k++ {
			*m.word(uintptr(random()) % m.size) = random()
		}
		*m.head(i) = random() >> (random() % 64)
	case "header":
		*m.word(uintptr(random()) % headerBytes) = random()
	case "records":
		*m.recent(i, 8) = random()
		*m.recent(i, 32) = uint64(os.Getppid())
	case "times":
		*m.recent(i, 0) = random() >> (random() % 64)
	case "heads":
		*m.head(i) = random() >> (random() % 64)
	case "tails":
		*m.tail(i) = random() >> (random() % 64)
	case "counters":
		*m.lost(i) = random() >> (random() % 64)
		*m.waits(i) = random() >> (random() % 64)
	case "busy":
		for k := uintptr(0); k < m.rings(); k++ {
			*m.busy(k) = 1
		}
	case "flood":
		for k := uintptr(0); k < m.rings(); k++ {
			*m.head(k) += m.room / 2
		}
	}
}

var handed int64

func handOver() {
	c, d := make(chan int), make(chan int)
	go func() {
		for range c {
			d <- 1
		}
	}()
	for {
		c <- 1
		<-d
		if atomic.AddInt64(&handed, 1)%100 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
}

func hostile(mode string) {
	var m *memory

	runtime.LockOSThread()
	debug.SetPanicOnFault(true)
	defer func() { _ = recover() }() // it was taken away again: there is nothing left to be done
	for m == nil {
		time.Sleep(5 * time.Millisecond)
		m = find()
	}
	time.Sleep(100 * time.Millisecond)
	fmt.Println("found")
	for k := 0; ; k++ {
		if k%64 == 0 {
			time.Sleep(time.Millisecond)
			if find() == nil {
				return
			}
		}
		m.write(mode)
	}
}

func main() {
	fmt.Println("ready", os.Getpid())
	go handOver()
	go hostile(os.Args[1])
	io.Copy(io.Discard, os.Stdin)
}
