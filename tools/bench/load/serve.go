// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime/trace"
	"strings"
	"syscall"
	"unsafe"
)

// reading is what the program knows of itself at one moment
type reading struct {
	Ops        uint64 `json:"ops"`
	CPU        uint64 `json:"cpu_ns"`  // of the whole process, user and system
	Mono       uint64 `json:"mono_ns"` // CLOCK_MONOTONIC
	P99        uint64 `json:"p99_ns"`  // since the reading before; 0: not measured
	TraceBytes uint64 `json:"trace_bytes"`
}

const (
	clockMonotonic  = 1
	clockProcessCPU = 2
)

func clock(id uintptr) uint64 {
	var ts syscall.Timespec
	_, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, id, uintptr(unsafe.Pointer(&ts)), 0)
	if errno != 0 {
		fail(errno)
	}
	return uint64(ts.Nano())
}

// serve answers a line for a line until its input ends:
//
//	read             a reading
//	trace on         have the runtime's own tracer write into nothing
//	trace off        and stop
//	trace save FILE  write a file of how the last trace began
func serve(m *meter, in io.Reader, out io.Writer) {
	var traced discard
	answer := json.NewEncoder(out)
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		var err error
		switch line := lines.Text(); line {
		case "read":
			r := reading{P99: m.latencies.take(0.99), TraceBytes: traced.bytes.Load()}
			r.Ops, r.CPU, r.Mono = m.total(), clock(clockProcessCPU), clock(clockMonotonic)
			answer.Encode(r)
			continue
		case "trace on":
			traced.reset()
			err = trace.Start(&traced)
		case "trace off":
			trace.Stop()
		default:
			file, ok := strings.CutPrefix(line, "trace save ")
			if !ok {
				fail(fmt.Errorf("'%s' is no command", line))
			}
			err = os.WriteFile(file, traced.beginning(), 0o600)
		}
		if err != nil {
			fail(err)
		}
		answer.Encode("done")
	}
}
