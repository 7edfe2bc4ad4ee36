// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

// What the benchmark traces: `load PAIRS IDLE` has PAIRS pairs of goroutines that pass a number to
// and fro over channels as fast as they can, and IDLE goroutines that wait forever. It prints
// "ready" and runs until its standard input is closed.
package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
)

func number(arg int) int {
	n, err := strconv.Atoi(os.Args[arg])
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(2)
	}
	return n
}

func main() {
	var forever, started sync.WaitGroup
	forever.Add(1)
	idle := number(2)
	started.Add(idle)
	for i := 0; i < idle; i++ {
		go func() {
			started.Done()
			forever.Wait()
		}()
	}
	started.Wait()
	for i := number(1); i > 0; i-- {
		to, fro := make(chan int), make(chan int)
		go func() {
			for n := range to {
				fro <- n + 1
			}
		}()
		go func() {
			for n := 0; ; n = <-fro {
				to <- n
			}
		}()
	}
	fmt.Println("ready")
	io.Copy(io.Discard, os.Stdin)
}
