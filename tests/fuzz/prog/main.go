// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only

// The smallest program with goroutines, closures and inlined calls: what is damaged is the runtime.
package main

func half(n int) int { return n / 2 }

func main() {
	c := make(chan int)
	go func(n int) { c <- half(half(n)) }(8)
	println(<-c)
}
