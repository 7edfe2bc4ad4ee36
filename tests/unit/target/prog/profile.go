// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

//go:build profile

package main

import (
	"os"
	"runtime/pprof"
	"time"
)

// This program only writes a CPU profile of the scheduler at work, to build the other one with.
func init() {
	f, err := os.Create(os.Args[1])
	if err != nil {
		panic(err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		panic(err)
	}
	for i := 0; i < 4; i++ {
		a, b := make(chan int), make(chan int)
		go func() {
			for v := range a {
				b <- v
			}
		}()
		go func() {
			for {
				a <- 1
				<-b
			}
		}()
	}
	time.Sleep(4 * time.Second)
	pprof.StopCPUProfile()
	if err := f.Close(); err != nil {
		panic(err)
	}
	os.Exit(0)
}
