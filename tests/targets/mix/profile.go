// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

//go:build profile

// Makes the profile that the program is optimised with: goroutines come, block, wake each other,
// make system calls and go, and little else happens. Usage: mix SECONDS >PROFILE
package main

import (
	"os"
	"runtime"
	"runtime/pprof"
	"strconv"
	"syscall"
	"time"

	"targets/internal/harness"
)

func ping(c chan int, n int) {
	for i := 0; i < n; i++ {
		c <- i
	}
	close(c)
}

func hot() {
	var b [1]byte
	runtime.GOMAXPROCS(1) // nobody looks for work in vain
	for end := time.Now().Add(seconds()); time.Now().Before(end); {
		c := make(chan int)
		go ping(c, 1000)
		for i := range c {
			if i%8 == 0 {
				_, err := syscall.Pread(program, b[:], 0)
				harness.Check(err)
			}
			go child()
		}
	}
}

func seconds() time.Duration {
	n, err := strconv.Atoi(os.Args[1])
	harness.Check(err)
	return time.Duration(n) * time.Second
}

func main() {
	setup()
	// more samples; StartCPUProfile complains, and goes on with this rate
	runtime.SetCPUProfileRate(1000)
	harness.Check(pprof.StartCPUProfile(os.Stdout))
	hot()
	pprof.StopCPUProfile()
}
