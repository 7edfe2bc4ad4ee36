// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

// What the benchmarks trace: one program, a workload each run. It counts its own operations and
// its own CPU time, and its standard input asks for them: see serve.
package main

import (
	"fmt"
	"os"
	"strconv"
)

// workload starts what is to be traced and returns what it counts, and an address if it has one
type workload func(args []string) (*meter, string)

var workloads = map[string]workload{
	"http":     serveHTTP,
	"pingpong": pingPong,
	"mutex":    contend,
	"syscall":  readFiles,
	"gc":       allocate,
	"many":     passAround,
	"pairs":    pairs,
	"entry":    callEntry,
}

func main() {
	if len(os.Args) < 2 || workloads[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: load WORKLOAD [ARGS]; workloads:")
		for name := range workloads {
			fmt.Fprintln(os.Stderr, " ", name)
		}
		os.Exit(2)
	}
	meter, address := workloads[os.Args[1]](os.Args[2:])
	fmt.Println("ready", address)
	serve(meter, os.Stdin, os.Stdout)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "load:", err)
	os.Exit(1)
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		fail(err)
	}
	return n
}
