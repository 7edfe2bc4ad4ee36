// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

// System calls made by goroutines themselves: reads and writes of pipes that block, each seen
// to block before it is served, reads of a file that do not, sleeps, and calls the runtime is
// not told about.
package main

import (
	"os"
	"runtime"
	"sync/atomic"
	"syscall"

	"targets/internal/harness"
)

const (
	readers, reads    = 4, 25
	writers, writes   = 2, 10
	filers, fileReads = 2, 500
	nappers, naps     = 4, 20
	askers, asks      = 2, 100
	napNanoseconds    = 1000 * 1000
	pipeBytes         = 4096
)

type pipe struct{ r, w int }

var (
	toReaders, fromWriters             []pipe
	file                               int
	nextReader, nextWriter, sleepCalls atomic.Int32
)

func newPipe() pipe {
	var fds [2]int
	harness.Check(syscall.Pipe2(fds[:], syscall.O_CLOEXEC))
	return pipe{fds[0], fds[1]}
}

// fresh gives the caller a new time slice: the signal at the end of one would restart a system
// call that it interrupts, and the kernel would count two
func fresh() {
	runtime.Gosched()
}

func pipeReader() {
	p := toReaders[nextReader.Add(1)-1]
	var b [1]byte
	for i := 0; i < reads; i++ {
		fresh()
		n, err := syscall.Read(p.r, b[:])
		harness.CheckN("read", n, 1, err)
	}
}

func pipeWriter() {
	p := fromWriters[nextWriter.Add(1)-1]
	var b [pipeBytes]byte
	for i := 0; i < writes; i++ {
		fresh()
		n, err := syscall.Write(p.w, b[:])
		harness.CheckN("write", n, len(b), err)
	}
}

func fileReader() {
	var b [64]byte
	for i := 0; i < fileReads; i++ {
		n, err := syscall.Pread(file, b[:], 0)
		harness.CheckN("pread", n, len(b), err)
	}
}

func napper() {
	for i := 0; i < naps; i++ {
		fresh()
		left := syscall.NsecToTimespec(napNanoseconds)
		for {
			sleepCalls.Add(1)
			if err := syscall.Nanosleep(&left, &left); err == nil {
				break
			} else if err != syscall.EINTR {
				harness.Check(err)
			}
		}
	}
}

func asker() {
	for i := 0; i < asks; i++ {
		syscall.Getppid()
	}
}

func main() {
	for i := 0; i < readers; i++ {
		toReaders = append(toReaders, newPipe())
	}
	for i := 0; i < writers; i++ {
		p := newPipe()
		fromWriters = append(fromWriters, p)
		harness.Check(syscall.SetNonblock(p.w, true))
		for b := make([]byte, pipeBytes); ; {
			if _, err := syscall.Write(p.w, b); err != nil {
				break
			}
		}
		harness.Check(syscall.SetNonblock(p.w, false))
	}
	program, err := os.Executable()
	harness.Check(err)
	file, err = syscall.Open(program, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	harness.Check(err)

	harness.Run(func() harness.Result {
		for i := 0; i < readers; i++ {
			go pipeReader()
		}
		for i := 0; i < reads; i++ {
			for _, p := range toReaders {
				harness.UntilInSyscall(syscall.SYS_READ, uintptr(p.r))
				n, err := syscall.Write(p.w, []byte{1})
				harness.CheckN("write", n, 1, err)
			}
		}
		for i := 0; i < writers; i++ {
			go pipeWriter()
		}
		for i := 0; i < writes; i++ {
			for _, p := range fromWriters {
				harness.UntilInSyscall(syscall.SYS_WRITE, uintptr(p.w))
				var b [pipeBytes]byte
				n, err := syscall.Read(p.r, b[:])
				harness.CheckN("read", n, len(b), err)
			}
		}
		for i := 0; i < filers; i++ {
			go fileReader()
		}
		for i := 0; i < nappers; i++ {
			go napper()
		}
		for i := 0; i < askers; i++ {
			go asker()
		}
		harness.Until("the workers to end", func() bool { return runtime.NumGoroutine() == 1 })

		return harness.Result{
			"groups": harness.Groups{
				"main.pipeReader": harness.Count{Create: readers, Exit: readers},
				"main.pipeWriter": harness.Count{Create: writers, Exit: writers},
				"main.fileReader": harness.Count{Create: filers, Exit: filers},
				"main.napper":     harness.Count{Create: nappers, Exit: nappers},
				"main.asker":      harness.Count{Create: askers, Exit: askers},
			},
			"syscalls": harness.Syscalls{
				"main.pipeReader": {"read": readers * reads},
				"main.pipeWriter": {"write": writers * writes},
				"main.fileReader": {"pread64": filers * fileReads},
				"main.napper":     {"nanosleep": int(sleepCalls.Load())},
				"main.asker":      {"getppid": askers * asks},
			},
		}
	})
}
