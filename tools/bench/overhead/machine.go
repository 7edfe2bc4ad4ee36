// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

// cpuOf is the CPU time a process has had, in nanoseconds, 0 if it is gone. Its clock, see
// clock_getcpuclockid(3), is exact where /proc counts hundredths of a second.
func cpuOf(pid int) uint64 {
	var ts syscall.Timespec
	id := uintptr(^pid<<3 | 2)
	_, _, errno := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, id, uintptr(unsafe.Pointer(&ts)), 0)
	if errno != 0 {
		return 0
	}
	return uint64(ts.Nano())
}

// system is what all CPUs together have done since boot, in seconds
type system struct {
	busy, steal float64
}

const ticks = 100 // a second, in /proc/stat: USER_HZ

func parseStat(stat []byte) (system, error) {
	line, _, _ := bytes.Cut(stat, []byte("\n"))
	fields := strings.Fields(string(line))
	if len(fields) < 9 || fields[0] != "cpu" {
		return system{}, fmt.Errorf("/proc/stat begins with %q", line)
	}
	var v [8]float64
	for i := range v {
		n, err := strconv.ParseUint(fields[1+i], 10, 64)
		if err != nil {
			return system{}, err
		}
		v[i] = float64(n) / ticks
	}
	// user, nice, system, idle, iowait, irq, softirq, steal
	return system{busy: v[0] + v[1] + v[2] + v[5] + v[6], steal: v[7]}, nil
}

func readSystem() (system, error) {
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return system{}, err
	}
	return parseStat(stat)
}

// machine is what the measurements are of
type machine struct {
	Kernel, CPU, Load string
	CPUs              int
}

func thisMachine() machine {
	m := machine{CPUs: runtime.NumCPU()}
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	m.Kernel = "Linux " + strings.TrimSpace(string(release))
	info, _ := os.ReadFile("/proc/cpuinfo")
	for _, line := range strings.Split(string(info), "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			m.CPU = strings.TrimSpace(value)
			break
		}
	}
	load, _ := os.ReadFile("/proc/loadavg")
	m.Load, _, _ = strings.Cut(string(load), " ")
	return m
}

func (m machine) String() string {
	return fmt.Sprintf("%s, %d CPUs, %s", m.Kernel, m.CPUs, m.CPU)
}
